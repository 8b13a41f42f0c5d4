"""Pipelines as notebooks that do the same, and as YAML for a cluster; with what could not be carried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import jupyter_ext as kf
from jupyter_ext.cli import main
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import Conflict, Invalid, Unfit
from jupyter_ext.pipelines.compiled import parsing, reading
from tests.pipelines.compiled.conftest import succeeded
from tests.pipelines.elyra.building import book, component, node
from tests.pipelines.elyra.conftest import Write
from tests.pipelines.elyra.test_components import ADD, COUNT, MAKE, file, made

FILES = {
    "work/load data.ipynb": book("# the data", "open('data.csv', 'w').write('1,2')\nwho = __import__('os').environ['WHO']"),
    "clean.py": "import os\nif __name__ == '__main__':\n    text = open('work/data.csv').read() + os.environ['rate']\n",
    "args.py": "import sys\nprint('arguments', sys.argv[1:])\nopen('args.txt', 'w').write('ran')\n",
    "say.sh": "cat work/data.csv > said.txt",
}  # fmt: skip


def demo(write: Write) -> Path:
    """Two branches, parameters, files, an environment."""
    return write(
        node(
            "a",
            "work/load data.ipynb",
            env_vars=[{"env_var": "WHO", "value": "some body"}],
            outputs=["data.csv"],
        ),
        node("b", "clean.py", ["a"], pipeline_parameters=["rate"], memory=1, dependencies=["args.py"]),
        node("c", "args.py", ["a"], mounted_volumes=[{"path": "/mnt", "pvc_name": "data"}]),
        node("d", "say.sh", ["b", "c"]),
        files=FILES,
        description="Loads and cleans.",
        pipeline_parameters=[
            {"name": "rate", "default_value": {"type": "Float", "value": 0.5}},
            {"name": "word", "default_value": {"type": "String"}, "required": True},
        ],
    )


def test_the_notebook_gives_what_the_pipeline_gives(
    cluster: LocalCluster, write: Write, tmp_path: Path
) -> None:
    pipeline = demo(write)
    found = kf.pipelines.convert(pipeline)
    assert found.path == tmp_path / "demo.ipynb"
    assert found.notes == [
        "Parameter word: it is required, and '' stands for it here.",
        "Step clean: its file dependencies (args.py) stay files beside it.",
        "Step args: the volumes of a cluster are not in here.",
        "Step args: args.py stays a file, which the step runs: it reads its arguments.",
        "Step say: say.sh stays a file, which the step runs with bash.",
    ]
    checked = kf.pipelines.check(found.path)
    assert not checked.errors
    edges = [(edge.source, edge.target) for edge in checked.edges if edge.source != "setup"]
    assert {("load_data", "clean"), ("load_data", "args"), ("clean", "say"), ("args", "say")} <= set(edges)
    done = succeeded(kf.pipelines.run(found.path, rate=2.0).wait(180))
    assert done.value("text") == "1,22.0"
    assert done.value("who") == "some body"
    assert (tmp_path / "said.txt").read_text() == "1,2"
    assert (tmp_path / "args.txt").read_text() == "ran"
    with pytest.raises(Conflict, match="there already"):
        kf.pipelines.convert(pipeline)


def test_the_notebook_may_lie_elsewhere(cluster: LocalCluster, write: Write, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    found = kf.pipelines.convert(demo(write), tmp_path / "other" / "x.ipynb")
    done = succeeded(kf.pipelines.run(found.path).wait(180))
    assert done.value("text") == "1,20.5"


def test_components_are_called(cluster: LocalCluster, write: Write) -> None:
    found = kf.pipelines.convert(with_components(write))
    done = succeeded(kf.pipelines.run(found.path, greeting="ho").wait(180))
    assert done.value("add_made").sum == 6
    source = "\n".join(cell["source"] for cell in json.loads(Path(str(found.path)).read_text())["cells"])
    assert "count_made = kf.pipelines.component('components/count.yaml')(text=make_made['text'])" in source


def with_components(write: Write, *more: dict[str, Any]) -> Path:
    """Three components after each other."""
    return write(
        component("m", "Make", file("make.yaml"), word={"widget": "parameter", "value": "greeting"}, times=2),
        component("c", "Count", file("count.yaml"), ["m"], text=made("m", "output_text")),
        component("a", "Add", file("add.yaml"), ["c"], n=made("c", "output_lines"), m=4),
        *more,
        files={
            "components/make.yaml": MAKE,
            "components/count.yaml": COUNT,
            "components/add.yaml": ADD,
            **FILES,
        },
        pipeline_parameters=[{"name": "greeting", "default_value": {"type": "String", "value": "hi"}}],
    )


def test_yaml_of_files_has_them_in_it(cluster: LocalCluster, write: Write, tmp_path: Path) -> None:
    found = kf.pipelines.convert(demo(write), tmp_path / "x.yaml")
    read = parsing.read(reading.load(tmp_path / "x.yaml").pipeline)
    assert read.root.dag is not None
    assert {"load-data", "clean", "args", "say"} <= {name.replace("_", "-") for name in read.root.dag.tasks}
    assert "the volumes of a cluster" in " ".join(found.notes)
    assert "some body" in (tmp_path / "x.yaml").read_text()


def test_yaml_of_components_is_theirs(cluster: LocalCluster, write: Write, tmp_path: Path) -> None:
    kf.pipelines.convert(with_components(write), tmp_path / "x.yaml")
    tasks = yaml.safe_load((tmp_path / "x.yaml").read_text())["root"]["dag"]["tasks"]
    assert tasks["Count"]["inputs"]["artifacts"]["text"]["taskOutputArtifact"]["producerTask"] == "Make"
    done = succeeded(kf.pipelines.run(tmp_path / "x.yaml").wait(180))
    assert done.value("sum", "Add") == 6
    mixed = with_components(write, node("f", "clean.py"))
    with pytest.raises(Unfit, match="Step Make is a component with an image of its own"):
        kf.pipelines.convert(mixed, tmp_path / "y.yaml")


def test_what_cannot_be_converted(cluster: LocalCluster, write: Write, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"gone.py is not there"):
        kf.pipelines.convert(write(node("a", "gone.py")))
    with pytest.raises(Invalid, match="wait for each other"):
        kf.pipelines.convert(write(node("a", "clean.py", ["b"]), node("b", "clean.py", ["a"]), files=FILES))
    with pytest.raises(Invalid, match="neither a notebook nor YAML"):
        kf.pipelines.convert(write(node("a", "clean.py"), files=FILES), "x.txt")
    with pytest.raises(Invalid, match=r"no .pipeline file"):
        kf.pipelines.convert("x.ipynb")


def test_the_command(cluster: LocalCluster, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = demo(write)
    assert main(["convert", str(pipeline), "-o", "x.ipynb"]) == 0
    assert capsys.readouterr().out.startswith("Written: x.ipynb\n  Parameter word: it is required")
    assert main(["check", str(write(node("a", "clean.py"), files=FILES))]) == 0
    assert "1 steps, made by Elyra, pipeline version 8" in capsys.readouterr().out
