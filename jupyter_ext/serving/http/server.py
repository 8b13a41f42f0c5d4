"""The server side: connections in, requests to one handler, answers out in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from jupyter_ext.serving.http.connection import Connection
from jupyter_ext.serving.http.message import Headers, Request, Response

Handler = Callable[[Request], Response | Awaitable[Response]]
Admission = Callable[[str, bytes, Headers], Response | None]
"""Of method, target and fields, before a body is read: an answer refuses and closes the connection."""


@dataclass(frozen=True)
class Limits:
    """What is taken: ``body`` and ``head`` in bytes, ``fields`` of a head, ``connections`` open at once.

    ``arrival`` is the seconds that one request may take to come in, ``idle`` those a connection may wait for the next.
    """

    body: int = 64 << 20
    head: int = 64 << 10
    fields: int = 128
    arrival: float = 30.0
    idle: float = 75.0
    connections: int = 1000


class Server:
    """Listens at any number of places. ``handle`` gives an answer, a future of one, or a coroutine."""

    def __init__(self, handle: Handler, limits: Limits | None = None, admit: Admission | None = None) -> None:
        self.handle = handle
        self.admit = admit
        self.limits = limits or Limits()
        self.connections: set[Connection] = set()
        self.draining = False
        self._listeners: list[asyncio.Server] = []
        self._sockets: list[tuple[Path, int]] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._empty: asyncio.Event | None = None

    @property
    def open(self) -> int:
        """Connections."""
        return len(self.connections)

    @property
    def in_flight(self) -> int:
        """Requests whose answers are not all written yet."""
        return sum(1 for connection in self.connections if connection.busy)

    async def listen_unix(self, path: str | Path) -> None:
        """On a socket that only this user can open; takes the place of a stale file."""
        path = Path(path)
        listener, inode = private_socket(path)
        self._sockets.append((path, inode))
        loop = asyncio.get_running_loop()
        made = await loop.create_unix_server(lambda: Connection(self), sock=listener, backlog=512)
        self._listeners.append(made)
        self._sweep()

    async def listen_tcp(self, host: str, port: int) -> int:
        """Gives the port, which the system chooses when 0 is asked for."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: Connection(self), host, port, backlog=512)
        self._listeners.append(listener)
        self._sweep()
        return int(listener.sockets[0].getsockname()[1])

    async def drain(self, seconds: float) -> int:
        """Take no more connections, finish what is in work, close. Gives how many were cut off after ``seconds``."""
        self.draining = True
        for path, inode in self._sockets:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == inode:  # else another process has taken the name
                    path.unlink()
        for listener in self._listeners:
            listener.close()
        for connection in list(self.connections):
            connection.finish()
        self._empty = asyncio.Event()
        if self.connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds)
        left = len(self.connections)
        for connection in list(self.connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
        return left

    def gone(self, connection: Connection) -> None:
        """A connection is closed."""
        self.connections.discard(connection)
        if self._empty is not None and not self.connections:
            self._empty.set()

    def _sweep(self) -> None:
        """Close who is idle or slow: one timer for all, so that a request sets none."""
        loop = asyncio.get_running_loop()
        if self._sweeper is not None:
            self._sweeper.cancel()
        now = loop.time()
        for connection in list(self.connections):
            connection.sweep(now)
        if not self.draining:
            every = max(0.05, min(1.0, self.limits.arrival / 4, self.limits.idle / 4))
            self._sweeper = loop.call_later(every, self._sweep)


def private_socket(path: Path) -> tuple[socket.socket, int]:
    """A listening Unix socket that nobody else may open, and its inode; named in one step: no client sees a gap."""
    new = path.with_name(path.name + "~")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(OSError):
            os.fchmod(listener.fileno(), 0o600)  # Linux gives the file this mode from the start
        listener.bind(str(new))
        new.chmod(0o600)
        listener.listen(512)
        listener.setblocking(False)
        inode = new.stat().st_ino
        new.replace(path)
    except BaseException:
        listener.close()
        raise
    return listener, inode
