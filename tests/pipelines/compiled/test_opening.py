"""A step of a compiled pipeline opens in a live kernel: with what it was given, and nothing of it in a shell."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyter_ext.errors import Conflict, NotFound
from jupyter_ext.pipelines.compiled import outline, parsing, plan, reading
from jupyter_ext.pipelines.handle import Run, get, run
from tests.pipelines.compiled.conftest import FOLDER, SECONDS, Start, states


def _cells(book: dict[str, Any]) -> dict[str, str]:
    return {cell["id"]: cell["source"] for cell in book["notebook"]["cells"]}


def _in_a_process(done: Run, *codes: str) -> str:
    """What the cells print in a fresh Python, which is where a kernel runs them."""
    first, *rest = codes
    loads = first.replace(".open(", ".open(namespace=globals(), step=")
    program = "\n".join((loads, *rest))
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_failed_component_is_repaired_where_it_failed(ran: Start, tmp_path: Path) -> None:
    done = ran("exits", marker=str(tmp_path / "marker"))
    book = done.debug()
    assert book["step"] == "fail"
    assert book["path"] == str(FOLDER / "exits.debug-fail.ipynb")
    cells = _cells(book)
    assert list(cells) == ["kubeflow-about", "kubeflow-inputs", "kubeflow-component", "kubeflow-call"]
    assert "raise" in cells["kubeflow-component"]
    assert "message=message" in cells["kubeflow-call"]
    repaired = cells["kubeflow-component"].replace("raise ", "print('instead of', message)  #")
    assert "instead of no" in _in_a_process(
        done, book["code"], repaired, cells["kubeflow-call"], "print(message)"
    )


def test_artifacts_come_as_the_component_has_them_and_its_outputs_go_elsewhere(ran: Start) -> None:
    done = ran("artifacts")
    book = done.debug("train")
    cells = _cells(book)
    said = _in_a_process(
        done, book["code"], cells["kubeflow-component"], cells["kubeflow-call"],
        "print(type(data).__name__, data.metadata['rows'], open(model.path + '/weights').read(), model.path)",
    )  # fmt: skip
    kind, rows, weights, path = said.split()
    assert (kind, rows, weights) == ("Dataset", "4", "6")
    assert path != done.value("model", "train")
    assert Path(done.value("model", "train"), "weights").read_text() == "6"
    assert set(done.open("by-path", {})) >= {"data_path", "total_path", "copy_path"}


def test_a_command_opens_as_words_and_not_as_a_shell_line(ran: Start) -> None:
    done = ran("containers", word="a b; touch /tmp/never $(x)")
    book = done.debug("concat")
    cells = _cells(book)
    for name in ("kubeflow-component", "kubeflow-call"):
        ast.parse(cells[name])
        assert "shell" not in cells[name]
    said = _in_a_process(
        done, book["code"], cells["kubeflow-component"], cells["kubeflow-call"],
        "print(inputs['first'], open(outputs['result']).read(), done.returncode, sep='|')",
    )  # fmt: skip
    given, wrote, status = said.strip().split("|")
    assert given == "a b; touch /tmp/never $(x)"
    assert wrote.endswith("--first=a b; touch /tmp/never $(x);none --no-third")
    assert "/opened/" in wrote
    assert status == "0"


def test_one_iteration_opens_with_its_own_item(ran: Start) -> None:
    done = ran("loops")
    given = {name: done.open(name, {}) for name in ("add[0]", "add[1]")}
    assert [(done.step(name)["item"], found["a"]) for name, found in given.items()] == [
        ("1", "1"),
        ("2", "2"),
    ]
    assert done.open("add", {}) == given["add[0]"]
    with pytest.raises(NotFound, match="no step 'nothing-like-it'"):
        done.debug("nothing-like-it")


def test_what_never_began_says_why_it_cannot_be_opened(ran: Start) -> None:
    done = ran("branches")
    skipped = next(name for name, state in states(done).items() if state == "SKIPPED")
    reason = done.step(skipped)["reason"]
    with pytest.raises(Conflict, match="was given nothing") as refused:
        done.debug(skipped)
    assert refused.value.hint == reason
    with pytest.raises(Conflict, match="failed in its code"):
        done.debug()


@pytest.mark.parametrize("text", ["%%bash\ntouch {marker}", "!touch {marker}", "def f(:"])
def test_source_that_is_no_python_never_becomes_a_cell_that_runs(
    ran: Start, tmp_path: Path, text: str
) -> None:
    told = yaml.safe_load((FOLDER / "exits.yaml").read_text())
    executor = next(
        e for key, e in told["deploymentSpec"]["executors"].items() if key.startswith("exec-fail")
    )
    command = executor["container"]["command"]
    place = next(at for at, word in enumerate(command) if "def fail" in word)
    command[place] = text.format(marker=tmp_path / "marker")
    (tmp_path / "pipeline.yaml").write_text(json.dumps(told))
    started = run(tmp_path / "pipeline.yaml", parameters={"marker": str(tmp_path / "exit")}).wait(SECONDS)
    book = get(started.name).debug("fail")
    kinds = {cell["id"]: cell["cell_type"] for cell in book["notebook"]["cells"]}
    assert kinds["kubeflow-component"] == "raw"
    assert "kubeflow-call" not in kinds
    assert not (tmp_path / "marker").exists()


def _outline(name: str) -> dict[str, Any]:
    read = parsing.read(reading.load(FOLDER / f"{name}.yaml").pipeline)
    return outline.outline(read, plan.make(read))


def test_the_outline_has_the_dags_around_each_step_in_words() -> None:
    found = _outline("branches")
    groups = {group["id"]: group for group in found["groups"]}
    assert groups["condition-branches-1/"]["kind"] == "branches"
    inner = groups["condition-branches-1/condition-2/"]
    assert (inner["kind"], inner["parent"], inner["condition"]) == (
        "condition", "condition-branches-1/", "word == 'left'",
    )  # fmt: skip
    assert found["tasks"]["shout"]["group"] == inner["id"]
    assert {p["name"]: (p["type"], p["default"], p["required"]) for p in found["parameters"]} == {
        "deep": ("BOOLEAN", True, False),
        "number": ("NUMBER_INTEGER", 5.0, False),
        "word": ("STRING", "left", False),
    }
    kinds = {group["kind"] for group in _outline("loops")["groups"]}
    assert kinds == {"loop"}
    exits = _outline("exits")
    assert {group["kind"] for group in exits["groups"]} >= {"exit", "condition"}
    assert exits["tasks"]["report"]["always"]


def test_a_skipped_step_says_which_condition_was_false_and_of_what(ran: Start) -> None:
    done = ran("branches", word="right")
    assert done.step("shout")["reason"] == (
        "Skipped because its condition was false: word == 'left' (word is 'right')."
    )
