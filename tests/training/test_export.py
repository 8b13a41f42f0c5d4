"""A job as YAML: here by apply, and in upstream's runtime by its own launcher."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import jupyter_ext as kf
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, Unfit
from jupyter_ext.training import check, submit, train
from jupyter_ext.training.exporting import BOOTSTRAP


@pytest.fixture
def job(cluster, folder, monkeypatch):
    (folder / "near.py").write_text("K = 5\n")
    monkeypatch.syspath_prepend(str(folder))

    def fit(lr, text):
        import near

        place = kf.training.world()
        kf.report(lr=lr, rank=place.rank)
        print(f"rank {place.rank} of {place.size}: {near.K} {text}")
        return near.K * lr

    return train(
        fit, framework="torch", nodes=1, procs=2, args={"lr": 0.5, "text": "$HOME `x` \\d $(y)"}, name="made"
    )


def elsewhere(document: dict, tmp_path: Path, **env: str) -> subprocess.CompletedProcess:
    """Run the command as a container would: its own folder, no variable of ours."""
    trainer = document["spec"]["trainer"]
    programs = {"torchrun": str(Path(sys.executable).with_name("torchrun")), "python": sys.executable}
    command = [programs.get(word, word) for word in trainer["command"]]
    nowhere = tmp_path / "container"
    nowhere.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER_KUBEFLOW")}
    return subprocess.run(
        [*command, *trainer["args"]], cwd=nowhere, env={**kept, "TMPDIR": str(nowhere), **env},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_it_runs_unchanged_under_upstreams_launcher(job, tmp_path):
    job.wait(120)
    document = yaml.safe_load(job.export(tmp_path / "job.yaml"))
    assert (tmp_path / "job.yaml").read_text().startswith("apiVersion: trainer.kubeflow.org/v1alpha1")
    assert document["spec"]["runtimeRef"]["name"] == "torch-distributed"
    # What upstream's torch runtime puts into the container.
    found = {"PET_NNODES": "1", "PET_NPROC_PER_NODE": "2", "PET_NODE_RANK": "0", "PET_MASTER_ADDR": "127.0.0.1",
             "PET_MASTER_PORT": "0"}  # fmt: skip
    done = elsewhere(document, tmp_path, **found)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "rank 0 of 2: 5 $HOME `x` \\d $(y)" in lines
    assert "rank 1 of 2: 5 $HOME `x` \\d $(y)" in lines
    assert "lr=0.5 rank=0" in lines
    assert "2.5" in lines


@pytest.mark.slow
def test_it_runs_here_when_it_is_applied(job, cluster):
    job.wait(120)
    document = yaml.safe_load(job.export())
    check(Resource.from_dict(document))
    document["metadata"]["name"] = "again"
    again = submit(Resource.from_dict(document))
    assert again.result(120) == 2.5
    assert "$HOME `x` \\d $(y)" in "".join(again.logs(1))
    assert yaml.safe_load(again.export())["spec"] == document["spec"]


def test_without_its_annotations_it_is_the_same_job(cluster, folder):
    job = train(lambda x=1: x + 1, framework="plain", args={"x": 41}, restarts=1).wait(60)
    document = yaml.safe_load(job.export())
    assert BOOTSTRAP in document["spec"]["trainer"]["command"]
    del document["metadata"]["annotations"]
    document["metadata"]["name"] = "bare"
    again = submit(Resource.from_dict(document))
    assert again.result(60) == 42
    assert again.resource.annotations["jupyter-kubeflow.org/restarts"] == "1"


def test_a_failure_elsewhere_is_told_with_the_users_lines(cluster, folder, tmp_path):
    def fit():
        raise ValueError("not here")

    job = train(fit, framework="plain").wait(60)
    document = yaml.safe_load(job.export())
    document["spec"]["trainer"]["command"] = ["python", "-c", BOOTSTRAP]
    done = elsewhere(document, tmp_path)
    assert done.returncode == 1
    assert "ValueError: not here" in done.stderr
    assert 'raise ValueError("not here")' in done.stderr
    assert "outside.py" not in done.stderr


def test_what_cannot_be_taken_along_is_named(cluster, folder):
    (folder / "rows.csv").write_text("1")
    with pytest.raises(Unfit, match=r"rows\.csv is on this machine only") as caught:
        train(lambda rows: rows, framework="plain", data={"rows": "rows.csv"}).export()
    assert caught.value.where.field == "data.rows"
    noise = os.urandom(1 << 20)
    with pytest.raises(Unfit, match=r"call\.pkl"):
        train(lambda: len(noise), framework="plain").wait(60).export()


def test_damaged_code_is_refused(cluster, folder):
    document = yaml.safe_load(train(lambda: 1, framework="plain").wait(60).export())
    document["spec"]["trainer"]["args"][1] = document["spec"]["trainer"]["args"][1][:-40]
    document["metadata"]["name"] = "damaged"
    with pytest.raises(Invalid, match="damaged"):
        submit(Resource.from_dict(document))


def test_a_foreign_command_is_exported_as_it_is(cluster, folder):
    spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": {"command": ["python", "-c", "1"]}}
    job = submit(Resource.new("TrainJob", "foreign", spec)).wait(60)
    assert yaml.safe_load(job.export())["spec"] == spec


def test_python_that_starts_it_again(cluster, folder):
    job = train(
        "x = 1\nx + 1", framework="plain", namespace={}, procs=2, args={"y": 3}, checkpoint=True
    ).wait(60)
    scope = {}
    exec(job.code().replace(f"name='{job.name}'", "name='copy'"), scope)
    assert scope["job"].result(60) == 2
    copy = scope["job"].resource
    assert copy.spec == job.resource.spec
