"""Points over time (losses, utilisation), in a file of their own so that curves never block the store.

Names that begin with ``system/`` are measured, all others were reported: ``system/cpu`` in cores,
``system/memory`` in bytes, ``system/gpu/0`` from 0 to 1, ``system/gpu-memory/0`` in bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from jupyter_ext.cluster.local.database import Connection, Database

MIGRATIONS: Final[tuple[tuple[str, str], ...]] = (
    (
        "series and their points",
        """
        -- The newest point of each series lies beside its name: a table of last values reads no points.
        CREATE TABLE series (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            uid TEXT NOT NULL, name TEXT NOT NULL, rank INTEGER NOT NULL, last REAL,
            UNIQUE (uid, name, rank)
        );
        -- The id is the cursor of readers; a deleted one is never given again.
        CREATE TABLE points (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            series INTEGER NOT NULL, value REAL, step REAL, time REAL NOT NULL
        );
        CREATE INDEX points_of ON points (series, id);
        """,
    ),
    (
        "how far the sources of points have been read",
        """
        CREATE TABLE marks (uid TEXT, source TEXT, position INTEGER NOT NULL, PRIMARY KEY (uid, source)) WITHOUT ROWID;
        """,
    ),
)
_NAN: Final = float("nan")
_COLUMNS: Final = "id, value, step, time"


class Point(NamedTuple):
    """One value of one rank. ``time`` in seconds since the epoch."""

    name: str
    value: float
    step: float | None
    rank: int
    time: float


class Page(NamedTuple):
    """Points by name, rank and age, and where the next read goes on (``since``)."""

    cursor: int
    points: list[Point]


class Metrics:
    """The curves of everything in one profile."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, MIGRATIONS)

    def append(
        self,
        uid: str,
        points: Iterable[Point],
        marks: Mapping[str, int] | None = None,
        after: Mapping[str, int] | None = None,
    ) -> bool:
        """Add points of one resource, in one transaction.

        ``marks`` says how far the sources were read that gave them: whoever goes on after a crash neither loses a
        point nor counts one twice. With ``after`` they are added only where the sources have been read just as far as
        that, so that of several readers one counts. Whether they were added.
        """
        found: dict[tuple[str, int], list[Point]] = {}
        for point in points:
            found.setdefault((point.name, point.rank), []).append(point)
        if not found and not marks:
            return True
        with self._database.transaction() as connection:
            if after and not _are(connection, uid, after):
                return False
            for (name, rank), news in found.items():
                row = connection.execute(
                    "INSERT INTO series (uid, name, rank, last) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET last = excluded.last RETURNING id",
                    (uid, name, rank, news[-1].value),
                ).fetchone()
                connection.executemany(
                    "INSERT INTO points (series, value, step, time) VALUES (?, ?, ?, ?)",
                    [(row[0], point.value, point.step, point.time) for point in news],
                )
            connection.executemany(
                "INSERT OR REPLACE INTO marks VALUES (?, ?, ?)",
                [(uid, source, position) for source, position in (marks or {}).items()],
            )
        return True

    def marks(self, uid: str) -> dict[str, int]:
        """How far each source has been read."""
        with self._database.reading() as connection:
            return dict(
                connection.execute("SELECT source, position FROM marks WHERE uid = ?", (uid,)).fetchall()
            )

    def read(
        self, uid: str, *, since: int = 0, names: Iterable[str] | None = None, limit: int = 2000
    ) -> Page:
        """The points after the cursor ``since``.

        Beyond ``limit`` for a series they are thinned evenly: the first, the last, and the lowest and highest of
        each stretch in between stay.
        """
        wanted = None if names is None else frozenset(names)
        with self._database.reading() as connection, self._database.snapshot(connection):
            cursor = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'points'").fetchone()
            rows = connection.execute(
                "SELECT id, name, rank FROM series WHERE uid = ? ORDER BY name, rank", (uid,)
            ).fetchall()
            points = [
                Point(name, _NAN if value is None else value, step, rank, time)
                for series, name, rank in rows
                if wanted is None or name in wanted
                for _, value, step, time in _series(connection, series, since, max(limit, 2))
            ]
        return Page(cursor[0] if cursor else 0, points)

    def last(self, uid: str) -> dict[str, float]:
        """The newest value of each name; that of the lowest rank which has one."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT name, last FROM series WHERE uid = ? ORDER BY name, rank DESC", (uid,)
            ).fetchall()
        return {name: _NAN if value is None else value for name, value in rows}

    def uids(self) -> set[str]:
        """Every resource that has points here."""
        with self._database.reading() as connection:
            return {
                uid for (uid,) in connection.execute("SELECT uid FROM series UNION SELECT uid FROM marks")
            }

    def forget(self, *uids: str) -> None:
        """Remove all points of these resources."""
        known = self.uids() if len(uids) > 1 else set(uids)
        gone = [(uid,) for uid in set(uids) & known]
        if not gone:
            return
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM points WHERE series IN (SELECT id FROM series WHERE uid = ?)", gone
            )
            connection.executemany("DELETE FROM series WHERE uid = ?", gone)
            connection.executemany("DELETE FROM marks WHERE uid = ?", gone)

    def close(self) -> None:
        """Close the calling thread's connection."""
        self._database.close()


def _are(connection: Connection, uid: str, positions: Mapping[str, int]) -> bool:
    """Whether the sources have been read as far as that; 0 where they were not at all."""
    known = dict(connection.execute("SELECT source, position FROM marks WHERE uid = ?", (uid,)).fetchall())
    return all(known.get(source, 0) == position for source, position in positions.items())


Row = tuple[int, float | None, float | None, float]


def _series(connection: Connection, series: int, since: int, limit: int) -> list[Row]:
    where = "FROM points WHERE series = ? AND id > ?"
    count = connection.execute(f"SELECT count(*) {where}", (series, since)).fetchone()[0]
    if count <= limit:
        return connection.execute(f"SELECT {_COLUMNS} {where} ORDER BY id", (series, since)).fetchall()
    kept: dict[int, Row] = {}
    stretches = max((limit - 2) // 2, 1)
    numbered = (
        f"SELECT {_COLUMNS}, (row_number() OVER (ORDER BY id) - 1) * {stretches} / {count} AS stretch {where}"
    )
    for extreme in ("min", "max"):
        # SQLite takes the other columns from the row that has the extreme.
        for row in connection.execute(
            f"SELECT {_COLUMNS}, {extreme}(value) FROM ({numbered}) GROUP BY stretch", (series, since)
        ):
            kept[row[0]] = row[:4]
    for order in ("ASC", "DESC"):
        row = connection.execute(
            f"SELECT {_COLUMNS} {where} ORDER BY id {order} LIMIT 1", (series, since)
        ).fetchone()
        kept[row[0]] = row
    return [kept[key] for key in sorted(kept)]
