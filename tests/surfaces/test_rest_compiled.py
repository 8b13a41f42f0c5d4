"""A compiled pipeline over REST: looked at before it runs, run, opened in a step, and given back as YAML."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
import yaml

from jupyter_ext.pipelines.compiled import reading

FOLDER = Path(__file__).parents[1] / "data" / "compiled"


@pytest.fixture
def here(jp_root_dir):
    """A compiled pipeline in a folder of the server."""

    def copy(name: str) -> str:
        (jp_root_dir / "sub").mkdir(exist_ok=True)
        shutil.copy(FOLDER / f"{name}.yaml", jp_root_dir / "sub")
        return f"sub/{name}.yaml"

    return copy


async def ended(api, name: str) -> dict:
    """The run once it is done."""
    while True:
        _, found = await api("runs", name)
        if found["status"]["phase"] in ("SUCCEEDED", "FAILED", "CANCELED"):
            return found
        await asyncio.sleep(0.1)


async def test_before_it_runs_its_graph_and_parameters_are_known(api, here):
    status, found = await api("pipelines:check", method="POST", body={"path": here("linear")})
    assert status == 200
    pipeline = found["pipeline"]
    assert {step["name"] for step in pipeline["steps"]} == {"add", "add-2", "describe", "shout"}
    asked = {each["name"]: each for each in pipeline["metadata"]["parameters"]}
    assert (asked["start"]["type"], asked["start"]["required"]) == ("NUMBER_INTEGER", False)
    assert (asked["names"]["type"], asked["names"]["default"]) == ("LIST", ["x", "y"])
    status, found = await api("pipelines:check", method="POST", body={"path": here("retries")})
    assert {p["name"]: p["required"] for p in found["pipeline"]["metadata"]["parameters"]}["counter"] is True


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", "Argo Workflow"),
        ("apiVersion: v1\nkind: ConfigMap\n", "This is a ConfigMap"),
        ("services: {}\n", "not a compiled pipeline"),
        ("{", "YAML"),
    ],
)
async def test_yaml_that_is_no_pipeline_is_refused_with_one_sentence(api, jp_root_dir, text, what):
    (jp_root_dir / "other.yaml").write_text(text)
    for path in ("pipelines:check", "runs"):
        status, found = await api(path, method="POST", body={"path": "other.yaml"})
        assert 400 <= status < 500
        assert what in found["message"]
        assert "\n" not in found["message"]
    status, found = await api("pipelines:check", method="POST", body={"path": "other.txt"})
    assert (status, found["where"]["field"]) == (400, "path")
    status, _ = await api("pipelines:check", method="POST", body={"path": "../outside.yaml"})
    assert status == 400
    status, _ = await api("pipelines:check", method="POST", body={"path": "gone.yaml"})
    assert status == 404


async def test_it_runs_is_opened_in_a_step_and_exported(api, here, jp_root_dir):
    status, wrong = await api(
        "runs", method="POST", body={"path": here("linear"), "parameters": {"start": "x"}}
    )
    assert (status, wrong["where"]["field"]) == (400, "start")
    body = {"path": here("loops"), "parameters": {"count": 2}}
    status, made = await api("runs", method="POST", body=body)
    assert status == 201
    name = made["metadata"]["name"]
    done = await ended(api, name)
    assert done["status"]["phase"] == "SUCCEEDED"
    assert done["spec"]["pipeline"]["path"] == "sub/loops.yaml"
    names = [each["name"] for each in done["status"]["steps"]]
    nested = next(each for each in names if each.endswith("[1,0]"))
    status, code = await api(f"runs/{name}/code/{nested.replace('/', '%2F')}")
    assert status == 200
    assert "def shout" in code["cells"][0]["source"]
    status, _ = await api(f"runs/{name}/logs:tail", params={"step": nested})
    assert status == 200
    status, found = await api(f"runs/{name}:open", method="POST", body={"step": nested})
    assert status == 200
    written = json.loads((jp_root_dir / found["path"]).read_text())
    assert found["path"].startswith("sub/loops.debug-")
    assert nested in "".join(written["cells"][1]["source"])
    status, found = await api(f"runs/{name}:export", method="POST")
    assert found["name"] == f"{name}.yaml"
    assert reading.parse(found["yaml"]) == reading.load(FOLDER / "loops.yaml")
    assert yaml.safe_load(found["yaml"])["pipelineInfo"]["name"] == "loops"
