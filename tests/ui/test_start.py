"""The extension is there, opens nothing by itself, and says nothing wrong."""

from __future__ import annotations

from playwright.sync_api import expect


def test_the_panel_is_one_tab_of_the_left_bar(lab):
    tab = lab.page.get_by_role("tab", name="Kubeflow", exact=True)
    expect(tab).to_be_visible()
    assert tab.get_attribute("aria-selected") == "false", "nothing opens by itself"
