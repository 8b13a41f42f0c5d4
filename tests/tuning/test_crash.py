"""Killed at random: no finished trial is lost or done twice, and no process is left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from jupyter_ext.cluster.local import processes, workload
from jupyter_ext.tuning import double
from tests.tuning.conftest import until

TRIALS = 60
FIXED = ("value", "parameters", "state", "seconds", "attempt", "startTime")


def logged(x: float) -> float:
    """Says when it begins and when it ends."""
    import time

    me = os.environ["JUPYTER_KUBEFLOW_TRIAL"]
    log = Path(os.environ["TRIALS_LOG"])
    with log.open("a") as file:
        file.write(f"begin {me}\n")
    time.sleep(0.05)
    with log.open("a") as file:
        file.write(f"end {me}\n")
    return x


def members(cluster, uid: str) -> list[psutil.Process]:
    """The living processes of a workload: controller, server and trials, told by their environment."""
    found = []
    for one in processes.members(uid, None):
        try:
            found.append(psutil.Process(one.pid))
        except psutil.NoSuchProcess:
            continue
    return found


def role(process: psutil.Process, everyone: list[psutil.Process]) -> str:
    words = " ".join(process.cmdline())
    if "shim.py" in words:
        return "controller"
    parent = process.ppid()
    return (
        "trial"
        if any(one.pid == parent and "worker" in " ".join(one.cmdline()) for one in everyone)
        else "server"
    )


@pytest.mark.parametrize("victim", ["controller", "server", "trial", "any"])
def test_killed_at_random_moments(tune, cluster, tmp_path, monkeypatch, victim):
    log = tmp_path / "log"
    log.touch()
    monkeypatch.setenv("TRIALS_LOG", str(log))
    generator = random.Random(victim)
    found = tune(
        logged, {"x": double(0, 1)}, trials=TRIALS, parallel=2, settings={"random_state": 1}, max_failed=TRIALS,
    )  # fmt: skip
    uid = found.resource.uid
    until(lambda: found.counts["succeeded"] > 2)
    final: dict[int, dict] = {}
    kills = 0
    while kills < 8 and not found.finished:
        if victim != "trial":
            # A workload that is killed again and again at its start is given up; this one has to get on.
            before = found.counts["total"]
            until(lambda before=before: found.counts["total"] > before or found.finished)
        time.sleep(generator.random() * 0.15)
        for row in found.trials(limit=1000):
            if row["state"] in ("SUCCEEDED", "FAILED"):
                kept = {key: row[key] for key in FIXED}
                assert final.setdefault(row["number"], kept) == kept
        everyone = members(cluster, uid)
        targets = [one for one in everyone if victim in (role_of(one, everyone), "any")]
        if targets:
            kill(generator.choice(targets))
            kills += 1
            if victim in ("controller", "any"):
                steady(cluster, uid)
    found.wait(120)
    assert found.phase == "SUCCEEDED", found.reason
    rows = {row["number"]: row for row in found.trials(limit=1000)}
    assert sorted(rows) == list(range(TRIALS))
    for number, kept in final.items():
        assert {key: rows[number][key] for key in FIXED} == kept, "what had finished is as it was"
    lines = log.read_text().splitlines()
    for row in rows.values():
        begun = lines.count(f"begin {row['name']}")
        assert begun <= row["attempt"]
        if row["state"] == "SUCCEEDED":
            assert 1 <= lines.count(f"end {row['name']}") <= row["attempt"]
        else:
            assert "killed (signal 9" in row["reason"]
    if victim not in ("trial", "any"):
        assert all(row["state"] == "SUCCEEDED" for row in rows.values())
    drawn = [row["parameters"]["x"] for row in rows.values()]
    assert len(set(drawn)) == TRIALS, "no point is tried twice"
    until(lambda: not members(cluster, uid))


def role_of(process: psutil.Process, everyone: list[psutil.Process]) -> str:
    try:
        return role(process, everyone)
    except psutil.NoSuchProcess:
        return "gone"


def kill(process: psutil.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


def steady(cluster, uid: str) -> None:
    """Let the restarts not be counted against it, as after a minute of quiet."""
    with cluster.store.transaction() as connection:
        connection.execute("UPDATE workloads SET restarts = 0 WHERE uid = ?", (uid,))
    workload.sweep(cluster)


def test_a_model_goes_on_with_what_it_learned(tune, cluster):
    """After a kill the study is rebuilt: TPE's startup trials are not drawn again."""

    def slow(x, y):
        import time

        time.sleep(0.1)
        return (x - 0.5) ** 2 + y

    settings = {"random_state": 1, "n_startup_trials": 5}
    space = {"x": double(0, 1), "y": double(0, 1)}
    found = tune(slow, space, algorithm="tpe", settings=settings, trials=25, parallel=2)
    until(lambda: found.counts["succeeded"] > 8)
    everyone = members(cluster, found.resource.uid)
    for one in everyone:
        if role_of(one, everyone) == "controller":
            kill(one)
    found.wait(120)
    assert found.phase == "SUCCEEDED", found.reason
    points = [tuple(row["parameters"].values()) for row in found.trials()]
    assert len(set(points)) == len(points) == 25


def test_a_server_that_is_killed_for_ever_is_given_up(tune, cluster):
    def suicide(x):
        os.kill(os.getppid(), signal.SIGKILL)
        import time

        time.sleep(60)

    found = tune(suicide, {"x": double(0, 1)}, trials=1).wait(120)
    assert found.phase == "FAILED"
    assert "Its fork server was lost 3 times" in found.trials()[0]["reason"]
    assert found.trials()[0]["attempt"] == 3
