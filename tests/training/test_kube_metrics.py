"""What the pods of a cluster's job print, as curves: times of lines, and two who read the same at once."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as some

from jupyter_ext.cluster.local.metrics import Metrics, Point
from jupyter_ext.training.kube_metrics import nanoseconds
from jupyter_ext.training.reporting import report


@given(some.integers(0, 4 * 10**9), some.integers(0, 10**9 - 1), some.integers(0, 9))
def test_the_time_of_a_line_to_the_nanosecond(seconds, nano, digits):
    """Go leaves out the zeros at the end, and the point with them."""
    nano -= nano % 10 ** (9 - digits)
    fraction = f".{nano:09}".rstrip("0").rstrip(".")
    for zone, hours in (("Z", 0), ("+02:00", 2), ("-11:00", -11)):
        moment = datetime.fromtimestamp(seconds + hours * 3600, UTC)
        text = f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{zone}"
        assert nanoseconds(text) == seconds * 10**9 + nano


@given(some.text())
def test_what_is_no_time_is_none(text):
    assert nanoseconds(text) >= 0 or text[:4].isdecimal()


def test_of_two_readers_of_one_source_one_counts(tmp_path):
    metrics = Metrics(tmp_path / "metrics.sqlite")
    first = [Point("loss", 1.0, 0, 0, 1.0)]
    assert metrics.append("job", first, {"pod/a": 10}, after={"pod/a": 0})
    assert not metrics.append("job", first, {"pod/a": 10}, after={"pod/a": 0})
    assert metrics.append("job", [], {"pod/a": 20}, after={"pod/a": 10})
    assert metrics.read("job").points == first
    assert metrics.marks("job") == {"pod/a": 20}


def test_in_a_pod_the_first_process_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.delenv("JUPYTER_KUBEFLOW_REPORTS", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    report(loss=0.25, step=3, progress=0.5)
    monkeypatch.setenv("LOCAL_RANK", "1")
    report(loss=0.5, step=3, progress=0.5)
    monkeypatch.delenv("LOCAL_RANK")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_OBJECTIVE", "loss")
    report(loss=0.75, progress=0.5)
    assert capsys.readouterr().out == "step=3 loss=0.25 progress=0.5\nloss=0.75\n"
