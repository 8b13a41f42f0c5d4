"""Messages between an experiment's controller, its fork server and the processes of trials.

One socket of packets (``SOCK_SEQPACKET``): a message is one JSON object, whole or not at all, so many processes may
write to the same end.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final

_DESCRIPTOR: Final = struct.Struct("i")
_ROOM: Final = socket.CMSG_SPACE(_DESCRIPTOR.size)
LARGEST: Final = 160_000
"""Bytes of one message; the kernel's buffers hold at least that."""


class Wire:
    """One end."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.closed = False
        self.passed: list[int] = []
        """Descriptors that came with the messages received so far."""

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def send(self, message: Mapping[str, Any], descriptor: int | None = None) -> bool:
        """Send a message, with a descriptor if one is given; False if nobody is there any more."""
        data = json.dumps(message, separators=(",", ":")).encode()
        try:
            if descriptor is None:
                self._socket.sendall(data)
            else:
                socket.send_fds(self._socket, [data], [descriptor])
        except OSError:
            return False
        return True

    def receive(self, *, wait: bool = False) -> dict[str, Any] | None:
        """The next message, or None if there is none (``closed`` tells whether there will be)."""
        try:
            flags = 0 if wait else socket.MSG_DONTWAIT
            # Not ``recv_fds``: it does not pass the flags on in Python 3.11.
            data, ancillary, _, _ = self._socket.recvmsg(LARGEST * 2, _ROOM, flags)
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self.passed += [found for (found,) in _DESCRIPTOR.iter_unpack(content)]
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
