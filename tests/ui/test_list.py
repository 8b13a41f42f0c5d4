"""Many runs: filter, compare, the table, clean up."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.error import HTTPError

import pytest
from playwright.sync_api import expect

from tests.ui.screen import cell, notebook


@pytest.fixture
def three(lab, server):
    """Three runs of one notebook: two that succeeded with different parameters, one that failed."""
    book = notebook(
        cell("# Trials", kind="markdown"),
        cell("## Parameters", kind="markdown"),
        cell("rate = 0.1"),
        cell("## Score", kind="markdown"),
        cell(
            "import jupyter_ext as kf\nassert rate < 1, 'rate is too high'\nkf.pipelines.metrics(score=1 - rate)"
        ),
    )
    path = lab.write("trials.ipynb", book)
    names = [server.post("kubeflow/v1/runs", {"path": path, "parameters": {"rate": r}})["metadata"]["name"]
             for r in (0.1, 0.5, 2.0)]  # fmt: skip
    server.settle(names)
    lab.show_panel()
    yield names
    for name in names:
        with suppress(HTTPError):  # a test may have deleted it
            server.delete(f"kubeflow/v1/runs/{name}")


def test_filter_by_state_name_and_parameter(lab, three):
    first, second, failed = three
    box = lab.panel.get_by_role("searchbox", name="Filter runs")
    for words, expected in {
        "failed": {failed},
        first: {first},
        "rate=0.5": {second},
        "nothing-has-this": set(),
    }.items():
        box.fill(words)
        for name in three:
            row = lab.panel.locator(f'.jk-RunRow[data-run="{name}"]')
            expect(row).to_have_count(1 if name in expected else 0)
    box.press("Escape")
    expect(box).to_have_value("")


def test_two_runs_side_by_side(lab, three):
    first, second, _ = three
    for name in (first, second):
        lab.panel.get_by_role("checkbox", name=f"Select {name}").check(force=True)
    lab.panel.get_by_role("toolbar", name="Selected runs").get_by_role("button", name="Compare").click()
    table = lab.page.get_by_role("table").filter(has_text="rate").first
    expect(table).to_be_visible()
    for text in (first, second, "0.1", "0.5", "score"):
        expect(lab.page.locator(".jk-Compare:visible")).to_contain_text(text)


def test_the_table_sorts_selects_and_deletes(lab, three):
    lab.panel.get_by_role("button", name="Show all").click()
    grid = lab.page.get_by_role("grid", name="Runs")
    expect(grid.get_by_role("row").filter(has_text=three[2])).to_contain_text("Failed")
    header = grid.get_by_role("columnheader", name="State")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", re.compile("ascending|descending"))
    grid.get_by_role("checkbox", name=f"Select {three[2]}").check()
    lab.page.get_by_role("button", name="Delete", exact=True).click()
    question = lab.page.get_by_role("alertdialog", name=f"Delete {three[2]}?")
    question.get_by_role("button", name="Delete").click()
    expect(grid.get_by_role("row").filter(has_text=three[2])).to_have_count(0)
