"""What a signature says is refused before anything starts; what a foreign manifest's image means is said."""

from __future__ import annotations

import pytest

from jupyter_ext import resources, training
from jupyter_ext.cluster import current
from jupyter_ext.errors import Invalid

PROGRAM = """
def train(lr: float, steps: int = 3, name: str = "x", fast: bool = False, either: int | str = 1, *, decay: "float | None" = None, rate=0.5):
    return lr
"""
YAML = """
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: foreign}
spec:
  runtimeRef: {name: torch-distributed}
  trainer:
    image: docker.io/team/own:2
    numNodes: 1
    command: [python, -c, print(1)]
"""


@pytest.fixture
def program(tmp_path):
    """A file with one function, whose parameters say their types."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("lr", "abc", "lr of train is a number, not 'abc'"),
        ("steps", "1.5", "steps of train is a whole number, not '1.5'"),
        ("fast", "perhaps", "fast of train is true or false, not 'perhaps'"),
        ("decay", "slow", "decay of train is a number, not 'slow'"),
        ("rate", "high", "rate of train is a number, not 'high'"),
        ("wrong", "1", "unexpected keyword argument 'wrong'"),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused(program, name, text, said):
    with pytest.raises(Invalid, match=said) as caught:
        training.train(program, function="train", framework="plain", args={"lr": "0.1", name: text})
    assert caught.value.where.field in {f"args.{name}", "args"}
    assert current().list("TrainJob").items == []


def test_what_fits_is_taken(program):
    args = {
        "lr": "0.5",
        "steps": "2",
        "name": "abc",
        "fast": "true",
        "either": "word",
        "decay": "None",
        "rate": "1e-3",
    }
    job = training.train(program, function="train", framework="plain", args=args, wait=True)
    assert job.result() == 0.5


def test_an_image_that_is_not_used_is_said(tmp_path):
    (applied,) = resources.apply(YAML)
    assert applied.notes == (
        "image docker.io/team/own:2 is not used: the command runs with what is on this machine",
    )
    reasons = [event.reason for event in current().store.events("TrainJob", "foreign")]
    assert "ImageNotUsed" in reasons
    training.get("foreign").wait()
