"""A notebook becomes a run that is followed, fails, is repaired and goes on, without leaving JupyterLab."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright.sync_api import expect

from tests.ui.screen import settled, steps


def retype(lab, active, source):
    """Replace the code of a cell."""
    active.locator(".cm-content").click()
    lab.page.keyboard.press("Control+a")
    lab.page.keyboard.type(source)


@pytest.fixture
def no_endpoint_stays(server):
    """An endpoint that a run made outlives it, but not the test."""
    yield
    for item in server.get("kubeflow/v1/runs")["items"]:  # one that goes on would make it afterwards
        if item["status"]["phase"] in {"PENDING", "RUNNING"}:
            server.post(f"kubeflow/v1/runs/{item['metadata']['name']}:stop", {})
            server.settle([item["metadata"]["name"]])
    path = "kubeflow/v1/inferenceservices"
    for item in server.get(path)["items"]:
        server.delete(f"{path}/{item['metadata']['name']}")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("no_endpoint_stays")
def test_the_tour_goes_from_run_to_succeeded_live(lab, repository, pictures):
    shutil.copy(repository / "examples/tour.ipynb", lab.root / "tour.ipynb")
    title = "Which flights will arrive late?"
    panel = lab.show_panel()
    lab.notebook("tour.ipynb")
    expect(lab.bar).to_contain_text("No problems")
    lab.run()

    now = panel.get_by_role("region", name="Now")
    expect(now.get_by_text(title)).to_be_visible()
    expect(lab.chip("load")).to_have_attribute("data-state", re.compile("RUNNING|SUCCEEDED"))
    row = lab.newest(title)
    row.get_by_role("button", name=re.compile(title)).first.click()
    expect(lab.node("compare")).to_have_attribute("data-state", "PENDING")
    for branch in ("logistic-regression", "gradient-boosting", "random-forest"):
        expect(lab.node(branch)).to_be_visible()
    expect(lab.node("random-forest")).to_have_attribute("data-state", "RUNNING", timeout=240_000)
    lab.page.screenshot(path=pictures / "tour-running.png")

    settled(row, "SUCCEEDED", timeout=480_000)
    for step in (
        "load",
        "prepare",
        "features",
        "split",
        "random-forest",
        "tune",
        "neural-network",
        "compare",
        "choose-the-best",
        "register",
        "serve",
        "compare-on-live-traffic",
        "promote",
        "a-bad-version-and-a-rule",
    ):
        expect(lab.node(step)).to_have_attribute("data-state", "SUCCEEDED")
    expect(lab.view.get_by_role("list", name="Metrics")).to_contain_text("roc_auc")
    expect(now.get_by_text(title)).to_have_count(0)

    lab.node("choose-the-best").click()
    lab.page.screenshot(path=pictures / "tour-succeeded.png")
    for name in ("Models", "Endpoints"):
        expect(lab.section(name).get_by_role("button", name=re.compile("late-flights")).first).to_be_visible()


def test_independent_branches_run_side_by_side(lab, tmp_path):
    seen = tmp_path / "seen"
    wait = f"import os, time\nwhile not os.path.exists({str(seen)!r}):\n    time.sleep(0.05)\n"
    lab.write("branches.ipynb", steps("Branches", start="x = 1", left=wait + "a = x + 1", right=wait + "b = x + 2",
                                      join="print(a + b)"))  # fmt: skip
    lab.show_panel()
    lab.notebook("branches.ipynb")
    lab.run()
    lab.open_run("Branches")
    expect(lab.node("left")).to_have_attribute("data-state", "RUNNING")
    expect(lab.node("right")).to_have_attribute("data-state", "RUNNING")
    seen.touch()
    settled(lab.newest("Branches"), "SUCCEEDED")
    lab.node("join").click()
    lab.view.get_by_role("tab", name="Log").click()
    expect(lab.view.get_by_role("tabpanel", name="Log")).to_contain_text("5")


def test_a_failure_leads_to_the_cell_and_the_run_goes_on_from_there(lab):
    path = lab.write("fails.ipynb", steps("Fails", load="numbers = [1, 2, 0]\nprint('loaded once')",
                                          divide="parts = [6 / n for n in numbers]", end="print(parts)"))  # fmt: skip
    lab.show_panel()
    lab.notebook(path)
    lab.run()
    settled(lab.newest("Fails"), "FAILED")

    # In place, at the cell.
    box = lab.page.get_by_role("region", name="The last run failed in this cell")
    expect(box).to_contain_text("division by zero")
    for name in ("Open here", "Resume", "Show log"):
        expect(box.get_by_role("button", name=name)).to_be_enabled()

    # In the run's view, and from there to the cell.
    lab.open_run("Fails")
    banner = lab.view.get_by_role("region", name="Error")
    expect(banner).to_contain_text("ZeroDivisionError")
    expect(banner).to_contain_text("Cell 5, line 1")
    banner.get_by_role("button", name="Go to cell").click()
    active = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-mod-active")
    expect(active).to_contain_text("6 / n")

    # Repair, resume: what had finished is kept.
    retype(lab, active, "parts = [6 / n for n in numbers if n]")
    lab.command("docmanager:save")
    box.get_by_role("button", name="Resume").click()
    settled(lab.newest("Fails"), "SUCCEEDED")
    lab.open_run("Fails")
    settled(lab.node("end"), "SUCCEEDED")
    expect(lab.node("load")).to_have_attribute("aria-label", re.compile("cache|Succeeded"))


def test_a_failed_step_opens_in_a_live_kernel(lab):
    path = lab.write(
        "debug.ipynb", steps("Debug", load="numbers = [1, 2, 0]", divide="parts = [6 / n for n in numbers]")
    )
    lab.show_panel()
    lab.notebook(path)
    lab.run()
    settled(lab.newest("Debug"), "FAILED")
    lab.page.get_by_role("region", name="The last run failed in this cell").get_by_role(
        "button", name="Open here"
    ).click()
    panel = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    active = panel.locator(".jp-Cell.jp-mod-active")
    expect(active).to_contain_text("6 / n", timeout=30_000)
    expect(lab.page.get_by_text("The kernel has what step “divide” was given.")).to_be_visible(timeout=60_000)
    retype(lab, active, "print('numbers are', numbers)")
    lab.page.keyboard.press("Control+Enter")
    expect(active.locator(".jp-OutputArea")).to_contain_text("numbers are [1, 2, 0]", timeout=30_000)


def test_a_run_is_stopped(lab):
    lab.write("long.ipynb", steps("Long", sleep="import time\ntime.sleep(60)", after="1"))
    lab.show_panel()
    lab.notebook("long.ipynb")
    lab.run()
    now = lab.panel.get_by_role("region", name="Now")
    expect(lab.chip("sleep")).to_have_attribute("data-state", "RUNNING")
    now.get_by_role("button", name="Stop Long").click()
    settled(lab.newest("Long"), "CANCELED")


def test_a_second_run_takes_what_did_not_change_and_says_so(lab):
    lab.write("cached.ipynb", steps("Cached", one="a = 1", two="b = a + 1"))
    lab.show_panel()
    lab.notebook("cached.ipynb")
    for _ in range(2):
        lab.run()
        expect(lab.newest("Cached")).to_have_attribute("data-state", re.compile("PENDING|RUNNING|SUCCEEDED"))
        settled(lab.newest("Cached"), "SUCCEEDED")
    expect(lab.newest("Cached")).to_contain_text("from cache")
    lab.open_run("Cached")
    lab.node("two").click()
    expect(lab.view.get_by_role("region", name="Cache")).to_contain_text("Reused from run")


def test_values_code_and_log_of_a_step(lab):
    source = "import pandas as pd\nframe = pd.DataFrame({'city': ['Bern', 'Oslo'], 'high': [542, 23]})\nprint('made it')"
    lab.write("values.ipynb", steps("Values", make=source, use="total = int(frame.high.sum())\ntotal"))
    lab.show_panel()
    lab.notebook("values.ipynb")
    lab.run()
    settled(lab.newest("Values"), "SUCCEEDED")
    lab.open_run("Values")
    lab.node("make").click()
    lab.view.get_by_role("tab", name="Inputs and outputs").click()
    values = lab.view.get_by_role("tabpanel", name="Inputs and outputs")
    values.get_by_role("button", name="frame").click()
    expect(values.get_by_role("table").first).to_contain_text("Bern")
    lab.view.get_by_role("tab", name="Log").click()
    expect(lab.view.get_by_role("tabpanel", name="Log")).to_contain_text("made it")
    lab.view.get_by_role("tab", name="Code").click()
    expect(lab.view.get_by_role("tabpanel", name="Code")).to_contain_text("pd.DataFrame")


def test_metrics_and_plots_are_drawn(lab):
    source = """import jupyter_ext as kf
kf.pipelines.metrics(accuracy=0.875)
kf.pipelines.confusion_matrix(["no", "yes"], [[3, 1], [0, 4]])
kf.pipelines.roc([0, 0.2, 1], [0, 0.9, 1])"""
    lab.write("plots.ipynb", steps("Plots", judge=source))
    lab.show_panel()
    lab.notebook("plots.ipynb")
    lab.run()
    settled(lab.newest("Plots"), "SUCCEEDED")
    lab.open_run("Plots")
    expect(lab.view.get_by_role("list", name="Metrics")).to_contain_text("0.875")
    lab.node("judge").click()
    lab.view.get_by_role("tab", name="Inputs and outputs").click()
    values = lab.view.get_by_role("tabpanel", name="Inputs and outputs")
    expect(values.get_by_role("img", name=re.compile("ROC curve")).first).to_be_visible()
    expect(
        values.get_by_role("figure", name=re.compile("confusion matrix", re.IGNORECASE)).first
    ).to_be_visible()
