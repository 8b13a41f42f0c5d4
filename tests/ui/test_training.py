"""A function or cell is trained from the panel, watched while it runs, stopped, resumed and looked into."""

from __future__ import annotations

import json
import re
import signal

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.screen import cell, notebook, settled, violations

CALM = """
import time
import jupyter_ext as kf

world = kf.training.world()
for step in range(STEPS):
    kf.report(loss=1 / (step + 1) + 0.05 * world.rank, accuracy=1 - 1 / (step + 2), step=step,
              progress=(step + 1) / STEPS)
    print("step", step, "of rank", world.rank)
    time.sleep(PAUSE)
"""
FAILS = """
import jupyter_ext as kf

if kf.training.world().rank == 1:
    raise ValueError("the learning rate is too high")
"""


def source(steps: int = 20, pause: float = 0.05) -> str:
    return CALM.replace("STEPS", str(steps)).replace("PAUSE", str(pause))


@pytest.fixture
def jobs(lab, server):
    """Start jobs by REST; those of a test are gone after it."""
    names: list[str] = []

    def start(code: str, **words: object) -> str:
        body = {"source": code, "framework": "plain", "nodes": 2, **words}
        names.append(server.post("kubeflow/v1/trainjobs", body)["metadata"]["name"])
        return names[-1]

    yield start
    listed = {
        item["metadata"]["name"]: item for item in server.get("kubeflow/v1/trainjobs?limit=500")["items"]
    }
    for name, item in listed.items():
        if item["status"]["phase"] not in {"SUCCEEDED", "FAILED", "CANCELED", "PAUSED"}:
            server.post(f"kubeflow/v1/trainjobs/{name}:stop", {})
    server.settle(list(listed), plural="trainjobs")
    for name in listed:
        server.delete(f"kubeflow/v1/trainjobs/{name}")


def row(lab, name: str) -> Locator:
    return lab.section("Training").locator(f'[data-run="{name}"]')


def opened(lab, name: str) -> Locator:
    row(lab, name).get_by_role("button", name=re.compile(re.escape(name))).first.click()
    return view(lab)


def view(lab) -> Locator:
    return lab.page.locator(".jk-JobView:visible")


def test_an_empty_section_says_what_to_do(lab, jobs):
    part = lab.section("Training")
    expect(part.get_by_text(re.compile("No training jobs yet"))).to_be_visible()
    expect(part.get_by_text("kf.training.train(")).to_be_visible()
    part.get_by_role("button", name="New training job", exact=True).last.click()
    expect(part.get_by_role("form", name="New training job")).to_be_visible()


def test_the_form_says_what_is_wrong_and_the_same_as_code_and_trains(lab, jobs):
    part = lab.section("Training")
    part.get_by_role("button", name="New training job", exact=True).first.click()
    form = part.get_by_role("form", name="New training job")
    button = form.get_by_role("button", name="Train", exact=True)
    expect(button).to_be_disabled()
    form.get_by_role("textbox", name="Code", exact=True).fill(source())
    form.get_by_role("combobox", name="Framework").select_option("plain")

    nodes = form.get_by_role("textbox", name="Nodes")
    nodes.fill("two")
    expect(nodes).to_have_accessible_description("A whole number, or MIN:MAX such as 1:4.")
    expect(button).to_be_disabled()
    nodes.fill("2")
    expect(form.get_by_text(re.compile("nodes=2"))).to_be_visible()
    form.get_by_role("textbox", name="Name").fill("from-the-form")
    expect(form.get_by_text(re.compile("from-the-form"))).to_be_visible()
    nodes.focus()
    lab.page.keyboard.press("Control+Enter")

    expect(form).to_have_count(0)
    settled(row(lab, "from-the-form"), "SUCCEEDED")


def test_the_form_registers_what_a_job_makes(lab, jobs, server):
    part = lab.section("Training")
    part.get_by_role("button", name="New training job", exact=True).first.click()
    form = part.get_by_role("form", name="New training job")
    form.get_by_role("textbox", name="Code", exact=True).fill("print(1)")
    form.get_by_role("combobox", name="Framework").select_option("plain")
    form.get_by_role("textbox", name="Name", exact=True).fill("makes-a-model")
    form.get_by_text("More", exact=True).click()
    model = form.get_by_role("textbox", name="Register the model as")
    model.fill("@champion")
    expect(model).to_have_accessible_description(re.compile("iris@champion"))
    expect(form.get_by_role("button", name="Train", exact=True)).to_be_disabled()
    model.fill("from the form@champion")
    expect(form.get_by_label("The same as code")).to_contain_text("register='from the form@champion'")
    model.press("Control+Enter")
    expect(form).to_have_count(0)
    job = server.get("kubeflow/v1/trainjobs/makes-a-model")
    assert json.loads(job["metadata"]["annotations"]["jupyter-kubeflow.org/register"]) == {
        "model": "from the form",
        "alias": "champion",
    }


def test_what_only_the_server_knows_stands_under_its_field(lab, jobs):
    part = lab.section("Training")
    part.get_by_role("button", name="New training job", exact=True).first.click()
    form = part.get_by_role("form", name="New training job")
    form.get_by_role("textbox", name="Code", exact=True).fill("print(1)")
    form.get_by_text("More", exact=True).click()
    cpu = form.get_by_role("textbox", name="CPU per node")
    cpu.fill("4000")
    expect(form.get_by_text(re.compile("4000")).first).to_be_visible()
    form.get_by_role("button", name="Cancel").click()
    expect(form).to_have_count(0)


def test_a_job_is_followed_live_and_stopped(lab, jobs, pictures):
    name = jobs(source(steps=600), args={"lr": 0.1})
    now = lab.show_panel().get_by_role("region", name="Now")
    expect(now.get_by_text(name)).to_be_visible()
    page = opened(lab, name)
    expect(page.get_by_role("figure", name="loss by step")).to_be_visible()
    expect(page.get_by_role("figure", name="accuracy by step")).to_be_visible()
    expect(page.get_by_role("figure", name="CPU, cores over time")).to_be_visible()
    ranks = page.get_by_role("table", name="Ranks of this job")
    for rank in (0, 1):
        expect(ranks.locator(f'[data-rank="{rank}"]')).to_have_attribute("data-state", "RUNNING")

    # Curves go on by themselves.
    value = page.locator(".jk-Curve").first.locator("h2 b")
    before = value.inner_text()
    expect(value).not_to_have_text(before)

    # The log of one rank, and of all.
    ranks.get_by_role("button", name="Rank 1").click()
    log = page.get_by_role("log", name="Log")
    expect(log).to_contain_text("of rank 1")
    page.get_by_role("combobox", name="Whose log").select_option("")
    expect(log).to_contain_text("of rank 0")
    lab.page.screenshot(path=pictures / "training-running.png")

    page.get_by_role("button", name="Stop").click()
    settled(row(lab, name), "CANCELED")
    expect(page.get_by_role("button", name="Resume")).to_be_enabled()


def test_curves_answer_to_keys_and_options(lab, jobs):
    name = jobs(source(steps=40, pause=0.01))
    settled(row(lab, name), "SUCCEEDED")
    page = opened(lab, name)
    chart = page.get_by_role("figure", name="loss by step")
    plot = chart.get_by_role("group")
    plot.focus()
    lab.page.keyboard.press("Home")
    pointed = chart.get_by_role("status")
    expect(pointed).to_contain_text("Step")
    expect(pointed).to_contain_text("Mean")
    expect(pointed).to_contain_text("Rank 1")
    # The same moment is shown in the other charts.
    other = page.get_by_role("figure", name="accuracy by step")
    expect(other.locator(".jk-Lines-pointed")).to_be_visible()
    lab.page.keyboard.press("Escape")
    expect(pointed).to_have_count(0)

    page.get_by_role("combobox", name="Over").select_option("time")
    expect(page.get_by_role("figure", name="loss by time")).to_be_visible()
    page.get_by_role("checkbox", name="Ranks").uncheck()
    expect(page.locator(".jk-Lines-paths .jk-mod-thin")).to_have_count(0)
    smoothing = page.get_by_role("slider", name="Smoothing")
    smoothing.focus()
    lab.page.keyboard.press("End")
    expect(page.locator(".jk-Lines-paths .jk-mod-faint").first).to_be_attached()
    chart = page.get_by_role("figure", name="loss by time")
    chart.get_by_role("button", name="Show as table").click()
    expect(chart.get_by_role("table")).to_contain_text("Mean")


def test_a_failed_rank_is_named_with_its_line(lab, jobs, pictures):
    name = jobs(FAILS)
    settled(row(lab, name), "FAILED")
    page = opened(lab, name)
    error = page.get_by_role("region", name="Error")
    expect(error).to_contain_text("the learning rate is too high")
    expect(error).to_contain_text("Rank 1")
    expect(error).to_contain_text("line 5")
    error.get_by_text("Traceback", exact=True).click()
    expect(error).to_contain_text("raise ValueError")
    lab.page.screenshot(path=pictures / "training-failed.png")
    error.get_by_role("button", name="Show log").click()
    expect(page.get_by_role("log", name="Log")).to_contain_text("the learning rate is too high")


def test_a_failure_in_a_file_leads_to_its_line(lab, jobs, server):
    lab.write("wrong.py", "def fit(rate=1):\n    values = [1, 2]\n    return values[rate + 1]\n")
    body = {"path": "wrong.py", "function": "fit", "framework": "plain", "args": {"rate": 3}}
    name = server.post("kubeflow/v1/trainjobs", body)["metadata"]["name"]
    settled(row(lab, name), "FAILED")
    error = opened(lab, name).get_by_role("region", name="Error")
    expect(error).to_contain_text("IndexError")
    expect(error).to_contain_text("wrong.py, line 3")
    error.get_by_role("button", name="Open file").click()
    expect(lab.page.locator(".jp-FileEditor:visible")).to_contain_text("return values")
    expect(lab.page.get_by_text("Ln 3, Col 1")).to_be_visible()


def test_suspend_and_resume(lab, jobs):
    name = jobs(source(steps=600), checkpoint=True)
    page = opened(lab, name)
    settled(row(lab, name), "RUNNING")
    page.get_by_role("button", name="Suspend").click()
    settled(row(lab, name), "PAUSED")
    page.get_by_role("button", name="Resume").click()
    settled(row(lab, name), "RUNNING")
    row(lab, name).get_by_role("button", name=f"Stop {name}").click()
    settled(row(lab, name), "CANCELED")


def test_the_table_shows_metrics_and_deletes(lab, jobs):
    names = [jobs(source(steps=3, pause=0)), jobs(FAILS)]
    settled(row(lab, names[0]), "SUCCEEDED")
    settled(row(lab, names[1]), "FAILED")
    lab.section("Training").get_by_role("button", name=re.compile("Show all")).click()
    grid = lab.page.get_by_role("grid", name="Training jobs")
    expect(grid.get_by_role("columnheader", name="loss")).to_be_visible()
    lab.page.get_by_role("searchbox", name="Filter training jobs").last.fill("failed")
    expect(grid.get_by_role("row").filter(has_text=names[0])).to_have_count(0)
    grid.get_by_role("checkbox", name=f"Select {names[1]}").check()
    lab.page.get_by_role("button", name="Delete", exact=True).click()
    question = lab.page.get_by_role("alertdialog", name=f"Delete {names[1]}?")
    question.get_by_role("button", name="Delete").click()
    expect(grid.get_by_role("row").filter(has_text=names[1])).to_have_count(0)


def test_jobs_side_by_side(lab, jobs, pictures):
    names = [jobs(source(steps=30, pause=0.01), args={"lr": lr}) for lr in (0.1, 0.2)]
    for name in names:
        settled(row(lab, name), "SUCCEEDED")
        lab.section("Training").get_by_role("checkbox", name=f"Select {name}").check(force=True)
    bar = lab.section("Training").get_by_role("toolbar", name="Selected training jobs")
    bar.get_by_role("button", name="Compare").click()
    page = lab.page.locator(".jk-Compare:visible")
    table = page.get_by_role("table").first
    for text in (*names, "lr", "0.1", "0.2", "loss"):
        expect(table).to_contain_text(text)
    chart = page.get_by_role("figure", name="loss by step")
    expect(chart.locator(".jk-mod-main")).to_have_count(2)
    found = violations(lab.page, ".jk-Compare")
    lab.page.screenshot(path=pictures / "training-compare.png")
    assert found == []


def test_the_active_cell_is_trained(lab, jobs):
    lab.write("cell.ipynb", notebook(cell("%%train --nodes 2\nprint('from a cell')")))
    lab.notebook("cell.ipynb")
    lab.page.locator(".jp-NotebookPanel .cm-content").first.click()
    lab.command("kubeflow:train-cell")
    form = lab.panel.get_by_role("form", name="New training job")
    expect(form.get_by_role("textbox", name="Code", exact=True)).to_have_value("print('from a cell')")


def test_it_is_there_again_after_a_reload(lab, jobs):
    name = jobs(source(steps=3, pause=0))
    settled(row(lab, name), "SUCCEEDED")
    page = opened(lab, name)
    page.get_by_role("tab", name="Setup").click()
    expect(page.get_by_role("region", name="As code")).to_contain_text("kf.training.train")
    lab.page.wait_for_timeout(1500)  # JupyterLab saves the layout a second after a change
    lab.page.goto(f"{lab.url}/lab/workspaces/{lab.workspace}?token={lab.token}")
    lab.ready()
    expect(view(lab).get_by_role("tab", name="Setup")).to_have_attribute("aria-selected", "true")


def test_axe_finds_nothing_and_nothing_sticks_out(lab, jobs, pictures):
    long = "a-very-long-name-for-a-training-job-that-fits-nowhere-at-all-0"
    done, failed = jobs(source(steps=60, pause=0.02), name=long), jobs(FAILS)
    settled(row(lab, done), "SUCCEEDED")
    settled(row(lab, failed), "FAILED")
    found: dict[str, list[str]] = {}
    for dark in (False, True):
        lab.theme(dark=dark)
        word = "dark" if dark else "light"
        for name in (failed, done):
            page = opened(lab, name)
            for tab in ("Log", "Setup", "Ranks"):
                page.get_by_role("tab", name=tab).click()
                expect(page.get_by_role("tabpanel", name=tab)).to_be_visible()
                found[f"{name[:8]}, {tab}, {word}"] = violations(lab.page, ".jk-JobView")
            lab.page.screenshot(path=pictures / f"training-{'done' if name == done else 'error'}-{word}.png")
        part = lab.section("Training")
        part.get_by_role("button", name="New training job", exact=True).first.click()
        part.get_by_role("textbox", name="Code", exact=True).fill(source())
        expect(part.get_by_text(re.compile("kf.training.train"))).to_be_visible()
        found[f"form, {word}"] = violations(lab.page, ".jk-Panel")
        lab.page.screenshot(path=pictures / f"training-form-{word}.png")
        part.get_by_role("button", name="Cancel").click()
    for width in (240, 480):
        lab.page.evaluate(
            "width => { const split = document.querySelector('#jp-main-split-panel');"
            " const area = window.jupyterapp.shell._hsplitPanel;"
            " const whole = split.clientWidth; area.setRelativeSizes([width, whole - width, 0]); }",
            width,
        )
        lab.page.screenshot(path=pictures / f"training-panel-{width}.png")
        wide = lab.panel.evaluate("node => node.scrollWidth - node.clientWidth")
        assert wide <= 0, f"something sticks out of the panel at {width}"
    assert {place: texts for place, texts in found.items() if texts} == {}


def test_without_its_server_the_view_keeps_what_it_shows(lab, jobs, server):
    name = jobs(source(steps=100, pause=0.05))
    lab.section("Training")
    # JupyterLab saves the layout a moment later, and throws where nobody takes it any more.
    with lab.page.expect_response(
        lambda answer: "api/workspaces" in answer.url and answer.request.method == "PUT"
    ):
        page = opened(lab, name)
    expect(page.get_by_role("figure", name="loss by step")).to_be_visible()
    server.stop(signal.SIGKILL)
    expect(page.get_by_text(re.compile("does not answer"))).to_be_visible(timeout=30_000)
    expect(page.get_by_role("figure", name="loss by step")).to_be_visible()
    server.start()
    # The job went on meanwhile; curves and state are read again.
    settled(row(lab, name), "SUCCEEDED", timeout=60_000)
    expect(page.get_by_text(re.compile("does not answer"))).to_have_count(0)
    expect(page.get_by_role("table", name="Ranks of this job").locator('[data-rank="0"]')).to_have_attribute(
        "data-state", "SUCCEEDED"
    )


def test_a_job_by_keyboard(lab, jobs):
    name = jobs(source(steps=20, pause=0.01))
    settled(row(lab, name), "SUCCEEDED")
    lab.section("Training").get_by_role("searchbox", name="Filter training jobs").focus()
    keys = lab.page.keyboard
    keys.type("plain")
    keys.press("Tab")  # the row's checkbox
    keys.press("Tab")
    keys.press("Enter")
    page = view(lab)
    expect(page.get_by_role("figure", name="loss by step")).to_be_visible()
    page.get_by_role("tab", name="Ranks").focus()
    keys.press("ArrowRight")
    expect(page.get_by_role("log", name="Log")).to_contain_text("of rank 0")
    keys.press("ArrowRight")
    expect(page.get_by_role("region", name="Asked for")).to_contain_text("plain")
