"""A thread that tells each new state of something that runs, until it has finished."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_ext.errors import NotFound

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

Told = Callable[["Resource"], None]


class Handle(Protocol):
    """A run, a job, an experiment: ``resource`` reads the present state; raises NotFound once it is deleted."""

    @property
    def name(self) -> str:
        """The resource's name."""

    @property
    def resource(self) -> Resource:
        """The resource as it is now."""

    def stop(self) -> object:
        """Ask it to stop."""

    def logs(self, *, follow: bool) -> Any:
        """What it prints, as it prints it."""


class Follower:
    """Calls ``told`` with the resource whenever it changed, at most every ``interval`` seconds.

    ``always``: at each interval, and until the resource is deleted.
    """

    def __init__(self, handle: Handle, told: Told, interval: float, *, always: bool = False) -> None:
        self._handle = handle
        self._told = told
        self._interval = interval
        self._always = always
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"follow-{handle.name}", daemon=True)

    def start(self) -> Follower:
        """Begin; gives itself."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End without waiting for what is followed."""
        self._stopped.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, at most ``timeout`` seconds."""
        self._thread.join(timeout)

    def _follow(self) -> None:
        version = -1
        while not self._stopped.is_set():
            try:
                resource = self._handle.resource
            except NotFound:
                return
            except Exception:
                # The store may be locked for a moment; a view that stops for ever would be worse.
                self._stopped.wait(self._interval)
                continue
            if self._always or resource.resource_version != version:
                version = resource.resource_version
                self._told(resource)
            if resource.finished or (resource.resting and not self._always):
                return
            self._stopped.wait(self._interval)
