"""What user code says while it runs: metrics, progress; and what it may ask: who am I, where do checkpoints go.

The same calls work in a job, in a trial, on a cluster and in a notebook. Standard library only: the module travels
with exported jobs.
"""

from __future__ import annotations

import json
import numbers
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

REPORTS: Final = "JUPYTER_KUBEFLOW_REPORTS"
"""The file, one for each rank, that takes what was reported: one JSON object a line."""
STOP: Final = "JUPYTER_KUBEFLOW_STOP"
"""A path; when the file exists the trial is not wanted any more."""
CHECKPOINT: Final = "JUPYTER_KUBEFLOW_CHECKPOINT"
BEFORE_CHECKPOINTS: Final[list[Callable[[Path], None]]] = []
"""Called with the folder for checkpoints when it is first asked for: in a pod, what was kept of them is brought there."""
NODES: Final = "JUPYTER_KUBEFLOW_NODES"
SERVER: Final = "KUBEFLOW_TRAINER_SERVER_URL"
SERVER_CA: Final = "KUBEFLOW_TRAINER_SERVER_CA_CERT"
SERVER_TOKEN: Final = "KUBEFLOW_TRAINER_SERVER_TOKEN"  # noqa: S105 - the name of a variable
PROGRESS: Final = "progress"
"""The name under which it is printed how far a job has come."""
_OBJECTIVE: Final = "JUPYTER_KUBEFLOW_OBJECTIVE"
_POST_SECONDS: Final = 5.0
_POST_METRICS: Final = 256


class Pruned(BaseException):
    """This trial is not worth going on with. Not an Exception, so that no ``except Exception`` holds it up."""


@dataclass(frozen=True)
class World:
    """Which of the job's processes this is. ``size`` and ``nodes`` are 1 outside of a job."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    node: int = 0
    nodes: int = 1


def world() -> World:
    """This process's place in the job, from the variables that torchrun, and all our launchers, set."""
    nodes = os.environ.get(NODES) or os.environ.get("GROUP_WORLD_SIZE")
    return World(
        _number("RANK"),
        _number("WORLD_SIZE", 1),
        _number("LOCAL_RANK"),
        _number("GROUP_RANK"),
        int(nodes or 1),
    )


def _number(name: str, default: int = 0) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else default


def checkpoint_dir() -> Path | None:
    """The job's folder for checkpoints, which survives its processes; None outside of a job."""
    chosen = os.environ.get(CHECKPOINT)
    if not chosen:
        return None
    folder = Path(chosen)
    folder.mkdir(parents=True, exist_ok=True)
    while BEFORE_CHECKPOINTS:
        BEFORE_CHECKPOINTS.pop()(folder)
    return folder


def report(
    metrics: Mapping[str, Any] | None = None,
    /,
    *,
    step: float | None = None,
    progress: float | None = None,
    **values: Any,
) -> None:
    """Report numbers, such as ``report(loss=0.3, step=7)``, and how far it has come (``progress`` from 0 to 1).

    Outside of a job it prints ``name=value`` lines. Raises TypeError for what is no number, and ``Pruned`` when the
    trial was given up.
    """
    found = {name: _float(name, value) for name, value in {**(metrics or {}), **values}.items()}
    place = None if step is None else _float("step", step)
    share = None if progress is None else min(max(_float("progress", progress), 0.0), 1.0)
    path = os.environ.get(REPORTS)
    if path:
        _append(path, {"t": time.time(), "s": place, "p": share, "m": found})
    else:
        if not _in_pod() or _number("LOCAL_RANK") == 0:  # curves are read from there, by the pod
            _say({**found, **({PROGRESS: share} if _in_pod() and share is not None else {})}, place)
        if os.environ.get(SERVER) and _number("RANK") == 0:
            _post(found, share)
    stop = os.environ.get(STOP)
    if stop and os.path.exists(stop):  # noqa: PTH110 - called in the innermost loop of a training
        raise Pruned


def _float(name: str, value: Any) -> float:
    """The number in a Python, numpy or torch scalar."""
    if isinstance(value, numbers.Real):
        return float(value)
    try:
        return float(value.item())
    except (AttributeError, TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}") from None


class _File:
    """The open file of the reports: opened anew in a forked child, and when the variable changes."""

    def __init__(self) -> None:
        self.path = ""
        self.pid = 0
        self.file: IO[str] | None = None
        self.guard = threading.Lock()


_open = _File()


def _append(path: str, line: dict[str, Any]) -> None:
    with _open.guard:
        if _open.file is None or (_open.path, _open.pid) != (path, os.getpid()):
            if _open.file is not None:
                _open.file.close()
            _open.file = open(path, "a", encoding="utf-8")  # noqa: PTH123, SIM115 - kept open for the next
            _open.path, _open.pid = path, os.getpid()
        _open.file.write(json.dumps(line, separators=(",", ":")) + "\n")
        _open.file.flush()


def _in_pod() -> bool:
    """Whether this is a pod of a job, whose log tells of it; a trial prints its metrics only."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get(_OBJECTIVE)


def _say(metrics: Mapping[str, float], step: float | None) -> None:
    place = [] if step is None else [f"step={step:g}"]
    if metrics:
        print(*place, *(f"{name}={value:.10g}" for name, value in metrics.items()), flush=True)  # noqa: T201


_posted: Final = {"at": float("-inf")}


def _post(metrics: Mapping[str, float], progress: float | None) -> None:
    """Tell the cluster, by the contract of Kubeflow Trainer; at most every 5 s, and never an error."""
    moment = time.monotonic()
    if moment - _posted["at"] < _POST_SECONDS and progress != 1.0:
        return
    _posted["at"] = moment
    listed = [{"name": name, "value": f"{value:.10g}"} for name, value in metrics.items()][:_POST_METRICS]
    status: dict[str, Any] = {"lastUpdatedTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    status |= {"metrics": listed} if listed else {}
    status |= {} if progress is None else {"progressPercentage": round(progress * 100)}
    try:
        send_status(status)
    except Exception as error:
        print(f"The progress could not be reported: {error}", file=sys.stderr)  # noqa: T201


def send_status(status: Mapping[str, Any]) -> None:
    """POST a ``trainerStatus`` to the server that the environment names. Raises OSError."""
    import ssl
    import urllib.request

    certificate = os.environ.get(SERVER_CA, "")
    context = ssl.create_default_context(cafile=certificate) if Path(certificate).is_file() else None
    headers = {"Content-Type": "application/json"}
    token = Path(os.environ.get(SERVER_TOKEN, ""))
    if token.is_file():
        headers["Authorization"] = f"Bearer {token.read_text().strip()}"
    body = json.dumps({"trainerStatus": status}).encode()
    request = urllib.request.Request(os.environ[SERVER], body, headers, method="POST")  # noqa: S310 - the cluster's own
    with urllib.request.urlopen(request, timeout=5, context=context) as answer:  # noqa: S310
        answer.read()
