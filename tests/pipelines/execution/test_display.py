"""Metrics, artifacts, confusion matrices and ROC curves: what is shown, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines import display, drawing


@pytest.fixture
def shown(monkeypatch):
    """What would be displayed."""
    bundles = []
    monkeypatch.setattr(
        display, "_show", lambda about, html, text, more=None: bundles.append((about, html, text, more))
    )
    return bundles


def test_metrics(shown):
    display.metrics(accuracy=np.float32(0.5), n=3, good=True)
    about, html, text, _ = shown[0]
    assert about == {"type": "metrics", "values": {"accuracy": 0.5, "n": 3, "good": 1}}
    assert "accuracy" in html
    assert text == "accuracy = 0.5\nn = 3\ngood = 1"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (display.metrics, "needs at least one number"),
        (lambda: display.metrics(a=math.nan), "metric a is nan"),
        (lambda: display.metrics(a=math.inf), "metric a is inf"),
        (lambda: display.metrics(a="x"), "metric a is a str, not a number"),
        (lambda: display.metrics(a=[1]), "metric a is a list, not a number"),
        (lambda: display.artifact("", "x"), "needs a name"),
        (lambda: display.artifact("a", object()), "A object cannot be shown"),
        (lambda: display.artifact("a", b"no image"), "only as a PNG"),
        (lambda: display.artifact("a", "missing.png"), "is not an image file"),
        (lambda: display.confusion_matrix(["a", "b"], [[1, 2]]), "1 rows of [2] numbers for 2 labels"),
        (lambda: display.confusion_matrix(["a"], [[-1]]), "no negative"),
        (lambda: display.confusion_matrix(["a"], 3), "Expected a list"),
        (lambda: display.confusion_matrix(["a"], [[math.nan]]), "is nan"),
        (lambda: display.roc([0, 1], [0]), "equally many rates"),
        (lambda: display.roc([0, 1], [0, 1], [1]), "got 2, 2, 1"),
        (lambda: display.roc([0, 2], [0, 1]), "between 0 and 1"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(Invalid) as caught:
        call()
    assert words in str(caught.value)


def test_a_long_curve_keeps_few_points_and_its_area(shown):
    x = np.linspace(0, 1, 11_000)
    display.roc(x, np.sqrt(x), np.concatenate([[np.inf], 1 - x[1:]]))
    about = shown[0][0]
    assert 100 < len(about["fpr"]) <= display.POINTS + 2
    assert len(about["tpr"]) == len(about["thresholds"]) == len(about["fpr"])
    assert about["thresholds"][0] is None
    assert (about["fpr"][0], about["fpr"][-1]) == (0, 1)
    assert about["auc"] == pytest.approx(2 / 3, abs=1e-4)


def test_artifacts_by_kind(shown, tmp_path):
    from matplotlib.figure import Figure
    from PIL import Image

    image = tmp_path / "x.png"
    Image.new("RGB", (3, 3)).save(image)
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    for obj in (
        figure,
        Image.new("RGB", (600, 400)),
        str(image),
        pd.DataFrame({"a": [1]}),
        "<b>x</b>",
        "text",
        {"k": math.nan},
        [1],
    ):
        display.artifact("a", obj)
    kinds = [(about["artifact"], about["mime"]) for about, *_ in shown]
    assert kinds == [
        ("image", "image/png"), ("image", "image/png"), ("image", "image/png"), ("table", "application/json"),
        ("html", "text/html"), ("text", "text/plain"), ("json", "application/json"), ("json", "application/json"),
    ]  # fmt: skip
    assert shown[6][0]["value"] == {"k": None}


def test_pictures_follow_the_theme_and_escape_names():
    html = (
        drawing.confusion_matrix(["<script>", "b"], [[1, 0], [0, 0]])
        + drawing.metrics({"<b>": 1})
        + drawing.roc([0, 1], [0, 1], 0.5)
    )
    assert "<script>" not in html
    assert "<b>" not in html
    assert "var(--jp-" in html


def test_without_a_notebook_they_print(capsys):
    display.metrics(a=1)
    assert "a = 1" in capsys.readouterr().out
