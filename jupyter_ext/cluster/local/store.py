"""Resources, their history and small collections in one SQLite file, watchable from any process."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.answers import Event, ResourceList, WatchEvent
from jupyter_ext.cluster.local.codec import COLUMNS, FULL, LIGHT, Written, decode, encode, read_row, summary
from jupyter_ext.cluster.local.database import Connection, Database, translated
from jupyter_ext.cluster.resource import Resource, new_uid, now, valid_name
from jupyter_ext.errors import Conflict, Gone, Invalid, NotFound, Where

POLL_SECONDS: Final = (0.004, 0.02)
"""How long a watch sleeps: while changes are recent, and later."""
_RECENT: Final = 1.0
TOMBSTONES: Final = 5000
"""How many deletions a watch can catch up with; older ones answer Gone."""
SHOWN: Final = 500
"""How many deletions at once are shown one by one."""
_BELOW: Final = (
    "WITH RECURSIVE below(uid) AS (SELECT uid FROM resources WHERE owner = ?"
    " UNION SELECT resources.uid FROM resources JOIN below ON resources.owner = below.uid)"
    " SELECT kind, name, uid FROM resources WHERE uid IN below ORDER BY id DESC"
)


Events = list[Event]
Owned = list[tuple[str, str, str]]
Uids = list[str]
Entries = list[tuple[str, dict[str, Any]]]


class Store:
    """The resources of one profile. Every thread and every process may use the same file at once.

    Each change is one transaction that takes the next number of one counter as its ``resource_version``.
    """

    def __init__(self, path: str | Path, namespace: str = "default") -> None:
        self.path = Path(path)
        self.namespace = namespace
        self._database = Database(self.path)

    def transaction(self) -> AbstractContextManager[Connection]:
        """Make several changes one: all are kept, or none when the block raises."""
        return self._database.transaction()

    def reading(self) -> AbstractContextManager[Connection]:
        """The thread's connection, for queries of the other parts of the local cluster."""
        return self._database.reading()

    def close(self) -> None:
        """Close the calling thread's connection. The store stays usable."""
        self._database.close()

    def resource_version(self) -> int:
        """The number of the last change."""
        with self.reading() as connection:
            return _counter(connection, "resource_version")

    def create(self, resource: Resource) -> Resource:
        """Store a new resource and return it with everything filled in. Raises Conflict if the name is taken."""
        namespace = resource.namespace or self.namespace
        if namespace != self.namespace:
            raise Invalid(
                f"{namespace!r} is another namespace than this store's {self.namespace!r}",
                where=Where(field="metadata.namespace"),
            )
        resource = resource.with_(
            name=valid_name(resource.name, "metadata.name"),
            namespace=namespace,
            uid=resource.uid or new_uid(),
            created=now(),
            generation=1,
            deleted=None,
        )
        written = Written(resource)
        with self.transaction() as connection:
            version = _next_version(connection)
            try:
                connection.execute(
                    f"INSERT INTO resources ({COLUMNS}, spec, status, summary, phase, search, created_version)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(
                            resource.api_version,
                            resource.kind,
                            resource.name,
                            namespace,
                            resource.uid,
                            version,
                        ),
                        *(1, resource.created, *written.metadata, *written.body, version),
                    ),
                )
            except sqlite3.IntegrityError:
                raise Conflict(
                    f"{resource.kind} {resource.name} exists already", hint="Choose another name."
                ) from None
        return written.stored(resource, resource_version=version)

    def find(self, kind: str, name: str) -> Resource | None:
        """The resource, or None."""
        with self.reading() as connection:
            row = connection.execute(
                f"SELECT {FULL} FROM resources WHERE kind = ? AND namespace = ? AND name = ?",
                (kind, self.namespace, name),
            ).fetchone()
        return read_row(row) if row else None

    def get(self, kind: str, name: str) -> Resource:
        """The resource. Raises NotFound."""
        resource = self.find(kind, name)
        if resource is None:
            raise NotFound(
                f"There is no {kind} {name!r}", hint=f"It may have been deleted; list the {kind}s."
            )
        return resource

    def by_uid(self, uid: str) -> Resource | None:
        """The resource with this UID, of whatever kind, or None."""
        with self.reading() as connection:
            row = connection.execute(f"SELECT {FULL} FROM resources WHERE uid = ?", (uid,)).fetchone()
        return read_row(row) if row else None

    def list(
        self,
        kind: str,
        *,
        labels: Mapping[str, str] | None = None,
        phase: str | Iterable[str] | None = None,
        text: str | None = None,
        limit: int | None = None,
        before: str | int | None = None,
        summary: bool = False,
        owner: str | None = None,
    ) -> ResourceList:
        """Resources of a kind, newest first; with ``owner`` those that belong to the resource of this UID.

        ``text`` is looked for in name and display name; ``before`` is a list's ``next``, or the name or creation
        time of the last resource already seen. ``summary`` leaves out what the kind declares as heavy.
        """
        where, values = _filters(labels, phase, text, owner)
        with self.reading() as connection:
            version = _counter(connection, "resource_version")
            if before is not None:
                where += " AND id < ?"
                values.append(self._place(connection, kind, before))
            rows = connection.execute(
                f"SELECT {LIGHT if summary else FULL}, id FROM resources"
                f" WHERE kind = ? AND namespace = ?{where} ORDER BY id DESC LIMIT ?",
                (kind, self.namespace, *values, -1 if limit is None else limit + 1),
            ).fetchall()
        more = limit is not None and len(rows) > limit
        rows = rows[:limit]
        return ResourceList([read_row(row) for row in rows], version, more, rows[-1][-1] if more else None)

    def owned(self, uid: str) -> Owned:
        """Kind, name and UID of everything that belongs to a resource, oldest first."""
        with self.reading() as connection:
            return connection.execute(
                "SELECT kind, name, uid FROM resources WHERE owner = ? ORDER BY id", (uid,)
            ).fetchall()

    def _place(self, connection: Connection, kind: str, before: str | int) -> int:
        if isinstance(before, int) or before.isdecimal():
            return int(before)
        column = "created" if ":" in before else "name"
        row = connection.execute(
            f"SELECT id FROM resources WHERE kind = ? AND namespace = ? AND {column} = ?",
            (kind, self.namespace, before),
        ).fetchone()
        if row is None:
            raise Gone(f"{before!r} is no longer in the list", hint="List again from the start.")
        return int(row[0])

    def replace(self, resource: Resource) -> Resource:
        """Store a changed resource. Raises Conflict if somebody changed it since it was read."""

        def swap(current: Resource) -> Resource:
            if (current.uid, current.resource_version) != (resource.uid, resource.resource_version):
                raise Conflict(
                    f"{resource.kind} {resource.name} was changed meanwhile", hint="Read it again and repeat."
                )
            return resource

        return self.update(resource.kind, resource.name, swap)

    def update(self, kind: str, name: str, change: Callable[[Resource], Resource | None]) -> Resource:
        """Read, change and write in one transaction; ``change`` sees the latest state and nobody comes between.

        Returns what is stored afterwards. Returning None, or an equal resource, changes nothing.
        """
        with self.transaction() as connection:
            row = connection.execute(
                f"SELECT {FULL} FROM resources WHERE kind = ? AND namespace = ? AND name = ?",
                (kind, self.namespace, name),
            ).fetchone()
            current = read_row(row) if row else self.get(kind, name)
            changed = change(current)
            if changed is None:
                return current
            if (changed.kind, changed.name, changed.uid) != (kind, name, current.uid):
                raise Invalid(
                    "A change cannot give a resource another name", where=Where(object=f"{kind} {name}")
                )
            written = Written(changed)
            labels, annotations, spec, status = row[8], row[9], row[11], row[12]
            before = (labels, annotations, current.owner, spec, status)
            if before == (*written.metadata, *written.body[:2]):
                return current
            version = _next_version(connection)
            generation = current.generation + (written.body[0] != spec)
            connection.execute(
                "UPDATE resources SET resource_version = ?, generation = ?, labels = ?, annotations = ?, owner = ?,"
                " spec = ?, status = ?, summary = ?, phase = ?, search = ? WHERE uid = ?",
                (version, generation, *written.metadata, *written.body, current.uid),
            )
        return written.stored(current, resource_version=version, generation=generation)

    def delete(self, kind: str, name: str) -> Resource:
        """Remove the resource and return its last state; watchers see it once more, as DELETED."""
        with self.transaction() as connection:
            last = self.get(kind, name)
            version = _next_version(connection)
            last = last.with_(resource_version=version, deleted=now())
            light = summary(kind, last.spec, last.status)
            document = last.to_dict() | (decode(light) if light else {})
            connection.execute("INSERT INTO tombstones VALUES (?, ?, ?)", (version, kind, encode(document)))
            connection.execute("DELETE FROM resources WHERE uid = ?", (last.uid,))
            connection.execute("DELETE FROM workloads WHERE uid = ?", (last.uid,))
            _compact(connection)
        return last

    def delete_all(self, kind: str, name: str) -> tuple[Resource, Uids]:
        """Remove the resource with everything that belongs to it; returns its last state and the others' UIDs.

        Where those are many, a watcher is not shown each of them: it is Gone and lists again.
        """
        with self.transaction() as connection:
            below = connection.execute(_BELOW, (self.get(kind, name).uid,)).fetchall()
            if len(below) <= SHOWN:
                for each in below:
                    self.delete(each[0], each[1])
            else:
                uids = [each[2:] for each in below]
                connection.executemany("DELETE FROM resources WHERE uid = ?", uids)
                connection.executemany("DELETE FROM workloads WHERE uid = ?", uids)
                floor = _next_version(connection)
                connection.execute("UPDATE counters SET value = ? WHERE name = 'tombstone_floor'", (floor,))
            last = self.delete(kind, name)
        return last, [uid for _, _, uid in below]

    def watch(
        self,
        since: int = 0,
        kinds: Iterable[str] | None = None,
        timeout: float | None = None,
        *,
        stop: threading.Event | None = None,
        summary: bool = False,
        tick: Callable[[], object] | None = None,
        pauses: tuple[float, float] = POLL_SECONDS,
    ) -> Iterator[WatchEvent]:
        """Changes after ``since``, oldest first, and then those to come.

        From 0 everything that exists comes first, as ADDED. Ends after ``timeout`` seconds (0: what there is
        now) or when ``stop`` is set. ``tick`` is called at every poll; ``pauses`` are the seconds between two of them,
        as POLL_SECONDS. Raises Gone when ``since`` is too long ago.
        """
        stop = stop or threading.Event()
        wanted = None if kinds is None else frozenset(kinds)
        deadline = None if timeout is None else time.monotonic() + timeout
        connection = self._database.connect()
        try:
            seen, changed = -1, time.monotonic()
            while not stop.is_set():
                if tick:
                    tick()
                if connection.closed:  # by a fork of this process
                    connection, seen = self._database.connect(), -1
                with connection.guard, translated(self.path):
                    if connection.closed:
                        continue
                    data = connection.execute("PRAGMA data_version").fetchone()[0]
                    events: list[WatchEvent] = []
                    if data != seen:
                        seen = data
                        with self._database.snapshot(connection):
                            events, since = _changes(connection, since, wanted, LIGHT if summary else FULL)
                yield from events
                moment = time.monotonic()
                changed = moment if events else changed
                if deadline is not None and moment >= deadline:
                    return
                stop.wait(pauses[moment - changed > _RECENT])
        finally:
            connection.close()

    def record(self, kind: str, name: str, type: str, reason: str, message: str) -> None:  # noqa: A002
        """Append an event, type Normal or Warning, to the history of a resource."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO events (kind, namespace, name, time, type, reason, message) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (kind, self.namespace, name, now(), type, reason, message),
            )

    def events(self, kind: str, name: str, limit: int = 1000) -> Events:
        """The latest events of a resource, oldest first; they outlive the resource."""
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT time, type, reason, message FROM events WHERE kind = ? AND namespace = ? AND name = ?"
                " ORDER BY id DESC LIMIT ?",
                (kind, self.namespace, name, limit),
            ).fetchall()
        return [Event(*row) for row in reversed(rows)]

    def put(self, table: str, key: str, value: Mapping[str, Any]) -> None:
        """Set a key of a small durable collection."""
        text = encode(value)
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (table, key, text))

    def fetch(self, table: str, key: str) -> dict[str, Any] | None:
        """The value of a key, or None."""
        with self.reading() as connection:
            row = connection.execute(
                "SELECT value FROM entries WHERE collection = ? AND key = ?", (table, key)
            ).fetchone()
        return dict(decode(row[0])) if row else None

    def scan(self, table: str, prefix: str = "", limit: int | None = None) -> Entries:
        """Keys that begin with the prefix, in order, with their values."""
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT key, value FROM entries WHERE collection = ? AND key >= ? AND substr(key, 1, ?) = ?"
                " ORDER BY key LIMIT ?",
                (table, prefix, len(prefix), prefix, -1 if limit is None else limit),
            ).fetchall()
        return [(key, decode(value)) for key, value in rows]

    def drop(self, table: str, key: str) -> bool:
        """Remove a key; False if it was not there."""
        with self.transaction() as connection:
            statement = "DELETE FROM entries WHERE collection = ? AND key = ?"
            return connection.execute(statement, (table, key)).rowcount > 0


def _counter(connection: Connection, name: str) -> int:
    return int(connection.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()[0])


def _next_version(connection: Connection) -> int:
    statement = "UPDATE counters SET value = value + 1 WHERE name = 'resource_version' RETURNING value"
    return int(connection.execute(statement).fetchone()[0])


def _compact(connection: Connection) -> None:
    row = connection.execute(
        "SELECT resource_version FROM tombstones ORDER BY resource_version DESC LIMIT 1 OFFSET ?",
        (TOMBSTONES,),
    ).fetchone()
    if row:
        connection.execute("DELETE FROM tombstones WHERE resource_version <= ?", row)
        connection.execute("UPDATE counters SET value = ? WHERE name = 'tombstone_floor'", row)


def _filters(
    labels: Mapping[str, str] | None, phase: str | Iterable[str] | None, text: str | None, owner: str | None
) -> tuple[str, list[Any]]:
    where, values = "", list[Any]()
    if owner is not None:
        where += " AND owner = ?"
        values.append(owner)
    for key, value in (labels or {}).items():
        where += (
            " AND EXISTS (SELECT 1 FROM json_each(labels) AS label WHERE label.key = ? AND label.value = ?)"
        )
        values += [key, value]
    if phase is not None:
        phases = [phase] if isinstance(phase, str) else list(phase)
        where += f" AND phase IN ({', '.join('?' * len(phases))})"
        values += phases
    if text:
        where += " AND instr(search, ?)"
        values.append(text.casefold())
    return where, values


def _changes(
    connection: Connection, since: int, kinds: frozenset[str] | None, columns: str
) -> tuple[list[WatchEvent], int]:
    """Everything after ``since`` within one snapshot, and the version of that snapshot."""
    version, floor = _counter(connection, "resource_version"), _counter(connection, "tombstone_floor")
    if since > version or 0 < since < floor:
        raise Gone(f"The changes after {since} are no longer kept", hint="List again and watch from there.")
    rows = connection.execute(
        f"SELECT {columns}, created_version FROM resources WHERE resource_version > ? ORDER BY resource_version",
        (since,),
    )
    events = [
        WatchEvent("ADDED" if row[-1] > since else "MODIFIED", read_row(row))
        for row in rows
        if kinds is None or row[1] in kinds
    ]
    if since > 0:
        gone = connection.execute("SELECT kind, last FROM tombstones WHERE resource_version > ?", (since,))
        events += [
            WatchEvent("DELETED", Resource.from_dict(decode(last)))
            for kind, last in gone
            if kinds is None or kind in kinds
        ]
        events.sort(key=lambda event: event.resource.resource_version)
    return events, version
