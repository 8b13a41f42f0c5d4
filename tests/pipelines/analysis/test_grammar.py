"""Tags, the ``%%step`` line, and notebook metadata."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_ext.pipelines.model import Foreach, Step
from tests.pipelines.analysis.building import check, edges, problem


def only(*tags: str) -> Step:
    pipeline = check(("load = 0", ["step:load"]), ("xs = [1]\nx = 1", ["step:train", *tags]))
    assert not pipeline.errors, pipeline.errors[0]
    return pipeline.step("train")


TAGS: list[tuple[str, dict[str, Any]]] = [
    ("prev:load", {"after": ("load",)}),
    ("limit:cpu:2", {"resources": {"cpu": "2"}, "cpu": "2"}),
    ("limit:cpu:500m", {"resources": {"cpu": "500m"}}),
    ("limit:memory:4Gi", {"resources": {"memory": "4Gi"}, "memory": "4Gi"}),
    ("limit:nvidia.com/gpu:1", {"resources": {"nvidia.com/gpu": "1"}, "gpu": "1"}),
    ("limit:amd.com/gpu:2", {"resources": {"amd.com/gpu": "2"}, "gpu": "2"}),
    ("limit:gpu:1", {"resources": {"nvidia.com/gpu": "1"}}),
    ("image:python:3.12-slim", {"image": "python:3.12-slim"}),
    ("image:registry.io:5000/a/b@sha256:0", {"image": "registry.io:5000/a/b@sha256:0"}),
    ("cache:enabled", {"cache": True}),
    ("cache:disabled", {"cache": False}),
    ("cache:off", {"cache": False}),
    ("annotation:sidecar.istio.io/inject:false", {"annotations": {"sidecar.istio.io/inject": "false"}}),
    ("annotation:a:b:c", {"annotations": {"a": "b:c"}}),
    ("label:access-ml-pipeline:true", {"labels": {"access-ml-pipeline": "true"}}),
    ("secret:aws:key:AWS_KEY", {"secrets": {"AWS_KEY": "aws/key"}}),
    ("if:len(xs) > 0", {"when": "len(xs) > 0"}),
    ("for:x in xs", {"foreach": Foreach("x", "xs", parallel=True)}),
    ("for:a, b in [(1, 2)]", {"foreach": Foreach("a, b", "[(1, 2)]", parallel=True)}),
    ("retry:2", {"retry": 2}),
    ("timeout:600", {"timeout": 600.0}),
    ("timeout:10m", {"timeout": 600.0}),
    ("timeout:1.5h", {"timeout": 5400.0}),
    ("env:A=b=c", {"env": {"A": "b=c"}}),
]


@pytest.mark.parametrize(("tag", "expected"), TAGS, ids=[tag for tag, _ in TAGS])
def test_tags(tag: str, expected: dict[str, Any]) -> None:
    pipeline = check(("load = 0\nxs = [1]", ["step:load"]), ("x = 1", ["step:train", tag]))
    assert not pipeline.errors, pipeline.errors[0]
    step = pipeline.step("train")
    assert {key: getattr(step, key) for key in expected} == expected


def test_several_predecessors() -> None:
    pipeline = check(("a = 1", ["step:a"]), ("b = 1", ["block:b"]), ("c = 1", ["prev:a", "step:c", "prev:b"]))
    assert pipeline.step("c").after == ("a", "b")
    assert edges(pipeline) == {"a>c", "b>c"}


def test_collect_needs_a_loop_and_a_name() -> None:
    pipeline = check(("r = v", ["step:a", "for:v in [1, 2]", "collect:r"]))
    assert pipeline.step("a").collect == ("r",)
    assert not pipeline.problems
    assert problem(check(("r = 1", ["step:a", "collect:r"])), "collect-without-loop")
    wrong = problem(check(("rest = v", ["step:a", "for:v in [1]", "collect:rset"])), "collect-unknown")
    assert wrong.remedy == "Did you mean 'rest'?"


BAD_TAGS: list[tuple[str, str, str]] = [
    ("limit:cpu:lots", "the tag 'limit:cpu:lots' cannot be understood:", ""),
    ("limit:memory:4Xi", "the tag 'limit:memory:4Xi' cannot be understood:", ""),
    ("limit:cpu:-1", "the tag 'limit:cpu:-1' cannot be understood:", ""),
    ("limit:nvidia.com/gpu:half", "'half' is no number of nvidia.com/gpu", "whole number"),
    ("limit:cpu", "it lacks the amount", "limit:memory:4Gi"),
    ("image:", "it names no image", ""),
    ("cache:maybe", "'maybe' is neither on nor off", "on (enabled)"),
    ("label:-:x", "'-' is no key", ""),
    ("annotation:a", "'a' lacks its value", "KEY:VALUE"),
    ("secret:a:b", "secret, key and variable", "NAME:KEY:VARIABLE"),
    ("if:1 +", "is no Python expression", ""),
    ("for:x of y", "'x of y' is no loop", "VAR in EXPRESSION"),
    ("retry:many", "no number of retries", ""),
    ("timeout:soon", "'soon' is no length of time", "10m"),
    ("timeout:0", "'0' is no length of time", ""),
    ("collect:1a", "no list of variable names", ""),
    ("notebook:other", "a step cannot be another notebook", ""),
    ("step:9 lives", "is no name for a step", ""),
]


@pytest.mark.parametrize(("tag", "message", "remedy"), BAD_TAGS, ids=[tag for tag, _, _ in BAD_TAGS])
def test_tags_that_cannot_be_understood_are_never_dropped(tag: str, message: str, remedy: str) -> None:
    found = problem(check("md:x", ("a = 1", ["step:a", tag])), "invalid-tag")
    assert found.severity == "error"
    assert message in found.message
    assert tag in found.message
    assert found.cell == 2
    assert remedy in found.remedy
    assert found.fix == {"action": "remove-tag", "tag": tag}


def test_unknown_tags() -> None:
    near = problem(check(("a = 1", ["step:a", "limits:cpu:1"])), "unknown-tag")
    assert (near.severity, near.remedy) == ("warning", "Did you mean 'limit:cpu:1'?")
    assert near.fix == {"action": "replace-tag", "tag": "limits:cpu:1", "with": "limit:cpu:1"}
    assert problem(check(("a = 1", ["step:a", "import"])), "unknown-tag").remedy == "Did you mean 'imports'?"
    assert problem(check(("a = 1", ["step:a", "weather"])), "unknown-tag").severity == "info"
    assert not check(("a = 1", ["step:a", "hide-input", "remove_cell", "raises-exception"])).problems


def test_the_roles_of_cells() -> None:
    pipeline = check(
        ("n = 3\nrate: float = 0.1", ["pipeline-parameters"]),
        ("import math", ["imports"]),
        "import os",
        ("def f(): return math.pi * n", ["functions"]),
        ("x = f()", ["step:a"]),
        "y = x",
        ("boom!", ["skip"]),
        "z = y",
        ("print(z)\ny", ["pipeline-metrics"]),
    )
    assert not pipeline.problems
    assert [(step.name, [cell.index for cell in step.cells]) for step in pipeline.steps] == [
        ("setup", [1, 2, 3, 4]),
        ("a", [5, 6, 8, 9]),
    ]
    assert pipeline.metrics == ("z", "y")
    assert [(item.name, item.type) for item in pipeline.parameters] == [("n", "int"), ("rate", "float")]
    assert pipeline.step("a").reads == ("f", "math", "n")


@pytest.mark.parametrize("tag", ["imports", "block:imports", "step:imports"])
def test_the_oldest_form_of_a_role(tag: str) -> None:
    pipeline = check(("import math", [tag]), ("x = math.pi", ["block:a"]))
    assert [(step.name, step.kind) for step in pipeline.steps] == [("setup", "setup"), ("a", "step")]


def test_an_empty_block_tag_means_nothing() -> None:
    assert [step.name for step in check(("a = 1", ["block:a"]), ("b = 1", ["block:"])).steps] == ["a"]


def test_cells_before_the_first_tag_run_first() -> None:
    pipeline = check("import math", ("x = math.pi", ["step:a"]))
    assert pipeline.steps[0].kind == "setup"


def test_a_users_own_step_called_setup() -> None:
    pipeline = check(("import math", ["imports"]), ("x = math.pi", ["step:setup"]))
    assert [(step.name, step.kind) for step in pipeline.steps] == [("prologue", "setup"), ("setup", "step")]


def test_settings_where_nothing_can_honour_them() -> None:
    found = problem(
        check(("import math", ["imports", "limit:cpu:2"]), ("x = 1", ["step:a"])), "setting-outside-step"
    )
    assert found.severity == "warning"
    assert "limit" in found.message


def test_cells_of_one_name_are_one_step() -> None:
    pipeline = check(("a = 1", ["step:a"]), ("b = 2", ["step:b"]), ("c = a", ["step:a", "limit:cpu:1"]))
    assert [(step.name, [cell.index for cell in step.cells]) for step in pipeline.steps] == [
        ("a", [1, 3]),
        ("b", [2]),
    ]
    assert pipeline.step("a").cpu == "1"
    conflict = check(("a = 1", ["step:a", "limit:cpu:2"]), ("c = a", ["step:a", "limit:cpu:1"]))
    assert problem(conflict, "conflicting-setting").message == "step 'a' says two things about resources cpu"


def test_two_names_on_one_cell() -> None:
    assert problem(check(("a = 1", ["step:a", "step:b"])), "two-steps").cell == 1


LINE = (
    "%%step train --after load --cpu 2 --memory 4Gi --gpu 1 --image img:1 --retry 2 --timeout 10m --cache off "
    '--if "n > 1" --env A=b --label a=b --annotation c=d --limit ephemeral-storage=1Gi'
)


def test_the_step_line() -> None:
    pipeline = check("%%step load\nn = 1", f"{LINE}\nx = n")
    assert not pipeline.problems
    assert (pipeline.grammar, pipeline.order) == ("magic", "declared")
    step = pipeline.step("train")
    assert step.after == ("load",)
    assert step.resources == {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1", "ephemeral-storage": "1Gi"}
    assert (step.image, step.retry, step.timeout, step.cache, step.when) == (
        "img:1",
        2,
        600.0,
        False,
        "n > 1",
    )
    assert (step.env, step.labels, step.annotations) == ({"A": "b"}, {"a": "b"}, {"c": "d"})
    assert step.reads == ("n",)


def test_the_line_is_replaced_so_that_lines_keep_their_numbers() -> None:
    pipeline = check("%%step a --cpu 1\nx = 1", "%%step b\n%%time\ny = x", "\n\n%%step c\nz = undefined")
    assert [cell.source for step in pipeline.steps for cell in step.cells] == [
        "# step a --cpu 1\nx = 1",
        "\n%%time\ny = x",
        "\n\n# step c\nz = undefined",
    ]
    assert problem(pipeline, "undefined-name").line == 4


def test_parameters_by_magic() -> None:
    pipeline = check("%%parameters\nlr = 0.1", "%%step a\nx = lr")
    assert [item.name for item in pipeline.parameters] == ["lr"]
    assert pipeline.steps[0].kind == "setup"
    assert pipeline.parameters[0].line == 2


def test_loops_and_collecting() -> None:
    pipeline = check(
        '%%step a --for "lr in [0.1, 0.2]" --collect scores,models\nscores = lr\nmodels = [lr]',
        "%%step b\nscores",
    )
    assert not pipeline.problems
    assert pipeline.step("a").foreach == Foreach("lr", "[0.1, 0.2]", parallel=True)
    assert pipeline.step("a").collect == ("scores", "models")


def test_the_line_and_tags_together() -> None:
    pipeline = check(("%%step a --cpu 2\nx = 1", ["step:a", "limit:memory:1Gi"]))
    assert pipeline.step("a").resources == {"cpu": "2", "memory": "1Gi"}
    assert problem(check(("%%step a\nx = 1", ["step:b"])), "two-steps")


def test_an_empty_after_declares_no_predecessor() -> None:
    pipeline = check("%%step a\nx = 1", '%%step b --after ""\ny = 1', "%%step c --after -\nz = 1")
    assert pipeline.order == "declared"
    assert not pipeline.edges


BAD_LINES: list[tuple[str, str, str]] = [
    ("%%step", "it names no step", "%%step NAME"),
    ("%%step --cpu 2", "it names no step", ""),
    ("%%step a b", "'b' is no option", ""),
    ("%%step 9x", "is no name for a step", ""),
    ("%%step a --cpus 2", "'--cpus' is no option", "Did you mean --cpu?"),
    ("%%step a --cpu", "--cpu lacks its value", "--cpu 2"),
    ("%%step a --cpu --gpu 1", "--cpu lacks its value", ""),
    ("%%step a --cpu lots", "cannot be understood", ""),
    ("%%step a --if 'x", "a quotation mark is not closed", ""),
    ("%%step a --for 'x'", "is no loop", ""),
    ("%%step a --timeout=never", "is no length of time", ""),
]


@pytest.mark.parametrize(("line", "message", "remedy"), BAD_LINES)
def test_lines_that_cannot_be_understood(line: str, message: str, remedy: str) -> None:
    pipeline = check("md:x", f"{line}\ny = 1")
    found = [item for item in pipeline.problems if item.code == "invalid-step-line"]
    assert found
    assert message in found[0].message
    assert (found[0].cell, found[0].line) == (2, 1)
    assert remedy in " ".join(item.remedy for item in found)
    assert len(pipeline.steps) == 1


def test_kales_metadata_of_any_age() -> None:
    old = {
        "docker_image": "img:1",
        "experiment": {"id": "new", "name": "flights"},
        "pipeline_name": "Flight Delays",
        "pipeline_description": "all of it",
        "snapshot_volumes": True,
        "autosnapshot": True,
        "steps_defaults": ["label:access-ml-pipeline:true", "limit:memory:1Gi", "nonsense"],
        "volumes": [{"name": "d", "mount_point": "/data"}],
        "katib_run": False,
        "katib_metadata": {"a": 1},
        "volume_access_mode": "rwm",
    }
    pipeline = check(
        ("import os", ["imports"]), ("a = 1", ["block:a", "limit:memory:2Gi"]), kubeflow_notebook=old
    )
    assert pipeline.name == "flight-delays"
    assert pipeline.metadata == {
        "description": "all of it",
        "experiment": "flights",
        "image": "img:1",
        "volumes": [{"name": "d", "mount_point": "/data"}],
    }
    assert pipeline.step("a").labels == {"access-ml-pipeline": "true"}
    assert pipeline.step("a").memory == "2Gi"
    assert pipeline.steps[0].labels == {}
    assert {item.code for item in pipeline.problems} == {"no-snapshots", "unknown-tag"}
    assert not pipeline.errors
    new = {
        "base_image": "img:2",
        "experiment_name": "e",
        "enable_caching": True,
        "steps_defaults": {"labels": {"a": "b"}},
    }
    pipeline = check(("a = 1", ["step:a"]), kubeflow_notebook=new)
    assert pipeline.metadata == {"image": "img:2", "experiment": "e", "cache": True}
    assert pipeline.step("a").labels == {"a": "b"}


def test_titles() -> None:
    assert check("md:# The title", "a = 1").title == "The title"
    assert check("md:## Not a title", "a = 1").title == "notebook"
    assert check("md:# The title", "a = 1", title="Own").title == "Own"
