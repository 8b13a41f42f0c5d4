"""The line by which a trial in a pod says that it has ended, before its cluster does."""

from __future__ import annotations

import pytest

from jupyter_ext.training import outside
from jupyter_ext.tuning import kube_trials


@pytest.fixture(autouse=True)
def _trial(monkeypatch):
    monkeypatch.setenv("JUPYTER_KUBEFLOW_TRIAL", "t-0")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)


def lines(capsys, value) -> list[str]:
    outside._measured(value, "loss")
    return capsys.readouterr().out.splitlines()


def told(line: str) -> dict[str, float] | None:
    assert line.startswith(outside.ENDED)
    return kube_trials._numbers(line.removeprefix(outside.ENDED))


def test_it_has_what_was_returned(capsys):
    assert told(lines(capsys, 0.25)[-1]) == {"loss": 0.25}
    *printed, last = lines(capsys, {"loss": 1, "accuracy": 0.5})
    assert printed == ["loss=1.0", "accuracy=0.5"]
    assert told(last) == {"loss": 1.0, "accuracy": 0.5}
    assert [told(line) for line in lines(capsys, None)] == [{}]


def test_where_more_has_to_be_awaited_it_is_not_said(capsys, monkeypatch):
    assert lines(capsys, float("nan")) == ["loss=nan"]
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert lines(capsys, 0.25) == ["loss=0.25"]
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.delenv("JUPYTER_KUBEFLOW_TRIAL")
    assert lines(capsys, 0.25) == ["loss=0.25"]


@pytest.mark.parametrize("text", ["", "no", "[1]", '{"loss": "x"}', "1"])
def test_another_line_that_begins_so_is_nothing(text):
    assert kube_trials._numbers(text) is None
