"""Connections to the SQLite file that survive threads and forks, and errors a user can act on.

Durability: WAL with ``synchronous=NORMAL``. A commit is in the operating system's hands before it returns, so
a killed process loses nothing; a power cut may take the last moments with it, but leaves the file consistent.

Threads: each has a connection of its own. Forks: SQLite keeps one table of file locks for the whole process,
so a forked child that opens the same file would rely on locks which only its parent has. Therefore every idle
connection is closed just before a fork, and a child whose parent was amid a statement is refused.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.local.home import make_private
from jupyter_ext.cluster.local.schema import MIGRATIONS
from jupyter_ext.errors import KubeflowError, Unavailable, Where

Migrations = tuple[tuple[str, str], ...]

BUSY_SECONDS: Final = 30.0
_WAL_LIMIT: Final = 32 << 20


class Connection(sqlite3.Connection):
    """A connection that knows whether it is in use, and closes itself when its thread is gone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.guard = threading.RLock()
        self.file = ""
        self.pid = os.getpid()
        self.closed = False

    def close(self) -> None:
        """Close for good; the next use by its thread opens another."""
        self.closed = True
        super().close()

    def __del__(self) -> None:
        super().close()


class _Local(threading.local):
    connection: Connection | None = None


class Database:
    """One SQLite file, made and migrated on first use."""

    def __init__(self, path: Path, migrations: Migrations = MIGRATIONS) -> None:
        self.path = path
        self._local = _Local()
        with translated(path), _forks.opening:
            self._local.connection = _prepare(path, migrations)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The thread's connection, for statements that each see one consistent state."""
        with self._use() as connection:
            yield connection

    @contextmanager
    def snapshot(self, connection: Connection) -> Iterator[None]:
        """Several reads on ``connection`` that see the same state."""
        if connection.in_transaction:
            yield
            return
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One atomic change. Within another transaction of the same thread it becomes part of that one."""
        with self._use() as connection:
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise

    def connect(self) -> Connection:
        """A connection beside the thread's own, for a watcher; the caller closes it."""
        with translated(self.path), _forks.opening:
            return _connect(self.path)

    def close(self) -> None:
        """Close the calling thread's connection; those of other threads close as their threads end."""
        connection = self._local.connection
        if connection is not None and connection.pid == os.getpid():
            connection.close()

    @contextmanager
    def _use(self) -> Iterator[Connection]:
        connection = self._entered()
        try:
            with translated(self.path):
                yield connection
        finally:
            connection.guard.release()

    def _entered(self) -> Connection:
        """The thread's connection, with its guard held."""
        while True:
            connection = self._local.connection
            if connection is None or connection.closed or connection.pid != os.getpid():
                connection = self._local.connection = self._opened()
            connection.guard.acquire()
            if not connection.closed:  # by a fork, a moment ago
                return connection
            connection.guard.release()

    def _opened(self) -> Connection:
        if str(self.path) in _forks.unsafe:
            raise Unavailable(
                "This process was forked while its parent was using the store",
                where=Where(object=str(self.path)),
                hint="Start a new process instead, for example with multiprocessing's 'spawn'.",
            )
        return self.connect()


class _Forks:
    """Closes what a forked child must not inherit."""

    def __init__(self) -> None:
        self.opening = threading.RLock()
        self.live: weakref.WeakSet[Connection] = weakref.WeakSet()
        self.unsafe: set[str] = set()
        self._paused: list[Connection] = []
        self._kept: list[Connection] = []
        os.register_at_fork(before=self._before, after_in_parent=self._resume, after_in_child=self._reset)

    def _before(self) -> None:
        self.opening.acquire()
        for connection in [one for one in self.live if not one.closed]:
            if not connection.guard.acquire(timeout=0.2):
                self._kept.append(connection)
                continue
            self._paused.append(connection)
            if not connection.closed and connection.in_transaction:
                self._kept.append(connection)
            else:
                connection.close()

    def _resume(self) -> None:
        for connection in self._paused:
            connection.guard.release()
        self._paused.clear()
        self._kept.clear()
        self.opening.release()

    def _reset(self) -> None:
        if self._kept:
            import ctypes

            for connection in self._kept:
                # Not even closed: that would roll back the parent's transaction in shared memory.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
                self.unsafe.add(connection.file)
                connection.closed = True
        self._kept, self._paused = [], []
        self.live = weakref.WeakSet()
        self.opening = threading.RLock()


_forks = _Forks()


def _connect(path: Path) -> Connection:
    quoted = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    connection: Connection = sqlite3.connect(
        f"file:{quoted}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=Connection,
    )
    connection.file = str(path)
    _forks.live.add(connection)
    wal = _patiently(lambda: connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] == "wal")
    # Without WAL (some network and overlay file systems) only FULL leaves the file consistent.
    connection.execute(f"PRAGMA synchronous={'NORMAL' if wal else 'FULL'}")
    connection.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT}")
    return connection


def _patiently(action: Callable[[], bool]) -> bool:
    """Changing the journal mode answers 'busy' at once, without the usual wait."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def _prepare(path: Path, migrations: Migrations) -> Connection:
    try:
        make_private(path.parent)
        # Only while it does not exist: closing any descriptor of the file drops this process's locks on it.
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise KubeflowError(
            f"The data folder cannot be written ({error.strerror})",
            where=Where(object=str(path.parent)),
            hint="Make room in it and yourself its owner, or set JUPYTER_KUBEFLOW_HOME to another folder.",
        ) from error
    connection = _connect(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise Unavailable(
                "The store was written by a newer version of jupyter-kubeflow",
                where=Where(object=str(path)),
                hint="Upgrade jupyter-kubeflow, or set JUPYTER_KUBEFLOW_PROFILE to another profile.",
            )
        if version < len(migrations):
            _migrate(connection, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: Connection, migrations: Migrations) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Somebody else may have migrated while this one waited for the lock.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied REAL, what TEXT)"
        )
        for number, (what, script) in enumerate(migrations[version:], version + 1):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", (number, time.time(), what))
        connection.execute(f"PRAGMA user_version={len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """The single statements of a script: ``executescript`` would commit before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_CLOSED: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the operating system say into a sentence with a remedy."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _sentence(error, path) or error from error


def _sentence(error: sqlite3.Error, path: Path) -> KubeflowError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    where = Where(object=str(path))
    if code == sqlite3.SQLITE_FULL:
        return KubeflowError(
            "The disk is full; the change was not saved",
            where=where,
            hint="Free some space, for example with `jupyter kubeflow gc`, and try again.",
        )
    if code in _BUSY:
        return Unavailable(
            f"The store was busy for {BUSY_SECONDS:.0f} s: another process is amid a long change",
            where=where,
            hint="Try again.",
        )
    if code in _DAMAGED:
        return KubeflowError(
            f"The store is damaged ({error})",
            where=where,
            hint="Move the file away to start anew, or restore it from a backup.",
        )
    if code in _CLOSED:
        return KubeflowError(
            f"The store cannot be opened for writing ({error})",
            where=where,
            hint="Check that the folder is there and yours, or set JUPYTER_KUBEFLOW_HOME to another.",
        )
    if code == sqlite3.SQLITE_IOERR:
        return KubeflowError(
            f"The disk failed ({error}); the change was not saved",
            where=where,
            hint="Check the disk's free space and the system's log.",
        )
    return None
