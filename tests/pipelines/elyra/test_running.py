"""Pipelines run: notebooks and scripts where they lie, each in a process of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.local import LocalCluster
from tests.pipelines.compiled.conftest import outputs, states, succeeded
from tests.pipelines.elyra.building import book, node
from tests.pipelines.elyra.conftest import Write
from tests.waiting import until

SECONDS = 180


def test_notebook_scripts_files_parameters_and_environment(
    cluster: LocalCluster, write: Write, tmp_path: Path
) -> None:
    pipeline = write(
        node("load", "work/load.ipynb", env_vars=[{"env_var": "WHO", "value": "me"}], outputs=["data.csv"]),
        node("clean", "work/clean.py", ["load"], dependencies=["data.csv"], outputs=["out/*.csv"],
             pipeline_parameters=["rate"]),
        node("say", "say.sh", ["clean"]),
        pipeline_parameters=[{"name": "rate", "default_value": {"type": "Float", "value": 0.5}}],
        files={
            "work/load.ipynb": book("import os", "print('by', os.environ['WHO'])\nopen('data.csv', 'w').write('1,2')"),
            "work/clean.py": "import os\nos.mkdir('out')\nopen('out/a.csv', 'w').write(open('data.csv').read() + os.environ['rate'])",
            "say.sh": "echo $ELYRA_RUNTIME_ENV $ELYRA_RUN_NAME; cat work/out/a.csv",
        },
    )  # fmt: skip
    done = succeeded(kf.pipelines.run(pipeline, rate=2).wait(SECONDS))
    assert done.logs("load") == "by me\n3\n"
    assert done.logs("say") == f"local {done.name}\n1,22.0"
    assert outputs(done, "clean") == {"out-csv": str(tmp_path / "work/out/a.csv")}
    # Kept as executed, while the file is as it was.
    cells = done.outputs("load")
    assert cells[1]["outputs"][0]["text"] == "by me\n"
    executed = json.loads(Path(outputs(done, "load")["notebook"]).read_text())
    assert [cell["execution_count"] for cell in executed["cells"]] == [1, 2]
    assert json.loads((tmp_path / "work/load.ipynb").read_text())["cells"][1]["outputs"] == []
    assert done.code("clean")["cells"][0]["source"].startswith("import os")


def test_a_failed_cell_is_named_and_resumed_from(cluster: LocalCluster, write: Write, tmp_path: Path) -> None:
    pipeline = write(
        node("a", "count.py"),
        node("b", "fails.ipynb", ["a"]),
        node("c", "last.py", ["b"]),
        files={
            "count.py": "open('count', 'a').write('x')",
            "fails.ipynb": book("print('before')", "raise ValueError('not today')"),
            "last.py": "print('done')",
        },
    )
    done = kf.pipelines.run(pipeline).wait(SECONDS)
    assert states(done) == {"count": "SUCCEEDED", "fails": "FAILED", "last": "SKIPPED"}
    assert done.resource.reason == "Step fails failed at cell 2: ValueError: not today"
    assert done.outputs("fails")[0]["outputs"][0]["text"] == "before\n"
    (tmp_path / "fails.ipynb").write_text(book("1"))
    again = succeeded(done.resume().wait(SECONDS))
    assert again.name == done.name
    assert (tmp_path / "count").read_text() == "x"


def test_branches_run_side_by_side(cluster: LocalCluster, write: Write) -> None:
    """Each waits for a sign of the other: one after the other they would never end."""
    source = (
        "import pathlib, time\n"
        "pathlib.Path('{0}').touch()\n"
        "while not pathlib.Path('{1}').exists():\n    time.sleep(0.05)\n"
    )
    pipeline = write(
        node("a", "a.py", cpu=1),
        node("b", "b.py", cpu=1),
        files={"a.py": source.format("one", "two"), "b.py": source.format("two", "one")},
    )
    succeeded(kf.pipelines.run(pipeline).wait(SECONDS))


def test_stopping_ends_the_kernel_too(cluster: LocalCluster, write: Write, tmp_path: Path) -> None:
    pipeline = write(
        node("a", "long.ipynb"),
        files={
            "long.ipynb": book(
                "import os, subprocess, time\n"
                "child = subprocess.Popen(['sleep', '600'])\n"
                "open('part', 'w').write(f'{os.getpid()} {child.pid}')\nos.rename('part', 'pids')\ntime.sleep(600)"
            )
        },
    )
    run = kf.pipelines.run(pipeline)
    until((tmp_path / "pids").exists, SECONDS)
    pids = [int(text) for text in (tmp_path / "pids").read_text().split()]
    run.stop()
    assert run.wait(SECONDS).state == "CANCELED"
    until(lambda: not any(alive(pid) for pid in pids), SECONDS)


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_an_output_that_is_not_there_fails_the_step(cluster: LocalCluster, write: Write) -> None:
    pipeline = write(node("a", "a.py", outputs=["made.csv"]), files={"a.py": "print('nothing')"})
    done = kf.pipelines.run(pipeline).wait(SECONDS)
    assert done.step("a")["reason"] == "Step a failed: Invalid: It ended without its output file made.csv"


def test_the_exit_status_of_a_script(cluster: LocalCluster, write: Write) -> None:
    pipeline = write(node("a", "a.py"), files={"a.py": "raise SystemExit('no data today')"})
    done = kf.pipelines.run(pipeline).wait(SECONDS)
    assert done.state == "FAILED"
    assert "no data today" in done.step("a")["reason"]


def test_r_runs_where_it_is_and_is_named_where_not(
    cluster: LocalCluster, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = write(node("a", "a.r"), files={"a.r": 'cat("hello")'})
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    assert "no Rscript" in str(kf.pipelines.check(pipeline).problems[0])
    # Not R, but a program of that name: what is tried is that it gets the file, where the file lies.
    (programs / "Rscript").write_text('#!/bin/sh\necho "R runs $1 in $PWD"\n')
    (programs / "Rscript").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.defpath}")
    done = succeeded(kf.pipelines.run(pipeline).wait(SECONDS))
    assert done.logs("a") == f"R runs {tmp_path}/a.r in {tmp_path}\n"
