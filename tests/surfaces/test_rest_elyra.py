"""Elyra's pipelines over REST: looked at, run and converted as the file browser's user would have it."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.pipelines.elyra.building import book, flow, node


@pytest.fixture
def pipeline(jp_root_dir) -> str:
    """A notebook and a script in a folder of the server."""
    folder = jp_root_dir / "sub"
    (folder / "steps").mkdir(parents=True)
    (folder / "steps" / "load.ipynb").write_text(book("print('loaded')"))
    (folder / "say.py").write_text("import os\nprint('word:', os.environ['word'])")
    word = {"name": "word", "default_value": {"type": "String", "value": "hi"}}
    nodes = (node("a", "steps/load.ipynb"), node("b", "say.py", ["a"], pipeline_parameters=["word"]))
    (folder / "demo.pipeline").write_text(json.dumps(flow(*nodes, pipeline_parameters=[word])))
    return "sub/demo.pipeline"


async def test_looked_at_and_run(api, pipeline):
    status, found = await api("pipelines:check", method="POST", body={"path": pipeline})
    assert status == 200
    assert [step["name"] for step in found["pipeline"]["steps"]] == ["load", "say"]
    assert found["pipeline"]["metadata"]["parameters"][0]["name"] == "word"
    status, found = await api("pipelines:files", method="POST", body={"path": pipeline})
    assert found == {"files": {"load": "sub/steps/load.ipynb", "say": "sub/say.py"}}
    status, found = await api("runs", method="POST", body={"path": pipeline, "parameters": {"word": "ho"}})
    assert status in (200, 201), found
    name = found["metadata"]["name"]
    while found["status"]["phase"] not in ("SUCCEEDED", "FAILED", "CANCELED"):
        await asyncio.sleep(0.1)
        _, found = await api("runs", name)
    assert found["status"]["phase"] == "SUCCEEDED", found["status"]["reason"]
    _, cells = await api(f"runs/{name}/outputs/load")
    assert cells[0]["outputs"][0]["text"] == "loaded\n"


async def test_converted_beside_it(api, pipeline, jp_root_dir):
    status, found = await api("pipelines:convert", method="POST", body={"path": pipeline})
    assert (status, found) == (200, {"path": "sub/demo.ipynb", "notes": []})
    assert json.loads((jp_root_dir / "sub" / "demo.ipynb").read_text())["cells"][0]["cell_type"] == "markdown"
    for name in ("demo.yaml", "demo-1.yaml"):
        status, found = await api("pipelines:convert", method="POST", body={"path": pipeline, "to": "yaml"})
        assert (status, found["path"]) == (200, f"sub/{name}")
    assert "pipelineInfo" in (jp_root_dir / "sub" / "demo.yaml").read_text()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"path": "gone.pipeline"}, 404),
        ({"path": "sub/say.py"}, 400),
        ({"path": "../x.pipeline"}, 400),
        ({"path": "sub/demo.pipeline", "to": "pdf"}, 400),
        ({}, 400),
    ],
)
async def test_refused(api, pipeline, body, expected):
    status, found = await api("pipelines:convert", method="POST", body=body)
    assert status == expected
    assert found["message"]
