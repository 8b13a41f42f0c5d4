"""One kind of the cluster's objects kept in memory: listed once, then watched.

What every page would otherwise list each time (two thousand profiles, and the bindings in them) is listed once in
pages of 500, cut down to what is needed of it, and kept true by one watch. The protocol is that of the API
concepts page of Kubernetes, *Efficient detection of changes*: a watch that ends goes on from the last version seen,
410 Gone lists again, bookmarks keep the version young, and what fails is tried again ever more slowly.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

from spawner.access import unanswered
from spawner.api import ApiError, Json

Row = TypeVar("Row")
Key = tuple[str, str]
"""Namespace (empty for what has none) and name."""

_PAGE: Final = 500
_MOST: Final = 200_000
_LONGEST_PAUSE: Final = 10.0
"""Seconds between tries while the API server does not answer."""
_BRIEF: Final = 5.0
"""Seconds: a watch that ends sooner is not opened again at once, but after `_SHORT_PAUSE` at most."""
_SHORT_PAUSE: Final = 1.0
_LIST_AGAIN: Final = 3
"""Failures in a row after which what is known is no longer gone on from."""

_log = logging.getLogger(__name__)


class Watching(Protocol):
    """What a mirror needs of the API."""

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """A list."""

    def watch(self, path: str, query: Mapping[str, str], seconds: int = 300) -> Any:
        """The changes since."""


class Mirror(Generic[Row]):
    """The objects under one path, as rows.

    ``trim`` makes a row of an object, or None where it is of no interest; ``keys`` says under which further keys a
    row is found by `having`. ``absent`` is true while the path does not exist: the kind is not installed.
    """

    def __init__(
        self,
        api: Watching,
        path: str,
        trim: Callable[[Json], Row | None],
        keys: Callable[[Row], Iterable[Hashable]] = lambda _row: (),
        query: Mapping[str, str] | None = None,
        seconds: int = 300,
    ) -> None:
        self.rows: dict[Key, Row] = {}
        self.absent = False
        self.lists = 0
        self._index: dict[Hashable, dict[Key, Row]] = {}
        self._api, self._path, self._trim, self._keys = api, path, trim, keys
        self._query = dict(query or {})
        self._seconds = seconds
        self._version = ""
        self._task: asyncio.Task[None] | None = None
        self._known = False
        self._failed = 0
        self._lost: float | None = None
        self._error: ApiError | None = None

    def having(self, key: Hashable) -> list[Row]:
        """The rows of a key."""
        return list(self._index.get(key, {}).values())

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"mirror of {self._path}")

    async def stop(self) -> None:
        """End the watch."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._known = False

    async def fresh(self, behind: float = 60.0, patience: float = 10.0) -> None:
        """Return once the rows are known; raises Refused 503 when the cluster has not answered for long.

        ``behind`` (seconds) is how old they may be while the watch is broken, ``patience`` how long is waited.
        """
        self.start()
        deadline = time.monotonic() + patience
        while not self._known or self._behind() > behind:
            error = self._error or ApiError(0, "NoAnswer", "")
            if time.monotonic() > deadline or error.status == 403:
                raise unanswered(f"for the list of {self._path.rpartition('/')[2]}", error)
            await asyncio.sleep(0.02)

    def _behind(self) -> float:
        return 0.0 if self._lost is None else time.monotonic() - self._lost

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._once()
                self._failed = self._failed + 1 if time.monotonic() - began < _BRIEF else 0
                pause = min(_SHORT_PAUSE, 0.05 * 2 ** min(self._failed, 12)) if self._failed else 0.0
            except ApiError as error:
                self._failed += 1
                self._take(error)
                pause = error.retry_after or min(_LONGEST_PAUSE, 0.05 * 2 ** min(self._failed, 12))
            except Exception as error:
                _log.exception("The list of %s cannot be kept", self._path)
                self._failed = max(self._failed + 1, _LIST_AGAIN)
                self._take(ApiError(500, "Broken", str(error)))
                pause = _LONGEST_PAUSE
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 — spreads Hubs, hides nothing

    async def _once(self) -> None:
        """List if need be, and watch until that ends."""
        if not self._version:
            await self._list()
        elif self._lost is not None:
            # A watch says nothing until something changes; this says that the server is there again.
            await self._api.get(self._path, {**self._query, "limit": "1"})
            self._alive()
        await self._watch()

    def _take(self, error: ApiError) -> None:
        """Note what an error means for what is known."""
        if error.status == 404:
            self._replace({}, "")
            self.absent = True
            return
        self._error = error
        if self._lost is None:
            self._lost = time.monotonic()
        if error.status == 410 or self._failed >= _LIST_AGAIN:
            self._version = ""
        if error.status in {401, 403}:
            _log.warning("The list of %s cannot be kept: %s", self._path, error)

    async def _list(self) -> None:
        rows: dict[Key, Row] = {}
        token, version = "", ""
        while True:
            asked = {**self._query, "limit": str(_PAGE)}
            if token:
                asked["continue"] = token
            page = await self._api.get(self._path, asked)
            for thing in page.get("items") or ():
                row = self._trim(thing)
                if row is not None:
                    rows[_key(thing)] = row
            about = page.get("metadata") or {}
            token, version = str(about.get("continue") or ""), str(about.get("resourceVersion") or "")
            if len(rows) > _MOST:
                raise ApiError(413, "TooMany", f"{self._path} lists more than {_MOST} objects.")
            if not token:
                break
            await asyncio.sleep(0)
        self.lists += 1
        self.absent = False
        self._replace(rows, version)

    def _replace(self, rows: dict[Key, Row], version: str) -> None:
        index: dict[Hashable, dict[Key, Row]] = {}
        for key, row in rows.items():
            for word in self._keys(row):
                index.setdefault(word, {})[key] = row
        self.rows, self._index, self._version = rows, index, version
        self._alive()

    def _alive(self) -> None:
        self._lost, self._error = None, None
        self._known = True

    async def _watch(self) -> None:
        query = {**self._query, "resourceVersion": self._version, "allowWatchBookmarks": "true"}
        seconds = round(self._seconds * random.uniform(1, 1.3))  # noqa: S311 — as above
        async for kind, thing in self._api.watch(self._path, query, seconds):
            version = (thing.get("metadata") or {}).get("resourceVersion")
            if kind == "DELETED":
                self._ended(thing)
            if kind in {"ADDED", "MODIFIED", "DELETED"}:
                self._put(_key(thing), None if kind == "DELETED" else self._trim(thing))
            if version:
                self._version = str(version)
            self._failed = 0
            self._alive()

    def _ended(self, thing: Json) -> None:
        """An object is gone, and this was its last state."""

    def _put(self, key: Key, row: Row | None) -> None:
        old = self.rows.pop(key, None)
        if old is not None:
            for word in self._keys(old):
                found = self._index.get(word, {})
                found.pop(key, None)
                if not found:
                    self._index.pop(word, None)
        if row is not None:
            self.rows[key] = row
            for word in self._keys(row):
                self._index.setdefault(word, {})[key] = row


def _key(thing: Json) -> Key:
    about = thing.get("metadata") or {}
    return str(about.get("namespace") or ""), str(about.get("name") or "")
