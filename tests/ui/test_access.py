"""Keyboard only, no axe violation, and pictures in both themes and two sizes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.ui.screen import cell, notebook, settled, steps, violations

# What we put into JupyterLab's page; a cell that carries one of our marks is still JupyterLab's.
OURS = {"include": [[".jk-Panel"], [".jk-BarHost"], [".jk-Gutter"], [".jk-Notes"]]}


@pytest.fixture
def busy(lab):
    """A lab with a failed and a succeeded run, and the failed one's notebook open."""
    lab.write("good.ipynb", steps("Good", load="x = [3, 1, 2]", sort="y = sorted(x)", show="print(y)"))
    book = notebook(
        cell("# A rather long name for a pipeline that does not fit into a narrow sidebar", kind="markdown"),
        cell("limit = 3", "pipeline-parameters"),
        cell("rows = list(range(limit))", "step:load"),
        cell("import jupyter_ext as kf\nkf.pipelines.metrics(rows=len(rows))", "step:count", "prev:load"),
        cell("rows[99]", "step:fail", "prev:load"),
    )
    lab.write("bad.ipynb", book)
    lab.show_panel()
    for name, title, state in (("good", "Good", "SUCCEEDED"), ("bad", "A rather long name", "FAILED")):
        lab.notebook(f"{name}.ipynb")
        lab.run()
        settled(lab.newest(title), state)
    return lab


def test_axe_finds_nothing(busy):
    lab = busy
    found = {"notebook and panel": violations(lab.page, OURS)}
    lab.open_run("A rather long name")
    expect(lab.view.get_by_role("region", name="Error")).to_be_visible()
    found["failed run"] = violations(lab.page, ".jk-RunView")
    lab.open_run("Good")
    settled(lab.node("show"), "SUCCEEDED")
    lab.node("sort").click()
    for tab in ("Inputs and outputs", "Log", "Code", "Summary"):
        lab.view.get_by_role("tab", name=tab).click()
        expect(lab.view.get_by_role("tabpanel", name=tab)).to_be_visible()
        found[f"step, {tab}"] = violations(lab.page, ".jk-RunView")
    lab.panel.get_by_role("button", name="Show all").click()
    expect(lab.page.get_by_role("grid", name="Runs")).to_be_visible()
    found["table"] = violations(lab.page, ".jk-Runs")
    lab.theme(dark=True)
    found["panel, dark"] = violations(lab.page, OURS)
    assert {place: texts for place, texts in found.items() if texts} == {}


def test_everything_by_keyboard(lab):
    lab.write("keys.ipynb", steps("Keys", one="a = 1", two="b = a + 1", three="print(b)"))
    lab.notebook("keys.ipynb")
    page = lab.page
    lab.command("kubeflow:run-notebook")
    lab.command("kubeflow:show-panel")
    expect(lab.panel).to_be_visible()
    settled(lab.newest("Keys"), "SUCCEEDED")

    # From the filter down into the list, and along it with the arrows.
    lab.panel.get_by_role("searchbox", name="Filter runs").focus()
    page.keyboard.type("keys")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.closest('[data-run]') !== null"):
            break
    assert page.evaluate("() => document.activeElement.closest('[data-run]') !== null"), (
        "Tab reaches the list"
    )
    if page.evaluate("() => document.activeElement.type") == "checkbox":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(lab.view).to_be_visible()

    # Into the graph, from node to node, and back out of the step.
    lab.node("one").focus()
    page.keyboard.press("ArrowDown")
    expect(lab.node("two")).to_be_focused()
    page.keyboard.press("Enter")
    expect(lab.view.get_by_role("region", name="Step two")).to_be_visible()
    lab.view.get_by_role("tab", name="Summary").focus()
    page.keyboard.press("ArrowRight")
    expect(lab.view.get_by_role("tab", name="Inputs and outputs")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(lab.view.get_by_role("region", name="Step two")).to_have_count(0)


def test_pictures(busy, pictures):
    lab = busy
    for dark in (False, True):
        lab.theme(dark=dark)
        for width, height in ((1280, 800), (1920, 1080)):
            lab.page.set_viewport_size({"width": width, "height": height})
            name = f"{'dark' if dark else 'light'}-{width}.png"
            lab.command("docmanager:open", path="bad.ipynb", factory="Notebook")
            expect(lab.chip("fail")).to_be_visible()
            lab.page.screenshot(path=pictures / f"notebook-{name}")
            lab.open_run("A rather long name")
            expect(lab.view.get_by_role("region", name="Error")).to_be_visible()
            lab.page.screenshot(path=pictures / f"failed-{name}")
            lab.open_run("Good")
            settled(lab.node("show"), "SUCCEEDED")
            lab.node("sort").click()
            lab.page.screenshot(path=pictures / f"run-{name}")
            lab.panel.get_by_role("button", name="Show all").click()
            expect(lab.page.get_by_role("grid", name="Runs")).to_be_visible()
            lab.page.screenshot(path=pictures / f"table-{name}")
            wide = lab.panel.evaluate("node => node.scrollWidth - node.clientWidth")
            assert wide <= 0, f"something sticks out of the panel at {width}"
