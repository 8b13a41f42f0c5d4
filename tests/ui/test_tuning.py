"""A search for parameters, followed live in its view: real trials, a real kernel, a real notebook."""

from __future__ import annotations

import json
import re
import time

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.screen import Lab, cell, notebook, settled, violations

DONE = {"SUCCEEDED", "FAILED", "CANCELED"}
TRAIN = '''\
import math
import time

import jupyter_ext as kf


def train(lr: float = 0.01, layers: int = 2, optimizer: str = "sgd", pause: float = 0.01):
    """Train a model that needs no data."""
    print("learning rate", lr)
    loss = 2.0
    for step in range(8):
        loss = loss * 0.7 + (math.log10(lr) + 2) ** 2 * 0.1 + layers * 0.01
        kf.report(loss=loss, step=step)
        time.sleep(pause)
    return {"loss": loss, "accuracy": 1 - loss / 4}
'''
SPACE = {"lr": "double(1e-4,1e-1,log)", "layers": "int(1,4)", "optimizer": "categorical(sgd,adam)"}


def begin(lab: Lab, server, name: str, **given: object) -> str:
    """Start an experiment on the server, as the command line would."""
    lab.write("train.py", TRAIN)
    body = {"path": "train.py", "function": "train", "space": SPACE, "objective": "loss:min", "name": name}
    body |= {"algorithm": "random", "trials": 8, "parallel": 2, **given}
    return str(server.post("kubeflow/v1/experiments", body)["metadata"]["name"])


def ended(server, name: str, seconds: float = 120) -> dict:
    """Wait until the experiment is over, however it ended; returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = server.get(f"kubeflow/v1/experiments/{name}")
        if found["status"]["phase"] in DONE:
            return found
        assert time.monotonic() < deadline, f"{name} did not end within {seconds} s: {found['status']}"
        time.sleep(0.2)


def show(lab: Lab, name: str) -> Locator:
    """Open the experiment's view."""
    command = (
        "name => window.jupyterapp.commands.execute('kubeflow:open-experiment', { name }).then(() => null)"
    )
    lab.page.evaluate(command, name)
    view = lab.page.locator(".jk-Tuning:visible")
    expect(view).to_be_visible()
    return view


def tab(view: Locator, name: str) -> Locator:
    view.get_by_role("tab", name=name).click()
    panel = view.get_by_role("tabpanel", name=name)
    expect(panel).to_be_visible()
    return panel


@pytest.fixture
def done(lab, server):
    """A lab, and the name of an experiment that is over; made once for all tests."""
    name = "finished-sweep"
    items = server.get("kubeflow/v1/experiments")["items"]
    if name not in {item["metadata"]["name"] for item in items}:
        begin(lab, server, name, trials=16, early_stopping="medianstop")
    assert ended(server, name)["status"]["phase"] == "SUCCEEDED"
    return lab, name


@pytest.mark.slow
def test_a_function_of_the_notebook_is_tuned_and_its_best_comes_back(lab, pictures):
    lab.write(
        "tune.ipynb",
        notebook(cell("lr = 0.5  # a first guess\nepochs = 3", "pipeline-parameters"), cell(TRAIN)),
    )
    panel = lab.notebook("tune.ipynb")
    page = lab.page
    # The form knows the function, and says what is wrong where it is wrong.
    lab.section("Tuning").get_by_role("button", name="New experiment").click()
    form = lab.panel.get_by_role("form", name="New experiment")
    expect(form.get_by_role("combobox", name="Function")).to_have_value("train")
    expect(form.get_by_label("lr, From")).to_have_value("0.001")
    expect(form.get_by_role("checkbox", name="lr, log scale")).to_be_checked()
    expect(form.get_by_role("checkbox", name="Tune optimizer")).not_to_be_checked()
    expect(form.get_by_label("Objective", exact=True)).to_have_value("loss")
    form.get_by_label("lr, To").fill("0.0001")
    expect(form.get_by_text("It must be above the minimum, 0.001.")).to_be_visible()
    expect(form.get_by_role("button", name="Start")).to_have_attribute("aria-disabled", "true")
    form.get_by_label("lr, To").fill("0.1")
    form.get_by_role("checkbox", name="Tune pause").uncheck()
    form.get_by_label("Trials", exact=True).fill("6")
    code = form.get_by_role("group", name="The same in Python")
    expect(code).to_contain_text('"lr": kf.tuning.double(0.001, 0.1, log=True)')
    expect(code).to_contain_text("trials=6")
    page.screenshot(path=pictures / "tuning-form.png")
    form.get_by_label("Trials", exact=True).press("Control+Enter")

    # The kernel has to know the function; the form offers to see to it.
    expect(form.get_by_text(re.compile("kernel has no .train. yet"))).to_be_visible(timeout=60_000)
    form.get_by_role("button", name="Run the cell and start").click()

    # Its view opens by itself and follows the trials to the end.
    view = page.locator(".jk-Tuning:visible")
    expect(view.get_by_role("grid", name="Trials").locator("[data-trial]")).to_have_count(6, timeout=60_000)
    best = view.get_by_role("region", name="Best trial")
    expect(best).to_contain_text("loss")
    expect(view.locator(".jk-Header .jk-StateBadge")).to_contain_text("Succeeded", timeout=60_000)

    # One click each, and undo takes it back.
    best.get_by_role("button", name="Set as pipeline parameters").click()
    lab.command("docmanager:open", path="tune.ipynb", factory="Notebook")
    first = panel.locator(".jp-Cell").first
    expect(first).not_to_contain_text("lr = 0.5")
    expect(first).to_contain_text("# a first guess")
    expect(first).to_contain_text("layers =")
    show(lab, view_name(lab))
    best.get_by_role("button", name="Put best into a cell").click()
    lab.command("docmanager:open", path="tune.ipynb", factory="Notebook")
    expect(panel.locator(".jp-Cell")).to_have_count(3)
    expect(panel.locator(".jp-Cell.jp-mod-active")).to_contain_text(
        re.compile(r"# Trial \d+ of .*lr = 0\.", re.DOTALL)
    )
    lab.command("notebook:undo-cell-action")
    expect(panel.locator(".jp-Cell")).to_have_count(2)


def view_name(lab: Lab) -> str:
    """The newest experiment's name, as the panel has it."""
    row = lab.section("Tuning").get_by_role("list", name="Experiments").get_by_role("listitem").first
    return str(row.get_attribute("data-name") or row.get_attribute("data-run"))


def test_trials_arrive_live_and_the_experiment_is_stopped_and_resumed(lab, server):
    space = {**SPACE, "pause": "double(0.1,0.11)"}
    name = begin(lab, server, "live-sweep", trials=400, space=space)
    view = show(lab, name)
    rows = view.get_by_role("grid", name="Trials").locator("[data-trial]")
    expect(rows.first).to_be_visible(timeout=30_000)
    expect(view.get_by_role("region", name="Best trial")).to_be_visible(timeout=30_000)
    now = lab.show_panel().get_by_role("region", name="Now")
    expect(now.get_by_text(name).first).to_be_visible()
    view.get_by_role("button", name="Stop", exact=True).click()
    expect(view.locator(".jk-Header .jk-StateBadge")).to_contain_text("Stopped", timeout=30_000)
    before = server.get(f"kubeflow/v1/experiments/{name}")["status"]["trialsSucceeded"]

    view.get_by_role("button", name="Resume…").click()
    more = view.get_by_role("form", name="Resume with more trials")
    more.get_by_label("More trials").fill("2")
    more.get_by_role("button", name="Resume").click()
    expect(view.locator(".jk-Header .jk-StateBadge")).to_contain_text("Succeeded", timeout=60_000)
    assert ended(server, name)["status"]["trialsSucceeded"] >= before + 2


def test_trials_are_sorted_filtered_chosen_by_ranges_and_compared(done):
    lab, name = done
    view = show(lab, name)
    page = lab.page
    grid = view.get_by_role("grid", name="Trials")
    expect(grid).to_have_attribute("aria-rowcount", "17")
    best = (
        view.get_by_role("region", name="Best trial")
        .get_by_text(re.compile(r"^trial \d+$"))
        .inner_text()
        .split()[1]
    )
    grid.get_by_role("columnheader", name="loss").get_by_role("button").click()
    expect(grid.locator("[data-trial]").first).to_have_attribute("data-trial", best)

    view.get_by_role("searchbox", name="Filter trials").fill("optimizer=adam")
    expect(grid).not_to_have_attribute("aria-rowcount", "17")
    view.get_by_role("searchbox", name="Filter trials").fill("")
    states = view.get_by_role("group", name="Filter by state")
    states.get_by_role("button", name=re.compile("Succeeded")).click()
    expect(grid.locator("[data-trial]:not([data-state=succeeded])")).to_have_count(0)
    states.get_by_role("button", name=re.compile("Succeeded")).click()

    # By keyboard: the lower end of an axis up, and away again.
    pictures = tab(view, "Parallel coordinates")
    end = pictures.get_by_role("slider", name="lr, from")
    end.focus()
    for _ in range(4):
        page.keyboard.press("PageUp")
    expect(pictures.get_by_role("status")).to_contain_text(re.compile(r"\d+ of 16 trials chosen"))
    expect(grid).not_to_have_attribute("aria-rowcount", "17")
    page.keyboard.press("Escape")
    expect(grid).to_have_attribute("aria-rowcount", "17")

    # By pointer: only one of the optimizers.
    axis = pictures.locator('[data-axis="optimizer"]').bounding_box()
    assert axis
    page.mouse.move(axis["x"] + 14, axis["y"] + axis["height"] * 0.9)
    page.mouse.down()
    page.mouse.move(axis["x"] + 14, axis["y"] + axis["height"] * 0.78, steps=4)
    page.mouse.up()
    expect(pictures.get_by_role("slider", name="optimizer, to")).to_have_attribute("aria-valuetext", "sgd")
    expect(grid.locator("[data-trial]").filter(has_text="adam")).to_have_count(0)
    pictures.get_by_role("button", name="Clear ranges").click()
    expect(grid).to_have_attribute("aria-rowcount", "17")

    for index in range(3):
        grid.locator("[data-trial]").nth(index).get_by_role("checkbox").check()
    view.get_by_role("button", name="Compare", exact=True).click()
    compared = view.get_by_role("tabpanel", name="Compare").get_by_role("table").first
    expect(compared.get_by_role("columnheader")).to_have_count(3)
    expect(compared.get_by_role("rowheader", name="lr")).to_be_visible()


def test_the_form_registers_the_best_model(lab, server):
    lab.write("train.py", TRAIN)
    lab.section("Tuning").get_by_role("button", name="New experiment").first.click()
    form = lab.panel.get_by_role("form", name="New experiment")
    form.get_by_role("radio", name="A file").check()
    form.get_by_role("textbox", name="File", exact=True).fill("train.py")
    expect(form.get_by_role("combobox", name="Function")).to_have_value("train")
    form.get_by_role("textbox", name="Trials", exact=True).fill("1")
    form.get_by_text("More", exact=True).click()
    form.get_by_role("textbox", name="Name", exact=True).last.fill("makes-the-best")
    model = form.get_by_role("textbox", name="Register the best model as")
    model.fill("the best@")
    expect(model).to_have_accessible_description(re.compile("iris@champion"))
    model.fill("the best@champion")
    expect(form.get_by_role("group", name="The same in Python")).to_contain_text(
        'register="the best@champion"'
    )
    expect(form.get_by_role("button", name="Start")).to_be_enabled()
    model.press("Control+Enter")
    expect(form).to_have_count(0)
    made = ended(server, "makes-the-best")
    assert json.loads(made["metadata"]["annotations"]["jupyter-kubeflow.org/register"]) == {
        "model": "the best",
        "alias": "champion",
    }


def test_a_trial_has_its_parameters_curve_and_log(done):
    lab, name = done
    view = show(lab, name)
    view.get_by_role("grid", name="Trials").get_by_role("button", name=re.compile("^Trial 12")).click()
    trial = view.get_by_role("region", name="Trial 12")
    expect(trial.get_by_role("region", name="Parameters")).to_contain_text("optimizer")
    expect(trial.get_by_role("button", name="Put into a cell")).to_have_attribute(
        "title", "Open a notebook first."
    )
    trial.get_by_role("tab", name="Log").click()
    expect(trial.get_by_role("tabpanel", name="Log")).to_contain_text("learning rate")
    trial.get_by_role("tab", name="Curve").click()
    curve = trial.get_by_role("figure", name=re.compile("Learning curves of 1 trials"))
    curve.get_by_role("button", name=re.compile("Show as table")).click()
    expect(curve.get_by_role("row")).to_have_count(2)
    lab.page.keyboard.press("Escape")
    expect(trial).to_have_count(0)


def test_keys_go_through_the_trials(done):
    lab, name = done
    view = show(lab, name)
    page = lab.page
    grid = view.get_by_role("grid", name="Trials")
    grid.get_by_role("button", name="Trial 15", exact=False).first.focus()
    page.keyboard.press("End")
    expect(grid.locator('[data-trial="0"] .jk-Trials-open')).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(view.get_by_role("region", name="Trial 1", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    view.get_by_role("tab", name="Best so far").focus()
    page.keyboard.press("ArrowRight")
    expect(view.get_by_role("tab", name="Parallel coordinates")).to_have_attribute("aria-selected", "true")


def test_an_experiment_that_fails_says_why(lab, server):
    name = begin(lab, server, "never-reported", objective="precision:max", trials=3, max_failed=1)
    found = ended(server, name)
    assert found["status"]["phase"] == "FAILED"
    view = show(lab, name)
    expect(view.locator(".jk-Header-reason")).to_contain_text("precision")
    expect(view.locator(".jk-Best")).to_contain_text("none has ended with a value of “precision”")
    row = (
        lab.section("Tuning")
        .get_by_role("list", name="Experiments")
        .get_by_role("listitem")
        .filter(has_text=name)
        .first
    )
    settled(row, "FAILED")
    view.get_by_role("button", name="Delete").click()
    view.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(lab.section("Tuning").get_by_text(name)).to_have_count(0)


def test_axe_finds_nothing_and_pictures_of_all(done, pictures):
    lab, name = done
    lab.section("Tuning")
    view = show(lab, name)
    tabs = ("Best so far", "Parallel coordinates", "Slices", "Learning curves", "Compare")
    for index in range(2):
        view.locator("[data-trial]").nth(index).get_by_role("checkbox").check()
    found = {}
    for dark in (False, True):
        lab.theme(dark=dark)
        theme = "dark" if dark else "light"
        for text in tabs:
            panel = tab(view, text)
            expect(panel.get_by_text("Loading…")).to_have_count(0)
            found[f"{text}, {theme}"] = violations(lab.page, ".jk-Tuning")
            lab.page.screenshot(path=pictures / f"tuning-{text.lower().replace(' ', '-')}-{theme}.png")
        view.locator("[data-trial] .jk-Trials-open").first.click()
        found[f"trial, {theme}"] = violations(lab.page, ".jk-Tuning")
        lab.page.screenshot(path=pictures / f"tuning-trial-{theme}.png")
        lab.page.keyboard.press("Escape")
        lab.panel.get_by_role("button", name="New experiment").click()
        expect(lab.panel.get_by_role("form", name="New experiment")).to_be_visible()
        found[f"form, {theme}"] = violations(lab.page, ".jk-Panel")
        lab.panel.get_by_role("form", name="New experiment").get_by_role("button", name="Cancel").click()
    assert {place: texts for place, texts in found.items() if texts} == {}
