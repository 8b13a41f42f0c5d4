"""What is asked of the server and what it refuses; the double is a server to upstream's own client as well."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kfp_server_api import api, models
from kfp_server_api.exceptions import ApiException

import jupyter_ext as kf
from jupyter_ext.cluster import discover
from jupyter_ext.errors import Conflict, Forbidden, Invalid, KubeflowError, NotFound, Unavailable, Unfit
from jupyter_ext.pipelines.kfp import place
from tests.pipelines.kfp import upstream
from tests.pipelines.kfp.fake import API, FakeKfp
from tests.pipelines.runs.notebooks import notebook

FOLDER = Path(__file__).parents[2] / "data" / "compiled"
TOKEN = "of-team-a"
ACCOUNT = "default-editor"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.ipynb"
    path.write_text(json.dumps(notebook("%%parameters\nn = 2", "%%step one\nx = n")))
    return path


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[FakeKfp]:
    """A server of several users."""
    made = FakeKfp(tmp_path / "crowded", users=(TOKEN,))
    yield made
    made.close()


def test_who_one_is_is_read_from_a_file_that_rotates(
    crowded: FakeKfp, book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    monkeypatch.setenv(place.URL, crowded.url)
    with pytest.raises(Forbidden, match=r"does not know who you are.*KF_PIPELINES_SA_TOKEN_PATH") as refused:
        kf.pipelines.runs()
    file.write_text("of-yesterday")
    monkeypatch.setenv(place.TOKEN_FILE, str(file))
    with pytest.raises(Forbidden):
        kf.pipelines.runs()
    file.write_text(f"{TOKEN}\n")  # what is refused is read anew
    with pytest.raises(Invalid, match="no namespace is named"):
        kf.pipelines.run(book)
    monkeypatch.setenv(discover.NAMESPACE, "team-a")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_SERVICE_ACCOUNT", ACCOUNT)
    run = kf.pipelines.run(book, n=5)
    kept = crowded.runs[run.id]
    experiment = crowded.experiments[kept["experiment_id"]]
    assert (experiment["namespace"], experiment["display_name"]) == ("team-a", "Default")
    assert (kept["service_account"], kept["runtime_config"]) == (ACCOUNT, {"parameters": {"n": 5}})
    assert run.resource.namespace == "team-a"
    run.delete()
    said = [str(refused.value), repr(run), json.dumps(crowded.requests), repr(place.server().wire.access)]
    assert not [text for text in said if TOKEN in text]


def test_a_lost_answer_makes_no_second_run(chosen: FakeKfp, book: Path) -> None:
    before = set(chosen.runs)
    chosen.lost.append(f"POST {API}/runs")
    run = kf.pipelines.run(book)
    assert set(chosen.runs) - before == {run.id}
    run.delete()
    chosen.lost += [f"POST {API}/runs"] + [f"GET {API}/runs"] * 40  # and then it is away for good
    chosen.broken.append(lambda method, path: -1 if method == "GET" and "/runs?" in path else None)
    with pytest.raises(Unavailable, match=r"does not answer.*kf\.cluster\.use\('local'\)"):
        place.at(chosen.url).wire.call("GET", "/runs", query={"page_size": 1}, patience=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"from_": "one"}, "from_ is for runs on this machine"),
        ({"only": "one"}, "only is"),
        ({"register": "m"}, "register is"),
    ],
)
def test_what_it_has_no_word_for_is_refused_by_name(
    chosen: FakeKfp, book: Path, options: dict[str, str], words: str
) -> None:
    before = len(chosen.requests)
    with pytest.raises(Unfit, match=rf"{words}.*use\('local'\)"):
        kf.pipelines.run(book, **options)
    assert len(chosen.requests) == before


def test_what_is_wrong_is_found_before_anything_is_asked(chosen: FakeKfp, book: Path) -> None:
    before = len(chosen.requests)
    for given in ({"m": 1}, {"n": "text"}):
        with pytest.raises(Invalid):
            kf.pipelines.run(book, parameters=given)
    with pytest.raises(Invalid, match="no parameter"):
        kf.pipelines.run(FOLDER / "linear.yaml", parameters={"nothing": 1})
    with pytest.raises(Unfit, match="resources"):
        kf.pipelines.run(FOLDER / "linear.yaml", resources={"add": {"cpu": "2"}})
    large = notebook("%%step one\nx = 1\n" + "# " + "x" * 200_000)
    with pytest.raises(Unfit):
        kf.pipelines.run(notebook=large)
    assert len(chosen.requests) == before


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://u:p@x", "http://x:port", "http://x/?token=1"])
def test_no_address(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(place.URL, url)
    with pytest.raises(Invalid, match="address of a Kubeflow Pipelines server") as refused:
        place.server()
    assert "u:p" not in str(refused.value)


def test_names_and_identities_go_nowhere_they_should_not(chosen: FakeKfp) -> None:
    there = place.server()
    for name in ("../../etc", "a/b", "", "a?b", "a%2fb", "x" * 200, "é"):
        with pytest.raises(KubeflowError):
            there.run(name)
    for name in ("../../etc", 'a"b', "a&filter=x", "é ü", "x" * 300):
        with pytest.raises(NotFound):
            kf.pipelines.get(name)
        with pytest.raises(NotFound):
            there.pipeline(name)
    chosen.broken.append(lambda *_: 403)
    with pytest.raises(Forbidden, match="does not allow it: the weather"):
        there.run("abc")


def test_what_is_no_kubeflow_pipelines_says_so(tmp_path: Path) -> None:
    import functools
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    (tmp_path / "apis" / "v2beta1").mkdir(parents=True)
    (tmp_path / "apis" / "v2beta1" / "healthz").write_text("<html>Log in</html>")
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as page:
        thread = threading.Thread(target=page.serve_forever, args=(0.05,))
        thread.start()
        try:
            there = place.at(f"http://127.0.0.1:{page.server_address[1]}")
            with pytest.raises(Unavailable, match="does not answer as Kubeflow Pipelines does"):
                there.health()
            with pytest.raises(NotFound):
                there.run("abc")
        finally:
            page.shutdown()
            thread.join()


@pytest.mark.slow
def test_pipelines_are_uploaded_with_versions_and_run_by_others(chosen: FakeKfp, book: Path) -> None:
    first = kf.pipelines.upload(book, "shared", description="for all")
    second = kf.pipelines.upload(book, "shared", version="two")
    assert first["pipeline_id"] == second["pipeline_id"]
    with pytest.raises(Conflict, match="already exist"):
        kf.pipelines.upload(book, "shared", version="two")
    there = kf.pipelines.server()
    assert there.pipeline("shared")["display_name"] == "shared"
    assert {one["pipeline_version_id"] for one in there.versions(second["pipeline_id"])} == {
        first["pipeline_version_id"], second["pipeline_version_id"],
    }  # fmt: skip
    # Upstream's client starts it, and ours follows: its run names a version, not a specification.
    with upstream.client(chosen.url) as client:
        home = api.ExperimentServiceApi(client).experiment_service_create_experiment(
            models.V2beta1Experiment(display_name="theirs")
        )
        reference = models.V2beta1PipelineVersionReference(pipeline_id=second["pipeline_id"])
        runs = api.RunServiceApi(client)
        made = runs.run_service_create_run(
            models.V2beta1Run(
                display_name="by hand", experiment_id=home.experiment_id, pipeline_version_reference=reference
            )
        )
        run = kf.pipelines.get("by hand")
        assert run.wait(300).state == "SUCCEEDED"
        assert {each["name"] for each in run.steps} >= {"one"}
        seen = runs.run_service_get_run(made.run_id)
        assert {row.display_name for row in seen.run_details.task_details} >= {
            "root",
            "root-driver",
            "one",
            "one-driver",
            "executor",
        }
        assert seen.state == "SUCCEEDED"
        listed = runs.run_service_list_runs(page_size=1)
        assert (len(listed.runs), bool(listed.next_page_token)) == (1, listed.total_size > 1)
        with pytest.raises(ApiException):
            runs.run_service_retry_run("nothing")
    run.archive()
    assert run.name not in {each.name for each in kf.pipelines.runs()}
    there.delete_pipeline(second["pipeline_id"])
    with pytest.raises(NotFound):
        there.pipeline("shared")


def test_the_double_takes_nothing_that_upstream_does_not_know(chosen: FakeKfp) -> None:
    wire = place.server().wire
    for path, body, query in (
        ("/runs", {"display_name": "x", "nonsense": 1}, {}),
        ("/runs", {"display_name": 7}, {}),
        ("/experiments", {"display_name": "x", "storage_state": "SOMEWHERE"}, {}),
        ("/runs", {"display_name": "x"}, {"nonsense": "1"}),
    ):
        with pytest.raises(Invalid):
            wire.call("POST", path, body, query=query)
    with pytest.raises(upstream.NotUpstreams):
        upstream.check("V2beta1Run", {"run_details": {"task_details": [{"state": "DONE"}]}})


def test_where_no_server_is_used_nothing_is_loaded() -> None:
    code = (
        "import sys, jupyter_ext as kf; kf.pipelines.runs(); "
        "assert not [m for m in sys.modules if m in ('urllib3', 'jupyter_ext.pipelines.kfp.handle')], 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_what_runs_in_a_run_belongs_to_it(chosen: FakeKfp, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.server() is not None
    for name in place.INSIDE:
        with monkeypatch.context() as inside:
            inside.setenv(name, "x")
            assert place.server() is None
    monkeypatch.setenv(place.URL, "none")
    assert place.server() is None
