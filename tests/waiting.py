"""What tests of real processes wait for, and look for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

import psutil

T = TypeVar("T")
PATIENCE = 240.0


def until(condition: Callable[[], T], patience: float = PATIENCE) -> T:
    """Poll until it is true, and give what it is; the patience only bounds a hanging test."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return found


def processes_of(uid: str) -> list[psutil.Process]:
    """Every process but this one that was started for a workload, by the mark in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get("JUPYTER_KUBEFLOW_WORKLOAD") == uid
            if marked and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
