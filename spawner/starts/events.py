"""The events of one pending pod, by its uid, in its own namespace, until it is ready.

The API server does the choosing: of 35,000 events in a namespace those of other pods never reach the Hub. The
watch begins at the version at which the pod was made, so that nothing older is looked through.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from spawner.api import ApiError, Json

MOST: Final = 64
"""Events kept of one pod; the oldest go first."""
_LONGEST: Final = 1024
_SECONDS: Final = 240
_BRIEF: Final = 1.0
_PAUSE: Final = 10.0
_KEPT: Final = (
    "type",
    "reason",
    "message",
    "lastTimestamp",
    "eventTime",
    "firstTimestamp",
    "count",
    "series",
)

_log = logging.getLogger(__name__)


class Watching(Protocol):
    """What is needed of the API."""

    def watch(self, path: str, query: Mapping[str, str], seconds: int = 300) -> Any:
        """The changes since."""


class PodEvents:
    """Those of one pod; ``changed`` is called after each that is new."""

    def __init__(
        self,
        api: Watching,
        namespace: str,
        uid: str,
        version: str = "",
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/events"
        self._query = {"fieldSelector": f"involvedObject.uid={uid}"}
        self._version = version
        self._changed = changed
        self._found: dict[str, Json] = {}
        self._task: asyncio.Task[None] | None = None
        self.watches = 0

    def all(self) -> list[Json]:
        """In the order in which they came."""
        return list(self._found.values())

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"events of {self._query['fieldSelector']}")

    async def stop(self) -> None:
        """End the watch; what was seen stays."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        failed = 0
        while True:
            began = time.monotonic()
            pause = 0.0
            try:
                await self._once()
                failed = 0
                if time.monotonic() - began < _BRIEF:
                    pause = _BRIEF
            except ApiError as error:
                failed += 1
                pause = error.retry_after or min(_PAUSE, 0.2 * 2 ** min(failed, 8))
                if error.status in {403, 404}:
                    _log.warning("The events of a starting server cannot be watched: %s", error)
                    return
                if error.status == 410 or "resource version" in error.message.lower():
                    self._version = ""
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 — spreads the starts of a class

    async def _once(self) -> None:
        self.watches += 1
        query = {**self._query, "allowWatchBookmarks": "true"}
        if self._version:
            query["resourceVersion"] = self._version
        async for kind, event in self._api.watch(self._path, query, _SECONDS):
            about = event.get("metadata") or {}
            self._version = str(about.get("resourceVersion") or self._version)
            if kind in {"ADDED", "MODIFIED"}:
                self._take(str(about.get("uid")), event)

    def _take(self, uid: str, event: Json) -> None:
        found = {key: event[key] for key in _KEPT if event.get(key) is not None}
        found["message"] = str(event.get("message") or "")[:_LONGEST]
        found["metadata"] = {"uid": uid, "name": str((event.get("metadata") or {}).get("name") or "")[:253]}
        self._found.pop(uid, None)
        self._found[uid] = found
        while len(self._found) > MOST:
            del self._found[next(iter(self._found))]
        self._changed()
