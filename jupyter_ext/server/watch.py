"""Changes of resources become events on the server's bus.

One thread follows the store; the server's loop emits. An emit costs about a millisecond of the loop, so
changes of the same resource are merged (the last state always arrives) and a burst is spread out.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Gone

from . import access

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

SCHEMA = "https://schema.jupyter-kubeflow.org/resource/v1"
INTERVAL = 0.05
"""Seconds between two events of the same resource."""
POLL = (0.02, 0.05)
"""Seconds between two looks into the store, while changes are recent and later: people watch, not programs."""
BURST = 20
"""Events in one interval at most: the loop stays free for requests."""

FIRST_PAUSE, LAST_PAUSE = 0.2, 10.0
"""Seconds before the next try where the store cannot be read."""

Emit = Callable[[dict[str, Any]], None]
Key = tuple[str, str]


def event_data(kind: str, resource: Resource) -> dict[str, Any]:
    """Give the event of one change, as jupyter_ext/events/resource.yaml describes it."""
    steps = resource.status.get("steps")
    return {
        "type": kind,
        "kind": resource.kind,
        "name": resource.name,
        "uid": resource.uid,
        "resourceVersion": resource.resource_version,
        "phase": resource.status.get("phase"),
        "reason": resource.status.get("reason"),
        "steps": {step["name"]: step["state"] for step in steps} if isinstance(steps, list) else None,
        "progress": resource.status.get("progress"),
    }


def gone(kind: str, name: str, uid: str, version: int) -> dict[str, Any]:
    """Give the event of something whose end was not seen."""
    nothing = dict.fromkeys(("phase", "reason", "steps", "progress"))
    return {"type": "DELETED", "kind": kind, "name": name, "uid": uid, "resourceVersion": version, **nothing}


def told() -> list[str]:
    """The kinds whose changes become events. An experiment's own event says that its trials changed: there may be 10,000."""
    from jupyter_ext.cluster.resource import KINDS

    return [kind for kind in KINDS if kind not in {"Trial", "Gateway"}]


class Merger:
    """Holds back what comes too soon after the last event of the same resource. Not thread-safe."""

    def __init__(self, interval: float = INTERVAL, burst: int = BURST) -> None:
        self.interval = interval
        self.burst = burst
        self._waiting: dict[Key, dict[str, Any]] = {}
        self._sent: dict[Key, float] = {}

    def add(self, event: dict[str, Any]) -> None:
        """Take one in; it replaces an older one of the same resource that still waits."""
        key = (event["kind"], event["name"])
        earlier = self._waiting.get(key)
        if earlier and earlier["uid"] == event["uid"]:
            if event["resourceVersion"] < earlier["resourceVersion"]:
                return
            if earlier["type"] == "ADDED" and event["type"] == "MODIFIED":
                event = {**event, "type": "ADDED"}
        self._waiting[key] = event

    def take(self, now: float) -> list[dict[str, Any]]:
        """Give those whose time has come, oldest first."""
        due = [key for key in self._waiting if now >= self._sent.get(key, 0.0) + self.interval][: self.burst]
        for key in due:
            self._sent[key] = now
        if len(self._sent) > 4096:
            self._sent = {key: sent for key, sent in self._sent.items() if now - sent < self.interval}
        return [self._waiting.pop(key) for key in due]

    def __len__(self) -> int:
        return len(self._waiting)


class Teller:
    """Puts changes on the server's bus, from any thread, at the pace that `Merger` allows."""

    def __init__(self, loop: asyncio.AbstractEventLoop, emit: Emit, log: logging.Logger) -> None:
        self._loop = loop
        self._emit = emit
        self._log = log
        self._merger = Merger()
        self._lock = threading.Lock()
        self._scheduled = False
        self._stopped = threading.Event()

    def tell(self, event: dict[str, Any]) -> None:
        """Emit it soon."""
        with self._lock:
            self._merger.add(event)
            if self._scheduled:
                return
            self._scheduled = True
        try:
            self._loop.call_soon_threadsafe(self._flush)
        except RuntimeError:  # the loop is closed: the server is going down
            self._stopped.set()

    def _flush(self) -> None:
        """Emit what is due; on the server's loop."""
        with self._lock:
            events = self._merger.take(time.monotonic())
            self._scheduled = bool(len(self._merger)) and not self._stopped.is_set()
            again = self._scheduled
        for event in events:
            try:
                self._emit(event)
            except Exception:
                self._log.exception("an event of %s %s could not be sent", event["kind"], event["name"])
        if again:
            self._loop.call_later(self._merger.interval, self._flush)


class Watcher(Teller):
    """Follows the store from its present version on, until ``stop``. Survives a locked or compacted store."""

    def __init__(self, loop: asyncio.AbstractEventLoop, emit: Emit, log: logging.Logger) -> None:
        super().__init__(loop, emit, log)
        self._since: int | None = None
        self._known: set[tuple[str, str, str]] = set()
        self.ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubeflow-watch", daemon=True)

    def start(self) -> None:
        """Start to follow."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Stop to follow; waits up to ``timeout`` seconds for the thread."""
        self._stopped.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        gone = False
        while not self._stopped.is_set():
            begun = time.monotonic()
            try:
                if gone:
                    self._catch_up()
                    gone = False
                self._follow()
            except Gone:
                gone = True
            except Exception:
                if time.monotonic() - begun > LAST_PAUSE:
                    pause = FIRST_PAUSE
                # A locked or unreadable store, a disk that is full: say it once, and go on trying.
                level = logging.WARNING if pause == FIRST_PAUSE else logging.DEBUG
                self._log.log(
                    level, "changes of resources cannot be followed now; trying again", exc_info=True
                )
                self._stopped.wait(pause)
                pause = min(pause * 2, LAST_PAUSE)

    def _follow(self) -> None:
        if self._since is None:
            self._since = access.version()
            self._known = {key for key, _ in self._present()}
        self.ready.set()
        changes = access.cluster().watch(self._since, told(), stop=self._stopped, summary=True, pauses=POLL)
        for event in changes:
            self._since = max(self._since, event.resource.resource_version)
            self._put(event_data(event.type, event.resource))

    def _present(self) -> Iterator[tuple[tuple[str, str, str], Resource]]:
        """Give what there is now, with kind, name and uid."""
        store = access.cluster().store
        for kind in told():
            for resource in store.list(kind, summary=True):
                yield (kind, resource.name, resource.uid), resource

    def _catch_up(self) -> None:
        """Tell what changed in the history that is no longer kept: the present state of what is there, and what is gone."""
        version = access.cluster().store.resource_version()
        before, self._known = self._known, set()
        for key, resource in self._present():
            self._known.add(key)
            if resource.resource_version > (self._since or 0):
                self._put(event_data("MODIFIED", resource))
        for kind, name, uid in before - self._known:
            self._put(gone(kind, name, uid, version))
        self._since = version

    def _put(self, event: dict[str, Any]) -> None:
        key = (event["kind"], event["name"], event["uid"])
        (self._known.discard if event["type"] == "DELETED" else self._known.add)(key)
        self.tell(event)
