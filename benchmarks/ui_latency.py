"""From a change of state to the pixel, in a real JupyterLab with 500 runs in the store."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Ratio, Report, Sample, main

RUNS = 500
STEPS = 20
ROOT = Path(__file__).resolve().parents[1]
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SEEN = """async text => {
  const panel = document.querySelector('[data-run]').closest('.lm-Widget');
  while (!panel.innerText.includes(text)) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return Date.now();
}"""


def measure(quick: bool) -> Report:
    from playwright.sync_api import sync_playwright

    from tests.ui.conftest import NAMES, Server, free_port, labextension

    changes = 20 if quick else 100
    base = Path(tempfile.mkdtemp(prefix="kubeflow-ui-"))
    environment = {
        **os.environ,
        "JUPYTER_KUBEFLOW_HOME": str(base / "kubeflow"),
        "JUPYTER_PATH": str(base / "path"),
        "JUPYTER_CONFIG_DIR": str(base / "config"),
        "JUPYTER_DATA_DIR": str(base / "data"),
    }
    (base / "root").mkdir()
    labextension(ROOT, base / "path")
    cluster = _filled(base / "kubeflow")
    server = Server(
        base / "root", base / "kubeflow", environment, free_port(), secrets.token_hex(8), base / "log"
    )
    server.start()
    try:
        with sync_playwright() as playwright:
            program = next(found for name in NAMES if (found := shutil.which(name)))
            browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{server.url}/lab?token={server.token}&reset")
            page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
            page.get_by_role("tab", name="Kubeflow").click()
            page.wait_for_selector("[data-run]", timeout=30_000)
            values = tuple(_change(page, cluster, number) for number in range(changes))
            browser.close()
    finally:
        server.stop()
        shutil.rmtree(base, ignore_errors=True)
    sample = Sample("change in the store to its picture", tuple(value * 1000 for value in values), "ms")
    return Report(
        "A change of state to the pixel",
        f"{RUNS} runs of {STEPS} steps in the store, the sidebar open in Chromium. Another process changes the newest run; "
        "the clock stops at the frame after the one in which the panel shows it.",
        [sample],
        [Ratio("change to pixel, ms", sample.median, 150, least=False, unit="ms")],
    )


def _filled(home: Path) -> Any:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.status import new_step

    cluster = LocalCluster(home)
    steps = [
        {**new_step(f"step-{i}", f"Step {i}"), "state": "SUCCEEDED", "seconds": 1.0} for i in range(STEPS)
    ]
    spec = {
        "displayName": "Night run",
        "pipeline": {"name": "night", "path": "", "graph": {"steps": [], "edges": []}},
    }
    for number in range(RUNS):
        status = {"phase": "SUCCEEDED", "reason": "All 20 steps done.", "steps": steps, "progress": 1.0}
        if number == RUNS - 1:
            status |= {"phase": "PENDING", "reason": "Starting.", "progress": 0.0}
        made = Resource.new("Run", f"night-{number:03}", spec, namespace=cluster.namespace, status=status)
        cluster.store.create(made)
    return cluster


def _change(page: Any, cluster: Any, number: int) -> float:
    """Seconds from just before the change is written to the frame that shows it."""
    text = f"Waiting for part {number}."
    page.evaluate(f"window.seen = ({SEEN})({text!r}); null")
    time.sleep(0.2)
    begun = time.time()
    cluster.store.update(
        "Run", f"night-{RUNS - 1:03}", lambda run: run.with_(status={**run.status, "reason": text})
    )
    return float(page.evaluate("window.seen")) / 1000 - begun


if __name__ == "__main__":
    main(measure)
