"""Killed at any moment: the state shown is true, finished steps are kept, the run goes on."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import psutil

from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.pipelines.handle import Run, run
from tests.pipelines.runs.notebooks import SECONDS, Write, printed, states

STEPS = 4


def _processes(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("JUPYTER_KUBEFLOW_HOME") == str(home) and process.pid != os.getpid():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _counting(write: Write) -> Path:
    """Each step notes that it ran, and adds one to a value."""
    cells: list[object] = ["# Zero", "import time\nn = [0]"]
    for index in range(STEPS):
        body = f"n.append(n[-1] + 1)\nopen('ran', 'a').write('{index}\\n')\ntime.sleep(0.02)"
        cells += [f"# Step {index}", body]
    return write(*cells, "# End", "print(n)")


def test_kills_at_random_moments_lose_nothing(
    write: Write, cluster: LocalCluster, kubeflow_home: Path
) -> None:
    path = _counting(write)
    dice = random.Random(5)
    made = run(path, cache=False)
    kills = 0
    deadline = time.monotonic() + 2 * SECONDS
    while not Run(made.name, cluster).finished and time.monotonic() < deadline:
        time.sleep(dice.uniform(0.0, 0.6))
        before = {s["name"]: s for s in cluster.store.get("Run", made.name).status.get("steps", ())}
        victims = _processes(kubeflow_home)
        if victims and kills < 3:
            dice.choice(victims).send_signal(signal.SIGKILL)
            kills += 1
        after = {s["name"]: s for s in made.steps}
        for name, status in before.items():
            if status["state"] == "SUCCEEDED":
                assert after[name]["state"] == "SUCCEEDED"
    if made.state == "FAILED":  # a killed step is a failed step, and can be resumed
        made.resume().wait(SECONDS)
    assert made.state == "SUCCEEDED", made.reason
    assert printed(made) == str(list(range(STEPS + 1))) + "\n"


def test_a_killed_run_leaves_no_process(write: Write, cluster: LocalCluster, kubeflow_home: Path) -> None:
    made = run(write("# A", "import subprocess\nsubprocess.run(['sleep', '600'])"))
    resource = made.resource
    deadline = time.monotonic() + 20
    while "sleep" not in {p.name() for p in _processes(kubeflow_home)} and time.monotonic() < deadline:
        time.sleep(0.05)
    made.stop()
    made.wait(SECONDS)
    assert made.state == "CANCELED"
    deadline = time.monotonic() + 10
    while _processes(kubeflow_home) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _processes(kubeflow_home) == []
    assert cluster.store.get("Run", made.name).uid == resource.uid


def test_a_step_killed_by_a_signal_says_so(write: Write) -> None:
    made = run(write("# A", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"), cache=False).wait(
        SECONDS
    )
    assert made.state == "FAILED"
    assert "signal 9" in made.reason
    assert states(made) == {"a": "FAILED"}


def test_two_watchers_see_one_truth(write: Write) -> None:
    made = run(write("# A", "import time\ntime.sleep(0.5)"), cache=False)
    os.kill(_controller(made), signal.SIGKILL)
    one, two = Run(made.name), Run(made.name)
    assert one.wait(SECONDS).state == two.wait(SECONDS).state == "SUCCEEDED"


def _controller(made: Run) -> int:
    from jupyter_ext.cluster.local import locks

    deadline = time.monotonic() + 20
    cluster = made._cluster
    while time.monotonic() < deadline:
        pid = locks.holder(cluster.lock_path(made.resource.uid))
        if pid:
            return pid
        time.sleep(0.01)
    raise AssertionError("the run's process never started")
