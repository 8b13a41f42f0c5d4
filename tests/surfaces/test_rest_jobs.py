"""Jobs and experiments over REST, against a real server and real processes."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

TIMEOUT = 60
SOURCE = """
import jupyter_ext as kf
for step in range(3):
    print("step", step)
    kf.report(loss=lr / (step + 1), step=step, progress=(step + 1) / 3)
lr
"""
ERROR = {"message", "what", "where", "hint", "status"}


@pytest.fixture
def ended(api):
    """Wait for the end of a resource."""

    async def wait(plural: str, name: str):
        for _ in range(TIMEOUT * 10):
            status, found = await api(plural, name)
            assert status == 200, found
            if found["status"]["phase"] in {"SUCCEEDED", "FAILED", "CANCELED"}:
                return found
            await asyncio.sleep(0.1)
        pytest.fail(f"{name} does not end")

    return wait


@pytest.fixture
def start(api):
    async def create(plural: str, **body):
        status, made = await api(plural, method="POST", body=body)
        assert status == 201, made
        return made["metadata"]["name"]

    return create


async def test_a_job_from_source_to_curves_code_and_log(api, start, ended):
    name = await start("trainjobs", source=SOURCE, framework="plain", procs=2, args={"lr": 0.5}, name="first")
    assert name == "first"
    found = await ended("trainjobs", name)
    assert found["status"]["phase"] == "SUCCEEDED", found["status"]
    assert found["status"]["metrics"] == {"loss": pytest.approx(0.5 / 3)}
    assert [rank["state"] for rank in found["status"]["ranks"]] == ["SUCCEEDED"] * 2
    status, listed = await api("trainjobs")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["first"]
    assert listed["items"][0]["status"]["progress"] == 1.0
    status, curves = await api("trainjobs", f"{name}:curves", method="POST", body={"names": ["loss"]})
    assert status == 200
    assert [(line["name"], line["rank"]) for line in curves["series"]] == [("loss", 0), ("loss", 1)]
    steps = [[point[0], point[2]] for point in curves["series"][0]["points"]]
    assert steps == [[0.0, 0.5], [1.0, 0.25], [2.0, pytest.approx(0.5 / 3)]]
    status, later = await api(
        "trainjobs", f"{name}:curves", method="POST", body={"since": curves["cursor"], "names": ["loss"]}
    )
    assert later["series"] == []
    status, tail = await api("trainjobs", name, "logs:tail", params={"part": "rank-1", "lines": "1"})
    assert tail == {"text": "step 2\n"}
    status, code = await api("trainjobs", f"{name}:code", method="POST", body={})
    assert status == 200, code
    assert "kf.training.train(" in code["python"]
    assert code["magic"].startswith("%%train ")
    assert "kind: TrainJob" in code["yaml"]
    assert code["cli"].startswith("jupyter kf")
    status, _ = await api("trainjobs", name, method="DELETE")
    assert status == 200
    assert (await api("trainjobs", name))[0] == 404


async def test_a_log_is_followed_with_the_ranks_told_apart(api, start, jp_ws_fetch, jp_root_dir):
    source = "import time, pathlib\nprint('first')\nwhile not pathlib.Path(r'{}').exists(): time.sleep(0.02)\nprint('last')"
    go = jp_root_dir / "go"
    name = await start("trainjobs", source=source.format(go), framework="plain", procs=2)
    socket = await jp_ws_fetch("kubeflow", "v1", "trainjobs", name, "logs")
    text = ""
    while text.count("first") < 2:
        text += json.loads(await asyncio.wait_for(socket.read_message(), TIMEOUT))["text"]
    assert "[rank 0] first" in text
    assert "[rank 1] first" in text
    go.touch()
    last = None
    while (message := await asyncio.wait_for(socket.read_message(), TIMEOUT)) is not None:
        last = json.loads(message)
        text += last.get("text", "")
    socket.close()
    assert last == {"end": True}
    assert text.count("last") == 2


async def test_a_function_of_a_file_below_the_root(api, start, ended, jp_root_dir):
    (jp_root_dir / "fit.py").write_text("def fit(lr: float = 0.1):\n    return lr\n")
    name = await start("trainjobs", path="fit.py", function="fit", framework="plain", args={"lr": 0.2})
    assert (await ended("trainjobs", name))["status"]["result"]["text"] == "0.2"
    for path, status in (("../fit.py", 400), ("none.py", 404), ("fit.txt", 400)):
        found, error = await api("trainjobs", method="POST", body={"path": path})
        assert (found, error["where"]["field"]) == (status, "path")


async def test_what_it_made_is_registered_as_it_was_asked_for(api, start, ended, jp_root_dir):
    (jp_root_dir / "fit.py").write_text("def fit(lr):\n    return {'model': {'lr': lr}, 'loss': lr}\n")
    job = await start(
        "trainjobs", path="fit.py", function="fit", framework="plain", args={"lr": 0.5}, register="net@next"
    )
    space = {"lr": "discrete(0.25,1)"}
    tuned = {"path": "fit.py", "function": "fit", "space": space, "algorithm": "grid", "trials": 2}
    about = {"model": "best", "alias": "next", "description": "Of two", "properties": {"team": "a"}}
    search = await start("experiments", **tuned, register=about)
    for plural, name, model in (("trainjobs", job, "net"), ("experiments", search, "best")):
        found = await ended(plural, name)
        assert found["status"]["registered"] == {"model": model, "version": "1"}, found["status"]
        status, version = await api(
            "registeredmodels", f"{model}:version", method="POST", body={"version": "next"}
        )
        assert status == 200, version
        assert version["version"] == "1"
        status, code = await api(plural, f"{name}:code", method="POST", body={})
        assert f"--register={model}@next" in code["cli"] or "description" in code["cli"]
    assert version["metrics"] == {"loss": 0.25}


async def test_a_job_is_suspended_resumed_and_stopped(api, start, ended):
    source = "import time\nprint('on')\ntime.sleep(120)"
    name = await start("trainjobs", source=source, framework="plain")
    for verb, phases in (("suspend", {"PAUSED"}), ("resume", {"PENDING", "RUNNING"}), ("stop", {"CANCELED"})):
        status, found = await api("trainjobs", f"{name}:{verb}", method="POST", body={})
        assert status == 200, found
        for _ in range(TIMEOUT * 10):
            phase = (await api("trainjobs", name))[1]["status"]["phase"]
            if phase in phases:
                break
            await asyncio.sleep(0.1)
        assert phase in phases
    status, found = await api("trainjobs", f"{name}:stop", method="POST", body={})
    assert status == 200, "it is stopped already"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "source"),
        ({"source": "x", "path": "a.py"}, 404, "path"),
        ({"source": "x = ("}, 400, None),
        ({"source": "print(1)", "nodes": "many"}, 400, "nodes"),
        ({"source": "print(1)", "nodes": True}, 400, "nodes"),
        ({"source": "print(1)", "framework": "cobol"}, 400, "framework"),
        ({"source": "print(1)", "framework": "plain", "resources": {"gpu": 99}}, 422, "resources.gpu"),
        ({"source": "print(1)", "framework": "plain", "resources": {"cpu": "lots"}}, 400, "resources.cpu"),
        ({"source": "print(1)", "name": "A B"}, 400, "name"),
        ({"source": "print(1)", "colour": 1}, 400, "colour"),
        ({"source": "print(1)", "framework": "plain", "register": "net@n x"}, 400, "register"),
        ({"source": "print(1)", "framework": "plain", "register": {"alias": "next"}}, 400, "register.model"),
        (
            {"source": "print(1)", "framework": "plain", "register": {"model": "n", "to": "s3://a"}},
            400,
            "register.to",
        ),
    ],
)
async def test_what_is_wrong_is_the_users_fault_and_named(api, body, status, field):
    found, error = await api("trainjobs", method="POST", body=body)
    assert found == status, error
    assert set(error) == ERROR
    if field:
        assert error["where"]["field"] == field
    assert (await api("trainjobs"))[1]["items"] == []


async def test_a_form_asks_before_it_starts_anything(api):
    body = {"source": "print(1)", "framework": "plain", "nodes": 2, "dryRun": True}
    status, found = await api("trainjobs", method="POST", body=body)
    assert (status, found["problems"]) == (200, [])
    assert "nodes=2" in found["python"]
    status, found = await api("trainjobs", method="POST", body={**body, "resources": {"gpu": 99}})
    assert [problem["field"] for problem in found["problems"]] == ["resources.gpu"]
    status, found = await api(
        "trainjobs", method="POST", body={**body, "register": {"model": "net", "alias": "a b"}}
    )
    assert [problem["field"] for problem in found["problems"]] == ["register"]
    status, found = await api(
        "trainjobs", method="POST", body={**body, "register": {"model": "net", "alias": "next"}}
    )
    assert found["problems"] == []
    assert "register={'model': 'net', 'alias': 'next'}" in found["python"]
    assert "--register=net@next" in found["cli"]
    tuned = {"source": "x", "space": {"x": "double(0,1)"}, "dryRun": True, "register": "net@"}
    status, found = await api("experiments", method="POST", body=tuned)
    assert [problem["field"] for problem in found["problems"]] == ["register"]
    space = {"source": "x", "space": {"x": "double(1,0)"}, "dryRun": True}
    status, found = await api("experiments", method="POST", body=space)
    assert status == 200
    assert "greater" in found["problems"][0]["message"]
    assert (await api("trainjobs"))[1]["items"] == (await api("experiments"))[1]["items"] == []


async def test_runtimes_and_algorithms_say_why_they_cannot_be_had(api):
    status, runtimes = await api("trainjobs:runtimes")
    assert status == 200
    assert {"torch-distributed", "xgboost-distributed"} <= {item["name"] for item in runtimes["items"]}
    status, algorithms = await api("experiments:algorithms")
    assert status == 200
    by_name = {item["name"]: item for item in algorithms["items"]}
    assert by_name["random"]["available"]
    assert all(item["reason"] for item in (*runtimes["items"], *algorithms["items"]) if not item["available"])


async def test_an_experiment_from_its_space_to_its_best_trial(api, start, ended):
    body = {
        "source": "{'loss': (x - 0.3) ** 2}",
        "space": {"x": "double(0,1)", "kind": "categorical(a,b)"},
        "trials": 6,
        "parallel": 2,
        "name": "search",
    }
    name = await start("experiments", **body)
    found = await ended("experiments", name)
    assert found["status"]["phase"] == "SUCCEEDED", found["status"]
    status, page = await api("experiments", f"{name}:trials", method="POST", body={"limit": 4})
    assert status == 200, page
    assert [row["number"] for row in page["items"]] == [0, 1, 2, 3]
    assert page["total"] == 6
    assert isinstance(page["items"][0]["parameters"]["x"], float)
    _, rest = await api("experiments", f"{name}:trials", method="POST", body={"after": 3})
    assert [row["number"] for row in rest["items"]] == [4, 5]
    _, none = await api(
        "experiments", f"{name}:trials", method="POST", body={"since": page["resourceVersion"]}
    )
    assert none["items"] == []
    _, best = await api("experiments", f"{name}:trials", method="POST", body={"sort": "value", "limit": 1})
    assert best["items"][0]["value"] == found["status"]["best"]["value"]
    status, importance = await api("experiments", f"{name}:importance", method="POST", body={})
    assert status == 200, importance
    status, curves = await api("experiments", f"{name}:curves", method="POST", body={})
    assert status == 200, curves
    assert "series" in curves
    status, code = await api("experiments", f"{name}:code", method="POST", body={})
    assert status == 200, code
    assert {"python", "magic", "cli", "yaml"} <= set(code)
    trial = page["items"][0]["name"]
    assert (await api("trials", trial))[1]["kind"] == "Trial"
    assert (await api("trials", trial, "logs:tail"))[0] == 200
    status, more = await api("experiments", f"{name}:resume", method="POST", body={"trials": 2})
    assert status == 200, more
    for _ in range(TIMEOUT * 10):
        found = (await api("experiments", name))[1]
        if found["status"]["phase"] == "SUCCEEDED" and found["status"]["trials"] == 8:
            break
        await asyncio.sleep(0.1)
    assert found["status"]["trials"] == 8
    assert (await api("experiments", name, method="DELETE"))[0] == 200
    assert (await api("trials", trial))[0] == 404


YAML = """apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {{name: applied}}
spec:
  runtimeRef: {{name: torch-distributed}}
  trainer:
    command: [{python}, -c, "print('applied')"]
"""


async def test_yaml_is_applied_or_refused_by_place(api, ended):
    text = YAML.format(python=sys.executable)
    status, found = await api("apply", method="POST", body={"yaml": text})
    assert status == 200, found
    assert [(item["kind"], item["outcome"]) for item in found] == [("TrainJob", "created")]
    await ended("trainjobs", "applied")
    assert (await api("apply", method="POST", body={"yaml": text}))[1][0]["outcome"] == "unchanged"
    wrong = text + "---\n" + text.replace("applied", "other").replace("command", "comand")
    status, error = await api("apply", method="POST", body={"yaml": wrong})
    assert status == 400
    assert error["where"]["object"] == "document 2, TrainJob other"
    assert error["where"]["line"] == 15
    status, error = await api("apply", method="POST", body={"yaml": "/etc/passwd"})
    assert status == 400, "no file is read"


async def test_an_experiments_event_tells_of_its_trials_and_trials_have_none(
    api, start, ended, jp_ws_fetch, jp_serverapp
):
    socket = await jp_ws_fetch("api", "events", "subscribe")
    await api("runs")
    watcher = jp_serverapp.web_app.settings["jupyter_kubeflow"]._watchers[0]
    await asyncio.get_running_loop().run_in_executor(None, watcher.ready.wait, TIMEOUT)
    name = await start(
        "experiments", source="x", space={"x": "double(0,1)"}, objective="result:min", trials=2
    )
    events = []
    while not events or events[-1]["phase"] not in {"SUCCEEDED", "FAILED"}:
        event = json.loads(await asyncio.wait_for(socket.read_message(), TIMEOUT))
        if event.get("kind"):
            events.append(event)
    assert {(event["kind"], event["name"]) for event in events} == {("Experiment", name)}
    assert events[-1]["reason"]
    socket.close()
