"""The menu of clusters and profiles: it stands where there is a choice, and says what a chosen cluster does not answer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.ui.screen import violations

pytestmark = pytest.mark.ui

LONG = "a-context-with-a-name-that-is-longer-than-the-panel-is-wide"


@pytest.fixture
def contexts(server):
    """Two contexts of a cluster that is not there; this machine is used again afterwards."""
    file = Path(server.environment["KUBECONFIG"])
    named = [
        {"name": name, "context": {"cluster": "far", "user": "me", "namespace": "team-a"}}
        for name in ("far", LONG)
    ]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "far", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "me", "user": {"token": "none"}}],
        "contexts": named,
    }
    file.write_text(json.dumps(config), "utf-8")
    try:
        yield
    finally:
        server.post("kubeflow/v1/cluster", {"context": "local"})
        file.unlink()


def test_without_another_cluster_there_is_no_menu(lab):
    panel = lab.show_panel()
    panel.get_by_role("button", name=re.compile("^This machine")).click()
    expect(panel.get_by_role("button", name="Check setup")).to_be_visible()
    expect(panel.get_by_label("Cluster", exact=True)).to_have_count(0)
    expect(panel.locator(".jk-Where").get_by_role("status")).to_have_count(0)


def test_one_is_chosen_says_why_it_cannot_and_is_left_again(lab, contexts, pictures):
    panel = lab.show_panel()
    panel.get_by_role("button", name=re.compile("^This machine")).click()
    menu = panel.get_by_label("Cluster", exact=True)
    expect(menu.locator("option")).to_have_text(["This machine", "far", LONG])
    menu.select_option("far")
    expect(panel.get_by_role("button", name=re.compile("^team-a on far"))).to_be_visible(timeout=60_000)
    expect(panel.get_by_label("Profile", exact=True)).to_have_value("team-a")
    training = lab.section("Training")
    expect(training).to_contain_text("far", timeout=60_000)
    for dark in (True, False):
        lab.theme(dark=dark)
        lab.page.screenshot(path=pictures / f"clusters-{'dark' if dark else 'light'}.png")
        assert violations(lab.page, ".jk-Where") == []
    menu.select_option("local")
    expect(panel.get_by_role("button", name=re.compile("^This machine"))).to_be_visible(timeout=60_000)
    expect(lab.section("Training")).not_to_contain_text("far", timeout=60_000)
