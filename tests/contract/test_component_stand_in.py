"""A component that runs with our stand-in for the SDK leaves what it leaves with the SDK itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import environments
from jupyter_ext.pipelines.compiled import bootstrap, parsing, results
from jupyter_ext.pipelines.compiled.environments import RUNTIME, STAND_IN
from jupyter_ext.pipelines.compiled.results import Results
from jupyter_ext.pipelines.compiled.spec import Container

FOLDER = Path(__file__).parents[1] / "data" / "compiled"
PROGRAM = str(RUNTIME / "run_component.py")

pytestmark = pytest.mark.contract


def _given(folder: Path) -> dict[str, Results]:
    """Inputs for the components of ``sources.py`` that take any."""
    data, model = folder / "data", folder / "model"
    data.write_text("1\n2\n")
    model.mkdir()
    (model / "weights").write_text("3")

    def artifact(path: Path, kind: str, **metadata: Any) -> list[dict[str, Any]]:
        return [{"name": "a", "type": {"schemaTitle": kind}, "uri": str(path), "metadata": metadata}]

    status = {
        "state": "FAILED",
        "pipelineTaskName": "t",
        "pipelineJobResourceName": "r",
        "error": {"message": "m"},
    }
    return {
        "comp-add": Results({"a": 1, "b": 2}),
        "comp-shout": Results({"text": "a", "times": 2}),
        "comp-describe": Results({"number": 1, "ratio": 0.5, "names": ["x"], "options": {"a": 1}}),
        "comp-write": Results({"lines": 3}),
        "comp-train": Results({}, {"data": artifact(data, "system.Dataset", rows=2)}),
        "comp-by-path": Results({}, {"data_path": artifact(data, "system.Dataset")}),
        "comp-elsewhere": Results({}, {"model": artifact(model, "system.Model", rows=2, framework="f")}),
        "comp-read": Results({}, {"one": artifact(data, "system.Artifact")}),
        "comp-returned": Results({"text": "t"}),
        "comp-join": Results(
            {}, {"parts": artifact(data, "system.Dataset") + artifact(data, "system.Dataset")}
        ),
        "comp-save": Results({"number": 4}),
        "comp-total": Results({"values": [1, 2]}),
        "comp-optional": Results({"number": 3}),
        "comp-report": Results({"marker": str(folder / "marker"), "status": status}),
        "comp-fail": Results({"message": "no"}),
    }


def _requests(folder: Path, given: dict[str, Results], sdk: str | None) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        spec = parsing.read(yaml.safe_load(path.read_text()))
        for name, component in spec.components.items():
            executor = spec.executors.get(component.executor)
            function = bootstrap.read(executor) if isinstance(executor, Container) else None
            if function is None or name not in given or name in found:
                continue
            place = folder / name
            results.make_folders(place)
            told = results.executor_input(given[name], component.outputs, place)
            (place / "ephemeral_component.py").write_text(function.source)
            found[name] = {
                "source": str(place / "ephemeral_component.py"), "function": function.function, "input": told,
                "error": str(place / "error.json"), "sdk": sdk, "program": PROGRAM, "ports": component.outputs,
            }  # fmt: skip
    return list(found.values())


def _left(request: dict[str, Any], folder: Path) -> object:
    """What a component left, with nothing in it that tells in which folder it ran."""
    error = Path(request["error"])
    if error.exists():
        told = json.loads(error.read_text())
        return [told["type"], told["message"], told["line"]]
    made = results.collect(request["input"], request["ports"]).to_dict()
    return json.loads(json.dumps(made).replace(str(folder), "FOLDER"))


def test_both_leave_the_same(tmp_path: Path) -> None:
    try:
        python = environments.python("kfp")
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    given = _given(tmp_path)
    left = []
    for name, interpreter, sdk in (("theirs", str(python), None), ("ours", sys.executable, str(STAND_IN))):
        requests = _requests(tmp_path / name, given, sdk)
        plain = [{key: value for key, value in one.items() if key != "ports"} for one in requests]
        script = Path(__file__).with_name("component_with_kfp.py")
        for one in plain:  # a process for each: a component's module has one name
            subprocess.run(
                [interpreter, "-P", script], input=json.dumps([one]), text=True, check=True, timeout=60,
                capture_output=True,
            )  # fmt: skip
        left.append({one["function"]: _left(one, tmp_path / name) for one in requests})
    assert len(left[0]) == len(given)
    assert left[1] == left[0]
