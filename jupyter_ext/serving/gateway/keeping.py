"""What the gateway in a pod has counted, kept in the profile's store: the pod that comes after it goes on from there.

A document for each endpoint, written each minute while there is something new, and when the pod ends. Whose pod is killed
loses the last minute. Without a store each pod counts anew, and ``since`` says from when.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.errors import KubeflowError, NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from jupyter_ext.serving.traffic import Traffic
    from jupyter_ext.store import Store

EVERY: Final = 60.0
LOG_BYTES: Final = 24 << 20
"""Of logged bodies, the newest: a document has 64 MB at most."""
_KEYED: Final = ("windows", "activity", "served", "outcomes")


class Keeper:
    """Of one endpoint; any thread may call. Nothing is raised: what cannot be kept is said once."""

    def __init__(self, traffic: Traffic, place: Store | None) -> None:
        self.since = time.time()
        """From when on all is counted that is told."""
        self._begun = self.since
        self._traffic, self._place = traffic, place
        self._name = self._uid = ""
        self._seen: datetime | None = None
        self._written: tuple[int, ...] = ()
        self._trouble = ""
        self._one = threading.Lock()

    def begin(self, uid: str) -> None:
        """Go on from where the pod before this one was, or this one's container."""
        self._uid, self._name = uid, f"serving/{uid}/traffic.gz"
        with suppress(OSError, ValueError, TypeError):
            self.since = float(json.loads(self._mine.read_text()))
            self._begun = 0.0  # of what this pod has itself the store knows less
        self._try(self._take)
        self._note()

    @property
    def _mine(self) -> Path:
        """Where this pod's next container finds from when on it counts."""
        return self._traffic.path.with_name(f"since-{self._uid}.json")

    def _note(self) -> None:
        with suppress(OSError):
            self._mine.write_text(json.dumps(self.since))

    def save(self) -> None:
        """Write what is there, if it is more than was written before."""
        if self._place is not None and self._uid:
            self._try(self._save)

    def forget(self) -> None:
        """The endpoint was deleted."""
        if self._place is not None and self._uid:
            place, name = self._place, self._name
            self._try(lambda: place.remove(name))

    def _try(self, call: Callable[[], None]) -> None:
        trouble = ""
        try:
            with self._one:
                call()
        except (KubeflowError, OSError, EOFError, sqlite3.Error, ValueError) as error:
            trouble = " ".join(str(error).split())
        if trouble and trouble != self._trouble:
            print(f"What was counted cannot be kept: {trouble}", flush=True)  # noqa: T201
        self._trouble = trouble

    def _save(self) -> None:
        assert self._place is not None
        self._take()  # another pod's last words, while this one began
        if (now := _extent(self._traffic.path, self._uid)) == self._written:
            return
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder) / "traffic"
            pack(self._traffic.path, self._uid, self.since, packed)
            self._place.write(self._name, gzip.compress(packed.read_bytes(), 3))
        self._written, self._seen = now, self._place.about(self._name).changed

    def _take(self) -> None:
        """What another has written since this one looked last."""
        if self._place is None:
            return
        try:
            changed = self._place.about(self._name).changed
            if changed == self._seen:
                return
            with tempfile.TemporaryDirectory() as folder:
                packed = Path(folder) / "traffic"
                packed.write_bytes(gzip.decompress(self._place.get(self._name)))
                self.since = min(self.since, unpack(packed, self._traffic.path, self._begun))
            self._seen = changed
            self._note()
        except NotFound:
            pass  # the first pod


def pack(source: Path, uid: str, since: float, target: Path) -> None:
    """One endpoint's part of what was recorded, as a file of SQLite's."""
    with closing(sqlite3.connect(target, isolation_level=None)) as made:
        made.execute("ATTACH ? AS live", (str(source),))
        made.execute("BEGIN")
        for table in _KEYED:
            made.execute(f"CREATE TABLE {table} AS SELECT * FROM live.{table} WHERE uid = ?", (uid,))  # noqa: S608
        made.execute(
            "CREATE TABLE requests AS SELECT * FROM live.requests WHERE number IN (SELECT number FROM"
            " (SELECT number, sum(length(coalesce(request, '')) + length(coalesce(response, '')) + 300)"
            " OVER (ORDER BY number DESC) AS size FROM live.requests WHERE uid = ?) WHERE size <= ?) ORDER BY number",
            (uid, LOG_BYTES),
        )
        made.execute("CREATE TABLE about AS SELECT ? AS since", (since,))
        made.execute("COMMIT")


def unpack(source: Path, target: Path, begun: float) -> float:
    """Add what another pod recorded to what this one has since ``begun``; gives since when that is.

    A window that was over by then is the other's alone, and what it says later of it is more than it said before.
    """
    with closing(sqlite3.connect(target, isolation_level=None, timeout=30)) as live:
        live.execute("PRAGMA trusted_schema = OFF")  # the file comes from a bucket
        live.execute("ATTACH ? AS kept", (str(source),))
        live.execute("BEGIN IMMEDIATE")
        for table in _KEYED:
            names = ", ".join(_columns(live, table))
            over, more = ("REPLACE", " WHERE start + seconds <= ?") if table == "windows" else ("IGNORE", "")
            statement = f"INSERT OR {over} INTO {table} ({names}) SELECT {names} FROM kept.{table}"  # noqa: S608
            live.execute(statement + more, (begun,) if more else ())
            if more:
                late = statement.replace("REPLACE", "IGNORE")
                live.execute(f"{late} WHERE start + seconds > ?", (begun,))
        names = ", ".join(name for name in _columns(live, "requests") if name != "number")
        live.execute(
            f"INSERT INTO requests ({names}) SELECT {names} FROM kept.requests AS other WHERE NOT EXISTS"  # noqa: S608
            " (SELECT 1 FROM main.requests AS own WHERE own.uid = other.uid AND own.id = other.id"
            " AND own.time = other.time) ORDER BY number"
        )
        (since,) = live.execute("SELECT since FROM kept.about").fetchone()
        live.execute("COMMIT")
    return float(since)


def _columns(live: sqlite3.Connection, table: str) -> list[str]:
    """Those that both have: another pod's may be of another version."""
    found = [
        [row[1] for row in live.execute(f"PRAGMA {schema}.table_info({table})")]
        for schema in ("main", "kept")
    ]
    return [name for name in found[0] if name in found[1]]


def _extent(path: Path, uid: str) -> tuple[int, ...]:
    """What grows with whatever is recorded."""
    with closing(sqlite3.connect(path, timeout=30)) as live:
        asked = (
            "SELECT coalesce(sum(requests + same + different), 0) FROM windows WHERE seconds = 60 AND uid = ?",
            "SELECT coalesce(max(number), 0) FROM requests WHERE uid = ?",
            "SELECT coalesce(sum(time * 1000), 0) FROM outcomes WHERE uid = ?",
        )
        return tuple(int(live.execute(text, (uid,)).fetchone()[0]) for text in asked)
