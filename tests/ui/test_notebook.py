"""While a notebook is edited: its steps, its problems with their remedies, the settings of a step, its parameters."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

from tests.ui.screen import cell, notebook, settled


def test_chips_show_the_steps_and_problems_are_repaired_at_the_cell(lab):
    book = notebook(
        cell("train_df = [1, 2, 3]", "step:load"),
        cell("total = sum(trian_df)", "step:add", "prev:load"),
        cell("print(total)", "step:show", "prev:ad"),
    )
    lab.notebook(lab.write("problems.ipynb", book))
    for step in ("load", "add", "show"):
        expect(lab.chip(step)).to_be_visible()
    notes = lab.page.get_by_role("group", name="Pipeline notes of this cell")
    expect(notes.filter(has_text="trian_df")).to_be_visible()
    expect(lab.bar.get_by_role("button", name="Run", exact=True)).to_be_disabled()

    notes.filter(has_text="trian_df").get_by_role("button", name=re.compile("train_df")).click()
    expect(lab.page.locator(".jp-Cell").nth(1)).to_contain_text("sum(train_df)")
    notes.filter(has_text="waits for").get_by_role("button", name=re.compile("add")).click()
    expect(lab.bar).to_contain_text("No problems")
    expect(lab.bar.get_by_role("button", name="Run", exact=True)).to_be_enabled()


def test_a_problem_appears_while_typing(lab):
    lab.notebook(lab.write("typing.ipynb", notebook(cell("## One", kind="markdown"), cell("a = 1"))))
    expect(lab.bar).to_contain_text("No problems")
    lab.page.locator(".jp-CodeCell .cm-content").first.click()
    lab.page.keyboard.press("Control+End")
    lab.page.keyboard.type("\nprint(undefined_name)")
    expect(lab.page.get_by_role("group", name="Pipeline notes of this cell")).to_contain_text(
        "undefined_name"
    )


def test_settings_of_a_step_go_to_its_cell(lab):
    book = notebook(cell("a = 1", "step:make"), cell("b = a + 1", "step:use", "prev:make"))
    path = lab.write("settings.ipynb", book)
    lab.notebook(path)
    lab.page.locator(".jp-Cell").nth(1).click()
    lab.command("kubeflow:edit-step")
    inspector = lab.page.get_by_role("group", name="Step use")
    expect(inspector).to_contain_text("make")
    inspector.get_by_label("Memory").fill("lots")
    expect(inspector.get_by_label("Memory")).to_have_attribute("aria-invalid", "true")
    inspector.get_by_label("Memory").fill("1Gi")
    inspector.get_by_label("Memory").press("Enter")
    inspector.get_by_label("Cache").select_option("off")
    expect(inspector.get_by_label("The same as a line of the cell")).to_contain_text("--memory 1Gi")
    lab.command("docmanager:save")
    expect(lab.page.locator(".jp-mod-dirty")).to_have_count(0)
    tags = json.loads((lab.root / path).read_text())["cells"][1]["metadata"]["tags"]
    assert {"limit:memory:1Gi", "step:use", "prev:make"} <= set(tags)
    assert any(tag.startswith("cache:") for tag in tags)


def test_parameters_are_asked_for_and_checked(lab):
    book = notebook(
        cell("depth = 3\nname = 'tree'", "pipeline-parameters"), cell("print(name * depth)", "step:show")
    )
    lab.show_panel()
    lab.notebook(lab.write("parameters.ipynb", book))
    lab.bar.get_by_role("button", name="Parameters").click()
    form = lab.bar.get_by_role("region", name="Parameters of the next run")
    form.get_by_label("depth").fill("many")
    for button in lab.bar.get_by_role("button", name="Run", exact=True).all():
        expect(button).to_be_disabled()
    form.get_by_label("depth").fill("2")
    expect(form.get_by_label("The same as Python")).to_contain_text("depth=2")
    lab.run()
    settled(lab.newest("parameters"), "SUCCEEDED")
    lab.open_run("parameters")
    expect(lab.view.get_by_role("list", name="Parameters")).to_contain_text("depth2")


def test_hovering_a_chip_lights_what_it_needs(lab):
    book = notebook(
        cell("a = 1", "step:one"),
        cell("z = 0", "step:other", "prev:none"),
        cell("b = a", "step:two", "prev:one"),
    )
    book["cells"][1]["metadata"]["tags"] = ["step:other"]
    lab.notebook(lab.write("hover.ipynb", book))
    lab.chip("two").hover()
    lit = lab.page.locator(".jk-Gutter.jk-mod-upstream, .jk-Gutter.jk-mod-up")
    expect(lit.first).to_be_visible()
