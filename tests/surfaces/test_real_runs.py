"""Runs started, followed and looked at through the server, as the sidebar does it."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

TIMEOUT = 60
BROKEN = (
    '# %% tags=["pipeline-parameters"]\nn = 2\n# %% tags=["step:load"]\nnumbers = list(range(n))\n'
    '# %% tags=["step:bad", "prev:load"]\nprint("before")\nratio = 1 / (n - 2)\n'
)


@pytest.fixture
def until(api):
    """Wait until a run is in one of the states; gives the resource."""

    async def wait(name: str, *states: str):
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            _, found = await api("runs", name)
            if found["status"]["phase"] in states:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(found["status"])

    return wait


async def start(api, **body):
    status, run = await api("runs", method="POST", body=body)
    assert status == 201, run
    return run["metadata"]["name"]


async def test_a_notebook_from_the_first_click_to_its_values(api, until, jp_root_dir, small):
    (jp_root_dir / "deep").mkdir()
    (jp_root_dir / "deep" / "small.ipynb").write_text(json.dumps(small))
    status, checked = await api("notebooks:check", method="POST", body={"path": "deep/small.ipynb"})
    assert status == 200
    assert [step["name"] for step in checked["pipeline"]["steps"]][-2:] == ["load", "add"]
    name = await start(api, path="deep/small.ipynb", parameters={"n": 5})
    run = await until(name, "SUCCEEDED", "FAILED")
    assert run["status"]["phase"] == "SUCCEEDED", run["status"]
    assert run["spec"]["pipeline"]["path"] == "deep/small.ipynb"
    assert run["spec"]["parameters"] == {"n": 5}
    _, outputs = await api("runs", name, "outputs", "load")
    assert "made 5" in json.dumps(outputs)
    _, value = await api("runs", name, "values", "add", "total")
    assert "10" in json.dumps(value)
    _, code = await api("runs", name, "code", "add")
    assert code["cells"][0]["source"] == code["now"][0]["source"] == "total = sum(numbers)"
    _, executed = await api("runs", f"{name}:executed", method="POST", body={})
    assert executed["cells"][1]["outputs"]
    _, exported = await api("runs", f"{name}:export", method="POST", body={})
    assert exported["name"] == f"{name}.ipynb"
    assert (await api("runs", name, "values", "add", "none"))[0] == 404
    assert (await api("runs", name, "outputs", "none"))[0] == 404
    again = await start(api, path="deep/small.ipynb", parameters={"n": 6})
    await until(again, "SUCCEEDED")
    status, compared = await api("runs:compare", params={"names": f"{name},{again}"})
    assert status == 200
    assert any(row["name"] == "n" and row["values"] == [5, 6] for row in compared["rows"])
    assert (await api("runs:compare", params={"names": name}))[0] == 400
    status, _ = await api("runs", name, method="DELETE")
    assert status == 200
    assert (await api("runs", name))[0] == 404


async def test_a_run_registers_the_value_that_is_the_model(api, until, jp_root_dir, small):
    (jp_root_dir / "small.ipynb").write_text(json.dumps(small))
    body = {"path": "small.ipynb", "register": {"model": "sums", "alias": "next", "value": "totals"}}
    status, refused = await api("runs", method="POST", body=body)
    assert (status, refused["where"]["field"]) == (400, "register")
    assert (await api("runs"))[1]["items"] == []
    body["register"]["value"] = "total"
    run = await until(await start(api, **body), "SUCCEEDED", "FAILED")
    assert run["status"]["registered"] == {"model": "sums", "version": "1"}, run["status"]
    status, model = await api("registeredmodels", "sums")
    assert model["status"]["aliases"] == {"next": "1"}


async def test_unsaved_content_is_what_runs(api, until, jp_root_dir, small):
    body = {"path": "Untitled.ipynb", "content": small}
    _, checked = await api("notebooks:check", method="POST", body=body)
    assert checked["pipeline"]["path"] == str(jp_root_dir / "Untitled.ipynb")
    assert (await api("notebooks:check", method="POST", body={"content": small}))[0] == 200
    assert "2.1.0" in (await api("notebooks:compile", method="POST", body=body))[1]["yaml"]
    small["cells"][2]["source"] = "total = -1"
    name = await start(api, path="Untitled.ipynb", notebook=small)
    run = await until(name, "SUCCEEDED", "FAILED")
    assert run["status"]["phase"] == "SUCCEEDED", run["status"]
    assert not (jp_root_dir / "Untitled.ipynb").exists()
    assert "-1" in json.dumps((await api("runs", name, "values", "add", "total"))[1])


async def test_a_failed_step_is_opened_repaired_and_resumed(api, until, jp_root_dir):
    path = jp_root_dir / "broken.py"
    path.write_text(BROKEN)
    name = await start(api, path="broken.py")
    run = await until(name, "SUCCEEDED", "FAILED")
    assert run["status"]["error"]["type"] == "ZeroDivisionError"
    assert run["status"]["error"]["line"] == 2
    status, opened = await api("runs", f"{name}:open", method="POST", body={})
    assert status == 200, opened
    assert opened["step"] == "bad"
    written = json.loads((jp_root_dir / opened["path"]).read_text())
    assert any(cell["id"] == opened["cellId"] for cell in written["cells"])
    _, again = await api("runs", f"{name}:open", method="POST", body={"step": "bad"})
    assert again["path"] == opened["path"], "what nobody worked on is used again"
    written["cells"][-1]["source"] = "# mine"
    (jp_root_dir / opened["path"]).write_text(json.dumps(written))
    _, third = await api("runs", f"{name}:open", method="POST", body={"step": "bad"})
    assert third["path"] != opened["path"], "what somebody worked on is left alone"
    path.write_text(BROKEN.replace("1 / (n - 2)", "1 / (n - 1)"))
    status, resumed = await api("runs", f"{name}:resume", method="POST", body={})
    assert status == 200, resumed
    run = await until(resumed["metadata"]["name"], "SUCCEEDED", "FAILED")
    assert run["status"]["phase"] == "SUCCEEDED", run["status"]
    assert next(step for step in run["status"]["steps"] if step["name"] == "load")["cached"]
    status, refused = await api("runs", f"{resumed['metadata']['name']}:resume", method="POST", body={})
    assert (status, refused["status"]) == (409, 409)


async def test_rerun_and_reproduce(api, until, jp_root_dir, small):
    (jp_root_dir / "small.ipynb").write_text(json.dumps(small))
    name = await start(api, path="small.ipynb")
    await until(name, "SUCCEEDED")
    _, rerun = await api("runs", f"{name}:rerun", method="POST", body={"from": "add"})
    run = await until(rerun["metadata"]["name"], "SUCCEEDED")
    states = {step["name"]: step["cached"] for step in run["status"]["steps"]}
    assert states["load"] is True
    assert states["add"] is False
    _, reproduced = await api("runs", f"{name}:reproduce", method="POST", body={})
    await until(reproduced["metadata"]["name"], "SUCCEEDED")
    status, report = await api("runs", f"{reproduced['metadata']['name']}:report", method="POST", body={})
    assert status == 200, report
    assert report["identical"] is True


async def test_a_run_is_stopped(api, until, jp_root_dir):
    (jp_root_dir / "slow.py").write_text("# %%\nimport time\ntime.sleep(600)\n")
    name = await start(api, path="slow.py")
    await until(name, "RUNNING")
    status, run = await api("runs", f"{name}:stop", method="POST", body={})
    assert (status, run["status"]["phase"]) in {(200, "CANCELING"), (200, "CANCELED")}
    assert (await until(name, "CANCELED"))["status"]["reason"]
    assert (await api("runs", f"{name}:stop", method="POST", body={}))[0] == 200


async def test_what_cannot_run_is_refused_with_its_cell(api, jp_root_dir):
    (jp_root_dir / "bad.py").write_text("# %%\nx = 1\n# %%\nprint(nothing_like_it)\n")
    for route in ("runs", "notebooks:compile"):
        status, found = await api(route, method="POST", body={"path": "bad.py"})
        assert (status, found["where"]["cell"], found["where"]["line"]) == (400, 2, 1), found
        assert "nothing_like_it" in found["what"]
    status, found = await api("notebooks:check", method="POST", body={"path": "bad.py"})
    assert status == 200
    assert found["pipeline"]["problems"][0]["cell"] == 2
    (jp_root_dir / "fine.py").write_text("# %%\nx = 1\n")
    for body, status in (
        ({"parameters": {"y": 1}}, 400),
        ({"options": {"from": "nowhere"}}, 400),
        ({"options": {"resources": {"nowhere": {"cpu": "1"}}}}, 400),
    ):
        assert (await api("runs", method="POST", body={"path": "fine.py", **body}))[0] == status
    _, listed = await api("runs")
    assert listed["items"] == []


async def test_schedules(api, jp_root_dir, small):
    (jp_root_dir / "small.ipynb").write_text(json.dumps(small))
    body = {"path": "small.ipynb", "cron": "0 6 * * 1-5", "name": "morning", "parameters": {"n": 2}}
    status, made = await api("recurringruns", method="POST", body=body)
    assert status == 201, made
    assert made["spec"]["path"] == "small.ipynb"
    assert (await api("recurringruns", method="POST", body=body))[0] == 409
    assert (await api("recurringruns", method="POST", body={**body, "cron": "soon", "name": "x"}))[0] == 400
    _, paused = await api("recurringruns", "morning:pause", method="POST", body={})
    assert paused["spec"]["enabled"] is False
    _, resumed = await api("recurringruns", "morning:resume", method="POST", body={})
    assert resumed["spec"]["enabled"] is True
    _, listed = await api("recurringruns")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["morning"]
    status, run = await api("recurringruns", "morning:run", method="POST", body={})
    assert (status, run["kind"]) == (200, "Run")
    assert (await api("recurringruns", "morning", method="DELETE"))[0] == 200
    await api("runs", f"{run['metadata']['name']}:stop", method="POST", body={})
