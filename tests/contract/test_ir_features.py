"""Every field of ``pipeline_spec.proto`` is in a pipeline of ``data/compiled/written``, and each of those does what it says."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import environments
from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines.handle import Run, run, runs

WRITTEN = Path(__file__).parents[1] / "data" / "compiled" / "written"
SECONDS = 120

pytestmark = pytest.mark.contract

Start = Callable[..., Run]


@pytest.fixture
def ran(kubeflow_home: Path, tmp_path: Path) -> Start:
    """Run one of the pipelines to its end, from a folder that has ``data/fixed.txt``."""
    del kubeflow_home
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fixed.txt").write_text("fixed")

    def make(name: str, **parameters: Any) -> Run:
        path = Path(shutil.copy(WRITTEN / f"{name}.yaml", tmp_path))
        return run(path, parameters=parameters).wait(SECONDS)

    return make


def _outputs(done: Run) -> dict[str, Any]:
    """The outputs of the pipeline itself; a file by its text."""
    assert done.state == "SUCCEEDED", (done.resource.reason, done.logs())

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return [read(each) for each in value]
        return Path(value).read_text() if isinstance(value, str) and Path(value).is_file() else value

    return {name: read(value) for name, value in done.resource.status["outputs"].items()}


def _states(done: Run) -> dict[str, str]:
    return {step["name"]: step["state"] for step in done.steps}


def test_every_field_of_the_specification_is_in_a_pipeline() -> None:
    try:
        python = environments.python("kfp")
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    script = Path(__file__).parent / "ir_fields_with_kfp.py"
    command = [str(python), str(script), *sorted(map(str, WRITTEN.glob("*.yaml")))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    used = set().union(*found["used"].values())
    unspecified = {name for name in found["offered"] if name.endswith(("_UNSPECIFIED", "Enum.NONE"))}
    assert set(found["offered"]) - unspecified - used == set()


def test_parameters_of_all_types(ran: Start) -> None:
    assert _outputs(ran("values")) == {
        "all": "a \"b\" 'c'|3|2|false|[1,\"two\",{\"three\":3}]|{\"a\":{\"b\":[\"x\",\"y\"]}}|small|absent|9|",
        "old": "7 0.5 old small ",
        "part": "y 42 of y ",
        "structure": {"made": 42},
        "list": ["a", [1, 2.5]],
        "integer": 12,
        "double": 1.5,
        "truth": True,
        "twice": 8,
    }  # fmt: skip
    given = {"text": "", "count": "5", "ratio": 0.1, "flag": True, "items": [], "table": '{"a": {"b": [0, 1]}}',
             "size": "large", "maybe": "x"}  # fmt: skip
    told = _outputs(ran("values", **given))
    assert told["all"] == '|5|0.1|true|[]|{"a":{"b":[0,1]}}|large|there|9|'
    assert told["part"] == "1 42 of 1 "


@pytest.mark.parametrize(
    ("word", "chosen", "skipped"),
    [
        ("left", "left", {"right", "neither", "after-skipped"}),
        ("right", "right", {"left", "neither"}),
        ("up", "up", {"left", "right", "after-skipped"}),
    ],
)
def test_triggers(ran: Start, word: str, chosen: str, skipped: set[str]) -> None:
    done = ran("triggers", word=word)
    told = _outputs(done)
    assert told["chosen"] == f"went {chosen}"
    assert told.get("file", [chosen]) == [chosen]
    assert {name for name, state in _states(done).items() if state == "SKIPPED"} == skipped


def test_conditions_compare_numbers_and_truths(ran: Start) -> None:
    for given in ({"number": 5}, {"ratio": 1}, {"ratio": 0.25}, {"flag": False}):
        assert _states(ran("triggers", **given))["compared"] == "SKIPPED", given


def test_iterators(ran: Start) -> None:
    told = _outputs(ran("iterators"))
    assert told == {
        "letters": ["<a>", "<b>"],
        "pairs": [["px", "py", "pz"], ["qx", "qy", "qz"]],
        "lengths": [2, 2, 2],
        "names": ['<{"n":1,"s":"ann"}>', '<{"n":2,"s":"bob"}>'],
        "nothing": [],
        "joined": 'xxyyzz[["px", "py", "pz"], ["qx", "qy", "qz"]]',
        "files": ["xx", "yy", "zz"],
    }
    assert _outputs(ran("iterators", words=["é"]))["files"] == ["éé"]


def test_retries_are_a_tasks_own_or_of_the_dag_around_it(ran: Start, tmp_path: Path) -> None:
    assert _outputs(ran("retries", counter=str(tmp_path / "tries"))) == {"own": 3, "taken": 2}
    assert (tmp_path / "tries-never").read_text() == "."


def test_cache_options(ran: Start, tmp_path: Path) -> None:
    counter = str(tmp_path / "count")
    cached = [
        {step["name"] for step in ran("caching", counter=counter, changes=changes).steps if step["cached"]}
        for changes in ("a", "a", "b")
    ]
    assert cached == [set(), {"by-inputs", "by-key"}, {"by-key"}]
    assert {name: (tmp_path / f"count-{name}").read_text() for name in ("by-inputs", "by-key", "never")} == {
        "by-inputs": "..",
        "by-key": ".",
        "never": "...",
    }


def test_artifacts(ran: Start, tmp_path: Path) -> None:
    for name in ("given", "uri", "first", "second"):
        (tmp_path / name).write_text(name)
    several = ["first", {"uri": str(tmp_path / "second"), "metadata": {"rows": 1}}]
    done = ran("artifacts", given="given", uri=str(tmp_path / "uri"), several=several)
    assert _outputs(done) == {
        "told": "given fixed fixed uri first second absent a parameter",
        "made": ["model"],
    }
    facts = json.loads(done.value("facts", "look"))
    assert facts == {"framework": "none", "layers": 3, "tags": ["a", "b"]}


def test_placeholders(ran: Start) -> None:
    done = ran("placeholders")
    assert _outputs(done) == {
        "first": '<word of say>|{"key":"word","n":[1,"{{x}}"]}|--a=<word of say>|--none',
        "second": "$(date) `date` {{$.no_such}} %s \\n|{}|--a=$(date) `date` {{$.no_such}} %s \\n;more|--extra|more|there",
    }
    facts, given = done.value("facts", "say"), done.value("input", "say")
    assert facts["job"] == facts["resource"] == done.name
    assert facts["uuid"] == done.resource.uid
    assert facts["task"] == "say"
    assert facts["task_id"].startswith(facts["uuid"])
    assert facts["created"] == facts["scheduled"] == done.resource.created
    assert Path(facts["root"]).is_dir()
    assert facts["workspace"].endswith("/workspace/sub")
    assert given["inputs"]["parameterValues"]["table"] == {"key": "word", "n": [1, "{{x}}"]}
    assert given["outputs"]["parameters"]["said"]["outputFile"].startswith(facts["root"])


def test_exit_tasks_learn_how_it_ended(ran: Start, tmp_path: Path) -> None:
    done = ran("exits", place=str(tmp_path), bad="yes")
    assert done.state == "FAILED"
    told = {name: json.loads((tmp_path / name).read_text()) for name in ("told", "fine", "skipped")}
    assert {name: one["state"] for name, one in told.items()} == {
        "told": "FAILED",
        "fine": "COMPLETE",
        "skipped": "CANCELED",
    }
    assert told["told"]["pipelineTaskName"] == "guarded"
    assert told["told"]["pipelineJobResourceName"] == done.name
    assert "exit status 1" in told["told"]["error"]["message"]
    assert _states(done)["guarded/after"] == "SKIPPED"


def test_what_steps_ask_for(ran: Start) -> None:
    done = ran("resources")
    _outputs(done)
    asked = {step["name"]: step["resources"] for step in done.resource.spec["pipeline"]["graph"]["steps"]}
    assert asked["now"]["memory"] == "64Mi"
    assert asked["before"] == {"cpu": "0.25", "memory": "50000000"}
    assert _states(ran("passthrough")) == {"only": "SUCCEEDED"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resolver", "looks artifacts up in a metadata store"),
        ("custom-job", "asks Vertex AI for a job"),
        ("lifecycle", "lifecycle has no meaning on this machine"),
        ("platform", "comp-only"),
        ("accelerator", "cannot lend cloud-tpus.google.com/v3"),
    ],
)
def test_what_is_refused_by_name(ran: Start, name: str, words: str) -> None:
    with pytest.raises(KubeflowError) as caught:
        ran(f"refused-{name}")
    assert words in str(caught.value)
    assert not runs()
