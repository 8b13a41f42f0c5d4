"""Runs of a Kubeflow Pipelines server in the sidebar: listed, live, opened, stopped, deleted, and away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.pipelines.kfp.fake import FakeKfp
from tests.pipelines.kfp.test_following import failed, put
from tests.pipelines.kfp.test_rest import keep
from tests.pipelines.runs.notebooks import notebook
from tests.ui.conftest import another_lab
from tests.ui.screen import settled, violations
from tests.ui.test_narrow import BAD_PLACES, narrow
from tests.waiting import until

DATA = Path(__file__).parents[1] / "data" / "compiled"
SECONDS = 300_000


@pytest.fixture(scope="module")
def kfp(tmp_path_factory):
    made = FakeKfp(tmp_path_factory.mktemp("kfp"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(server, kfp, tmp_path_factory):
    """A JupyterLab of its own, whose runs go to the double."""
    base = tmp_path_factory.mktemp("lab-kfp")
    (base / "notebooks").mkdir()
    environment = server.environment | {
        "JUPYTER_KUBEFLOW_HOME": str(base / "kubeflow"),
        "JUPYTER_KUBEFLOW_PIPELINES": kfp.url,
        "JUPYTER_KUBEFLOW_STORE": kfp.root.as_uri(),
        "JUPYTER_KUBEFLOW_JOB_IMAGE": "python:3",
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(base / "settings"),
    }
    with another_lab(base, environment) as made:
        yield made


def test_a_run_over_there_is_a_row_like_any_other(lab, server, kfp, pictures):
    panel = lab.show_panel()
    path = lab.write("linear.yaml", (DATA / "linear.yaml").read_text())
    made = server.post("kubeflow/v1/runs", {"path": path, "parameters": {"start": 3}})
    title = made["spec"]["displayName"]
    row = lab.newest(title)
    settled(row, "SUCCEEDED", SECONDS)
    expect(lab.runs).to_have_count(1)
    view = lab.open_run(title)
    lab.node("add").click()
    view.get_by_role("tab", name="Log", exact=True).click()
    expect(view).to_contain_text("adding 3 and 1")
    lab.page.screenshot(path=pictures / "kfp-run.png")
    # One that somebody else started there comes by itself, and the server that goes away is told in a sentence.
    put(kfp, state="RUNNING", display_name="Of somebody / else")
    expect(panel).to_contain_text("Of somebody / else", timeout=60_000)
    kfp.broken.append(lambda _method, _path: -1)
    notice = lab.section("Pipelines").get_by_text(re.compile("Kubeflow Pipelines at .* does not answer"))
    expect(notice).to_be_visible(timeout=120_000)
    expect(lab.newest(title)).to_be_visible()
    assert violations(lab.page, ".jk-Panel-sections") == []
    lab.page.screenshot(path=pictures / "kfp-away.png")
    kfp.broken.clear()
    expect(notice).to_have_count(0, timeout=120_000)
    # Gone here and there.
    identity = made["metadata"]["name"]
    lab.command("kubeflow:delete-run", names=[identity], confirmed=True)
    expect(lab.newest(title)).to_have_count(0)
    assert identity not in kfp.runs


LONG = "A schedule with a name that is as long as the names of schedules are where people may write what they like"


def test_why_one_failed_and_what_cannot_be_done_to_it(lab, kfp, pictures):
    panel = lab.show_panel()
    log = "Traceback (most recent call last):\nValueError: the third column of flights.csv has no name"
    name = failed(kfp, log)
    row = panel.locator(f'[data-run="{name}"]').first
    expect(row).to_contain_text("Step add failed: ValueError: the third column", timeout=120_000)
    row.get_by_role("button").first.click()
    view = lab.view
    expect(view).to_contain_text("the third column of flights.csv has no name")
    button = view.get_by_role("button", name="Reproduce", exact=True)
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("title", re.compile("keeps no environment to compare with"))
    told = len(kfp.requests)
    button.click(force=True)
    assert lab.page.evaluate(
        "name => window.jupyterapp.commands.isEnabled('kubeflow:reproduce-run', {name})", name
    ) is False  # fmt: skip
    assert not [one for one in kfp.requests[told:] if "POST" in one]
    assert violations(lab.page, ".jk-RunView, .jk-Panel-sections") == []
    lab.page.screenshot(path=pictures / "kfp-failed.png")


def test_values_are_where_those_of_other_runs_are(lab, server, kfp, pictures):
    lab.show_panel()
    cells = [
        "%%step one\nx = [21, 'a']",
        "%%step two --after one\ny = x[0]",
        "%%step three --after two\nprint(y)",
    ]
    body = {"path": "book.ipynb", "notebook": notebook(*cells)}
    made = server.post("kubeflow/v1/runs", body)
    title = made["spec"]["displayName"]
    settled(lab.newest(title), "SUCCEEDED", SECONDS)
    view = lab.open_run(title)
    lab.node("two").click()
    view.get_by_role("tab", name="Inputs and outputs").click()
    inputs, outputs = (view.get_by_role("region", name=name) for name in ("Inputs", "Outputs"))
    expect(outputs.locator("code")).to_have_text(["y"])
    expect(inputs.get_by_role("button", name="one", exact=True)).to_be_visible()
    inputs.get_by_role("button", expanded=False).first.click()
    expect(inputs).to_contain_text("21")
    lab.page.screenshot(path=pictures / "kfp-values.png")
    # Of a compiled pipeline: what it was given beforehand, and where its artifacts are.
    path = lab.write("artifacts.yaml", (DATA / "artifacts.yaml").read_text())
    made = server.post("kubeflow/v1/runs", {"path": path, "parameters": {"lines": 3}})
    title = made["spec"]["displayName"]
    settled(lab.newest(title), "SUCCEEDED", SECONDS)
    view = lab.open_run(title)
    lab.node("write").click()
    view.get_by_role("tab", name="Inputs and outputs").click()
    expect(view.get_by_role("region", name="Inputs")).to_contain_text("lines")
    expect(view.get_by_role("region", name="Outputs")).to_contain_text("/artifacts/")
    assert violations(lab.page, ".jk-RunView") == []
    lab.page.screenshot(path=pictures / "kfp-artifacts.png")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_schedules_over_there_are_paused_and_deleted(lab, kfp, pictures, dark):
    nightly = keep(kfp, LONG)
    hourly = keep(kfp, "Hourly", trigger={"periodic_schedule": {"interval_second": "3600"}})
    lab.theme(dark=dark)
    lab.show_panel()
    section = lab.section("Pipelines")
    section.get_by_role("button", name=re.compile("^Schedules")).click()
    row = section.locator(f'[data-schedule="{nightly}"]')
    expect(row).to_contain_text("0 0 6 * * 1-5", timeout=60_000)
    expect(section.locator(f'[data-schedule="{hourly}"]')).to_contain_text("Every 1 h")
    narrow(lab)
    assert lab.panel.evaluate(BAD_PLACES) == []
    lab.page.screenshot(path=pictures / f"kfp-schedules-{'dark' if dark else 'light'}.png")
    row.hover()
    row.get_by_role("button", name=f"Pause {LONG}").click()
    expect(row).to_contain_text("Paused")
    assert kfp.recurring[nightly]["status"] == "DISABLED"
    row.hover()
    row.get_by_role("button", name=f"Resume {LONG}").click()
    expect(row).not_to_contain_text("Paused")
    # Somebody else ends one: it goes by itself.
    del kfp.recurring[hourly]
    expect(section.locator(f'[data-schedule="{hourly}"]')).to_have_count(0, timeout=60_000)
    row.hover()
    row.get_by_role("button", name=f"Delete {LONG}").click()
    sure = section.get_by_role("button", name="Delete", exact=True)
    sure.click()
    expect(sure).to_have_count(0)
    expect(row).to_have_count(0)
    until(lambda: nightly not in kfp.recurring)
    assert violations(lab.page, ".jk-Panel-sections") == []
