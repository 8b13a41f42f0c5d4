"""The tracker of XGBoost's collective, as a program: ``serve`` runs it, ``join`` begins a worker when it is there.

    python tracker.py serve FILE WORKERS PORT
    python tracker.py join FILE COMMAND…

``serve`` calls the C interface of the installed library (``xgboost/c_api.h``, XGTracker…) as ``xgboost.tracker``
does: importing the package takes seconds, and every worker waits for this. Standard library only.
"""

import ctypes
import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PATIENCE = 120.0
"""Seconds until ``join`` gives up; a library that lies on a slow disk takes a while."""


def library() -> Any:
    """The shared library of the installed package."""
    spec = find_spec("xgboost")
    for place in (spec and spec.submodule_search_locations) or ():
        for name in ("libxgboost.so", "libxgboost.dylib", "xgboost.dll"):
            path = Path(place, "lib", name)
            if path.exists():
                return ctypes.CDLL(str(path))
    from xgboost.core import _LIB  # installed in some other way: its own search finds it

    return _LIB


def serve(file: Path, workers: int, port: int) -> None:
    """Run the tracker until all workers have left it; its address is written into the file first."""
    xgboost = library()
    xgboost.XGBGetLastError.restype = ctypes.c_char_p

    def call(function: str, *arguments: Any) -> None:
        if getattr(xgboost, function)(*arguments):
            raise SystemExit(xgboost.XGBGetLastError().decode(errors="replace"))

    handle, answer = ctypes.c_void_p(), ctypes.c_char_p()
    # sortby 1: a worker's rank follows its task, not the name of its host.
    wanted = {"host": "127.0.0.1", "n_workers": workers, "port": port, "sortby": 1, "timeout": 0}
    settings = json.dumps({"dmlc_communicator": "rabit", **wanted})
    call("XGTrackerCreate", settings.encode(), ctypes.byref(handle))
    call("XGTrackerRun", handle, b"{}")
    call("XGTrackerWorkerArgs", handle, ctypes.byref(answer))
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    temporary.write_bytes(answer.value or b"{}")
    temporary.replace(file)
    call("XGTrackerWaitFor", handle, b"{}")


def join(file: Path, command: list[str]) -> None:
    """Become the command, once it is known where the tracker is."""
    deadline = time.monotonic() + PATIENCE
    while not file.exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"The tracker did not start within {PATIENCE:.0f} s.")
        time.sleep(0.005)
    port = json.loads(file.read_bytes())["dmlc_tracker_port"]
    os.execve(command[0], command, {**os.environ, "DMLC_TRACKER_PORT": str(port)})  # noqa: S606


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        join(Path(sys.argv[2]), sys.argv[3:])
