"""Nodes that are components of Kubeflow Pipelines, of catalogs on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import KubeflowError
from tests.pipelines.compiled.conftest import outputs, succeeded
from tests.pipelines.elyra.building import component
from tests.pipelines.elyra.conftest import Write

MAKE = """
name: Make text
inputs:
- {name: Word, type: String}
- {name: Times, type: Integer, default: '2'}
- {name: Loud, type: Bool, default: 'False'}
outputs:
- {name: Text}
implementation:
  container:
    image: alpine
    command: [sh, -ec, 'mkdir -p "$(dirname "$2")"; for i in $(seq "$1"); do echo "$0 $3"; done > "$2"']
    args: [{inputValue: Word}, {inputValue: Times}, {outputPath: Text}, {inputValue: Loud}]
"""
COUNT = """
name: Count
inputs:
- {name: Text}
- {name: Prefix, type: String, optional: true}
outputs:
- {name: Lines, type: Integer}
implementation:
  container:
    image: alpine
    command:
    - sh
    - -ec
    - 'mkdir -p "$(dirname "$1")"; wc -l < "$0" > "$1"; echo "args: $@"'
    - {inputPath: Text}
    - {outputPath: Lines}
    - if: {cond: {isPresent: Prefix}, then: [--prefix, {inputValue: Prefix}]}
"""
ADD = """
name: Add
inputs: [{name: n, type: Integer}, {name: m, type: Integer}]
outputs: [{name: sum, type: Integer}]
implementation:
  container:
    image: alpine
    command: [sh, -ec, 'mkdir -p "$(dirname "$2")"; echo $(($0 + $1)) > "$2"', {inputValue: n}, {inputValue: m}, {outputPath: sum}]
"""


def file(name: str, base: Path | str = "") -> dict[str, object]:
    """The source of a component in a file."""
    return {"catalog_type": "local-file-catalog", "component_ref": {"base_dir": str(base), "path": name}}


def made(node: str, output: str) -> dict[str, object]:
    """An input that is another node's output."""
    return {"widget": "inputpath", "value": {"value": node, "option": output}}


def string(value: object) -> dict[str, object]:
    """An input that was typed in."""
    return {"widget": "string", "value": value}


@pytest.fixture
def files() -> dict[str, str]:
    return {"catalog/make.yaml": MAKE, "components/count.yaml": COUNT, "components/add.yaml": ADD}


def test_components_values_files_and_parameters(
    cluster: LocalCluster, write: Write, tmp_path: Path, files: dict[str, str]
) -> None:
    pipeline = write(
        component("m", "Make text", file("make.yaml", tmp_path / "catalog"),
                  word={"widget": "parameter", "value": "greeting"}, times={"widget": "number", "value": 3}, loud=""),
        component("c", "Count", {"component_ref": {"url": "https://example.org/x/count.yaml"}}, ["m"],
                  text=made("m", "output_text"), prefix=""),
        component("a", "Add", file("/somebody/elses/add.yaml"), ["c"], n=made("c", "output_lines"), m=string("4")),
        files=files, runtime="KUBEFLOW_PIPELINES",
        pipeline_parameters=[{"name": "greeting", "default_value": {"type": "String", "value": "hi"}}],
    )  # fmt: skip
    done = succeeded(kf.pipelines.run(pipeline, greeting="hello").wait(180))
    assert Path(outputs(done, "Make-text")["text"]).read_text() == "hello false\n" * 3
    assert "args: " in str(done.logs("Count"))
    assert "--prefix" not in str(done.logs("Count"))
    assert outputs(done, "Add") == {"sum": 7}


@pytest.mark.parametrize(
    ("source", "inputs", "said"),
    [
        (
            {"component_ref": {"url": "https://example.org/gone.yaml"}},
            {},
            "example.org/gone.yaml, which is not on",
        ),
        ({"component_ref": {"path": "/etc/passwd"}}, {}, "which is not on this machine"),
        (
            {"catalog_type": "elyra-kfp-examples-catalog", "component_ref": {"component-id": "no.yaml"}},
            {},
            "no.yaml",
        ),
        ("", {}, "does not say where"),
        (file("add.yaml"), {"n": made("b", "sum"), "m": string(1)}, "which is not there"),
        (
            file("add.yaml"),
            {"n": {"widget": "parameter", "value": "x"}},
            "parameter x, which the pipeline has not",
        ),
        (file("add.yaml"), {"n": string("many"), "m": string(1)}, "'many' is not a value"),
        (file("add.yaml"), {"n": string(1)}, "input m of Step is given nothing"),
        (file("count.yaml"), {"text": string("typed in")}, "a file that another node makes"),
    ],
)
def test_refused(
    cluster: LocalCluster,
    write: Write,
    files: dict[str, str],
    source: object,
    inputs: dict[str, object],
    said: str,
) -> None:
    pipeline = write(component("x", "Step", source, **inputs), files=files)
    with pytest.raises(KubeflowError, match=said):
        kf.pipelines.run(pipeline)


def test_an_image_whose_command_is_not_here(cluster: LocalCluster, write: Write) -> None:
    text = ADD.replace("command: [sh", "command: [no-such-program")
    pipeline = write(component("x", "Step", file("add.yaml"), n=1, m=2), files={"components/add.yaml": text})
    with pytest.raises(KubeflowError, match="no such command"):
        kf.pipelines.run(pipeline)
