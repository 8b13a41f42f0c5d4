"""Messages between an experiment's controller, its fork server and the processes of trials.

One socket of packets (``SOCK_SEQPACKET``): a message is one JSON object, whole or not at all, so many processes may
write to the same end.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any, Final

LARGEST: Final = 160_000
"""Bytes of one message; the kernel's buffers hold at least that."""


class Wire:
    """One end."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.closed = False

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def send(self, message: Mapping[str, Any]) -> bool:
        """Send a message; False if nobody is there any more."""
        data = json.dumps(message, separators=(",", ":")).encode()
        try:
            self._socket.sendall(data)
        except OSError:
            return False
        return True

    def receive(self, *, wait: bool = False) -> dict[str, Any] | None:
        """The next message, or None if there is none (``closed`` tells whether there will be)."""
        try:
            data = self._socket.recv(LARGEST * 2, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return None
        message: dict[str, Any] = json.loads(data)
        return message

    def close(self) -> None:
        """Hang up."""
        self.closed = True
        self._socket.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends, not inherited by accident."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return ours, theirs
