"""Messages between the run's controller, its fork server and the processes of steps.

A message is one JSON object behind its length, on a Unix socket. A message to the fork server may carry a file
descriptor: the socket over which the controller will talk to the new process.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any

_LENGTH = struct.Struct("!Q")
_CHUNK = 1 << 16


class Channel:
    """One end of a conversation. Receiving does not wait unless asked to."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._received = bytearray()
        self._descriptors: list[int] = []
        self.closed = False

    def fileno(self) -> int:
        """Readable when there is a message, or nobody at the other end."""
        return self._socket.fileno()

    def send(self, message: Mapping[str, Any], descriptor: int | None = None) -> bool:
        """Send a message whole; False if nobody is there any more."""
        data = json.dumps(message, separators=(",", ":")).encode()
        extra = []
        if descriptor is not None:
            extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        try:
            self._socket.setblocking(True)
            self._socket.sendmsg([_LENGTH.pack(len(data))], extra)
            self._socket.sendall(data)
        except OSError:
            self.closed = True
            return False
        return True

    def receive(self, *, wait: bool = False) -> dict[str, Any] | None:
        """The next message, or None if there is none (``closed`` tells whether there will be)."""
        while True:
            message = self._take()
            if message is not None:
                return message
            if self.closed or not self._read(wait=wait):
                return None

    def descriptor(self) -> int | None:
        """The next file descriptor that came with a message."""
        return self._descriptors.pop(0) if self._descriptors else None

    def replace(self, sock: socket.socket) -> None:
        """Go on over another socket. The descriptor's number stays, because a caller may be selecting on it."""
        with sock:
            os.dup2(sock.fileno(), self._socket.fileno(), inheritable=False)
        self._received.clear()
        self.closed = False

    def close(self) -> None:
        """Hang up."""
        self.closed = True
        self._socket.close()

    def __del__(self) -> None:
        self._socket.close()

    def _take(self) -> dict[str, Any] | None:
        if len(self._received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._received)
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        data = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        message: dict[str, Any] = json.loads(data)
        return message

    def _read(self, *, wait: bool) -> bool:
        """Take what has come; False if nothing has."""
        self._socket.setblocking(wait)
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, _CHUNK, 4)
        except BlockingIOError:
            return False
        except OSError:
            self.closed = True
            return False
        self._descriptors += descriptors
        self._received += data
        if not data:
            self.closed = True
        return bool(data)


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that children do not inherit by accident."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
