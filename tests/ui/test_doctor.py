"""The page that checks the setup: of this machine, and of a cluster."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from jupyter_ext.cluster.kube_doctor.findings import Finding
from tests.ui.screen import violations

FINDINGS = [
    Finding("Nodes", "ok", "3 nodes are ready"),
    Finding(
        "Quotas",
        "warning",
        "The quota is nearly used",
        "team/quota",
        "Servers may wait.",
        "kubectl edit quota",
    ),
    Finding(
        "Webhooks", "problem", "The webhook does not answer", "kserve", "Endpoints fail.", "kubectl get pods"
    ),
    Finding("Rights", "unknown", "Nodes could not be listed", "", "The answer was 403."),
]


def test_machine_and_cluster_are_checked_on_one_page(lab, pictures):
    """The gravest finding comes first, each with a word and its remedy."""
    answer = {"ok": False, "checks": [finding.to_dict() for finding in FINDINGS]}
    lab.page.route(re.compile(r"kubeflow/v1/doctor\?cluster=true"), lambda route: route.fulfill(json=answer))
    lab.command("kubeflow:check-setup")
    page = lab.page.get_by_role("region", name="Setup", exact=True)
    checks = page.get_by_role("list", name="Checks").get_by_role("listitem")
    expect(checks.first).to_be_visible(timeout=60_000)
    button = page.get_by_role("button", name="Kubernetes cluster")
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(checks).to_have_count(len(FINDINGS))
    assert [row.locator("strong").inner_text() for row in checks.all()] == [
        "Webhooks",
        "Rights",
        "Quotas",
        "Nodes",
    ]
    expect(checks.first.get_by_role("img", name="Needs attention")).to_be_visible()
    expect(checks.first).to_contain_text("The webhook does not answer (kserve). Endpoints fail.")
    expect(checks.first).to_contain_text("kubectl get pods")
    for dark in (True, False):
        lab.theme(dark=dark)
        page.screenshot(path=pictures / f"doctor-{'dark' if dark else 'light'}.png")
        assert violations(lab.page, ".jk-Doctor") == []
    button.click()
    expect(checks).not_to_have_count(len(FINDINGS))
