"""Phases and reasons: of what upstream's controllers write, and of what ours write, which has to read alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.cluster.phases import STOPPED, Said, told
from jupyter_ext.cluster.resource import KINDS, RESTING
from jupyter_ext.training import status as training

PHASES = {"PENDING", "RUNNING", "PAUSED", "SUCCEEDED", "FAILED", "CANCELING", "CANCELED"}


def row(name: str, message: str = "", status: str = "True") -> dict:
    return {"type": name, "status": status, "message": message, "reason": "Why"}


@pytest.mark.parametrize(
    ("kind", "status", "phase", "words"),
    [
        ("TrainJob", {}, "PENDING", "not started"),
        ("TrainJob", {"jobsStatus": [{"name": "node", "ready": 1}]}, "RUNNING", ""),
        ("TrainJob", {"jobsStatus": [{"name": "node", "active": 2}]}, "PENDING", "not started"),
        ("TrainJob", {"conditions": [row("Suspended", "TrainJob is suspended")]}, "PAUSED", "is suspended"),
        ("TrainJob", {"conditions": [row("Suspended", status="False"), row("Complete")]}, "SUCCEEDED", ""),
        ("TrainJob", {"conditions": [row("Failed", "jobset failed")]}, "FAILED", "jobset failed"),
        ("PyTorchJob", {"conditions": [row("Created"), row("Running")]}, "RUNNING", ""),
        ("PyTorchJob", {"conditions": [row("Running", status="False"), row("Failed", "x")]}, "FAILED", "x"),
        ("Experiment", {"conditions": [row("Created"), row("Running", status="False"), row("Succeeded")]}, "SUCCEEDED", ""),
        ("Trial", {"conditions": [row("Created"), row("EarlyStopped", "stopped")]}, "SUCCEEDED", ""),
        ("Trial", {"conditions": [row("MetricsUnavailable", "none")]}, "FAILED", "none"),
        ("InferenceService", {"conditions": [row("Ready")]}, "RUNNING", ""),
        (
            "InferenceService",
            {"conditions": [row("Ready", "", "False"), row("PredictorReady", "0 of 1 pods", "False")]},
            "PENDING", "0 of 1 pods",
        ),
        (
            "InferenceService",
            {"modelStatus": {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": {"message": "no file"}}},
            "FAILED", "no file",
        ),
        ("InferenceService", {"conditions": [row("Stopped", "by annotation"), row("Ready")]}, "PAUSED", "by annotation"),
        ("SparkApplication", {}, "PENDING", "operator"),
        ("SparkApplication", {"applicationState": {"state": "RUNNING"}}, "RUNNING", ""),
        ("SparkApplication", {"applicationState": {"state": "COMPLETED"}}, "SUCCEEDED", ""),
        (
            "SparkApplication",
            {"applicationState": {"state": "SUBMISSION_FAILED", "errorMessage": "no java"}}, "FAILED", "no java",
        ),
        ("SparkApplication", {"applicationState": {"state": "SUSPENDED"}}, "PAUSED", ""),
        ("SparkConnect", {"state": "Ready"}, "RUNNING", ""),
        ("SparkConnect", {"state": "Provisioning"}, "PENDING", "not started"),
        ("ScheduledSparkApplication", {"scheduleState": "FailedValidation", "reason": "bad cron"}, "FAILED", "bad cron"),
        ("Job", {"conditions": [row("Failed", "BackoffLimitExceeded")]}, "FAILED", "Backoff"),
        ("Job", {"ready": 1}, "RUNNING", ""),
        ("Unheard", {"conditions": [row("Failed")]}, "PENDING", ""),
    ],
)  # fmt: skip
def test_what_upstream_writes_is_read(kind, status, phase, words):
    said = told(kind, status)
    assert said.phase == phase
    assert words in said.reason
    assert bool(words) == bool(said.reason)


def test_stopped_is_more_than_suspended_and_deletion_is_told():
    status = {"conditions": [row("Suspended", "x")]}
    assert told("TrainJob", status, annotations={STOPPED: "now"}) == Said("CANCELED", "It was stopped.")
    assert told("TrainJob", {}, deleted="now").phase == "CANCELING"
    assert told("TrainJob", {"conditions": [row("Complete")]}, deleted="now").phase == "SUCCEEDED"


@given(
    kind=st.sampled_from(["TrainJob", "PyTorchJob", "TFJob", "XGBoostJob"]),
    phases=st.lists(st.sampled_from(["PENDING", "RUNNING", "PAUSED", "RUNNING", "FAILED"]), max_size=5),
    end=st.sampled_from(["SUCCEEDED", "FAILED", "PAUSED"]),
)
def test_what_our_controller_writes_reads_as_it_was_meant(kind, phases, end):
    rows: list[dict] = []
    for phase in [*phases, end]:
        rows = training.conditions(kind, phase, "why", rows)
    assert told(kind, {"conditions": rows}).phase == end


@given(
    kind=st.sampled_from([*KINDS, "Job", "Other"]),
    status=st.dictionaries(
        st.sampled_from(["conditions", "jobsStatus", "applicationState", "modelStatus", "state", "ready"]),
        st.none() | st.lists(st.dictionaries(st.sampled_from(["type", "status", "ready", "message"]), st.none() | st.sampled_from(["True", "Ready", "Failed"]) ), max_size=3),
    ).map(lambda found: {key: value for key, value in found.items() if key == "conditions"}),
)  # fmt: skip
def test_a_half_written_status_is_no_error(kind, status):
    said = told(kind, status)
    assert said.phase in PHASES
    assert said.phase not in RESTING or status
