"""Following changes: one request for each kind that stays open, taken up again where it ended.

`Watch (meta/v1)`: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.answers import WatchEvent
from jupyter_ext.cluster.kube.objects import read
from jupyter_ext.cluster.kube.streaming import Reader
from jupyter_ext.errors import Gone, Invalid, KubeflowError, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.kinds import Served
    from jupyter_ext.cluster.kube.transport import Transport

LASTS: Final = 290
"""Seconds that one request is asked to stay open; API servers end them after 5 to 10 minutes anyway."""
SILENCE: Final = 150.0
"""Seconds without a word: bookmarks come each minute, so nobody is there any more."""
PATIENCE: Final = 120.0
"""Seconds for which a watch looks for a server that went away: it was there a moment ago, for the list or the kinds."""
WAITING: Final = 1000
"""Changes that wait for who follows them; then the API server waits."""
_LOOK: Final = 0.1
_PAUSES: Final = (0.1, 5.0)

Positions = dict[str, int]


def positions(since: int | str, kinds: list[str]) -> Positions:
    """Where each kind's watch begins: ``since`` is one number for all, or an event's ``position``. Raises Invalid."""
    text = str(since)
    if text.isdecimal() and text.isascii():
        return dict.fromkeys(kinds, int(text))
    found: Positions = {}
    for part in text.split(","):
        kind, _, number = part.partition("=")
        if not (number.isdecimal() and number.isascii()):
            raise Invalid(f"{since!r} is no place to watch from", where=Where(field="since"))
        found[kind] = int(number)
    return {kind: found.get(kind, min(found.values())) for kind in kinds}


def position(at: Positions) -> int | str:
    """The inverse."""
    if len(at) == 1:
        return next(iter(at.values()))
    return ",".join(f"{kind}={number}" for kind, number in at.items())


def follow(
    transport: Transport,
    served: Mapping[str, Served],
    namespace: str,
    at: Positions,
    *,
    timeout: float | None,
    stop: threading.Event,
    light: bool,
) -> Iterator[WatchEvent]:
    """Changes after ``at``. Raises Gone when that is too long ago, Unavailable when the server stays away."""
    changes: queue.Queue[tuple[str, Any]] = queue.Queue(WAITING)
    watches = [
        _Watch(transport, kind, one.path(namespace), at[kind], changes, timeout)
        for kind, one in served.items()
    ]
    deadline = None if timeout is None else time.monotonic() + timeout
    running = len(watches)
    try:
        for watch in watches:
            watch.start()
        while running and not stop.is_set():
            # Without a time to wait for what comes, each request is ended by the server when all that is there was sent.
            left = _LOOK if not deadline or not timeout else min(_LOOK, deadline - time.monotonic())
            if left <= 0:
                return
            try:
                kind, change = changes.get(timeout=left)
            except queue.Empty:
                continue
            if change is None:
                running -= 1
            elif isinstance(change, Exception):
                raise change
            else:
                resource = read(kind, change["object"], light=light)
                at[kind] = max(at[kind], resource.resource_version)
                yield WatchEvent(change["type"], resource, position(at))
    finally:
        for watch in watches:
            watch.end()


class _Watch(Reader):
    """One kind: its changes go into the queue, then None when it has ended, or the error with which it did."""

    def __init__(
        self, transport: Transport, kind: str, path: str, since: int, changes: queue.Queue[tuple[str, Any]],
        timeout: float | None,
    ) -> None:  # fmt: skip
        super().__init__(f"kubeflow-watch-{kind}", transport, path)
        self._kind, self._since, self._changes, self._timeout = kind, since, changes, timeout

    def run(self) -> None:
        """Watch until there is nothing to wait for."""
        try:
            self._follow()
            self._put(None)
        except KubeflowError as error:
            self._put(error)
        except Exception as error:
            self._put(Unavailable(f"The watch of {self._path} broke: {error}"))

    def _put(self, change: Any) -> None:
        self._give(self._changes, (self._kind, change))

    def _follow(self) -> None:
        pause, since_answer = _PAUSES[0], time.monotonic()
        while not self._over.is_set():
            before = time.monotonic()
            try:
                for line in self._lines():
                    self._take(line)
                    since_answer = time.monotonic()
            except Unavailable:
                if time.monotonic() - since_answer > PATIENCE:
                    raise
            else:
                since_answer = time.monotonic()
                if self._timeout == 0:
                    return
            lasted = time.monotonic() - before
            pause = _PAUSES[0] if lasted > 1 else min(pause * 2, _PAUSES[1])
            self._over.wait(pause)

    def _lines(self) -> Iterator[bytes]:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(self._since),
            "timeoutSeconds": str(1 if self._timeout == 0 else LASTS),
        }
        return self._asked(query, SILENCE)

    def _take(self, line: bytes) -> None:
        import orjson

        try:
            change = orjson.loads(line)
            kind, thing = change["type"], change["object"]
            if kind == "ERROR":
                self._refused(thing)
                return
            version = int(thing["metadata"]["resourceVersion"])
        except (ValueError, KeyError, TypeError):
            return  # the line was cut with the connection: what it said comes again
        self._since = max(self._since, version)
        if kind in {"ADDED", "MODIFIED", "DELETED"}:
            self._put(change)

    def _refused(self, status: Mapping[str, Any]) -> None:
        if status.get("code") == 410 or status.get("reason") in {"Expired", "Gone"}:
            raise Gone(
                f"The changes after {self._since} are no longer kept", hint="List again and watch from there."
            )
        if status.get("code") in {401, 403}:
            raise Unavailable(str(status.get("message") or "The watch was refused"))
