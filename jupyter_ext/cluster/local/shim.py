"""The process of one workload: it takes the lock, calls the controller and writes down how that ended.

Run as a file, by ``workload``: ``python -P shim.py HOME PROFILE KIND NAME UID TOKEN``.
"""

from __future__ import annotations

import _thread
import faulthandler
import gc
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.record import Row


AHEAD: Final = "JUPYTER_KUBEFLOW_AHEAD"
"""``module:function`` to be called before anything else is loaded, while a fork is safe and cheap."""


def main(home: str, profile: str, uid: str, token: str) -> int:
    """Returns the exit status: 0 when the resource reached its end, or when there was nothing to do."""
    _go_ahead(os.environ.pop(AHEAD, None))
    gc.set_threshold(50_000)  # no user's code runs here, and importing makes nothing but what stays
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        # In a thread of its own: the main thread may hold the event's lock at this moment.
        _thread.start_new_thread(stop.set, ())

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)

    from jupyter_ext.cluster.local import LocalCluster, locks

    cluster = LocalCluster(home, profile)
    if not locks.take(cluster.lock_path(uid)):
        return 0  # another process was faster
    row = _register(cluster, uid, token)
    if row is None:
        return 0
    return _reconcile(cluster, row, stop)


def _go_ahead(name: str | None) -> None:
    if name is None:
        return
    from importlib import import_module

    module, _, function = name.partition(":")
    try:
        getattr(import_module(module), function)()
    except Exception:  # the controller does without
        import traceback

        traceback.print_exc()


def _register(cluster: LocalCluster, uid: str, token: str) -> Row | None:
    """Record that this process is the attempt of this token; None if that is over or taken."""
    from jupyter_ext.cluster.local import processes, record
    from jupyter_ext.cluster.local.machine import boot, oom_kills

    facts = (processes.identity(os.getpid()), time.time(), oom_kills(), boot())
    with cluster.store.transaction() as connection:
        connection.execute(
            "UPDATE workloads SET process = ?, running_since = ?, oom_kills = ?, boot = ?"
            " WHERE uid = ? AND token = ? AND ended IS NULL",
            (*facts, uid, token),
        )
        row = record.read(cluster, uid)
    return row if row and row.token == token and not row.ended else None


def _reconcile(cluster: LocalCluster, row: Row, stop: threading.Event) -> int:
    from jupyter_ext.cluster.local import record, workload

    outcome = ""
    resource = cluster.store.by_uid(row.uid)
    if resource and not resource.resting and row.stop_by is None:
        try:
            record.resolve(row.controller)(cluster, resource, stop)
        except BaseException as error:  # whatever a controller raises is told, and the process ends
            import traceback

            traceback.print_exc()
            outcome = f"Its process failed with {type(error).__name__}: {error}".rstrip(". ") + "."
    resource = cluster.store.by_uid(row.uid)
    finished = resource is None or resource.resting
    if not finished and not outcome:
        asked = stop.is_set()
        outcome = "It was asked to end (signal 15)." if asked else "Its process ended before it was done."
        if asked and not workload.stop_requested(cluster, row.uid):
            # Perhaps the machine is going down: not now, but by the next reader.
            record.note(cluster, row, outcome)
            return 1
    workload.settle(cluster, row, outcome or "done")
    return 0 if finished else 1


if __name__ == "__main__":
    try:
        import jupyter_ext  # noqa: F401 - only to see whether this interpreter finds it
    except ModuleNotFoundError:
        sys.path.append(__file__.rsplit("/", 4)[0])
    # Under its package's name, so that the controller meets the same modules.
    from jupyter_ext.cluster.local import shim  # noqa: PLW0406

    sys.exit(shim.main(*sys.argv[1:3], *sys.argv[5:7]))
