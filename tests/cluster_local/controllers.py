"""Controllers that the tests' workloads run; each takes (cluster, resource, stop) as a real one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def _set(cluster, resource, **status):
    return cluster.store.update(
        resource.kind, resource.name, lambda now: now.with_(status={**now.status, **status})
    )


def succeed(cluster, resource, stop):
    """Finish at once."""
    _set(cluster, resource, phase="SUCCEEDED", pid=os.getpid(), at=time.time())


def until_stopped(cluster, resource, stop):
    """Run until asked to end, then say so."""
    _set(cluster, resource, phase="RUNNING", pid=os.getpid())
    stop.wait()
    _set(cluster, resource, phase="CANCELED", reason="The controller was asked to stop.")


def stubborn(cluster, resource, stop):
    """Ignore every request to end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _set(cluster, resource, phase="RUNNING", pid=os.getpid())
    while True:
        time.sleep(1)


_CHILD = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1]], **eval(sys.argv[2])); time.sleep(600)"


def family(cluster, resource, stop):
    """Have a forked child, a child with a child, and a grandchild that left the session."""
    forked = os.fork()
    if forked == 0:
        time.sleep(600)
        os._exit(0)
    sleep = "import time; time.sleep(600)"
    for options in ("{}", "{'start_new_session': True}"):
        subprocess.Popen([sys.executable, "-c", _CHILD, sleep, options])
    _set(cluster, resource, phase="RUNNING", pid=os.getpid(), forked=forked)
    stop.wait()


def second_time_lucky(cluster, resource, stop):
    """Die in the first attempt, finish in the second."""
    attempts = resource.status.get("attempts", 0) + 1
    _set(cluster, resource, phase="RUNNING", attempts=attempts)
    if attempts == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    _set(cluster, resource, phase="SUCCEEDED")


def die(cluster, resource, stop):
    """Die by the signal that the spec names."""
    _set(cluster, resource, phase="RUNNING", attempts=resource.status.get("attempts", 0) + 1)
    os.kill(os.getpid(), resource.spec.get("signal", signal.SIGKILL))
    time.sleep(5)


def raise_error(cluster, resource, stop):
    """Fail with an exception."""
    raise ValueError("the moon is full")


def return_early(cluster, resource, stop):
    """Return without finishing the resource."""


def say(cluster, resource, stop):
    """Print, and finish."""
    print("hello from", resource.name)
    print("and to stderr", file=sys.stderr)
    _set(
        cluster,
        resource,
        phase="SUCCEEDED",
        cwd=str(Path.cwd()),
        env=os.environ.get("FLAVOUR"),
        sid=os.getsid(0),
    )


def lose_steps(resource, phase, reason):
    """Say of the steps what is true when the process is gone."""
    steps = [
        {**step, "state": phase} if step["state"] == "RUNNING" else step for step in resource.status["steps"]
    ]
    return resource.with_(status={**resource.status, "steps": steps})


def hold_everything(cluster, resource, stop):
    """Lease all processors, and have a child that uses them."""
    from jupyter_ext.cluster.local import machine
    from jupyter_ext.cluster.local.devices import Request

    child = 0
    if resource.spec.get("child"):
        child = os.fork()
        if child == 0:
            time.sleep(600)
            os._exit(0)
    cluster.leases.acquire(resource.uid, resource.name, "all", Request(machine.limits_now()[0]))
    _set(cluster, resource, phase="RUNNING", pid=os.getpid(), child=child)
    stop.wait()


def count_attempts(cluster, resource, stop):
    """Note each attempt in a file, and wait to be killed in the first ones."""
    with Path(resource.spec["file"]).open("a") as file:
        file.write(f"{os.getpid()}\n")
    attempts = len(Path(resource.spec["file"]).read_text().split())
    _set(cluster, resource, phase="RUNNING", pid=os.getpid(), attempts=attempts)
    if attempts <= resource.spec["waits"]:
        stop.wait()
    else:
        _set(cluster, resource, phase="SUCCEEDED")


def print_forever(cluster, resource, stop):
    """Write lines until stopped."""
    _set(cluster, resource, phase="RUNNING", pid=os.getpid())
    number = 0
    while not stop.wait(0.01):
        number += 1
        print("line", number)
    print("the end")
    _set(cluster, resource, phase="CANCELED")


def succeed_and_die(cluster, resource, stop):
    """Finish, and be killed before the process could end."""
    _set(cluster, resource, phase="SUCCEEDED")
    os.kill(os.getpid(), signal.SIGKILL)


def _told(cluster):
    while not (cluster.home / "go").exists():
        time.sleep(0.002)


def wait_then_fail(cluster, resource, stop):
    """Fail when the file ``go`` appears in the cluster's home."""
    _set(cluster, resource, phase="RUNNING")
    _told(cluster)
    _set(cluster, resource, phase="FAILED", reason="It was told to.")


def die_once_told(cluster, resource, stop):
    """Be killed when the file ``go`` appears, and finish in the second attempt."""
    if not resource.status.get("again"):
        _set(cluster, resource, phase="RUNNING", again=True)
        _told(cluster)
        os.kill(os.getpid(), signal.SIGKILL)
    _set(cluster, resource, phase="SUCCEEDED")


def pause(cluster, resource, stop):
    """Pause the first time, finish the second."""
    paused = resource.status.get("paused")
    _set(cluster, resource, phase="SUCCEEDED" if paused else "PAUSED", paused=True)
