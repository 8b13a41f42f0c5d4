"""Files of every version of Elyra, read into one form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines.elyra import reading
from tests.pipelines.elyra.building import flow, links, node


def test_names_order_and_settings() -> None:
    read = reading.read(
        flow(
            node("a", "load data.ipynb", env_vars=[{"env_var": "A", "value": "1"}], cpu=2, memory=3, gpu=0),
            node("b", "load data.ipynb", ["a"]),
            pipeline_parameters=[
                {"name": "rate", "default_value": {"type": "Float", "value": 0.5}, "required": False},
                {"name": "word", "default_value": {"type": "String", "value": ""}, "required": True},
            ],
        ),
        "x",
    )
    assert [(one.name, one.title, one.after) for one in read.nodes] == [
        ("load-data", "load data", ()),
        ("load-data_1", "load data", ("a",)),
    ]
    assert read.nodes[0].env == {"A": "1"}
    assert [(one.name, one.kind, one.default) for one in read.parameters] == [
        ("rate", "Float", 0.5),
        ("word", "String", ""),
    ]


@pytest.mark.parametrize("version", range(9))
def test_every_version_says_the_same(version: int) -> None:
    """The steps of ``@elyra/pipeline-services``, the other way round."""
    new = node("a", "run.ipynb", outputs=["a.csv"], env_vars=[{"env_var": "A", "value": "b=c"}])
    new["app_data"]["component_parameters"]["kubernetes_secrets"] = [
        {"env_var": "S", "name": "n", "key": "k"}
    ]
    old = older_than(version, new)
    read = reading.read(flow(old, version=version), "x").nodes[0]
    assert (read.kind, read.file, read.env) == ("notebook", "run.ipynb", {"A": "b=c"})
    assert read.settings["kubernetes_secrets"] == [{"env_var": "S", "name": "n", "key": "k"}]
    assert read.settings["outputs"] == ["a.csv"]


def older_than(version: int, new: dict[str, Any]) -> dict[str, Any]:
    """A node as that version wrote it."""
    data = json.loads(json.dumps(new))
    form = data["app_data"]["component_parameters"]
    if version < 8:
        form["env_vars"] = [f"{one['env_var']}={one['value']}" for one in form["env_vars"]]
        form["kubernetes_secrets"] = ["S=n:k"]
    if version < 4:
        data["app_data"] = {**form, "ui_data": data["app_data"]["ui_data"]}
    if version < 1:
        del data["op"]
        data["type"] = "pipeline_node"
        data["app_data"]["artifact"] = data["app_data"].pop("filename")
        data["app_data"]["vars"] = data["app_data"].pop("env_vars")
    return dict(data)


def test_defaults_of_the_pipeline_are_those_of_nodes_without() -> None:
    defaults = {
        "runtime_image": "image:1",
        "env_vars": [{"env_var": "A", "value": "d"}, {"env_var": "B", "value": "e"}],
    }
    own = node("a", "a.py", env_vars=[{"env_var": "A", "value": "own"}])
    other = node("b", "b.py", runtime_image="")
    first, second = reading.read(flow(own, other, pipeline_defaults=defaults), "x").nodes
    assert first.env == {"A": "own", "B": "e"}
    assert (second.env, second.settings["runtime_image"]) == ({"A": "d", "B": "e"}, "image:1")


def supernode() -> dict[str, Any]:
    """first → [inner → last] → after, where the brackets are a supernode."""
    found = flow(node("first", "first.py"), node("after", "after.py"))
    outer = found["pipelines"][0]["nodes"]
    outer[1]["inputs"][0]["links"] = [{"id": "l", "node_id_ref": "super", "port_id_ref": "last_outPort"}]
    outer.append(
        {
            "id": "super",
            "type": "super_node",
            "subflow_ref": {"pipeline_id_ref": "sub"},
            "app_data": {"ui_data": {"label": "Supernode"}},
            "inputs": [{"id": "inner_inPort", "subflow_node_ref": "in", "links": links("super", ["first"])}],
            "outputs": [{"id": "last_outPort", "subflow_node_ref": "out"}],
        }
    )
    inner, last = node("inner", "inner.py"), node("last", "last.py", ["inner"])
    inner["inputs"][0]["links"] = [{"id": "m", "node_id_ref": "in", "port_id_ref": "outPort"}]
    bindings = [
        {"id": "in", "type": "binding", "outputs": [{"id": "outPort"}]},
        {"id": "out", "type": "binding", "inputs": [{"id": "inPort", "links": links("out", ["last"])}]},
    ]
    found["pipelines"].append({"id": "sub", "nodes": [inner, last, *bindings], "runtime_ref": ""})
    return found


def test_supernodes_are_what_is_in_them() -> None:
    read = reading.read(supernode(), "x")
    assert {one.name: one.after for one in read.nodes} == {
        "first": (),
        "after": ("last",),
        "inner": ("first",),
        "last": ("inner",),
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "no pipelines in it"),
        ({"pipelines": []}, "primary pipeline is not there"),
        (flow(), "no node in it"),
        (flow(node("a", "a.py"), version=9), "versions up to 8"),
        (flow({"id": "a", "type": "model_node"}), "type 'model_node'"),
        (flow(node("a", "a.py", ["gone"])), "linked to gone"),
        ({"pipelines": [{"id": 1, "nodes": 3}], "primary_pipeline": "1"}, "nodes must be a list"),
        (flow(node("a", "a.py"), pipeline_parameters=[{"name": "1x"}]), "'1x' is not a name"),
    ],
)
def test_what_is_no_pipeline(content: Any, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        reading.read(content, "x")


def test_supernodes_that_contain_each_other() -> None:
    found = supernode()
    found["pipelines"][1]["nodes"].append({**found["pipelines"][0]["nodes"][2], "id": "again"})
    with pytest.raises(Invalid, match="contain each other"):
        reading.read(found, "x")


def test_what_is_not_json(tmp_path: Path) -> None:
    (tmp_path / "x.pipeline").write_text("{\n nonsense")
    with pytest.raises(Invalid, match=r"not JSON.*line 2"):
        reading.load(tmp_path / "x.pipeline")
