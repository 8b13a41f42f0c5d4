"""Whether servers answer: asked from a thread of its own, so that one that hangs keeps nobody waiting."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jupyter_ext.serving.replicas import Replica

EVERY: Final = 2.0
SOON: Final = 0.1
"""Seconds between questions to a server that is ready, and to one that has only this way to say that it is."""
PATIENCE: Final = 5.0
BAD: Final = 3
"""After so many questions without an answer it gets no more requests."""
DEAD: Final = 12
"""After so many it is started again: it may only be busy, and a prediction may take its time."""
_QUESTION: Final = b"GET /v2/health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Sign:
    """What the last questions to one server have shown. Written by the prober's thread only."""

    def __init__(self) -> None:
        self.good = False
        self.missed = 0

    @property
    def bad(self) -> bool:
        """Whether it should get no requests."""
        return self.missed >= BAD

    @property
    def dead(self) -> bool:
        """Whether it should be started again."""
        return self.missed >= DEAD

    def reset(self) -> None:
        """Begin anew."""
        self.missed = 0


class Prober:
    """Asks each server now and then."""

    def __init__(self) -> None:
        self._replicas: Sequence[Replica] = ()
        self._asked: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, replicas: Sequence[Replica]) -> None:
        """Ask these from now on."""
        self._replicas = replicas
        if self._thread is None and replicas:
            self._thread = threading.Thread(target=self._run, name="health", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(SOON):
            replicas = self._replicas
            known = {id(each) for each in replicas}
            self._asked = {key: moment for key, moment in self._asked.items() if key in known}
            for each in replicas:
                program = each.program
                if program is None or each.leaving or self._stop.is_set():
                    continue
                foreign = program.state is None
                every = SOON if foreign and each.state == "loading" else EVERY
                if each.state != "ready" and not (foreign and each.state == "loading"):
                    continue
                if time.monotonic() - self._asked.get(id(each), -EVERY) < every:
                    continue
                good = answers(program.http, PATIENCE, ask=not foreign)
                self._asked[id(each)] = time.monotonic()
                each.sign.good = good
                each.sign.missed = 0 if good or each.state != "ready" else each.sign.missed + 1


def answers(address: str, patience: float, *, ask: bool = True) -> bool:
    """Whether the server at ``/path`` or ``host:port`` says that it is ready; without ``ask``: that it listens."""
    with suppress(OSError), _connected(address, patience) as connection:
        if not ask:
            return True
        connection.sendall(_QUESTION)
        head = connection.recv(64)
        return head.startswith(b"HTTP/1.1 200")
    return False


def _connected(address: str, patience: float) -> socket.socket:
    if address.startswith("/"):
        found = socket.socket(socket.AF_UNIX)
        found.settimeout(patience)
        try:
            found.connect(address)
        except BaseException:
            found.close()
            raise
        return found
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), patience)
