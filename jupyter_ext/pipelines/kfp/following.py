"""The runs of a Kubeflow Pipelines server, kept up to date for whoever lists them: one poll for any number of readers.

The server tells of no changes by itself, so it is asked for its newest page while somebody lists, and not else. Older runs are
fetched when a list goes that far. A run is known by its identity: names at Kubeflow Pipelines are for people.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import KubeflowError, Unavailable
from jupyter_ext.pipelines.kfp import place
from jupyter_ext.pipelines.kfp.handle import FAILED, KfpRun

if TYPE_CHECKING:
    from jupyter_ext.pipelines.kfp.server import Json, Server

READY_SECONDS: Final = 8.0
"""For the first answer; who lists sees what there is else after that, and why this is not in it."""
LEASE_SECONDS: Final = 60.0
"""After the last list nobody looks any more, and the server is left alone."""
BUSY_SECONDS: Final = 3.0
QUIET_SECONDS: Final = 15.0
"""Between two looks: while a run goes on, and else."""
AWAY_SECONDS: Final = (2.0, 60.0)
"""Before the next try at a server that does not answer: first and longest."""
ABSENT_SECONDS: Final = 30.0
PATIENCE: Final = 10.0
POLLED: Final = 25
"""The newest, that each look asks for."""
OLDER: Final = 100
EXPLAINED: Final = 5
"""Failed ones of the newest, of which each look finds out why: their logs are read, once."""
DEEPEST: Final = 1000
"""Runs that are kept, and so listed, at most."""

_PIPELINE: Final = ("pipeline_spec", "pipeline_version_reference", "run_details")

Change = Callable[[str, Resource], None]
"""Told of ADDED, MODIFIED and DELETED, in the thread that found it."""
State = Literal["loading", "ready", "absent", "away"]


@dataclass(frozen=True, slots=True)
class Line:
    """A run as a list shows it, and the server's own words, by which a change is seen.

    ``is_explained``: its log was asked why it failed, or need not be.
    """

    resource: Resource
    words: str
    is_explained: bool = False

    @property
    def place(self) -> tuple[str, str]:
        """In a list."""
        return self.resource.created, self.resource.name


class Following:
    """The runs of the server that runs go to now; a subclass: something else of it. Any thread may ask.

    ``floor`` is the version of what they are listed with: each change here gets a greater one. ``turned`` is called when
    the server has gone away, or is back.
    """

    kind: ClassVar[str] = "Run"
    what: ClassVar[str] = "runs"
    identity: ClassVar[str] = "run_id"

    def __init__(
        self, changed: Change | None = None, turned: Callable[[], None] | None = None,
        floor: Callable[[], int] | None = None,
    ) -> None:  # fmt: skip
        self.version = 0
        self.notice = ""
        """Why what is listed is not all there is, in a sentence; empty where it is."""
        self._changed = changed or (lambda _type, _resource: None)
        self._turned = turned or (lambda: None)
        self._floor = floor or (lambda: 0)
        self._lines: dict[str, Line] = {}
        self._server: Server | None = None
        self._state: State = "loading"
        self._looks = 0
        self._was_late = False
        self._older = ""
        self._asked = time.monotonic()
        self._guard = threading.Condition()
        self._turn = threading.Lock()
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubeflow-kfp", daemon=True)

    def start(self) -> Following:
        """Begin to look."""
        self._thread.start()
        return self

    def stop(self, timeout: float = 0.0) -> None:
        """End it; waits so long for the thread."""
        self._stopped.set()
        self._wake.set()
        if timeout:
            self._thread.join(timeout)

    @property
    def mark(self) -> str:
        """Names what a list shows now."""
        return f"{id(self)}@{self.version}{self.notice}"

    # Reading

    def shows(self, seconds: float = READY_SECONDS) -> bool:
        """Whether there is a server; waits for the first look, and for a new one where nobody has listed for long."""
        now = time.monotonic()
        lapsed, self._asked = now - self._asked > LEASE_SECONDS, now
        with self._guard:
            seen = self._looks if lapsed else 0
            if lapsed:
                self._wake.set()
            if not self._guard.wait_for(lambda: self._looks > seen, seconds) and self._state == "loading":
                self._was_late = True
                self.notice = f"Kubeflow Pipelines has not answered yet, so its {self.what} are not listed."
            return self._state != "absent"

    def looked(self) -> None:
        """Somebody still shows them, who lists them again only when told of a change."""
        lapsed, self._asked = time.monotonic() - self._asked > LEASE_SECONDS, time.monotonic()
        if lapsed:
            self._wake.set()

    def newest(self) -> Iterator[Resource]:
        """All of them, the newest first; older ones are fetched as they are asked for."""
        last: tuple[str, str] | None = None
        while True:
            with self._guard:
                lines = sorted(self._lines.values(), key=lambda line: line.place, reverse=True)
            for line in lines:
                if last is None or line.place < last:
                    last = line.place
                    yield line.resource
            if not self._extend():
                return

    def get(self, identity: str) -> Resource | None:
        """One that is known, as in a list."""
        line = self._lines.get(identity)
        return line.resource if line else None

    def version_of(self, identity: str) -> int:
        """Of its last change; of one that is not known yet, that of all."""
        line = self._lines.get(identity)
        return line.resource.resource_version if line else self.version

    # Steering

    def soon(self) -> None:
        """Look now: something was done to them."""
        self._wake.set()

    def drop(self, identity: str) -> None:
        """Know it no more: it was deleted."""
        with self._turn:  # an answer that is on its way may still have it
            line = self._lines.pop(identity, None)
            if line is not None:
                self.version = self._next()
                self._changed("DELETED", line.resource.with_(resource_version=self.version))
        self.soon()

    # Following

    def _run(self) -> None:
        pause = AWAY_SECONDS[0]
        while not self._stopped.is_set():
            wait: float | None = None
            if time.monotonic() - self._asked <= LEASE_SECONDS:
                try:
                    wait = self._look()
                    pause = AWAY_SECONDS[0]
                except Exception as error:
                    said = str(error) if isinstance(error, KubeflowError) else _unreadable(error)
                    self._become("away", f"{said.rstrip('.')}. What is listed of it is as last seen.")
                    wait, pause = pause, min(pause * 2, AWAY_SECONDS[1])
            self._wake.wait(wait)
            self._wake.clear()

    def _become(self, state: State, notice: str = "") -> None:
        with self._guard:
            turned = self._was_late or (self._looks > 0 and self._state != state)
            self._state, self.notice, self._was_late = state, notice, False
            self._looks += 1
            self._guard.notify_all()
        if turned:
            self._turned()

    def _look(self) -> float:
        """Ask once; gives the seconds until the next time."""
        with self._turn:
            self._server = server = place.server()
            if server is None:
                self._empty()
                self._become("absent")
                return ABSENT_SECONDS
            found, token = self._page(server, POLLED)
            while token and len(found) < DEEPEST and self._goes_on_below(found):
                more, token = self._page(server, OLDER, token)
                found += more
            self._take(server, found, token)
        self._become("ready")
        return BUSY_SECONDS if self._is_busy(server, found) else QUIET_SECONDS

    # What a subclass does otherwise

    def _page(self, server: Server, size: int, token: str = "") -> tuple[list[Json], str]:
        return server.run_page(size, token, PATIENCE)

    def _is_busy(self, server: Server, found: list[Json]) -> bool:
        """Whether the next look should be soon; there is time to find out more, too."""
        if self._explain(server, [str(run[self.identity]) for run in found[:POLLED]]):
            return True
        return any(not line.resource.finished for line in [*self._lines.values()])

    def _explain(self, server: Server, newest: list[str]) -> bool:
        """Find out why some of them failed, where a list's answer does not say; whether there are more."""
        lines = [(key, line) for key in newest if (line := self._lines.get(key)) is not None]
        wanted = [
            (key, line) for key, line in lines if not line.is_explained and _is_open(line.resource, server)
        ]
        for key, line in wanted[:EXPLAINED]:
            if self._stopped.is_set():
                return False
            found = _told(server, json.loads(line.words), ask=True).with_(name=key)
            with self._turn, self._guard:
                if self._lines.get(key) is not line:
                    continue
                is_news = found.status != line.resource.status
                if is_news:
                    self.version = self._next()
                found = found.with_(resource_version=self.version) if is_news else line.resource
                self._lines[key] = Line(found, line.words, is_explained=True)
            if is_news:
                self._changed("MODIFIED", found)
        return len(wanted) > EXPLAINED

    def _goes_on_below(self, found: list[Json]) -> bool:
        """Whether one that is older than these has not ended yet, as far as is known."""
        last = str(found[-1].get("created_at") or "") if found else ""
        return any(
            not line.resource.finished and line.resource.created < last for line in [*self._lines.values()]
        )

    def _take(self, server: Server, found: list[Json], token: str) -> None:
        """Make what is known into what was found, and tell what is not as it was."""
        told: list[tuple[str, Resource]] = []
        fresh = {str(run[self.identity]): self._line(server, run) for run in found}
        last = str(found[-1].get("created_at") or "") if token else ""
        with self._guard:
            is_first = self._state != "ready" and not self._lines
            before = dict(self._lines)
            if not fresh.keys() & before.keys():
                # So many came at once that what lies between is not known: it is fetched when a list goes there.
                kept: dict[str, Line] = {}
            else:
                kept = {
                    key: line
                    for key, line in before.items()
                    if key not in fresh and line.resource.created < last
                }
            if not kept:
                self._older = token
            self._lines = kept
            for key, line in fresh.items():
                old = before.get(key)
                if old is not None and old.words == line.words:
                    self._lines[key] = old
                    continue
                self.version = self._next()
                resource = line.resource.with_(resource_version=self.version)
                self._lines[key] = replace(line, resource=resource)
                told.append(("MODIFIED" if old else "ADDED", resource))
            for key, line in before.items():
                if key not in self._lines and line.resource.created >= last:
                    self.version = self._next()
                    told.append(("DELETED", line.resource.with_(resource_version=self.version)))
        if not is_first:
            for change, resource in told:
                self._changed(change, resource)

    def _extend(self) -> bool:
        """Fetch a page of older ones; whether there are more now."""
        with self._turn:
            server = self._server
            if server is None or not self._older or len(self._lines) >= DEEPEST:
                return False
            try:
                found, token = self._page(server, OLDER, self._older)
            except KubeflowError:
                return False
            lines = {str(run[self.identity]): self._line(server, run) for run in found}
            with self._guard:
                self._older = token
                for key, line in lines.items():
                    resource = line.resource.with_(resource_version=self.version)
                    self._lines.setdefault(key, Line(resource, line.words))
        return bool(found)

    def _line(self, server: Server, run: Mapping[str, Any]) -> Line:
        words = json.dumps(
            {key: value for key, value in run.items() if key != "state_history"}, sort_keys=True
        )
        known = self._lines.get(str(run[self.identity]))
        if known is not None and known.words == words:
            return known
        return Line(_told(server, run).with_(name=str(run[self.identity])), words)

    def _next(self) -> int:
        with suppress(KubeflowError):
            return max(self.version, self._floor()) + 1
        return self.version + 1

    def _empty(self) -> None:
        with self._guard:
            before, self._lines, self._older = self._lines, {}, ""
            if before:
                self.version = self._next()
        for line in before.values():
            self._changed("DELETED", line.resource.with_(resource_version=self.version))


def _is_open(run: Resource, server: Server) -> bool:
    """Whether why it failed may be said by a log, or by a pod where those can be seen."""
    failed = [step for step in run.status.get("steps", ()) if step["state"] == "FAILED"]
    said = run.reason != FAILED if not failed else all(step.get("error") for step in failed)
    return run.phase == "FAILED" and not said and (bool(failed) or server.cluster is not None)


def _told(server: Server, run: Mapping[str, Any], *, ask: bool = False) -> Resource:
    """The run as a line. One whose pipeline nobody here can read, or that one may not see, is listed without its steps."""
    try:
        return KfpRun.of(server, run).told(run, is_line=True, ask=ask)
    except Unavailable:
        raise
    except Exception:
        bare = {key: value for key, value in run.items() if key not in _PIPELINE}
        return KfpRun.of(server, bare).told(bare, is_line=True)


def _unreadable(error: Exception) -> str:
    return f"What Kubeflow Pipelines says of its runs cannot be read ({type(error).__name__}: {error})"
