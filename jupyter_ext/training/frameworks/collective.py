"""Lets ``xgboost.collective.init()`` and ``CommunicatorContext()`` take their tracker from the environment.

XGBoost did so itself before 2.1; since then each program has to hand on the ``DMLC_*`` variables, and one that
forgets it trains alone without a word. Used in a rank's process; standard library only.
"""

from __future__ import annotations

import functools
import os
from types import ModuleType
from typing import Any, Final

from jupyter_ext.training.frameworks import imports

_MODULE: Final = "xgboost.collective"


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
        begin(**{**arguments(), **given})

    @functools.wraps(end)
    def finalize() -> None:
        end()
        while trackers:
            trackers.pop().wait_for()

    module.init, module.finalize = init, finalize  # type: ignore[attr-defined]


def _tracker() -> Any:
    from xgboost.tracker import RabitTracker

    workers, port = int(os.environ["DMLC_NUM_WORKER"]), int(os.environ["DMLC_TRACKER_PORT"])
    tracker = RabitTracker(host_ip="0.0.0.0", n_workers=workers, port=port, sortby="task")  # noqa: S104 - of a pod
    tracker.start()
    return tracker
