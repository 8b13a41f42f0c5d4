"""A thread that tells each new state of a run, until the run has finished."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from jupyter_ext.errors import NotFound

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines import Run

Told = Callable[["Resource"], None]


class Follower:
    """Calls ``told`` with the run's resource whenever it changed, at most every ``interval`` seconds."""

    def __init__(self, run: Run, told: Told, interval: float) -> None:
        self._run = run
        self._told = told
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"follow-{run.name}", daemon=True)

    def start(self) -> Follower:
        """Begin; gives itself."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End without waiting for the run."""
        self._stopped.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, at most ``timeout`` seconds."""
        self._thread.join(timeout)

    def _follow(self) -> None:
        version = -1
        while not self._stopped.is_set():
            try:
                resource = self._run.resource
            except NotFound:
                return
            except Exception:
                # The store may be locked for a moment; a view that stops for ever would be worse.
                self._stopped.wait(self._interval)
                continue
            if resource.resource_version != version:
                version = resource.resource_version
                self._told(resource)
            if resource.finished:
                return
            self._stopped.wait(self._interval)
