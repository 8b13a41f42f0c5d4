"""Killed at any moment: the state shown is true, finished steps are kept, the run goes on."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest

from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import Conflict
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


KILLS = 200


def test_hundreds_of_kills_lose_nothing(write: Write, cluster: LocalCluster, kubeflow_home: Path) -> None:
    """Controllers, fork servers and steps are killed; what had finished stays, and every run gets to its end."""
    path = _counting(write)
    dice = random.Random(5)
    kills, waves = 0, 0
    while kills < KILLS:
        waves += 1
        runs = [run(path, cache=False) for _ in range(4)]
        finished_steps: dict[str, set[str]] = {made.name: set() for made in runs}
        calm = time.monotonic() + 12
        while not all(_settle(made) for made in runs):
            victims = _processes(kubeflow_home) if time.monotonic() < calm and kills < KILLS else []
            for victim in dice.sample(victims, min(len(victims), 2)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    victim.send_signal(signal.SIGKILL)
                    kills += 1
            time.sleep(dice.uniform(0, 0.15))
            for made in runs:
                now = {s["name"] for s in made.steps if s["state"] == "SUCCEEDED"}
                assert now >= finished_steps[made.name], "a finished step was lost"
                finished_steps[made.name] = now
        for made in runs:
            assert made.state == "SUCCEEDED", made.reason
            assert printed(made) == str(list(range(STEPS + 1))) + "\n"
    assert kills >= KILLS
    assert cluster.store.list("Run").more is False


def _settle(made: Run) -> bool:
    """Whether the run has succeeded; one that failed because a step was killed is resumed."""
    state = made.state
    if state == "FAILED":
        with contextlib.suppress(Conflict):
            made.resume()
    return state == "SUCCEEDED"


def test_two_tabs_resume_one_run(write: Write, kubeflow_home: Path) -> None:
    path = write(
        "# A", "import pathlib\nassert pathlib.Path('ok').exists()", "# B", "open('ran', 'a').write('!')"
    )
    made = run(path).wait(SECONDS)
    assert made.state == "FAILED"
    (path.parent / "ok").touch()
    outcomes: list[str] = []

    def tab() -> None:
        try:
            Run(made.name).resume()
            outcomes.append("resumed")
        except Conflict:
            outcomes.append("refused")

    tabs = [threading.Thread(target=tab) for _ in range(2)]
    for thread in tabs:
        thread.start()
    for thread in tabs:
        thread.join()
    assert "resumed" in outcomes
    assert made.wait(SECONDS).state == "SUCCEEDED"
    assert (path.parent / "ran").read_text() == "!"


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk can only be mounted by root")
def test_a_full_disk_fails_the_step_and_nothing_else(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(disk)], check=True)
    try:
        monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(disk / "home"))
        path = write(
            "# A",
            "import numpy as np\nx = 1",
            "# B",
            "big = np.ones(4_000_000)",
            "# C",
            "print(big.sum() + x)",
        )
        made = run(path, cache=False).wait(SECONDS)
        assert made.state == "FAILED"
        assert "disk" in made.reason.lower() or "space" in made.reason.lower()
        assert states(made)["a"] == "SUCCEEDED"
        assert made.value("x") == 1
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        assert made.resume().wait(SECONDS).state == "SUCCEEDED"
        assert printed(made) == "4000001.0\n"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_killed_run_leaves_no_process(write: Write, cluster: LocalCluster, kubeflow_home: Path) -> None:
    made = run(write("# A", "import subprocess\nsubprocess.run(['sleep', '600'])"))
    resource = made.resource
    deadline = time.monotonic() + 100
    while "sleep" not in {p.name() for p in _processes(kubeflow_home)} and time.monotonic() < deadline:
        time.sleep(0.05)
    made.stop()
    made.wait(SECONDS)
    assert made.state == "CANCELED"
    deadline = time.monotonic() + 100
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

    deadline = time.monotonic() + 100
    cluster = made._cluster
    while time.monotonic() < deadline:
        pid = locks.holder(cluster.lock_path(made.resource.uid))
        if pid:
            return pid
        time.sleep(0.01)
    raise AssertionError("the run's process never started")
