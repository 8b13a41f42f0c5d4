"""Jobs and experiments as pictures: text, HTML, what a button may do."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext import training, tuning
from jupyter_ext.cluster.local.metrics import Point
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.display import chart, look
from jupyter_ext.display.live import live_widget
from jupyter_ext.training import widgets as jobs
from jupyter_ext.tuning import widgets as experiments


@pytest.fixture
def job(cluster):
    """A running job of two ranks with a curve, as if it had happened."""
    spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": {"numNodes": 2, "numProcPerNode": 1}}
    ranks = [
        {"rank": rank, "part": f"rank-{rank}", "node": rank, "state": "RUNNING", "seconds": 1.0}
        for rank in (0, 1)
    ]
    status = {"phase": "RUNNING", "reason": "<b>2</b> of 2 run.", "progress": 0.5, "ranks": ranks,
              "metrics": {"loss<": 0.5}, "seconds": 3.0}  # fmt: skip
    made = cluster.store.create(Resource.new("TrainJob", "one", spec, status=status))
    points = [Point("loss<", 1 / (step + 1), step, rank, 10.0 + step) for rank in (0, 1) for step in range(5)]
    cluster.metrics.append(made.uid, [*points, Point("system/cpu", 1.0, None, -1, 10.0)])
    return made


def whole(html: str) -> ET.Element:
    return ET.fromstring(html)


def test_a_running_job_has_progress_curves_and_ranks(job):
    html = jobs.job_html(job)
    whole(html)
    assert 'aria-valuenow="50"' in html
    assert html.count("<polyline") == 2, "a line for each rank"
    assert "2 ranks" in html
    assert "system/cpu" not in html
    assert "<b>2</b> of" not in html, "what others wrote is escaped"
    assert "torch" not in jobs.shape(job) or "2 nodes" in jobs.shape(job)
    text = jobs.job_text(job)
    assert text.startswith("TrainJob one: RUNNING 3.0 s")
    assert "█" in text


def test_the_buttons_of_a_job(job):
    assert [verb for verb, _ in jobs.actions(job)] == ["stop", "suspend"]
    assert jobs.actions(job.with_(status={"phase": "SUCCEEDED"})) == []
    assert jobs.actions(job.with_(status={"phase": "PAUSED"})) == [("resume", "Resume")]
    widget = live_widget(training.get("one"), job, jobs.PICTURE)
    assert widget.label == "TrainJob one"
    assert "fetch(" not in widget._esm
    assert "import " not in widget._esm, "nothing is loaded from anywhere"


def test_a_failed_job_shows_why_with_the_traceback_folded(job):
    status = {"phase": "FAILED", "reason": "Rank 1 failed.", "error": {"traceback": ["a < b", "ValueError"]}}
    html = jobs.job_html(job.with_(status=status))
    whole(html)
    assert 'role="alert"' in html
    assert "<details><summary>Traceback" in html
    assert "a &lt; b" in html


def test_an_experiment_shows_its_best_and_marks_the_pruned(cluster):
    def function(x: float):
        return x

    made = tuning.tune(function, {"x": "double(0,1)"}, trials=4, name="sweep", objective="loss:min").wait(120)
    resource = made.resource
    html = experiments.experiment_html(resource)
    whole(html)
    assert "Best:" in html
    assert "★" in html
    assert html.count("<polyline") == 2, "each trial, and best so far"
    assert [verb for verb, _ in experiments.actions(resource)] == ["copy"]
    best = resource.status["best"]["parameters"]
    assert experiments.PICTURE.clip(resource) == f"x = {best['x']!r}"
    assert "pruned" in experiments.trial_state("PRUNED")
    assert "failed" not in experiments.trial_state("PRUNED")
    assert "sweep  SUCCEEDED" in repr(experiments.ExperimentsView(tuning.experiments()))
    whole(f"<div>{experiments.ExperimentsView(tuning.experiments())._repr_html_()}</div>")


def test_lists_of_nothing():
    assert repr(jobs.JobsView([])) == "No jobs."
    assert "No experiments" in experiments.ExperimentsView([])._repr_html_()


printable = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=5)
points = st.lists(st.tuples(st.floats(), st.floats()), max_size=300)


@given(st.lists(st.tuples(printable, points), max_size=4))
def test_any_curves_are_a_picture_or_nothing(series):
    picture = chart.curves_svg("x <y>", series)
    if picture:
        for line in whole(picture).iter("{http://www.w3.org/2000/svg}polyline"):
            for place in line.get("points").split():
                x, y = map(float, place.split(","))
                assert -1 <= x <= chart.WIDTH + 1
                assert -1 <= y <= chart.HEIGHT + 1


@given(st.lists(st.floats(), max_size=100))
def test_any_values_are_letters(values):
    assert len(chart.letters(values)) <= 24
    assert look.bar(values[0] if values and values[0] == values[0] else None) is not None
