"""A notebook's pipeline as Jobs of a real cluster: pods that run, values through a real S3 server."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import nbformat
import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.errors import KubeflowError, Unavailable
from jupyter_ext.pipelines.kube.manifest import RUN, UNIT
from tests.cluster_both.fake_kubelet import NO_NODE_HAS, FakeKubelet
from tests.cluster_both.object_store import BUCKET, KEYS, have_credentials, s3_server
from tests.waiting import processes_of, until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def s3(cluster):
    """A server of S3's protocol at the node's address, which pods reach."""
    with s3_server() as url:
        yield url


@pytest.fixture
def chosen(cluster, s3, monkeypatch, tmp_path):
    """The test's namespace is where steps go; the store's credentials are a Secret there, and nowhere else."""
    namespace = cluster.namespace()
    have_credentials(cluster, namespace, s3)
    for name in [*KEYS, "AWS_ENDPOINT_URL"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv(IMAGE, "docker.io/library/none:1")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", f"s3://{BUCKET}/{namespace}")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    yield kf.cluster.use("test", namespace)
    kf.cluster.use()


@pytest.fixture
def kubelet(chosen, tmp_path):
    """Runs the pods."""
    made = FakeKubelet(chosen, tmp_path / "pods")
    made.start()
    yield made
    made.end()


def written(path: Path, *cells: str, cpu: str = NO_NODE_HAS) -> Path:
    """A notebook of these cells, each of which is a step."""
    sources = [cell.replace("\n", f" --cpu {cpu}\n", 1) for cell in cells]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbformat.write(book, path)
    return path


def jobs(cluster, run) -> list[dict]:
    """The Jobs of a run."""
    return jobs_of(cluster, run.resource)


def jobs_of(cluster, resource) -> list[dict]:
    """The Jobs of a run, also of one that was deleted."""
    path = f"/apis/batch/v1/namespaces/{resource.spec['place']['namespace']}/jobs"
    return [
        job
        for job in cluster.call("GET", path)["items"]
        if job["metadata"]["labels"].get(RUN) == resource.uid
    ]


STORY = """\
%%step load
import os, platform
from helper import double
rows = [int(line) for line in open('rows.csv')]
print('loading', len(rows), os.uname().nodename)

%%step left
left = double(sum(rows))
open('made.txt', 'w').write(f'left {left}')

%%step right --for 'n in [1, 2, 3]' --collect squares
squares = n * n
print('n is', n)

%%step join
import jupyter_ext as kf
text = open('made.txt').read()
total = left + sum(squares)
kf.pipelines.metrics(total=total)
print(text, total)
"""


def told_story(folder: Path, cpu: str = NO_NODE_HAS) -> Path:
    """The notebook, and what lies beside it."""
    (folder / "rows.csv").write_text("1\n2\n3\n")
    (folder / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    return written(folder / "story.ipynb", *STORY.split("\n\n"), cpu=cpu)


def test_a_notebook_runs_as_jobs_and_what_it_left_outlives_them(chosen, cluster, kubelet, tmp_path):
    book = told_story(tmp_path)
    run = kf.pipelines.run(book).wait(600)
    assert run.state == "SUCCEEDED", run.reason
    assert run.metrics == {"total": 26.0}
    made = jobs(cluster, run)
    # A set: a step that began before it was known to rest on another is run again.
    units = sorted({job["metadata"]["annotations"][UNIT] for job in made})
    assert units == ["join", "left", "load", "right", "right[0]", "right[1]", "right[2]", "right[collect]"]
    assert "loading 3" in run.logs("load")
    assert "left 12 26" in run.logs("join")
    for job in made:
        path = f"/apis/batch/v1/namespaces/{chosen.namespace}/jobs/{job['metadata']['name']}"
        cluster.call("DELETE", path)
    kf.cluster.use("local")  # what a run left is found wherever one looks from
    assert run.value("squares") == [1, 4, 9]
    opened: dict = {}
    run.open("join", opened)
    assert (opened["left"], opened["squares"]) == (12, [1, 4, 9])
    kf.cluster.use("test", chosen.namespace)
    again = kf.pipelines.run(book).wait(600)
    assert again.state == "SUCCEEDED", again.reason
    assert all(step["cached"] for step in again.steps if not step.get("parent"))
    assert not jobs(cluster, again)
    (tmp_path / "rows.csv").write_text("1\n2\n4\n")
    third = kf.pipelines.run(book).wait(600)
    assert "file rows.csv changed" in third.step("load")["cache"]["text"]
    assert third.metrics == {"total": 28.0}


def test_a_run_goes_on_when_its_controller_is_killed_and_nothing_runs_twice(
    chosen, cluster, kubelet, tmp_path
):
    book = written(
        tmp_path / "long.ipynb",
        "%%step first\nimport uuid\nonce = uuid.uuid4().hex\nprint('made', once)",
        "%%step second --no-cache\nimport time\ntime.sleep(5)\nprint('second with', once)\ndone = once",
    )
    run = kf.pipelines.run(book)
    until(lambda: run.steps and run.step("second")["state"] == "RUNNING", 600)
    before = run.value("once", "first")
    for process in processes_of(run.resource.uid):
        process.kill()
    run.wait(600)
    assert run.state == "SUCCEEDED", run.reason
    assert run.value("done") == before
    assert sorted(kubelet.started) == sorted(job["metadata"]["name"] for job in jobs(cluster, run))
    assert len(kubelet.started) == 2


def test_a_run_fails_with_its_reason_goes_on_and_is_stopped(chosen, cluster, kubelet, tmp_path):
    book = written(
        tmp_path / "wrong.ipynb",
        "%%step one\na = 1",
        "%%step two --retry 1\nprint('trying')\nb = a / 0",
        "%%step three\nc = b",
    )
    run = kf.pipelines.run(book).wait(600)
    assert run.state == "FAILED"
    assert "ZeroDivisionError: division by zero" in run.reason
    assert run.step("two")["error"]["line"] == 3
    assert run.step("three")["state"] == "SKIPPED"
    assert len(jobs(cluster, run)) == 3
    written(tmp_path / "wrong.ipynb", "%%step one\na = 1", "%%step two\nimport time\nb = a\ntime.sleep(900)")
    second = run.resume()
    until(lambda: second.steps and second.step("two")["state"] == "RUNNING", 600)
    assert second.step("one")["cached"]
    second.stop()
    second.wait(120)
    assert second.state == "CANCELED"
    until(lambda: not jobs(cluster, second), 120)
    until(lambda: not kubelet.running)


def test_the_same_in_pods_of_a_real_node(chosen, cluster, notebook_image, tmp_path, monkeypatch):
    """With the one image of this project; then one whose image there is not."""
    monkeypatch.setenv(IMAGE, notebook_image)
    run = kf.pipelines.run(told_story(tmp_path, "50m")).wait(600)
    assert run.state == "SUCCEEDED", run.reason
    assert run.metrics == {"total": 26.0}
    assert f"loading 3 {run.step('load')['pod']}" in run.logs("load")
    assert "n is 3" in run.logs("right[2]")
    assert run.value("squares") == [1, 4, 9]
    made = {job["metadata"]["annotations"][UNIT]: job for job in jobs(cluster, run)}
    # What a step waits for is a result, and not the end of a Job, of which Kubernetes says seconds later.
    begun = {unit: datetime.fromisoformat(job["metadata"]["creationTimestamp"]) for unit, job in made.items()}
    ended = {
        unit: datetime.fromisoformat(job["status"].get("completionTime", "9999-01-01T00:00:00Z"))
        for unit, job in made.items()
    }
    assert any(
        begun[later] < ended[earlier]
        for earlier, later in (("load", "left"), ("right[1]", "right[collect]"), ("right[collect]", "join"))
    )
    monkeypatch.setenv(IMAGE, "docker.io/library/no-such-image:1")
    waiting = kf.pipelines.run(told_story(tmp_path, "60m"))
    until(lambda: "no-such-image:1 cannot be had" in waiting.reason, 600)
    gone = waiting.resource
    waiting.delete()
    until(lambda: not jobs_of(cluster, gone))


def test_what_cannot_go_there_is_refused_before_anything_starts(chosen, cluster, tmp_path, monkeypatch):
    book = written(tmp_path / "book.ipynb", "%%step one\na = 1")
    monkeypatch.delenv("JUPYTER_KUBEFLOW_STORE")
    with pytest.raises(Unavailable, match="need a store") as error:
        kf.pipelines.run(book)
    assert "kf.cluster.use('local')" in str(error.value)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", f"s3://{BUCKET}/x")
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig_of("nobody")))
    kf.cluster.use("test", chosen.namespace)
    with pytest.raises(KubeflowError, match="You may not"):
        kf.pipelines.run(book)
    assert not kf.pipelines.runs()
