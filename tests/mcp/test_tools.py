"""The tools are the verbs of the server: none is missing, none writes that says it reads."""

from __future__ import annotations

import ast
from pathlib import Path

import jsonschema
import pytest

from jupyter_ext.errors import Invalid, NotFound
from jupyter_ext.mcp import code, files
from jupyter_ext.mcp.tools import CONFIRM, noun_of, tools
from jupyter_ext.server.registry import KINDS

VERBS = [(kind, verb) for kind in KINDS for verb in kind.verbs]
IDS = [f"{kind.kind}-{verb.name}" for kind, verb in VERBS]


@pytest.fixture(scope="module")
def all_tools():
    return tools(Path(), writes=True)


@pytest.mark.parametrize(("kind", "verb"), VERBS, ids=IDS)
def test_every_verb_is_a_tool(kind, verb, all_tools):
    tool = all_tools[f"{noun_of(kind.kind)}_{verb.name}"]
    assert (tool.plan is None) == (verb.action == "read")
    known = {field.name for field in tool.fields}
    assert known >= {field.name for field in verb.body} - {"dryRun"}
    assert not {field.name for field in verb.body} & {"name", "kind", CONFIRM.name}
    which = next((field for field in tool.fields if field.name == "kind"), None)
    assert which is None or kind.kind in which.choices


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_what_can_be_created_and_deleted_over_rest_can_be_here(kind, all_tools):
    made = any(other.create for other in KINDS if noun_of(other.kind) == noun_of(kind.kind))
    assert made == (f"{noun_of(kind.kind)}_create" in all_tools)
    which = next(field for field in all_tools["resource_delete"].fields if field.name == "kind")
    assert (kind.delete is not None) == (kind.kind in which.choices)


def test_kinds_of_one_noun_ask_for_the_same():
    found = {}
    for kind, verb in VERBS:
        assert found.setdefault((noun_of(kind.kind), verb.name), (verb.body, verb.action)) == (
            verb.body,
            verb.action,
        )


def test_only_what_reads_is_there_without_leave(all_tools):
    reading = tools(Path())
    assert all(tool.plan is None for tool in reading.values())
    assert set(reading) == {name for name, tool in all_tools.items() if tool.plan is None}
    assert {
        "resource_list",
        "resource_why",
        "resource_logs",
        "notebook_check",
        "run_compare",
        "model_search",
    } <= set(reading)


def test_every_tool_describes_itself(all_tools):
    for tool in all_tools.values():
        jsonschema.Draft202012Validator.check_schema(tool.schema())
        assert tool.about.endswith("."), tool.name
        names = [field.name for field in tool.fields]
        assert len(names) == len(set(names)), tool.name
        assert (CONFIRM in tool.fields) == (tool.plan is not None)


@pytest.mark.parametrize(
    ("kind", "verb"),
    [pair for pair in VERBS if pair[1].action != "read"],
    ids=[i for i, p in zip(IDS, VERBS, strict=True) if p[1].action != "read"],
)
def test_every_plan_is_python(kind, verb):
    nasty = 'x"); import os; os.abort(); ("'
    samples = {
        "string": nasty,
        "integer": 3,
        "number": 2.5,
        "boolean": True,
        "object": {nasty: 1},
        "array": [nasty],
    }
    given = {field.name: samples[field.types[0]] for field in verb.body if field.name != "dryRun"}
    for some in (given, {}):
        tree = ast.parse(code.of_verb(kind.kind, verb.name, nasty, some))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert all(
            isinstance(node, ast.ImportFrom) and node.module.startswith("jupyter_ext") for node in imports
        )
        assert len(tree.body) <= 3


def test_files_are_below_the_root(tmp_path):
    root = tmp_path / "work"
    root.mkdir()
    (root / "a.ipynb").write_text("{}")
    (tmp_path / "secret.ipynb").write_text("{}")
    (root / "link.ipynb").symlink_to(tmp_path / "secret.ipynb")
    assert files.locate(root, "a.ipynb") == root / "a.ipynb"
    for path in ("../secret.ipynb", "link.ipynb", "a.txt", "a\0.ipynb", "C:a.ipynb"):
        with pytest.raises(Invalid):
            files.locate(root, path)
    with pytest.raises(NotFound):
        files.locate(root, str(tmp_path / "secret.ipynb"))  # read as a path below the root
    with pytest.raises(NotFound):
        files.locate(root, "b.ipynb")


def test_the_state_of_a_file_is_its_content(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("1")
    before = files.state(file)
    assert files.state(file) == before
    file.write_text("2")
    assert files.state(file) != before
    folder = files.state(tmp_path)
    (tmp_path / "b").write_text("")
    assert files.state(tmp_path) != folder
