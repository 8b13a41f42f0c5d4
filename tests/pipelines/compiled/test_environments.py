"""Packages that a component asks for and this Python has not: an environment is made once, and kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import yaml

from jupyter_ext import pipelines
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.pipelines.compiled import collecting, environments
from jupyter_ext.pipelines.handle import Run, run
from tests.pipelines.compiled.conftest import FOLDER, SECONDS, outputs, succeeded
from tests.waiting import until

SOURCE = """
from kfp import dsl
from kfp.dsl import *

def with_packages() -> str:
    import tiny_package_of_this_test, sys
    return tiny_package_of_this_test.__name__ + " " + sys.prefix
"""


def _wheel(folder: Path) -> Path:
    name = "tiny_package_of_this_test"
    place = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(place, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return place


def _run(folder: Path, requirement: str) -> Run:
    document = yaml.safe_load((FOLDER / "packages.yaml").read_text())
    container = document["deploymentSpec"]["executors"]["exec-with-packages"]["container"]
    container["command"] = [
        word.replace("'packaging>=20'", f"'{requirement}'") for word in container["command"]
    ]
    container["command"][-1] = SOURCE
    (folder / "given.yaml").write_text(yaml.safe_dump(document))
    return run(folder / "given.yaml", cache=False).wait(SECONDS)


@pytest.mark.parametrize("tool", ["uv", pytest.param("pip", marks=pytest.mark.slow)])
def test_an_environment_is_made_once(
    cluster: LocalCluster, tmp_path: Path, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tool == "pip":
        monkeypatch.setenv("JUPYTER_KUBEFLOW_WITHOUT_UV", "1")
    requirement = f"tiny-package-of-this-test @ file://{_wheel(tmp_path)}"
    first = succeeded(_run(tmp_path, requirement))
    module, prefix = outputs(first, "with-packages")["Output"].split()
    assert module == "tiny_package_of_this_test"
    assert Path(prefix).parent == cluster.base / "environments"
    (stamp,) = (cluster.base / "environments").glob("*/made-from.json")
    made = (stamp.parent / "pyvenv.cfg").stat().st_mtime_ns
    succeeded(_run(tmp_path, requirement))
    assert (stamp.parent / "pyvenv.cfg").stat().st_mtime_ns == made


def test_what_cannot_be_installed_is_said(cluster: LocalCluster, tmp_path: Path) -> None:
    done = _run(tmp_path, f"gone-package-of-this-test @ file://{tmp_path}/gone-1.0-py3-none-any.whl")
    assert done.state == "FAILED"
    assert "gone-package-of-this-test" in done.resource.reason
    assert "could not be installed" in done.resource.reason
    assert not list((cluster.base / "environments").glob("*/made-from.json"))


def test_an_unfinished_environment_is_made_anew(cluster: LocalCluster, tmp_path: Path) -> None:
    requirement = f"tiny-package-of-this-test @ file://{_wheel(tmp_path)}"
    succeeded(_run(tmp_path, requirement))
    (stamp,) = (cluster.base / "environments").glob("*/made-from.json")
    stamp.unlink()  # as a kill in the middle would leave it
    succeeded(_run(tmp_path, requirement))
    assert stamp.exists()


def test_the_index_that_everybody_uses_is_left_to_this_machine(cluster: LocalCluster) -> None:
    from jupyter_ext.pipelines.compiled.bootstrap import PythonFunction

    pypi = ("--index-url", "https://pypi.org/simple", "--index-url", "https://other.example/simple")
    made = environments.of_function(cluster, PythonFunction("", "f", ("gone-package==1",), pypi))
    command = made.commands[1]
    assert "https://other.example/simple" in command
    assert "https://pypi.org/simple" not in command


def test_what_no_run_was_in_is_collected(cluster: LocalCluster, tmp_path: Path) -> None:
    done = succeeded(_run(tmp_path, f"tiny-package-of-this-test @ file://{_wheel(tmp_path)}"))
    root = cluster.base / "environments"
    (folder,) = [path for path in root.iterdir() if path.is_dir()]
    assert done.step("with-packages")["environment"] == folder.name
    (root / ("0" * 24)).mkdir()  # as a kill in the middle would leave it
    (root / (".gone-" + "1" * 24)).mkdir()
    old = time.time() - 7200
    for path in (folder / "made-from.json", folder, root / ("0" * 24)):
        os.utime(path, (old, old))
    assert pipelines.gc(dry_run=True)[3:] == (1, 1)
    assert pipelines.gc()[3:] == (1, 1)
    assert [path.name for path in root.iterdir() if path.is_dir()] == [folder.name]
    done.delete()
    assert collecting.collect(cluster, grace_seconds=9000).kept == 1  # in use a while ago
    report = pipelines.gc()
    assert (report.environments, report.environments_kept) == (1, 0)
    assert not [path for path in root.iterdir() if path.is_dir()]


def _make(folder: Path, *commands: list[str]) -> subprocess.Popen[bytes]:
    request = folder.with_name(f"{uuid4().hex}.json")
    told = {"folder": str(folder), "stamp": str(folder / "made-from.json"), "commands": commands}
    request.write_text(json.dumps(told))
    program = environments.RUNTIME / "make_environment.py"
    return subprocess.Popen([sys.executable, "-P", program, request], stdout=subprocess.DEVNULL)


def test_nobody_begins_anew_while_an_orphan_still_writes(cluster: LocalCluster, tmp_path: Path) -> None:
    """kill -9 of who makes an environment leaves the installer at work; its place is taken when that has ended."""
    folder = tmp_path / ("a" * 24)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = f"mkdir -p {folder}; echo begun > {folder}/first; cat {fifo}; echo late > {folder}/first"
    first = _make(folder, ["sh", "-c", script])
    until(lambda: (folder / "first").exists() and (folder / "first").read_text() == "begun\n")
    first.kill()
    first.wait()
    assert not (folder / "made-from.json").exists()
    second = _make(folder, ["sh", "-c", f"mkdir -p {folder}; echo whole > {folder}/second"])
    with collecting._alone(folder) as alone:
        assert not alone
    fifo.write_text("go on")
    assert second.wait(SECONDS) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["made-from.json", "second"]


def test_an_environment_whose_maker_was_killed_with_all_is_made_anew(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    folder = tmp_path / ("b" * 24)
    script = f"mkdir -p {folder}; echo begun > {folder}/first; exec sleep 600"
    first = _make(folder, ["sh", "-c", script])
    until((folder / "first").exists)
    for child in psutil.Process(first.pid).children():
        first.kill()
        child.kill()
    first.wait()
    assert _make(folder, ["mkdir", str(folder)]).wait(SECONDS) == 0
    assert [path.name for path in folder.iterdir()] == ["made-from.json"]
