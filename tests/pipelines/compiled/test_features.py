"""Each feature of the specification, run, with the result that its components compute."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.compiled.conftest import Start, outputs, states, succeeded


def test_values_of_all_types_go_from_task_to_task(ran: Start) -> None:
    done = succeeded(ran("linear", start=4, names=["p"], word="hey"))
    assert done.value("Output", "describe") == "15 0.5 p [('a', 1), ('b', 2)] None"
    assert outputs(done, "shout") == {"Output": "HEY-15-HEY-15-"}
    assert done.resource.status["outputs"] == {"Output": "15 0.5 p [('a', 1), ('b', 2)] None"}
    assert "adding 4 and 1" in str(done.logs("add"))


def test_defaults_are_the_pipelines(ran: Start) -> None:
    assert outputs(succeeded(ran("linear")), "describe") == {"Output": "13 0.5 x+y [('a', 1), ('b', 2)] None"}


def test_what_is_typed_takes_the_type_of_the_parameter(ran: Start) -> None:
    done = succeeded(ran("linear", start="5", ratio="2", names='["q"]'))
    assert outputs(done, "describe")["Output"].startswith("16 2.0 q")


def test_artifacts_with_metadata_folders_paths_and_metrics(ran: Start) -> None:
    done = succeeded(ran("artifacts", lines=4))
    assert done.resource.status["outputs"] == {"weights": "6!", "facts": "4 plain"}
    assert done.metrics == {"accuracy": 0.75}
    assert outputs(done, "by-path")["total_path"] == 4
    assert outputs(done, "add") == {"Output": 8}
    assert Path(outputs(done, "write")["data"]).read_text() == "0\n1\n2\n3\n"
    assert [item["mime"] for item in done.step("write")["artifacts"]] == ["text/html"]


def test_container_components_whose_command_is_here(ran: Start) -> None:
    done = succeeded(ran("containers", word="a b"))
    assert outputs(done, "concat")["result"].endswith("--first=a b;none --no-third")
    assert outputs(done, "concat-2")["result"].endswith("--no-third;x --third y")
    assert outputs(done, "read") == {"Output": "data"}


def test_importer_of_a_local_file(ran: Start, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2")
    done = succeeded(ran("imported", uri=str(tmp_path / "data.csv")))
    assert outputs(done, "read") == {"Output": "1,2"}


def test_pipelines_in_pipelines(ran: Start) -> None:
    done = succeeded(ran("nested", a=1))
    # inner(a, scale) is 2 * (a + scale): 8, then 18.
    assert done.resource.status["outputs"] == {"Output": 18}
    assert "inner/add" in states(done)


def test_loops(ran: Start) -> None:
    done = succeeded(ran("loops", count=3))
    assert done.resource.status["outputs"] == {"sum": 6, "joined": "<0><1><2>"}
    by_name = states(done)
    said = [outputs(done, name)["Output"] for name in by_name if name.endswith("[0]") and "shout" in name]
    assert sorted(said) == ["ANN", "ANN"]
    nested = [outputs(done, name)["Output"] for name in by_name if name.count(",") == 1]
    assert sorted(nested) == ["A", "AA", "B", "BB"]
    assert outputs(done, "add-3" if "add-3" in by_name else "add")  # the sum of the first loop, collected
    nothing = next(status for status in done.steps if "nothing to go over" in status["reason"])
    assert nothing["state"] == "SKIPPED"


@pytest.mark.parametrize(
    ("given", "said", "kept"),
    [
        ({"word": "left", "number": 5}, "went left", "<2>"),
        ({"word": "right", "number": 3}, "went right", "<1>"),
        ({"word": "x", "number": 4, "deep": False}, "stayed", "<2>"),
    ],
)
def test_branches(ran: Start, given: dict[str, object], said: str, kept: str) -> None:
    done = succeeded(ran("branches", **given))
    assert done.resource.status["outputs"] == {"Output": said.upper()}
    assert outputs(done, "read") == {"Output": kept}
    assert [status["reason"] for status in done.steps if status["state"] == "SKIPPED"]


def test_exit_handler_runs_after_a_failure_and_the_run_has_failed(ran: Start, tmp_path: Path) -> None:
    done = ran("exits", marker=str(tmp_path / "told"), message="too bad")
    assert done.state == "FAILED"
    assert (tmp_path / "told").read_text().startswith("FAILED exit-handler-1 Step fail failed")
    assert done.resource.status["error"]["message"] == "too bad"
    assert states(done)["add"] == "SUCCEEDED"


def test_exit_handler_runs_after_success(ran: Start, tmp_path: Path) -> None:
    succeeded(ran("exits", marker=str(tmp_path / "told"), message=""))
    assert (tmp_path / "told").read_text() == "COMPLETE exit-handler-1 "


def test_a_task_may_ignore_what_failed_before_it(ran: Start) -> None:
    done = ran("ignoring", message="boom")
    assert states(done) == {"fail": "FAILED", "shout": "SKIPPED", "shout-2": "SUCCEEDED", "add": "SUCCEEDED"}
    assert done.state == "FAILED"
    assert "boom" in done.resource.reason
    assert "did not succeed" in done.step("shout")["reason"]


def test_retries(ran: Start, tmp_path: Path) -> None:
    done = succeeded(ran("retries", counter=str(tmp_path / "n"), until=3))
    assert outputs(done, "flaky") == {"Output": 3}
    assert done.step("flaky")["attempt"] == 3


def test_retries_end(ran: Start, tmp_path: Path) -> None:
    done = ran("retries", counter=str(tmp_path / "n"), until=9)
    assert (done.state, (tmp_path / "n").read_text()) == ("FAILED", "...")
    assert "try 3" in done.resource.reason


def test_the_cache_is_asked_where_the_task_says_so(ran: Start, tmp_path: Path) -> None:
    given = {"counter": str(tmp_path / "a"), "other": str(tmp_path / "b")}
    succeeded(ran("caches", **given))
    done = succeeded(ran("caches", **given))
    assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == (".", "..")
    assert done.step("flaky")["cached"]
    assert outputs(done, "flaky") == {"Output": 1}


def test_placeholders_of_run_and_task(ran: Start) -> None:
    done = succeeded(ran("placeholders"))
    name, task, uid, root = outputs(done, "facts")["Output"].split("|")
    assert (name, task, uid) == (done.name, "task facts", done.resource.uid)
    assert Path(root).is_dir()


def test_optional_inputs(ran: Start) -> None:
    done = succeeded(ran("optional", text="t"))
    assert outputs(done, "optional") == {"Output": "None None 7"}
    assert outputs(done, "optional-2") == {"Output": "None t 7"}


def test_branches_run_at_the_same_time(ran: Start, tmp_path: Path) -> None:
    succeeded(ran("together", one=str(tmp_path / "1"), two=str(tmp_path / "2")))


def test_requirements_that_are_met_here_are_not_installed(ran: Start, kubeflow_home: Path) -> None:
    assert outputs(succeeded(ran("packages")), "with-packages") == {"Output": "True"}
    assert not (kubeflow_home / "environments").exists()
