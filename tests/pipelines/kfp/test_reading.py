"""What the server, and its pods, say is read with care: they are other people's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.pipelines import graph, ir
from jupyter_ext.pipelines.kfp import reasons, steps, wire
from jupyter_ext.pipelines.kfp.schedules import six_fields
from tests.pipelines.kfp import upstream
from tests.pipelines.runs.notebooks import notebook

BOOK = notebook(
    "%%step one\nx = 1",
    "%%step two --after one --for 'k in [1, 2]'\ny = x * k",
    "%%step three --after two --if 'x'\nz = 1",
)
SPEC: dict[str, Any] = ir.export(graph.check(BOOK)).spec
TASKS = [
    "root",
    "executor",
    "one",
    "two",
    "two-each",
    "two-items",
    "two-loop",
    "three",
    "three-when",
    "nobody",
]
STATES = [
    "RUNTIME_STATE_UNSPECIFIED",
    "PENDING",
    "RUNNING",
    "SUCCEEDED",
    "SKIPPED",
    "FAILED",
    "CANCELED",
    "CACHED",
]
TIMES = st.sampled_from([None, "1970-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"])
ROW = st.fixed_dictionaries(
    {"display_name": st.sampled_from([*TASKS, *(f"{name}-driver" for name in TASKS)]), "state": st.sampled_from(STATES)},
    optional={
        "start_time": TIMES, "end_time": TIMES, "error": st.sampled_from([None, {"message": "no"}]),
        "child_tasks": st.lists(st.fixed_dictionaries({}, optional={"pod_name": st.text(max_size=5)}), max_size=2),
    },
)  # fmt: skip


@given(st.lists(ROW, max_size=25), st.sampled_from(STATES[1:7]))
def test_any_rows_give_each_step_one_state(rows: list[dict[str, Any]], state: str) -> None:
    found = steps.outline(SPEC)
    listed = steps.statuses({"state": state, "run_details": {"task_details": rows}}, found)
    own = [each for each in listed if not each.get("parent")]
    assert [each["name"] for each in own] == ["one", "two", "three"]
    assert {each["state"] for each in listed} <= {
        "PENDING",
        "RUNNING",
        "SUCCEEDED",
        "SKIPPED",
        "FAILED",
        "CANCELED",
    }
    assert all(each["seconds"] is None or each["seconds"] >= -9 for each in listed if "seconds" in each)
    json.dumps(listed)


def test_a_pipeline_of_somebody_else_that_cannot_be_read_has_no_steps() -> None:
    assert steps.readable({"pipelineInfo": {"name": "x"}, "root": {}, "schemaVersion": "2.1.0"}) is None
    assert steps.readable({"spec": {"workflow": 1}}) is None
    assert steps.readable(None) is None


def test_our_export_is_what_upstream_takes() -> None:
    upstream.check("V2beta1Run", {"display_name": "x", "pipeline_spec": SPEC})


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("", {}),
        ("I1122 10:00:00.1      22 launcher_v2.go:202] publish success.\n", {}),
        ("x\nStep train failed: cell 3, line 2: ValueError: no: such\n    code()\n",
         {"type": "ValueError", "message": "no: such", "cell": 3, "line": 2}),
        ("Step train failed: cell 3: 'x' is to be collected\n",
         {"type": "Error", "message": "'x' is to be collected", "cell": 3}),
        ("Traceback (most recent call last):\n  File x\nkfp.Odd_Error: because\nF1122 10:00:00.1 22 main.go:49] failed to execute component: exit status 1\n",
         {"type": "kfp.Odd_Error", "message": "because"}),
        ("F1122 10:00:00.1 22 main.go:49] failed to execute component: exit status 1\n",
         {"type": "Error", "message": "exit status 1"}),
        ("sh: 1: nothing: not found\ntime=2026-11-22T10:00:00Z level=info msg=done\n",
         {"type": "Error", "message": "sh: 1: nothing: not found"}),
    ],
)  # fmt: skip
def test_why_a_step_failed(log: str, error: dict[str, Any]) -> None:
    assert reasons.error(log) == error


@given(st.text(max_size=2000))
def test_any_log_gives_a_bounded_reason(log: str) -> None:
    found = reasons.error(log)
    assert len(str(found.get("message", ""))) <= reasons.LONGEST


@given(
    st.binary(max_size=300)
    | st.builds(
        lambda x: json.dumps(x).encode(), st.recursive(st.none() | st.text() | st.integers(), st.lists)
    )
)
def test_any_refusal_is_one_bounded_line(body: bytes) -> None:
    said = wire._said(body)
    assert "\n" not in said
    assert len(said) <= wire.LONGEST


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Failed to create a new run: Validate create run request failed.: Invalid input error: The run name is empty. Please", "The run name is empty. Please"),
        ("rpc error: code = NotFound desc = ResourceNotFoundError: Run x not found", "Run x not found"),
        ("plain", "plain"),
    ],
)  # fmt: skip
def test_the_names_of_the_servers_functions_are_left_out(message: str, said: str) -> None:
    assert wire._said(json.dumps({"error": message, "code": 3, "message": message}).encode()) == said


def test_seconds_come_first() -> None:
    assert six_fields("0 6 * * 1-5") == "0 0 6 * * 1-5"
    assert six_fields("30 0 6 * * *") == "30 0 6 * * *"
