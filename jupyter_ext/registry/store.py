"""Records in SQLite: what a registry knows. Rules of the single kinds are in ``service``."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.local.database import Connection, Database
from jupyter_ext.errors import Conflict, Where
from jupyter_ext.registry import metadata
from jupyter_ext.registry.condition import condition
from jupyter_ext.registry.entities import KINDS, Kind
from jupyter_ext.registry.grammar import Expression
from jupyter_ext.registry.paging import Paging
from jupyter_ext.registry.schema import MIGRATIONS

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Record:
    """One record. Times are in milliseconds since the epoch; ``custom`` maps names to ``MetadataValue``."""

    id: int
    kind: str
    parent: int | None
    name: str
    external_id: str | None
    created: int
    updated: int
    fields: dict[str, Any]
    custom: dict[str, metadata.Property]


_NEXT: Final = (
    "1 + max(ifnull((SELECT max(change) FROM records), 0), ifnull((SELECT max(change) FROM removed), 0))"
)
_COLUMNS: Final = "r.id, r.kind, r.parent, r.name, r.external_id, r.created, r.updated, r.fields, r.custom"


def _record(row: tuple[Any, ...]) -> Record:
    key, kind, parent, name, external, created, updated, fields, custom = row
    return Record(key, kind, parent, name, external, created, updated, json.loads(fields), json.loads(custom))


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Store:
    """One file. Every method is atomic; ``transaction`` makes several of them one."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._database = Database(self.path, MIGRATIONS)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes within happen, or none."""
        with self._database.transaction():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads within see the same state."""
        with self._database.reading() as connection, self._database.snapshot(connection):
            yield

    def insert(
        self,
        kind: Kind,
        name: str,
        fields: Mapping[str, Any],
        custom: Mapping[str, metadata.Property],
        *,
        parent: int | None = 0,
        external_id: str | None = None,
    ) -> Record:
        """Add a record. Raises Conflict where its name or external id is taken."""
        now = time.time_ns() // 1_000_000
        with self._database.transaction() as connection:
            try:
                row = connection.execute(
                    "INSERT INTO records"  # noqa: S608 - our own constants only
                    " (kind, family, parent, name, external_id, created, updated, fields, custom, change)"
                    f" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, {_NEXT}) RETURNING id",
                    (
                        kind.name,
                        kind.family,
                        parent,
                        name,
                        external_id,
                        now,
                        now,
                        _text(fields),
                        _text(custom),
                    ),
                ).fetchone()
            except sqlite3.IntegrityError as error:
                raise _taken(error, kind, name, external_id) from None
            _index(connection, row[0], custom)
        return Record(row[0], kind.name, parent, name, external_id, now, now, dict(fields), dict(custom))

    def update(
        self,
        record: Record,
        fields: Mapping[str, Any],
        custom: Mapping[str, metadata.Property],
        external_id: str | None,
    ) -> Record:
        """Replace what may change. Raises Conflict where the external id is taken."""
        now = max(time.time_ns() // 1_000_000, record.updated)
        with self._database.transaction() as connection:
            try:
                connection.execute(
                    f"UPDATE records SET fields = ?, custom = ?, external_id = ?, updated = ?, change = {_NEXT}"  # noqa: S608 - our own constants only
                    " WHERE id = ?",
                    (_text(fields), _text(custom), external_id, now, record.id),
                )
            except sqlite3.IntegrityError as error:
                raise _taken(error, KINDS[record.kind], record.name, external_id) from None
            if custom != record.custom:
                connection.execute("DELETE FROM properties WHERE record = ?", (record.id,))
                _index(connection, record.id, custom)
        return Record(
            record.id, record.kind, record.parent, record.name, external_id,
            record.created, now, dict(fields), dict(custom),
        )  # fmt: skip

    def get(self, kinds: Sequence[str], record_id: int) -> Record | None:
        """The record with this id, if it is of one of the kinds."""
        with self._database.reading() as connection:
            query = f"SELECT {_COLUMNS} FROM records r WHERE id = ?"  # noqa: S608 - our own constants only
            row = connection.execute(query, (record_id,)).fetchone()
        return _record(row) if row is not None and row[1] in kinds else None

    def find(
        self,
        kinds: Sequence[str],
        *,
        name: str | None = None,
        parent: int | None = None,
        context: int | None = None,
        external_id: str | None = None,
    ) -> list[Record]:
        """At most two records that have all that is given. ``context``: what they are attributed to."""
        marks = ", ".join("?" * len(kinds))
        query = [f"SELECT {_COLUMNS} FROM records r WHERE kind IN ({marks})"]  # noqa: S608 - our own constants only; values are bound
        values: list[Any] = [*kinds]
        for column, value in (("name", name), ("parent", parent), ("external_id", external_id)):
            if value is not None:
                query.append(f"AND {column} = ?")
                values.append(value)
        if context is not None:
            query.append("AND id IN (SELECT record FROM attributions WHERE context = ?)")
            values.append(context)
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(" ".join([*query, "LIMIT 2"]), values)]

    def list(
        self,
        kinds: Sequence[Kind],
        *,
        paging: Paging | None = None,
        where: Expression | None = None,
        parent: int | None = None,
        context: int | None = None,
        extra: tuple[str, list[Any]] | None = None,
    ) -> tuple[list[Record], bool]:
        """A page, and whether more follows. ``extra`` is a condition in SQL of the caller's own."""
        paging = paging or Paging()
        conditions = [f"r.kind IN ({', '.join('?' * len(kinds))})"]
        values: list[Any] = [kind.name for kind in kinds]
        if parent is not None:
            conditions.append("r.parent = ?")
            values.append(parent)
        if context is not None:
            conditions.append("r.id IN (SELECT record FROM attributions WHERE context = ?)")
            values.append(context)
        more = [condition(where, kinds)] if where is not None else []
        for text, bound in [*more, *([extra] if extra else []), paging.where()]:
            conditions.append(text)
            values += bound
        query = f"SELECT {_COLUMNS} FROM records r WHERE {' AND '.join(conditions)} ORDER BY {paging.order()}"  # noqa: S608 - our own constants only; values are bound
        if paging.size:
            query += " LIMIT ?"
            values.append(paging.size + 1)
        with self._database.reading() as connection:
            rows = connection.execute(query, values).fetchall()
        further = bool(paging.size) and len(rows) > paging.size
        return [_record(row) for row in (rows[:-1] if further else rows)], further

    def attribute(self, context: int, record: int) -> None:
        """Let the record belong to the context too."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO attributions VALUES (?, ?)", (context, record))

    def contexts(self, record: int) -> Sequence[int]:
        """What a record is attributed to."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT context FROM attributions WHERE record = ?", (record,))
            return [int(row[0]) for row in rows]

    def states(self, kind: str, parent: int) -> tuple[int, int]:
        """How many records of a kind belong to another: those that live, those put away."""
        query = (
            "SELECT count(*), ifnull(sum(json_extract(fields, '$.state') = 'ARCHIVED'), 0) FROM records"
            " WHERE kind = ? AND parent = ?"
        )
        with self._database.reading() as connection:
            every, archived = connection.execute(query, (kind, parent)).fetchone()
        return every - archived, archived

    def rows(self, query: str, values: Sequence[Any] = ()) -> Rows:
        """What a question of the caller's own gives; all values are bound."""
        with self._database.reading() as connection:
            return connection.execute(query, values).fetchall()

    def note_produced(self, digest: str) -> None:
        """Remember that this user registered files with this digest from here."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO produced VALUES (?, ?)", (digest, time.time()))

    def is_produced(self, digest: str) -> bool:
        """Whether this user registered files with this digest from here."""
        with self._database.reading() as connection:
            found = connection.execute("SELECT 1 FROM produced WHERE digest = ?", (digest,)).fetchone()
        return found is not None

    def remove(self, records: Sequence[int]) -> None:
        """Remove records with their properties; what follows is told of it."""
        with self._database.transaction() as connection:
            for number in records:
                connection.execute(
                    f"INSERT INTO removed SELECT {_NEXT}, id, kind, parent, name FROM records WHERE id = ?",  # noqa: S608 - our own constants only
                    (number,),
                )
                connection.execute("DELETE FROM properties WHERE record = ?", (number,))
                connection.execute(
                    "DELETE FROM attributions WHERE context = ? OR record = ?", (number, number)
                )
                connection.execute("DELETE FROM records WHERE id = ?", (number,))

    def version(self) -> int:
        """The number of the last change."""
        with self._database.reading() as connection:
            return int(connection.execute(f"SELECT {_NEXT} - 1").fetchone()[0])

    def greatest_id(self) -> int:
        """The greatest id there is; ids only grow."""
        with self._database.reading() as connection:
            return int(connection.execute("SELECT ifnull(max(id), 0) FROM records").fetchone()[0])

    def follow(self) -> Connection:
        """A connection of its own, for who waits for changes; the caller closes it."""
        return self._database.connect()

    def changed(self, since: int) -> tuple[Sequence[Record], Rows]:
        """The records that changed after ``since``, and id, kind, parent and name of those removed; oldest first."""
        query = f"SELECT {_COLUMNS} FROM records r WHERE change > ? ORDER BY change"  # noqa: S608 - our own constants only
        with self.snapshot(), self._database.reading() as connection:
            records = [_record(row) for row in connection.execute(query, (since,))]
            removed = connection.execute(
                "SELECT record, kind, parent, name FROM removed WHERE change > ? ORDER BY change", (since,)
            ).fetchall()
        return records, removed

    def texts(self) -> Iterator[str]:
        """The JSON of all records: what they mention is in use."""
        with self._database.reading() as connection:
            for (text,) in connection.execute("SELECT fields || custom FROM records"):
                yield text

    def close(self) -> None:
        """Close the calling thread's connection."""
        self._database.close()


def _index(connection: Connection, record: int, custom: Mapping[str, metadata.Property]) -> None:
    connection.executemany(
        "INSERT INTO properties VALUES (?, ?, ?, ?)",
        [(record, name, *metadata.indexed(value)) for name, value in custom.items()],
    )


def _taken(error: sqlite3.IntegrityError, kind: Kind, name: str, external_id: str | None) -> Conflict:
    if "external_id" in str(error):
        return Conflict(
            f"external id {external_id} is taken: {kind.words} {name} was not stored",
            where=Where(field="externalId"),
        )
    return Conflict(f"{kind.words} with name {name} already exists", where=Where(field="name"))
