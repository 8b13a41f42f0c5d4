"""The extension is there, opens nothing by itself, and says where one is."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def test_the_panel_is_one_tab_that_waits_to_be_opened(lab):
    tab = lab.page.get_by_role("tab", name="Kubeflow", exact=True)
    expect(tab).to_be_visible()
    assert tab.get_attribute("aria-selected") == "false"
    panel = lab.show_panel()
    expect(panel).to_contain_text("This machine")


def test_an_empty_panel_says_what_to_do(lab, server):
    for kind in ("runs", "recurringruns"):  # other tests may have been here before
        for item in server.get(f"kubeflow/v1/{kind}?limit=500")["items"]:
            server.delete(f"kubeflow/v1/{kind}/{item['metadata']['name']}")
    lab.page.reload()
    panel = lab.show_panel()
    expect(panel.get_by_text(re.compile("No runs yet"))).to_be_visible()
    expect(panel.get_by_text("kf.pipelines.run(")).to_be_visible()
    button = panel.get_by_role("button", name="Run this notebook", exact=True)
    expect(button).to_be_disabled()


def test_what_is_not_there_yet_says_so(lab):
    panel = lab.show_panel()
    expect(panel.get_by_text("Pipelines", exact=True)).to_be_visible()


def test_commands_are_in_the_palette(lab):
    ids = lab.page.evaluate(
        "() => window.jupyterapp.commands.listCommands().filter(id => id.startsWith('kubeflow:'))"
    )
    assert {
        "kubeflow:run-notebook",
        "kubeflow:show-panel",
        "kubeflow:stop-run",
        "kubeflow:check-notebook",
    } <= set(ids)
    lab.command("apputils:activate-command-palette")
    palette = lab.page.locator(".jp-ModalCommandPalette")
    palette.locator("input").fill("show kubeflow")
    expect(palette.get_by_text("Show Kubeflow Panel")).to_be_visible()
