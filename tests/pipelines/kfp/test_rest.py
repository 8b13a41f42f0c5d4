"""Runs of a (double of a) Kubeflow Pipelines server in a Jupyter server's REST and events, which the sidebar is made of."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
import websocket

from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.cluster.resource import Resource
from tests.cluster_both.jupyter import JupyterServer
from tests.pipelines.kfp.fake import FakeKfp
from tests.pipelines.kfp.test_following import lists, put
from tests.pipelines.runs.notebooks import notebook
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FOLDER = Path(__file__).parents[2] / "data" / "compiled"


@pytest.fixture
def kfp_here(tmp_path: Path) -> Iterator[FakeKfp]:
    made = FakeKfp(tmp_path / "kfp")
    yield made
    made.close()


@pytest.fixture
def server(tmp_path: Path, kfp_here: FakeKfp) -> Iterator[JupyterServer]:
    """A Jupyter server whose runs go to the double, with a folder in which pipelines are."""
    folder = tmp_path / "jupyter"
    told = {
        "JUPYTER_KUBEFLOW_PIPELINES": kfp_here.url,
        "JUPYTER_KUBEFLOW_STORE": kfp_here.root.as_uri(),
        "JUPYTER_KUBEFLOW_JOB_IMAGE": "python:3",
    }
    made = JupyterServer(folder, tmp_path / "kubeconfig", **told)
    for name in ("linear", "naps"):
        (folder / f"{name}.yaml").write_text((FOLDER / f"{name}.yaml").read_text())
    with made:
        yield made


def rows(server: JupyterServer, query: str = "") -> list[tuple[str, str]]:
    """Title and phase of each row, as the sidebar has them."""
    status, found = server.ask(f"runs{query}")
    assert status == 200, found
    return [(item["spec"]["displayName"], item["status"]["phase"]) for item in found["items"]]


def here(server: JupyterServer, *names: str) -> LocalCluster:
    """Runs that this machine has."""
    cluster = LocalCluster(server.home)
    for name in names:
        spec = {"pipeline": {"name": name, "path": "", "graph": {}}, "options": {}, "parameters": {}}
        made = Resource.new("Run", name, spec, namespace=cluster.namespace)
        cluster.store.create(made.with_(status={"phase": "SUCCEEDED", "steps": []}))
    return cluster


def test_a_run_from_its_start_to_its_end_by_rest(server: JupyterServer, kfp_here: FakeKfp) -> None:
    pages = [server.events() for _ in range(2)]
    assert rows(server) == []
    status, made = server.ask("runs", "POST", {"path": "linear.yaml", "parameters": {"start": 3}})
    assert status == 201, made
    name, title = made["metadata"]["name"], made["spec"]["displayName"]
    assert name in kfp_here.runs
    until(lambda: all(("MODIFIED", "SUCCEEDED") in page.of(name) for page in pages))
    # Once, with what a row says.
    (row,) = server.ask("runs")[1]["items"]
    assert (row["metadata"]["name"], row["spec"]["displayName"]) == (name, title)
    assert row["metadata"]["creationTimestamp"] == kfp_here.runs[name]["created_at"]
    assert {step["state"] for step in row["status"]["steps"]} == {"SUCCEEDED"}
    assert "graph" not in row["spec"]["pipeline"]
    # The view that a row opens.
    status, whole = server.ask(f"runs/{name}")
    assert (status, whole["metadata"]["name"], whole["spec"]["parameters"]) == (200, name, {"start": 3})
    assert whole["metadata"]["resourceVersion"] == row["metadata"]["resourceVersion"]
    steps = [step["name"] for step in whole["status"]["steps"]]
    assert steps == [step["name"] for step in whole["spec"]["pipeline"]["graph"]["steps"]]
    assert "adding 3 and 1" in server.ask(f"runs/{name}/logs:tail?step=add")[1]["text"]
    assert "adding 3 and 1" in followed(server, name)
    assert server.ask(f"runs/{name}/code/add")[1]["cells"]
    assert server.ask(f"runs/{name}/outputs/add")[0] == 200
    status, exported = server.ask(f"runs/{name}:export", "POST")
    assert (status, "add" in exported["yaml"]) == (200, True)
    status, refused = server.ask(f"runs/{name}:reproduce", "POST")
    assert (status, "which Kubeflow Pipelines runs" in refused["message"]) == (409, True)
    assert server.ask(f"runs/{name}:resume", "POST")[0] == 409
    # Again, and away with both.
    status, again = server.ask(f"runs/{name}:rerun", "POST", {})
    assert (status, again["metadata"]["name"] != name) == (200, True)
    until(lambda: len(rows(server)) == 2)
    status, compared = server.ask(f"runs:compare?names={name},{again['metadata']['name']}")
    assert status == 200, compared
    for one in (name, again["metadata"]["name"]):
        assert server.ask(f"runs/{one}", "DELETE")[0] == 200
        assert one not in server.names("runs")
    assert kfp_here.runs == {}
    until(lambda: all(page.of(name)[-1][0] == "DELETED" for page in pages))
    assert server.ask(f"runs/{name}")[0] == 404
    for page in pages:
        page.close()


def test_values_of_a_notebook(server: JupyterServer) -> None:
    cells = ["%%step one\nx = [21, 'a']", "%%step two --after one\nraise ValueError(x[0])"]
    body = {"path": "book.ipynb", "notebook": notebook(*cells)}
    status, made = server.ask("runs", "POST", body)
    assert status == 201, made
    name = made["metadata"]["name"]
    until(lambda: [phase for _, phase in rows(server)] == ["FAILED"])
    why = "Step two failed at cell 2, line 2: ValueError: 21"
    until(lambda: server.ask("runs")[1]["items"][0]["status"]["reason"] == why)
    assert server.ask(f"runs/{name}")[1]["status"]["reason"] == why
    assert server.ask(f"runs/{name}/values/one/x")[1]["text"] == "[21, 'a']"
    assert server.ask(f"runs/{name}/values/one/x")[1]["data"] == [21, "a"]
    assert server.ask(f"runs/{name}/values/one/nothing")[0] == 404
    status, left = server.ask(f"runs/{name}/values/one")
    assert (status, [ref["names"] for ref in left["outputs"]], left["used"]) == (200, [["x"]], {})
    assert server.ask(f"runs/{name}/values/two")[1]["used"] == {"x": "one"}
    assert server.ask(f"runs/{name}/values/three")[0] == 404
    assert "ValueError" in server.ask(f"runs/{name}/code/two")[1]["cells"][-1]["source"]
    status, refused = server.ask(f"runs/{name}:open", "POST", {"step": "two"})
    assert (status, "run.open(STEP)" in refused["message"]) == (409, True)


def test_values_of_a_compiled_pipeline(server: JupyterServer, kfp_here: FakeKfp) -> None:
    (server.home.parent / "artifacts.yaml").write_text((FOLDER / "artifacts.yaml").read_text())
    name = server.ask("runs", "POST", {"path": "artifacts.yaml", "parameters": {"lines": 3}})[1]["metadata"][
        "name"
    ]
    until(lambda: [phase for _, phase in rows(server)] == ["SUCCEEDED"])
    steps = [step["name"] for step in server.ask(f"runs/{name}")[1]["status"]["steps"]]
    found = {step: server.ask(f"runs/{name}/values/{step}")[1] for step in steps}
    assert found["write"]["given"]["parameters"] == {"lines": 3}
    (data,) = [ref for ref in found["write"]["outputs"] if ref["types"] == {"data": "Dataset"}]
    assert data["inline"]["data"].startswith(f"{kfp_here.root.as_uri()}/artifacts/{name}/write/")
    assert data["bytes"] > 0


def followed(server: JupyterServer, name: str) -> str:
    """A log to its end, on the websocket that the view has."""
    url = f"ws://127.0.0.1:{server.port}/kubeflow/v1/runs/{name}/logs?token={server.token}"
    socket = websocket.create_connection(url, timeout=120)
    text = ""
    while True:
        frame = json.loads(socket.recv())
        text += frame.get("text", "")
        if "text" not in frame:
            assert frame == {"end": True}
            socket.close()
            return text


def keep(kfp: FakeKfp, title: str, **more: object) -> str:
    """A schedule that somebody made there."""
    identity = str(uuid.uuid4())
    kfp.recurring[identity] = {
        "recurring_run_id": identity, "display_name": title, "created_at": "2026-01-01T00:00:00Z", "status": "ENABLED",
        "max_concurrency": "1", "trigger": {"cron_schedule": {"cron": "0 0 6 * * 1-5"}}, **more,
    }  # fmt: skip
    return identity


def test_schedules_of_both_places(server: JupyterServer, kfp_here: FakeKfp) -> None:
    page = server.events()
    hourly = {"periodic_schedule": {"interval_second": "3600"}}
    nightly, every = keep(kfp_here, "Of somebody / else"), keep(kfp_here, "Hourly", trigger=hourly)
    assert server.names("recurringruns") == {nightly, every}
    found = {item["metadata"]["name"]: item for item in server.ask("recurringruns")[1]["items"]}
    assert found[nightly]["spec"]["displayName"] == "Of somebody / else"
    assert found[nightly]["status"]["nextTime"][10:] == "T06:00:00+00:00"
    assert found[every]["spec"]["every"] == "3600"
    asked = [one for one in kfp_here.requests if "/recurringruns?" in one]
    assert len(asked) == 1
    # One that is made here is kept there; paused, let go on, run and removed by its identity.
    book = json.dumps(notebook("%%parameters\nn = 2", "%%step one\nx = n"))
    (server.home.parent / "book.ipynb").write_text(book)
    body = {"path": "book.ipynb", "cron": "0 6 1 1 *", "name": "yearly", "parameters": {"n": 3}}
    status, made = server.ask("recurringruns", "POST", body)
    assert status == 201, made
    name = made["metadata"]["name"]
    assert name in kfp_here.recurring
    until(lambda: page.of(name) == [("ADDED", "RUNNING")])
    status, paused = server.ask(f"recurringruns/{name}:pause", "POST", {})
    assert (status, paused["metadata"]["name"], paused["status"]["phase"]) == (200, name, "PAUSED")
    until(lambda: page.of(name)[-1] == ("MODIFIED", "PAUSED"))
    assert server.ask(f"recurringruns/{name}:resume", "POST", {})[1]["spec"]["enabled"] is True
    assert server.ask(f"recurringruns/{name}")[1]["spec"]["parameters"] == {"n": 3}
    status, run = server.ask(f"recurringruns/{name}:run", "POST", {})
    assert (status, run["metadata"]["name"] in kfp_here.runs) == (200, True)
    assert server.ask(f"recurringruns/{name}", "DELETE")[0] == 200
    assert server.names("recurringruns") == {nightly, every}
    assert server.ask(f"recurringruns/{name}")[0] == 404
    # Beside them those of this machine; and a list of runs keeps their changes coming.
    cluster = LocalCluster(server.home)
    spec = {"path": "x.ipynb", "cron": "0 6 1 1 *", "enabled": True}
    cluster.store.create(Resource.new("RecurringRun", "here", spec, namespace=cluster.namespace))
    assert server.names("recurringruns") == {nightly, every, "here"}
    assert server.ask("recurringruns/here")[1]["spec"]["path"] == "x.ipynb"
    page.close()


def test_one_that_is_stopped_goes_on_and_fails_as_it_says(server: JupyterServer, kfp_here: FakeKfp) -> None:
    page = server.events()
    body = {"path": "naps.yaml", "parameters": {"seconds": 1000}}
    name = server.ask("runs", "POST", body)[1]["metadata"]["name"]
    until(lambda: "RUNNING" in dict(rows(server)).values())
    assert server.ask(f"runs/{name}:stop", "POST")[0] == 200
    until(lambda: ("MODIFIED", "CANCELED") in page.of(name))
    assert [phase for _, phase in rows(server, "?state=CANCELED")] == ["CANCELED"]
    assert rows(server, "?state=FAILED") == []
    assert server.ask(f"runs/{name}:resume", "POST")[0] == 200
    until(lambda: "RUNNING" in dict(rows(server)).values())
    assert server.ask(f"runs/{name}", "DELETE")[0] == 200
    assert rows(server) == []
    page.close()


def test_both_places_in_one_list(server: JupyterServer, kfp_here: FakeKfp) -> None:
    old = put(kfp_here, 60)
    cluster = here(server, *(f"here-{number}" for number in range(7)))
    new = put(kfp_here, 3, created_at="2999-01-01T00:00:00Z")
    found: list[str] = []
    before = ""
    while True:
        status, page = server.ask(f"runs?limit=9{before}")
        assert (status, "notice" in page) == (200, False)
        found += [item["metadata"]["name"] for item in page["items"]]
        if not page["more"]:
            break
        before = f"&before={quote(page['next'])}"
        assert page["next"] == found[-1]
    assert found == [*sorted(new, reverse=True), *(f"here-{n}" for n in range(6, -1, -1)), *old[::-1]]
    assert server.ask("runs?before=nothing")[0] == 410
    assert [item["metadata"]["name"] for item in server.ask("runs?q=HERE-3")[1]["items"]] == ["here-3"]
    assert len(rows(server, "?q=nightly%200&limit=500")) == 2
    # A tag is of both.
    cluster.delete("Run", "here-0")
    assert "here-0" not in server.names("runs")
    assert server.ask(f"runs/{old[0]}")[1]["metadata"]["name"] == old[0]
    assert server.ask("runs/here-1")[1]["metadata"]["name"] == "here-1"


def test_any_number_of_pages_is_one_that_asks(server: JupyterServer, kfp_here: FakeKfp) -> None:
    put(kfp_here, 5)
    pages = [server.events() for _ in range(4)]
    with ThreadPoolExecutor(16) as tabs:
        found = list(tabs.map(lambda _: len(rows(server)), range(96)))
    assert set(found) == {5}
    assert lists(kfp_here) <= 4  # of a machine so slow that time for a second look came
    (new,) = put(kfp_here, state="RUNNING")
    until(lambda: all(page.of(new) for page in pages))
    assert all(page.of(new) == [("ADDED", "RUNNING")] for page in pages)
    for page in pages:
        page.close()


def test_a_server_that_is_away(server: JupyterServer, kfp_here: FakeKfp) -> None:
    (known,) = put(kfp_here, state="RUNNING")
    here(server, "mine")
    page = server.events()
    assert server.names("runs") == {known, "mine"}
    kfp_here.broken.append(lambda _method, _path: -1)
    until(lambda: page.of("Kubeflow Pipelines"))
    status, found = server.ask("runs")
    assert {item["metadata"]["name"] for item in found["items"]} == {known, "mine"}
    assert (status, f"Kubeflow Pipelines at {kfp_here.url} does not answer" in found["notice"]) == (200, True)
    assert "answer: Remote end closed connection without response. Is the address" in found["notice"]
    assert server.ask("runs/mine")[0] == 200
    assert server.ask("runs/mine/logs:tail") == (200, {"text": ""})
    kfp_here.broken.clear()
    until(lambda: "notice" not in server.ask("runs")[1])
    assert server.names("runs") == {known, "mine"}
    assert "Traceback" not in server.log.read_text()
    page.close()


def test_where_there_is_none_nothing_is_asked(tmp_path: Path, kfp_here: FakeKfp) -> None:
    for told in ({"JUPYTER_KUBEFLOW_PIPELINES": "none"}, {"KF_PIPELINES_ENDPOINT": kfp_here.url}):
        with JupyterServer(tmp_path / next(iter(told)), tmp_path / "kubeconfig", **told) as server:
            here(server, "mine")
            assert server.names("runs") == {"mine"}
            assert server.ask("runs/nothing")[0] == 404
    assert kfp_here.requests == []
