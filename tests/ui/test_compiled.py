"""A pipeline compiled for Kubeflow in JupyterLab: looked at, run, followed into loops and branches, opened where it failed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from tests.ui.screen import violations

DATA = Path(__file__).parents[1] / "data" / "compiled"
LONG = "a task whose name says all that it does and never comes to an end " * 3
SECONDS = 300


def a_loop_of(count: int, bad: int) -> dict:
    """A loop of commands, one of which fails."""
    command = ["sh", "-c", f'echo "this is $0"; test "$0" != {bad}', "{{$.inputs.parameters['n']}}"]
    number = {"parameterType": "NUMBER_INTEGER"}
    inputs = {"parameters": {"n": {"componentInputParameter": "item"}}}
    task = {"componentRef": {"name": "comp-one"}, "taskInfo": {"name": "measure"}, "inputs": inputs}
    over = {"itemInput": "item", "items": {"raw": json.dumps(list(range(count)))}}
    loop = {
        "componentRef": {"name": "comp-all"},
        "taskInfo": {"name": "every-one"},
        "parameterIterator": over,
    }
    return {
        "pipelineInfo": {"name": "many"},
        "schemaVersion": "2.1.0",
        "components": {
            "comp-one": {"executorLabel": "exec-one", "inputDefinitions": {"parameters": {"n": number}}},
            "comp-all": {
                "dag": {"tasks": {"measure": task}},
                "inputDefinitions": {"parameters": {"item": number}},
            },
        },
        "deploymentSpec": {
            "executors": {"exec-one": {"container": {"image": "busybox", "command": command}}}
        },
        "root": {"dag": {"tasks": {"every-one": loop}}},
    }


@pytest.fixture
def shown(lab, server):
    """Run a compiled pipeline to its end and open it; gone after the test."""
    names = []

    def start(name: str, told: dict | None = None, **parameters: object) -> str:
        path = lab.write(
            f"{name}.yaml", (DATA / f"{name}.yaml").read_text() if told is None else yaml.safe_dump(told)
        )
        made = server.post("kubeflow/v1/runs", {"path": path, "parameters": parameters})["metadata"]["name"]
        names.append(made)
        server.settle([made], SECONDS)
        lab.page.evaluate(
            "name => window.jupyterapp.commands.execute('kubeflow:open-run', { name }).then(() => null)", made
        )
        expect(lab.view.locator(".jk-Node-head").first).to_be_visible()
        return made

    yield start
    for name in names:
        server.delete(f"kubeflow/v1/runs/{name}")


def part(lab, name: str):
    """A task or a group of the graph, by what a screen reader calls it."""
    return lab.view.get_by_role("treeitem", name=re.compile(rf"^{re.escape(name)}(,|$)"))


def both_themes(lab, pictures, name: str) -> None:
    for dark in (True, False):
        lab.theme(dark=dark)
        lab.page.screenshot(path=pictures / f"compiled-{name}-{'dark' if dark else 'light'}.png")


def test_loops_fold_and_each_iteration_has_its_values_and_its_log(lab, shown, pictures):
    shown("loops")
    loop, inner = part(lab, "over-numbers, loop"), part(lab, "add-2")
    expect(loop).to_have_attribute("aria-expanded", "true")
    expect(inner).to_have_attribute("aria-level", "2")
    # Folded and opened by keys alone, and gone into.
    loop.focus()
    loop.press("Enter")
    expect(loop).to_have_attribute("aria-expanded", "false")
    expect(inner).to_have_count(0)
    loop.press("ArrowRight")
    expect(inner).to_be_visible()
    loop.press("ArrowRight")
    expect(lab.view.locator("[role=treeitem]:focus")).to_have_attribute("aria-level", "2")
    lab.page.keyboard.press("ArrowLeft")
    expect(loop).to_be_focused()

    strip = lab.view.get_by_role("slider", name="Iterations of over-numbers").first
    expect(strip).to_have_attribute("aria-valuetext", "All iterations")
    strip.focus()
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowRight")
    expect(strip).to_have_attribute("aria-valuetext", re.compile(r"^\[1\], Succeeded, 1"))
    expect(lab.view.get_by_role("region", name=re.compile(r"^Part .*\[1\]$"))).to_contain_text("Item")
    assert violations(lab.page, ".jk-RunView") == []
    inner.click()
    expect(lab.view.get_by_role("region", name="Step add-2[1]")).to_be_visible()
    lab.view.get_by_role("tab", name="Inputs and outputs").click()
    values = lab.view.get_by_role("tabpanel", name="Inputs and outputs")
    expect(values.get_by_role("list", name="Inputs")).to_contain_text("numbers-Output-loop-item")
    expect(values.get_by_role("list", name="Outputs")).to_contain_text("2")
    assert violations(lab.page, ".jk-RunView") == []
    lab.view.get_by_role("tab", name="Log").click()
    expect(lab.view.get_by_role("tabpanel", name="Log")).to_contain_text("adding 1 and 1")
    lab.view.get_by_role("tab", name="Code").click()
    expect(lab.view.get_by_role("tabpanel", name="Code")).to_contain_text("def add(")
    both_themes(lab, pictures, "looped")


def test_a_branch_that_was_not_taken_says_why(lab, shown, pictures):
    shown("branches", word="right")
    skipped = part(lab, "If word == 'left'")
    expect(skipped).to_have_attribute("data-state", "SKIPPED")
    skipped.click()
    expect(lab.view.get_by_role("region", name=re.compile("^Part "))).to_contain_text(
        "Skipped because its condition was false: word == 'left' (word is 'right')."
    )
    lab.page.set_viewport_size({"width": 560, "height": 900})
    both_themes(lab, pictures, "narrow")


def test_of_hundreds_of_iterations_the_one_that_failed_is_found(lab, shown, pictures):
    told = a_loop_of(150, bad=77)
    told["root"]["dag"]["tasks"]["every-one"]["taskInfo"]["name"] = LONG
    shown("many", told)
    # The failed iteration is what the view begins with.
    expect(lab.view.get_by_role("region", name="Step measure[77]")).to_be_visible()
    lab.view.get_by_role("tab", name="Log").click()
    expect(lab.view.get_by_role("tabpanel", name="Log")).to_contain_text("this is 77")
    expect(lab.node("measure")).to_have_attribute("data-state", "FAILED")
    lab.view.locator('.jk-Node-head[data-node="every-one/"]').click()
    listed = lab.view.get_by_role("region", name="Iterations")
    listed.get_by_role("button", name="1 failed").click()
    expect(listed.get_by_role("listitem")).to_have_count(1)
    listed.get_by_role("listitem").get_by_role("button").click()
    expect(lab.node("measure")).to_have_attribute("data-unit", "measure[77]")
    both_themes(lab, pictures, "many-long-names")


@pytest.mark.slow
def test_a_component_that_failed_opens_in_a_live_kernel(lab, shown, tmp_path, pictures):
    shown("exits", marker=str(tmp_path / "marker"), message="too late")
    banner = lab.view.get_by_role("region", name="Error")
    expect(banner).to_contain_text("ValueError")
    expect(banner.get_by_role("button", name="Resume")).to_be_enabled()
    expect(part(lab, "report, exit task")).to_have_attribute("data-state", "SUCCEEDED")
    both_themes(lab, pictures, "failed")
    banner.get_by_role("button", name="Open here").click()
    panel = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    active = panel.locator(".jp-Cell.jp-mod-active")
    expect(active).to_contain_text("def fail", timeout=60_000)
    expect(lab.page.get_by_text("The kernel has what step “fail” was given.")).to_be_visible(timeout=120_000)
    active.locator(".cm-content").click()
    lab.page.keyboard.press("Control+a")
    lab.page.keyboard.type("print('it was', message)")
    lab.page.keyboard.press("Control+Enter")
    expect(active.locator(".jp-OutputArea")).to_contain_text("it was too late", timeout=60_000)
    lab.page.screenshot(path=pictures / "compiled-open-here.png")


def test_a_file_runs_from_the_file_browser(lab, server, tmp_path, pictures):
    lab.write("retries.yaml", (DATA / "retries.yaml").read_text())
    lab.write("other.yaml", "apiVersion: v1\nkind: ConfigMap\n")
    before = {item["metadata"]["name"] for item in server.get("kubeflow/v1/runs")["items"]}
    lab.command("filebrowser:activate")
    lab.command("filebrowser:refresh")
    files = lab.page.locator(".jp-FileBrowser:visible")

    def choose(name: str) -> None:
        files.get_by_text(name, exact=True).click(button="right")
        lab.page.get_by_role("menuitem", name="Run as a Kubeflow Pipeline…").click()

    choose("other.yaml")
    expect(lab.page.get_by_text("other.yaml: This is a ConfigMap")).to_be_visible()
    choose("retries.yaml")
    form = lab.page.get_by_role("form", name="Run retries")
    expect(form.get_by_role("textbox", name="counter (required)")).to_be_focused()
    run = form.get_by_role("button", name="Run", exact=True)
    expect(run).to_have_attribute("aria-disabled", "true")
    expect(form).to_contain_text("Give a value for counter.")
    form.get_by_role("textbox", name="counter (required)").fill(str(tmp_path / "counter"))
    form.get_by_role("textbox", name="until").fill("many")
    expect(form).to_contain_text("Give a whole number.")
    form.get_by_role("textbox", name="until").fill("1")
    expect(form.get_by_role("group", name="The same as code")).to_contain_text("until=1")
    lab.page.screenshot(path=pictures / "compiled-form.png")
    assert violations(lab.page, ".jk-RunView") == []
    run.click()
    expect(lab.node("flaky")).to_be_visible()
    made = {item["metadata"]["name"] for item in server.get("kubeflow/v1/runs")["items"]} - before
    server.settle(list(made), SECONDS)
    expect(lab.view.get_by_role("heading", level=1, name="retries")).to_be_visible()
    for name in made:
        server.delete(f"kubeflow/v1/runs/{name}")
