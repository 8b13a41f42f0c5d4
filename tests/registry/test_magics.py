"""``%register`` and ``%models`` in a real shell, the form, the table with a search box, lineage as a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from sklearn.linear_model import LogisticRegression

from jupyter_ext import registry
from jupyter_ext.registry import picture
from jupyter_ext.registry.forms import FormModel, form
from jupyter_ext.registry.widgets import Browser


@pytest.fixture
def shell():
    """IPython with our magics and a trained model."""
    ip = InteractiveShell.instance()
    ip.run_line_magic("load_ext", "jupyter_ext")
    rows = np.arange(12.0).reshape(6, 2)
    model = LogisticRegression().fit(rows, [0, 0, 0, 1, 1, 1])
    ip.user_ns.update(model=model, X=rows, accuracy=0.9)
    yield ip
    ip.run_line_magic("unload_ext", "jupyter_ext")
    InteractiveShell.clear_instance()


def test_a_variable_is_registered_with_what_is_known(shell):
    made = shell.run_line_magic(
        "register", "model iris@champion -m accuracy -m auc=0.5 -p C=1.0 --example X --data train=X"
    )
    assert made.name == "iris:1"
    assert made.aliases == ["champion"]
    assert made.metrics == {"accuracy": 0.9, "auc": 0.5}
    assert made.parameters == {"C": "1.0"}
    assert made.profile["rows"] == 6
    np.testing.assert_array_equal(made.example, shell.user_ns["X"][:5])
    shown = made._repr_html_()
    assert "iris:1" in shown
    assert "<svg" in shown


def test_what_is_wrong_is_one_line(shell):
    with pytest.raises(UsageError, match="no variable and no file 'nothing'"):
        shell.run_line_magic("register", "nothing iris")
    with pytest.raises(UsageError, match="no variable 'missing'"):
        shell.run_line_magic("register", "model iris -m missing")
    with pytest.raises(UsageError, match="needs a name"):
        shell.run_line_magic("register", "model")
    registry.register({}, "iris", format="python")
    with pytest.raises(UsageError, match="Did you mean iris"):
        shell.run_line_magic("models", "irs")


def test_models_are_listed_found_and_shown(shell):
    shell.run_line_magic("register", "model iris -m accuracy")
    shell.run_line_magic("register", "model iris -m accuracy=0.99")
    shell.run_line_magic("register", "model other")
    assert [model.name for model in shell.run_line_magic("models", "")] == ["other", "iris"]
    assert shell.run_line_magic("models", "iris:2").name == "iris:2"
    assert [found.name for found in shell.run_line_magic("models", '"accuracy > 0.95" --versions')] == [
        "iris:2"
    ]
    listed = shell.run_line_magic("models", "--versions")
    assert "accuracy=0.99" in repr(listed)
    assert "iris:2" in listed._repr_html_()
    compared = shell.run_line_magic("models", "iris:1 --compare iris:2")
    assert compared.groups["metrics"] == {"accuracy": (0.9, 0.99)}
    assert "<svg" not in shell.run_line_magic("models", "iris")._repr_html_()


def test_the_form_says_what_is_wrong_and_shows_its_code(shell):
    names = shell.user_ns
    typed = FormModel(
        {
            "what": "model",
            "name": "iris",
            "metrics": "accuracy, auc=0.5",
            "data": "train=X",
            "alias": "champion",
        },
        names,
    )
    assert typed.problems() == {}
    code = typed.code()
    assert code.endswith(
        "kf.registry.register(model, 'iris', metrics={'accuracy': accuracy, 'auc': 0.5}, data={'train': X}, alias='champion')"
    )
    made = typed.run()
    exec(code, dict(names))
    assert [version.version for version in registry.get("iris").versions()] == ["2", "1"]
    assert made.metrics == {"accuracy": 0.9, "auc": 0.5}
    wrong = FormModel({"what": "nothing", "metrics": "accuracy=high"}, names).problems()
    assert set(wrong) == {"what", "name", "metrics"}
    assert "not a number" in wrong["metrics"]


def test_the_form_and_the_search_box_on_a_screen(shell):
    screen = form(shell.user_ns, what="model", name="iris")
    assert screen._button.disabled is False
    screen._button.click()
    assert screen.started.name == "iris:1"
    browser = Browser(registry.local())
    assert [model.name for model in browser.models] == ["iris"]
    browser._field.value = "nothing like it"
    assert browser.models == []
    browser._field.value = "name ="
    assert 'role="alert"' in browser._note.value


def test_lineage_is_drawn_left_to_right():
    names = ["notebook", "run", "step", "files", "version"]
    nodes = [{"id": name, "kind": "Step", "title": f"<{name}>"} for name in names]
    edges = [{"source": a, "target": b, "label": "to & fro"} for a, b in pairwise(names)]
    drawn = picture.lineage_svg({"nodes": nodes, "edges": edges})
    tree = ET.fromstring(drawn)
    texts = [found.text for found in tree.iter() if found.tag.endswith("text")]
    assert "<version>" in texts
    assert picture.columns(nodes, edges) == {name: place for place, name in enumerate(names)}


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30))
def test_any_graph_is_drawn_also_with_circles(pairs):
    nodes = [{"id": str(number), "kind": "Step", "title": str(number)} for number in range(9)]
    edges = [{"source": str(a), "target": str(b)} for a, b in pairs]
    assert ET.fromstring(picture.lineage_svg({"nodes": nodes, "edges": edges})) is not None
