"""Compiled pipelines in the other verbs: schedules, compile and check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from jupyter_ext import pipelines
from jupyter_ext.cli import main
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import Invalid, NotFound, Unfit
from jupyter_ext.pipelines.handle import run
from tests.pipelines.compiled.conftest import FOLDER, SECONDS, succeeded

LINEAR = FOLDER / "linear.yaml"


@pytest.fixture
def scheduled(cluster: LocalCluster) -> Iterator[str]:
    """A schedule of a compiled pipeline, made on the command line."""
    words = ["--cron", "0 6 * * *", "--name", "nightly", "--timezone", "UTC", "-p", "start=4"]
    assert main(["schedule", "add", str(LINEAR), *words]) == 0
    yield "nightly"
    pipelines.schedule_delete("nightly")


def test_a_schedule_runs_it(scheduled: str) -> None:
    done = succeeded(pipelines.schedule_run(scheduled).wait(SECONDS))
    assert done.value("Output", "describe").startswith("15 0.5")
    assert done.resource.spec["trigger"] == f"schedule:{scheduled}"


def test_what_cannot_run_is_not_scheduled(cluster: LocalCluster, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no parameter speed"):
        pipelines.schedule(LINEAR, "0 6 * * *", speed=3)
    with pytest.raises(Invalid, match="uri is required"):
        pipelines.schedule(FOLDER / "imported.yaml", "0 6 * * *")
    document = yaml.safe_load(LINEAR.read_text())
    container = next(iter(document["deploymentSpec"]["executors"].values()))["container"]
    container["resources"] = {"resourceCpuRequest": "4000"}
    (tmp_path / "large.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(Unfit, match="4000 CPUs"):
        pipelines.schedule(tmp_path / "large.yaml", "0 6 * * *")
    with pytest.raises(NotFound):
        pipelines.schedule(tmp_path / "gone.yaml", "0 6 * * *")
    assert not pipelines.schedules()


def test_compile_gives_it_other_defaults(cluster: LocalCluster, tmp_path: Path) -> None:
    place = tmp_path / "other.yaml"
    assert main(["compile", str(LINEAR), "-p", "start=7", "-p", 'names=["q"]', "-o", str(place)]) == 0
    assert succeeded(run(place).wait(SECONDS)).value("Output", "describe").startswith("18 0.5 q")
    before, after = (yaml.safe_load(path.read_text()) for path in (LINEAR, place))
    for name, value in (("start", 7), ("names", ["q"])):
        assert after["root"]["inputDefinitions"]["parameters"][name]["defaultValue"] == value
        before["root"]["inputDefinitions"]["parameters"][name] |= {"defaultValue": value, "isOptional": True}
    assert after == before
    with pytest.raises(Invalid, match="start must be a whole number"):
        pipelines.compile(LINEAR, parameters={"start": "x"})
    with pytest.raises(Invalid, match="no parameter speed"):
        pipelines.compile(LINEAR, speed=1)


def test_compile_keeps_the_settings_of_platforms(tmp_path: Path) -> None:
    path = FOLDER.parent / "platform" / "pods.yaml"
    assert [*yaml.safe_load_all(pipelines.compile(path))] == [*yaml.safe_load_all(path.read_text())]
