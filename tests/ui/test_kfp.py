"""Runs of a Kubeflow Pipelines server in the sidebar: listed, live, opened, stopped, deleted, and away."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.pipelines.kfp.fake import FakeKfp
from tests.pipelines.kfp.test_following import put
from tests.ui.conftest import Server, free_port
from tests.ui.screen import settled, violations

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
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(base / "settings"),
    }
    made = Server(
        base / "notebooks",
        base / "kubeflow",
        environment,
        free_port(),
        secrets.token_hex(8),
        base / "server.log",
    )
    made.start()
    yield made
    made.stop()


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
