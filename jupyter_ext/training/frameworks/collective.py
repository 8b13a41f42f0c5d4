"""Lets ``xgboost.collective.init()`` and ``CommunicatorContext()`` take their tracker from the environment.

XGBoost did so itself before 2.1; since then each program has to hand on the ``DMLC_*`` variables, and one that
forgets it trains alone without a word. Used in a rank's process; standard library only.
"""

from __future__ import annotations

import functools
import os
import socket
import time
from types import ModuleType
from typing import Any, Final

from jupyter_ext.training.frameworks import imports

_MODULE: Final = "xgboost.collective"
_RETRIES: Final = 12
"""Of a worker whose tracker is not there yet, each two seconds later than the last: another pod may take a minute more."""

_NAME_SECONDS: Final = 1800.0


def arguments() -> dict[str, Any]:
    """What this process has to give to ``xgboost.collective.CommunicatorContext``; empty outside of a job."""
    if not os.environ.get("DMLC_TRACKER_URI") or not os.environ.get("DMLC_TRACKER_PORT", "").isdecimal():
        return {}
    return {
        "dmlc_communicator": "rabit",
        "dmlc_tracker_uri": os.environ["DMLC_TRACKER_URI"],
        "dmlc_tracker_port": int(os.environ["DMLC_TRACKER_PORT"]),
        "dmlc_task_id": os.environ.get("DMLC_TASK_ID", "0"),
    }


def install(*, serve: bool = False) -> None:
    """Complete ``xgboost.collective.init``, now or when it is imported; does nothing outside of a job.

    ``serve``: worker 0 runs the tracker, as on a cluster, where upstream's runtime starts none.
    """
    if arguments():
        imports.after(_MODULE, lambda module: complete(module, serve=serve))


def complete(module: ModuleType, *, serve: bool = False) -> None:
    """Make ``init`` add what its caller left out. Who names a tracker keeps it."""
    begin, end = module.init, module.finalize
    trackers: list[Any] = []

    @functools.wraps(begin)
    def init(**given: Any) -> None:
        own = {key.lower() for key in given}
        if "dmlc_tracker_uri" in own:
            begin(**given)
            return
        if serve and os.environ.get("DMLC_TASK_ID") == "0" and not trackers:
            trackers.append(_tracker())
        elif serve:
            _await_name(os.environ["DMLC_TRACKER_URI"])
        patience = {"dmlc_retry": _RETRIES} if serve else {}
        begin(**{**arguments(), **patience, **given})

    @functools.wraps(end)
    def finalize() -> None:
        end()
        while trackers:
            trackers.pop().wait_for()

    module.init, module.finalize = init, finalize  # type: ignore[attr-defined]


def _await_name(host: str) -> None:
    """Wait until the network knows the pod that has the tracker; XGBoost asks for it once."""
    until = time.monotonic() + _NAME_SECONDS
    while time.monotonic() < until:
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            time.sleep(0.5)
        else:
            return


def _tracker() -> Any:
    from xgboost.tracker import RabitTracker

    workers, port = int(os.environ["DMLC_NUM_WORKER"]), int(os.environ["DMLC_TRACKER_PORT"])
    tracker = RabitTracker(host_ip="0.0.0.0", n_workers=workers, port=port, sortby="task")  # noqa: S104 - of a pod
    tracker.start()
    return tracker
