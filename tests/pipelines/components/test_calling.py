"""Components of Kubeflow Pipelines, called from a notebook and in its runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import Invalid, KubeflowError, Unfit
from jupyter_ext.pipelines.components.values import Artifact

OLD = """
name: Filter rows
description: Keeps rows that match.
inputs:
- {name: Table, type: CSV}
- {name: Pattern, type: String, default: '.'}
- {name: At most, type: Integer, optional: true}
outputs:
- {name: Kept, type: CSV}
- {name: Count, type: Integer}
implementation:
  container:
    image: alpine
    command:
    - sh
    - -ec
    - |
      mkdir -p "$(dirname "$2")" "$(dirname "$3")"
      echo "looking for $1, $MODE"
      grep -- "$1" "$0" > "$2"
      wc -l < "$2" > "$3"
    - {inputPath: Table}
    - {inputValue: Pattern}
    - {outputPath: Kept}
    - {outputPath: Count}
    - if: {cond: {isPresent: At most}, then: [{concat: [--at-most=, {inputValue: At most}]}]}
    env: {MODE: {concat: [mode-, {inputValue: Pattern}]}}
"""


@pytest.fixture
def cluster(kubeflow_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalCluster:
    from jupyter_ext.cluster import discover

    del kubeflow_home
    monkeypatch.chdir(tmp_path)
    current = discover.current()
    assert isinstance(current, LocalCluster)
    return current


def test_values_frames_and_artifacts(cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    keep = kf.pipelines.component(OLD)
    assert repr(keep) == "<component Filter rows(*, pattern='.', at_most=None, table) of the text>"
    result = keep(table=pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), pattern="x")
    assert result.count == 1
    assert Path(result.kept).read_text() == "1,x\n"
    assert isinstance(result.kept, Artifact)
    assert capsys.readouterr().out == "looking for x, mode-x\n"
    # What one makes, the next takes; a path, and bytes, too.
    assert keep(table=result.kept)["count"] == 1
    assert keep(table=str(result.kept.path)).count == 1
    assert keep(table=b"one\ntwo\n", pattern="o", at_most=3).count == 2
    with pytest.raises(Invalid, match="has not one output"):
        _ = result.output
    with pytest.raises(AttributeError, match="it has count, kept"):
        _ = result.nothing


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, r"input table is required \(a file\)"),
        ({"table": "gone.csv"}, "nothing at .*gone.csv"),
        ({"table": b"", "word": 1}, "no input word"),
        ({"table": b"x", "at_most": "many"}, "at_most must be a whole number"),
        ({"table": object()}, "how to write a object"),
        ({"table": b"x", "pattern": "[z]"}, "ended with exit status 1"),
    ],
)
def test_inputs_that_are_wrong(cluster: LocalCluster, inputs: dict[str, Any], said: str) -> None:
    keep = kf.pipelines.component(OLD)
    with pytest.raises(KubeflowError, match=said):
        keep(**inputs)


def test_required_parameters(cluster: LocalCluster) -> None:
    text = OLD.replace(", default: '.'", "")
    with pytest.raises(Invalid, match="Filter rows needs its input pattern"):
        kf.pipelines.component(text)(table=b"")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("    - sh\n", "    - no-such-shell\n"), "Component Filter rows runs 'no-such-shell'"),
        (("container:", "graph:"), "is a graph of components"),
        (("    env: {", "    fileOutputs: {a: /b}\n    env: {"), "fixed paths"),
        (("{isPresent: At most}", "{inputValue: Pattern}"), "only by isPresent"),
        (("- {inputPath: Table}", "- {inputPath: Tables}"), "the input tables, which it has not"),
        (("- {inputPath: Table}", "- {inputPth: Table}"), "is no placeholder"),
        (("- {inputPath: Table}", "- {inputPath: Pattern}"), "both as a value and as a file"),
        (("{name: Kept, ", "{name: count, "), "two of its outputs have one name"),
        (("- {name: Table, type: CSV}", "- Table"), "must be a list of mappings"),
        (("default: '.'", "type: Integer, default: x"), "x"),
    ],
)
def test_components_that_are_refused(cluster: LocalCluster, change: tuple[str, str], said: str) -> None:
    assert change[0] in OLD
    with pytest.raises(KubeflowError, match=said):
        kf.pipelines.component(OLD.replace(*change, 1))


def test_what_is_no_component(cluster: LocalCluster, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="not on this machine"):
        kf.pipelines.component("https://example.org/component.yaml")
    with pytest.raises(KubeflowError, match="no file"):
        kf.pipelines.component("gone.yaml")
    with pytest.raises(Invalid, match="not YAML"):
        kf.pipelines.component("a: [\n")
    with pytest.raises(Invalid, match="no component"):
        kf.pipelines.component("a: 1\nb: 2\n")
    pipeline = Path(__file__).parents[2] / "data" / "compiled" / "linear.yaml"
    with pytest.raises(Invalid, match=r"is a pipeline of .* tasks"):
        kf.pipelines.component(pipeline)


SCRIPT = """
program_path=$(mktemp -d)
printf "%s" "$0" > "$program_path/ephemeral_component.py"
_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "$program_path/ephemeral_component.py" "$@"
"""
CODE = """
from kfp import dsl

def score(n: int, quality: dsl.Output[dsl.Metrics]) -> int:
    print('scoring')
    quality.log_metric('accuracy', n / 10)
    return n + 1
"""
INPUTS = {"parameters": {"n": {"parameterType": "NUMBER_INTEGER"}}}
OUTPUTS = {
    "parameters": {"Output": {"parameterType": "NUMBER_INTEGER"}},
    "artifacts": {"quality": {"artifactType": {"schemaTitle": "system.Metrics", "schemaVersion": "0.0.1"}}},
}
TASK = {
    "componentRef": {"name": "comp-score"},
    "inputs": {"parameters": {"n": {"componentInputParameter": "n"}}},
    "taskInfo": {"name": "score"},
}
CONTAINER = {
    "image": "python:3.11",
    "command": ["sh", "-ec", SCRIPT, CODE],
    "args": ["--executor_input", "{{$}}", "--function_to_execute", "score"],
}
NEW = {
    "pipelineInfo": {"name": "score"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.14.0",
    "root": {"inputDefinitions": INPUTS, "dag": {"tasks": {"score": TASK}}},
    "components": {
        "comp-score": {
            "executorLabel": "exec-score",
            "inputDefinitions": INPUTS,
            "outputDefinitions": OUTPUTS,
        }
    },
    "deploymentSpec": {"executors": {"exec-score": {"container": CONTAINER}}},
}


def test_what_the_sdk_compiles_of_a_component(cluster: LocalCluster, tmp_path: Path) -> None:
    (tmp_path / "score.yaml").write_text(json.dumps(NEW))
    score = kf.pipelines.component("score.yaml")
    result = score(n=7)
    assert result.Output == 8
    assert result.quality.metadata == {"accuracy": 0.7}


def test_a_failing_function_says_what_it_said(cluster: LocalCluster, tmp_path: Path) -> None:
    text = json.dumps(NEW).replace("return n + 1", "raise ValueError('no score')")
    (tmp_path / "score.yaml").write_text(text)
    with pytest.raises(KubeflowError, match="Component score failed: ValueError: no score"):
        kf.pipelines.component("score.yaml")(n=1)


def book(*sources: str) -> dict[str, Any]:
    """A notebook of these cells."""
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": text} for n, text in enumerate(sources)
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


NOTEBOOK = book(
    "import jupyter_ext as kf\nkeep = kf.pipelines.component('filter.yaml')\nscore = kf.pipelines.component('score.yaml')",
    "%%step filter\nfound = keep(table=b'ab\\ncb\\n', pattern='b')",
    "%%step score\nresult = score(n=found.count)\nquality = result.quality",
    "%%step last\ntext = open(found.kept).read()",
)


def test_in_a_run_a_call_is_part_of_its_step(cluster: LocalCluster, tmp_path: Path) -> None:
    (tmp_path / "filter.yaml").write_text(OLD)
    (tmp_path / "score.yaml").write_text(json.dumps(NEW))
    (tmp_path / "nb.ipynb").write_text(json.dumps(NOTEBOOK))
    done = kf.pipelines.run(tmp_path / "nb.ipynb").wait(180)
    assert done.state == "SUCCEEDED", (done.resource.reason, done.logs())
    assert done.value("text") == "ab\ncb\n"
    assert done.value("result")["Output"] == 3
    assert done.metrics == {"accuracy": 0.2}
    assert "looking for b, mode-b" in str(done.logs("filter"))
    place = Path(done.value("found").kept)
    assert cluster.work_folder(done.resource.uid) in place.parents
    done.delete()
    assert not place.exists()


def test_an_export_refuses_calls_by_name(cluster: LocalCluster) -> None:
    with pytest.raises(
        Unfit, match=r"Step filter calls the component 'filter.yaml', .*\(step filter, cell 2\)"
    ):
        kf.pipelines.compile(NOTEBOOK)
    at_once = book("import jupyter_ext as kf", "%%step a\nkf.pipelines.component('x.yaml')(n=1)")
    with pytest.raises(Unfit, match=r"Step a calls the component 'x.yaml'"):
        kf.pipelines.compile(at_once)
