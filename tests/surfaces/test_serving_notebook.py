"""Endpoints in a notebook: magics with real servers, pictures and forms of what is there."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from jupyter_ext import serving
from jupyter_ext.cluster.local.metrics import Point
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.display.live import live_widget
from jupyter_ext.serving import forms, widgets
from tests.surfaces.serving import iris, serving_cluster  # noqa: F401 - fixtures


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """An IPython shell that has loaded the extension."""
    monkeypatch.chdir(tmp_path)
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "jupyter_ext")
    yield made
    made.run_line_magic("unload_ext", "jupyter_ext")
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, cell: str):
    result = shell.run_cell(cell)
    result.raise_error()
    return result.result


@pytest.mark.slow
def test_a_model_is_served_split_and_asked(shell, iris):  # noqa: F811
    shell.user_ns["X"] = iris.head(4)
    run(shell, "endpoint = %serve iris@champion")
    endpoint = shell.user_ns["endpoint"]
    assert endpoint.name == "iris"
    series = run(shell, "%predict iris X")
    assert isinstance(series, pd.Series)
    assert series.tolist() == [0, 0, 0, 0]
    assert run(shell, "%predict iris --variant v1 X.to_numpy()[:2]").tolist() == [0, 0]
    assert len(run(shell, "%predict iris")) == 3, "the recorded example"
    run(shell, "%serve iris:2 --percent 10")
    run(shell, "%traffic iris v1=70 v2=30 --sticky header:x-user")
    assert {each.name: each.percent for each in endpoint.variants} == {"v1": 70, "v2": 30}
    run(shell, "%kf promote iris")
    assert endpoint.variants[0].name == "v2"
    run(shell, "%kf rollback iris")
    assert endpoint.variants[0].name == "v1"
    assert len(run(shell, "%kf endpoints")) == 1
    assert run(shell, "%kf rules iris 'roll back if errors > 5 % over 1 minute'")[0]["state"]
    assert "v2" in str(run(shell, "%kf compare iris"))
    with provisionalcompleter():
        assert "v1=" in [found.text for found in shell.Completer.completions("%traffic iris v", 15)]
    form = forms.TrafficModel("iris", {"v1": "60"})
    assert "add up to 90" in next(iter(form.problems().values()))
    form.values["v2"] = "40"  # noqa: PD011 - no frame
    assert form.problems() == {}
    assert form.run().variants[1].percent == 40
    tester = forms.TesterModel("iris")
    assert tester.problems() == {}
    assert tester.run().value == [0]
    assert "predict(" in tester.code()
    draft = forms.draft({"model": "iris:2", "endpoint": "iris", "percent": 200})
    assert draft["problems"][0]["field"] == "percent"
    assert "percent=200" in draft["python"]
    assert forms.draft({"model": "iris:2", "endpoint": "other"})["yaml"].startswith(
        "apiVersion: serving.kserve.io/v1beta1"
    )
    assert [item.name for item in serving.endpoints()] == ["iris"], "a draft makes nothing"


CELL = """%%serve doubler
class Doubler:
    def predict(self, payload, headers=None):
        return {"predictions": [2 * number for number in payload["instances"]]}
"""


def test_a_class_of_a_cell_is_served(shell, serving_cluster):  # noqa: F811
    made = run(shell, CELL)
    assert made.name == "doubler"
    assert made.predict([1, 2.5]) == [2, 5.0]
    assert "Doubler" in shell.user_ns, "the cell ran as cells do"
    assert run(shell, "%predict doubler [4]") == [8]


WRONG = [
    ("%serve", "required"),
    ("%serve irsi", "Did you mean iris"),
    ("%serve iris --percent 200", "percent"),
    ("%traffic iris v1", "NAME|endpoint"),
    ("%predict", "ENDPOINT"),
    ("%predict nobody [1]", "no endpoint"),
    ("%%serve thing\nx = 1", "nothing that can predict"),
    (
        "%%serve thing\nclass A:\n    def __init__(self, a): ...\n    def predict(self, x): ...",
        "without arguments",
    ),
    ("%kf promote nobody", "no endpoint"),
]


def test_what_is_wrong_is_said_before_anything_starts(shell, iris):  # noqa: F811
    for cell, words in WRONG:
        result = shell.run_cell(cell)
        error = result.error_in_exec or result.error_before_exec
        assert isinstance(error, UsageError), (cell, error)
        assert any(word in str(error) for word in words.split("|")), str(error)
    assert serving.endpoints() == []


def test_an_error_of_the_cell_is_the_cells_own(shell, serving_cluster, capsys):  # noqa: F811
    result = shell.run_cell("%%serve thing\n1 / 0")
    assert result.result is None
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert serving.endpoints() == []


# Pictures, of an endpoint as if it had happened


@pytest.fixture
def endpoint(cluster) -> Resource:
    """Two variants with traffic, one of which failed."""
    variants = [
        {"name": "v1", "percent": 90, "model": "iris<", "version": "1", "state": "ready", "reason": ""},
        {
            "name": "v2",
            "percent": 10,
            "model": "iris<",
            "version": "2",
            "state": "failed",
            "reason": "<b>No</b> module",
        },
        {"name": "v0", "percent": 0, "model": "iris<", "version": "0", "state": "retired", "reason": ""},
    ]
    revisions = [
        {
            "number": number,
            "time": "2026-01-01T00:00:00Z",
            "what": "Traffic",
            "by": "me",
            "traffic": {"v1": 90},
            "why": "",
        }
        for number in (1, 2)
    ]
    status = {
        "phase": "RUNNING",
        "reason": "v2 does not load: <b>No</b> module",
        "variants": variants,
        "revisions": revisions,
        "rules": [{"text": "roll back if errors > 2 %", "state": "ok", "value": "0 %"}],
        "address": {"url": "http://127.0.0.1:1/iris"},
    }
    made = cluster.store.create(Resource.new("InferenceService", "iris", {"predictor": {}}, status=status))
    points = [
        Point(f"{name}/rate", float(step), None, 0, 10.0 + step) for name in ("v1", "v2") for step in range(5)
    ]
    cluster.metrics.append(made.uid, points)
    return made


def test_an_endpoint_as_a_picture(endpoint):
    html = widgets.endpoint_html(endpoint)
    ET.fromstring(html)
    assert "<b>No</b>" not in html, "what others wrote is escaped"
    assert 'aria-label="Traffic: v1 90 %, v2 10 %"' in html
    assert 'role="alert"' in html
    assert html.count("<polyline") == 2
    assert "2 revisions" in html
    assert "v0" not in html, "what only waits for a rollback is no variant"
    text = widgets.endpoint_text(endpoint)
    assert text.startswith("Endpoint iris: serving  http://127.0.0.1:1/iris")
    assert "90 %  █████████" in text
    assert "No</b> module" in text


def test_the_buttons_of_an_endpoint(endpoint):
    assert [verb for verb, _ in widgets.actions(endpoint)] == ["rollback", "stop"]
    ready = [{**item, "state": "ready"} for item in endpoint.status["variants"][:2]]
    both = endpoint.with_(status={**endpoint.status, "variants": ready})
    assert ("promote", "Promote v2") in widgets.actions(both)
    assert widgets.actions(endpoint.with_(status={"phase": "PAUSED"})) == [("start", "Start")]
    assert widgets.actions(endpoint.with_(status={"phase": "FAILED"})) == []
    widget = live_widget(serving.get("iris"), endpoint, widgets.PICTURE)
    assert widget.label == "InferenceService iris"
    widget.close()


def test_nothing_is_a_picture_too(cluster):
    bare = cluster.store.create(Resource.new("InferenceService", "bare", {}))
    ET.fromstring(widgets.endpoint_html(bare))
    assert widgets.endpoint_text(bare) == "Endpoint bare: waiting"
    assert repr(widgets.EndpointsView([])) == "No endpoints."


def test_forms_show_the_code_of_what_is_typed(iris):  # noqa: F811
    form = forms.form("iris@champion", percent=10, rules=["roll back if errors > 2 % over 5 minutes"])
    assert "There is no endpoint iris yet" in form.model.problems()["percent"]
    form._fields["percent"].value = ""
    assert form.model.problems() == {}
    assert not form._button.disabled
    assert form.model.code() == (
        "import jupyter_ext as kf\nendpoint = kf.serving.serve('iris@champion', "
        "rules=['roll back if errors > 2 % over 5 minutes'])"
    )
    form._fields["model"].value = "irsi"
    assert "Did you mean iris" in form.model.problems()["model"]
    form._fields["replicas"].value = "3:1"
    assert "LEAST:MOST" in form.model.problems()["replicas"]
    assert {entry.name for entry in form.model.entries} == set(form.model.values)
