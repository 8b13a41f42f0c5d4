from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.pipelines.model import Edge, Pipeline, Problem, Step
from jupyter_ext.pipelines.picture import (
    MOST_NODES,
    graph_svg,
    layers,
    pipeline_html,
    pipeline_text,
    run_html,
    run_text,
    runs_html,
)

EVIL = "<script>alert('x')</script>\"&"
ERROR = {"type": "ValueError", "message": EVIL, "cell": 4, "line": 2, "traceback": [EVIL]}


def well_formed(html: str) -> ET.Element:
    return ET.fromstring(html)


def test_a_run_says_state_steps_metrics_and_error(put_run):
    run = put_run(
        "one", phase="FAILED", reason="Step train failed at cell 4, line 2.", error={**ERROR, "message": "no"}
    )
    text = run_text(run)
    for words in ("Run one: FAILED 2.0 s", "load", "cached", "train", "accuracy = 0.9", "cell 4, line 2"):
        assert words in text
    html = run_html(run)
    root = well_formed(html)
    assert "Step train failed at cell 4, line 2." in "".join(root.find(".//div[@role='alert']").itertext())
    assert "<script>" in "".join(root.find(".//pre").itertext()), "the traceback is there, as text"
    assert root.find(".//{http://www.w3.org/2000/svg}svg") is not None


def test_nothing_from_a_notebook_becomes_html(put_run):
    run = put_run("one", phase="FAILED", reason=EVIL, error=ERROR)
    run.status["steps"][1] |= {"name": EVIL, "reason": EVIL}
    run.spec["pipeline"]["graph"] = {
        "steps": [{"name": EVIL}, {"name": "b"}],
        "edges": [{"source": EVIL, "target": "b"}],
    }
    run.status["metrics"] = {EVIL: 1}
    evil = replace(run, spec={**run.spec, "displayName": EVIL})
    for html in (run_html(evil), runs_html([evil])):
        assert "<script" not in html
        well_formed(html)
    pipeline = Pipeline(EVIL, EVIL, steps=(Step(EVIL), Step("b")), problems=(Problem("error", "x", EVIL),))
    assert "<script" not in pipeline_html(pipeline)
    well_formed(pipeline_html(pipeline))


def test_a_pipeline_says_what_comes_after_what():
    pipeline = Pipeline(
        "p",
        steps=(Step("a"), Step("b")),
        edges=(Edge("a", "b"), Edge("gone", "b")),
        problems=(Problem("warning", "x", "Odd"),),
    )
    assert "b  after a, gone" in pipeline_text(pipeline)
    assert "warning: Odd." in pipeline_text(pipeline)


def test_a_run_that_has_not_begun_is_shown_too(put_run):
    run = put_run("one", phase="PENDING", steps=[], metrics={}, seconds=None)
    assert run_text(run) == "Run one: PENDING"
    well_formed(run_html(run))


names = st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=12)


@given(
    names.flatmap(
        lambda found: st.tuples(
            st.just(found),
            st.lists(st.tuples(st.sampled_from(found or [""]), st.sampled_from(found or [""])), max_size=20),
        )
    )
)
def test_every_step_is_drawn_once_and_below_what_it_needs(case):
    found, edges = case
    order = {name: position for position, name in enumerate(found)}
    forward = [(a, b) for a, b in edges if a in order and order[a] < order[b]]
    rows = layers(found, forward)
    assert sorted(name for row in rows for name in row) == sorted(found)
    level = {name: number for number, row in enumerate(rows) for name in row}
    assert all(level[a] < level[b] for a, b in forward)
    assert sorted(name for row in layers(found, edges) for name in row) == sorted(found), "cycles end too"


def test_too_large_a_graph_is_left_to_the_sidebar():
    many = [str(number) for number in range(MOST_NODES + 1)]
    assert graph_svg(many, [], {}) == ""
    assert graph_svg(["one"], [], {}) == ""
    assert graph_svg(many[:-1], [], {}).count("<rect") == MOST_NODES
