"""What went through the endpoints of a profile: counts and times by second, a log of requests, what came of them.

A file of its own, so that recording never waits for the store. The gateway writes, at most once a second; everybody
reads. Seconds are kept for an hour, minutes for thirty days.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.database import Connection, Database
from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.serving.gateway.histogram import Histogram
from jupyter_ext.serving.gateway.records import (
    MIGRATIONS,
    Batch,
    Counts,
    Logged,
    Outcome,
    Window,
    read_id,
)

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

__all__ = ["Batch", "Counts", "Histogram", "Logged", "Outcome", "Traffic", "Window", "of"]

SECONDS_KEPT: Final = 3600
MINUTES_KEPT: Final = 30 * 86400
IDS_KEPT: Final = 7 * 86400
"""For how long feedback finds a request by an id that its sender chose."""
IDS_MOST: Final = 500_000
OUTCOMES_KEPT: Final = 90 * 86400
LOG_BYTES: Final = 256 << 20
"""What the logged bodies of one endpoint may take."""
SETTLE_SECONDS: Final = 2.5
"""The gateway writes once a second: feedback may come before its request is recorded."""
NAME_LIMIT: Final = 200

_WINDOW: Final = "start, seconds, variant, requests, errors, rejected, latency, in_flight, bytes_in, bytes_out, same, different"
_LOGGED: Final = "id, time, variant, path, status, seconds, unit, request, response, error"


class Traffic:
    """The traffic of one profile's endpoints, by the UID of the endpoint."""

    def __init__(self, cluster: LocalCluster | Path) -> None:
        path = cluster if isinstance(cluster, Path) else cluster.home / "traffic.sqlite"
        self.path = path
        self._database = Database(path, MIGRATIONS)

    # What the gateway writes

    def write(self, batch: Batch) -> None:
        """All of it or nothing. Raises KubeflowError when the disk is full."""
        with self._database.transaction() as connection:
            for (uid, second, variant), counts in batch.counts.items():
                _add(connection, (uid, 1, second, variant), counts)
                _add(connection, (uid, 60, second - second % 60, variant), counts)
            connection.executemany(
                "INSERT INTO activity VALUES (?, ?)"
                " ON CONFLICT DO UPDATE SET last = max(last, excluded.last)",
                batch.active.items(),
            )
            connection.executemany("INSERT OR REPLACE INTO served VALUES (?, ?, ?, ?, ?)", batch.served)
            connection.executemany(
                "INSERT INTO requests (uid, id, time, variant, path, status, seconds, unit, request, response, error)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(uid, *logged) for uid, logged in batch.logged],
            )
            for uid in {uid for uid, _ in batch.logged}:
                keep = batch.keep.get(uid, 10_000)
                connection.execute(
                    "DELETE FROM requests WHERE uid = ? AND number <= coalesce((SELECT number FROM requests"
                    " WHERE uid = ? ORDER BY number DESC LIMIT 1 OFFSET ?), 0)",
                    (uid, uid, max(keep, 1)),
                )

    def tidy(self, now: float | None = None) -> None:
        """Remove what is no longer kept."""
        moment = time.time() if now is None else now
        with self._database.transaction() as connection:
            old = ((1, _edge(moment)), (60, moment - MINUTES_KEPT))
            for uid in connection.execute("SELECT DISTINCT uid FROM windows").fetchall():
                for seconds, start in old:
                    connection.execute(
                        "DELETE FROM windows WHERE uid = ? AND seconds = ? AND start < ?",
                        (*uid, seconds, start),
                    )
            connection.execute("DELETE FROM served WHERE time < ?", (moment - IDS_KEPT,))
            connection.execute(
                "DELETE FROM served WHERE time < (SELECT time FROM served ORDER BY time DESC LIMIT 1 OFFSET ?)",
                (IDS_MOST,),
            )
            connection.execute("DELETE FROM outcomes WHERE time < ?", (moment - OUTCOMES_KEPT,))
            connection.execute(
                "DELETE FROM requests WHERE number IN (SELECT number FROM (SELECT number,"
                " sum(coalesce(length(request), 0) + coalesce(length(response), 0))"
                " OVER (PARTITION BY uid ORDER BY number DESC) AS size FROM requests) WHERE size > ?)",
                (LOG_BYTES,),
            )

    # Counts and times

    def windows(
        self,
        uid: str,
        since: float,
        until: float | None = None,
        variant: str | None = None,
        seconds: int = 1,
    ) -> list[Window]:
        """Counts from ``since`` to ``until`` in stretches of ``seconds``, oldest first, for each variant.

        What is more than an hour ago comes in stretches of at least a minute. Seconds without traffic are left out.
        """
        if seconds < 1 or (seconds > 60 and seconds % 60):
            raise Invalid(f"{seconds} is no length of a window", hint="1 to 60 seconds, or whole minutes.")
        fine = math.inf if seconds >= 60 else _edge(time.time())
        end = math.inf if until is None else until
        with self._database.reading() as connection, self._database.snapshot(connection):
            coarse = _rows(connection, (uid, 60), since - since % 60, min(end, fine), variant)
            exact = _rows(connection, (uid, 1), max(since, fine), end, variant) if fine < end else []
        return [*_grouped(coarse, max(seconds, 60)), *_grouped(exact, seconds)]

    def total(self, uid: str, variant: str | None = None, since: float | None = None) -> Window:
        """All there was of a variant, or of all of them, since a moment."""
        begin = since or 0.0
        with self._database.reading() as connection, self._database.snapshot(connection):
            whole = math.ceil(begin / 60) * 60
            rows = _rows(connection, (uid, 60), whole, math.inf, variant)
            rows += _rows(connection, (uid, 1), begin, whole, variant)
        found = Counts()
        for row in rows:
            found.merge(row)
        return _window(begin, max(time.time() - begin, 0.0), variant or "", found)

    def variants(self, uid: str) -> list[str]:
        """The names of all variants that had traffic, in the last thirty days."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT variant FROM windows WHERE uid = ? AND seconds = 60 ORDER BY variant", (uid,)
            )
            return [name for (name,) in rows]

    def last_request(self, uid: str) -> float | None:
        """When a user last asked the endpoint something, in seconds since the epoch."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT last FROM activity WHERE uid = ?", (uid,)).fetchone()
        return float(row[0]) if row else None

    # Variants that sleep and are asked for

    def want(self, uid: str, variant: str) -> None:
        """Say that a request waits for the variant."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO wanted VALUES (?, ?, ?)", (uid, variant, time.time()))

    def wanted(self, uid: str) -> set[str]:
        """The variants that requests wait for."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT variant FROM wanted WHERE uid = ?", (uid,)).fetchall()
        return {name for (name,) in rows}

    def cleared(self, uid: str, variant: str) -> None:
        """Nobody waits for it any more."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM wanted WHERE uid = ? AND variant = ?", (uid, variant))

    # Single requests

    def requests(
        self,
        uid: str,
        limit: int = 100,
        before: str | None = None,
        variant: str | None = None,
        failed: bool | None = None,
        search: str = "",
    ) -> list[Logged]:
        """Logged requests, newest first; ``before`` is the id of the last one that was seen already.

        ``search`` is looked for in id, path, error and bodies, whatever the case of its letters.
        """
        where = (
            "uid = :uid AND (:variant IS NULL OR variant = :variant)"
            " AND (:failed IS NULL OR (status >= 400 OR error IS NOT NULL) = :failed)"
            " AND (:before IS NULL OR number < (SELECT max(number) FROM requests WHERE uid = :uid AND id = :before))"
            " AND (:text = '' OR instr(lower(id || ' ' || path || ' ' || coalesce(error, '')), :text)"
            " OR instr(lower(CAST(coalesce(request, '') AS TEXT)), :text)"
            " OR instr(lower(CAST(coalesce(response, '') AS TEXT)), :text))"
        )
        asked = {"uid": uid, "variant": variant, "before": before, "text": search.lower(), "limit": limit}
        asked["failed"] = None if failed is None else int(failed)
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_LOGGED} FROM requests WHERE {where} ORDER BY number DESC LIMIT :limit",  # noqa: S608
                asked,
            )
            return [Logged(*row) for row in rows]

    def request(self, uid: str, id: str) -> Logged:  # noqa: A002
        """One logged request. Raises NotFound."""
        with self._database.reading() as connection:
            row = connection.execute(
                f"SELECT {_LOGGED} FROM requests WHERE uid = ? AND id = ? ORDER BY number DESC LIMIT 1",  # noqa: S608
                (uid, id),
            ).fetchone()
        if row is None:
            raise NotFound(
                f"The request {id[:80]!r} is not in the log",
                hint="It was not among the requests that are logged, or is no longer kept.",
            )
        return Logged(*row)

    def feedback(self, uid: str, request_id: str, name: str, value: float, patient: bool = True) -> Outcome:
        """Say what came of a request, as a number (true is 1); said again, the last word counts.

        Raises NotFound for an id that is unknown, after waiting for the gateway to record it; Invalid for what is
        no number.
        """
        number = _number(name, value)
        deadline = time.monotonic() + (SETTLE_SECONDS if patient else 0)
        while (found := self._served(uid, request_id)) is None:
            if time.monotonic() >= deadline:
                raise NotFound(
                    f"There is no request {request_id[:80]!r}",
                    hint="Its id is in the header X-Request-Id of the answer.",
                )
            time.sleep(0.05)
        variant, unit = found
        made = Outcome(variant, unit or request_id, number, time.time(), name, request_id)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO outcomes (variant, unit, value, time, name, request, uid)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*made, uid),
            )
        return made

    def _served(self, uid: str, request_id: str) -> tuple[str, str | None] | None:
        """The variant and the unit of a request."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT variant, unit FROM served WHERE uid = ? AND id = ?", (uid, request_id)
            ).fetchone()
            if row is None:
                row = connection.execute(
                    "SELECT variant, unit FROM requests WHERE uid = ? AND id = ?", (uid, request_id)
                ).fetchone()
        return (row[0], row[1]) if row else read_id(request_id)

    def outcomes(self, uid: str, name: str | None = None, since: float | None = None) -> list[Outcome]:
        """What came of requests, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT variant, unit, value, time, name, request FROM outcomes"
                " WHERE uid = ? AND (? IS NULL OR name = ?) AND time >= ? ORDER BY time",
                (uid, name, name, since or 0.0),
            )
            return [Outcome(*row) for row in rows]

    def outcome_names(self, uid: str) -> list[str]:
        """The names under which outcomes were posted."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT name FROM outcomes WHERE uid = ? ORDER BY name", (uid,)
            )
            return [found for (found,) in rows]

    def forget(self, *uids: str) -> None:
        """Remove everything of these endpoints."""
        with self._database.transaction() as connection:
            for table in ("windows", "activity", "wanted", "requests", "served", "outcomes"):
                connection.executemany(
                    f"DELETE FROM {table} WHERE uid = ?",  # noqa: S608
                    [(uid,) for uid in uids],
                )

    def close(self) -> None:
        """Close the calling thread's connection."""
        self._database.close()


_opened: Final[dict[Path, Traffic]] = {}
_guard: Final = threading.Lock()


def of(cluster: LocalCluster) -> Traffic:
    """The traffic of a profile: one object in this process."""
    path = cluster.home / "traffic.sqlite"
    with _guard:
        if path not in _opened or not path.exists():
            _opened[path] = Traffic(path)
        return _opened[path]


def _number(name: str, value: Any) -> float:
    if not name or len(name) > NAME_LIMIT:
        raise Invalid("An outcome has a name of 1 to 200 letters", where=Where(field=name[:40]))
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise Invalid(
            f"The outcome {name!r} must be a number, not {str(value)[:40]!r}",
            hint="Send a number, or true and false.",
        )
    return number


def _edge(moment: float) -> float:
    """The minute from which on seconds are kept."""
    return (moment - SECONDS_KEPT) // 60 * 60


class _Row(Counts):
    """Counts with their place in time."""

    __slots__ = ("start", "variant")
    start: int
    variant: str


def _add(connection: Connection, key: tuple[str, int, int, str], counts: Counts) -> None:
    found = _rows(connection, key[:2], key[2], key[2] + 1, key[3])
    total = counts
    if found:
        total = found[0]
        total.merge(counts)
    connection.execute(
        "INSERT OR REPLACE INTO windows (uid, seconds, start, variant, requests, errors, rejected, in_flight,"
        " bytes_in, bytes_out, same, different, latency) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(*key, total.requests, total.errors, total.rejected, total.in_flight),
            *(total.bytes_in, total.bytes_out, total.same, total.different, total.latency.to_bytes()),
        ),
    )


def _rows(
    connection: Connection, of: tuple[str, int], since: float, until: float, variant: str | None
) -> list[_Row]:
    statement = (
        f"SELECT {_WINDOW} FROM windows WHERE uid = ? AND seconds = ? AND start >= ? AND start < ?"  # noqa: S608
        " AND (? IS NULL OR variant = ?) ORDER BY start, variant"
    )
    last = min(until, 2**62)
    found = []
    for row in connection.execute(statement, (*of, since, last, variant, variant)):
        start, _, name, requests, errors, rejected, latency, in_flight, got, sent, same, different = row
        times = Histogram.from_bytes(latency)
        made = _Row(requests, errors, rejected, in_flight, got, sent, same, different, times)
        made.start, made.variant = start, name
        found.append(made)
    return found


def _grouped(rows: Iterable[_Row], seconds: int) -> Iterator[Window]:
    groups: dict[tuple[int, str], Counts] = {}
    for row in rows:
        key = (row.start - row.start % seconds, row.variant)
        if key in groups:
            groups[key].merge(row)
        else:
            groups[key] = row
    for (start, variant), counts in groups.items():
        yield _window(start, seconds, variant, counts)


def _window(start: float, seconds: float, variant: str, counts: Counts) -> Window:
    return Window(
        *(start, seconds, variant, counts.requests, counts.errors, counts.rejected, counts.latency),
        *(counts.in_flight, counts.bytes_in, counts.bytes_out, counts.same, counts.different),
    )
