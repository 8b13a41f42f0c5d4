"""What outlives a change of the table: connections to the model servers, and who waits for a variant."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Protocol

from jupyter_ext.serving.gateway.passing import PassingPool

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.table import Target

QUEUE_LIMIT: Final = 1000
"""Requests that may wait for one variant."""
QUEUE_BYTES: Final = 256 << 20
"""What their bodies may take together."""
SHUN_SECONDS: Final = 0.5
"""For how long a server that did not answer is only asked when there is no other."""


class Waiter(Protocol):
    """A request that waits for a server."""

    @property
    def size(self) -> int:
        """Bytes that it holds."""

    def resume(self) -> None:
        """It is its turn."""


class Backend:
    """The connections to one model server."""

    __slots__ = ("address", "in_flight", "pool", "shunned", "turn")

    def __init__(self, address: str) -> None:
        self.address = address
        self.pool = PassingPool(address)
        self.in_flight = 0
        self.turn = 0
        """When it was last chosen."""
        self.shunned = 0.0
        """Until when it is not trusted, by the monotonic clock."""

    def shun(self) -> None:
        """It did not answer."""
        self.shunned = time.monotonic() + SHUN_SECONDS


class Lane:
    """One variant of one endpoint: what is on its way, who waits, and what was counted since the gateway began."""

    __slots__ = ("bytes", "in_flight", "most", "statuses", "waiting", "wanted")

    def __init__(self) -> None:
        self.in_flight = 0
        self.most = 0
        self.waiting: deque[Waiter] = deque()
        self.bytes = 0
        self.wanted = 0.0
        """When the variant was last asked to be started, by the monotonic clock."""
        self.statuses: dict[int, int] = {}

    @property
    def full(self) -> bool:
        """Whether nobody else may wait."""
        return len(self.waiting) >= QUEUE_LIMIT or self.bytes > QUEUE_BYTES

    def hold(self, waiter: Waiter) -> None:
        """Let it wait."""
        self.waiting.append(waiter)
        self.bytes += waiter.size

    def release(self) -> Waiter | None:
        """The first that waits."""
        if not self.waiting:
            return None
        waiter = self.waiting.popleft()
        self.bytes -= waiter.size
        return waiter

    def drop(self, waiter: Waiter) -> None:
        """It waits no longer."""
        try:
            self.waiting.remove(waiter)
        except ValueError:
            return
        self.bytes -= waiter.size


class Backends:
    """All of them, by address."""

    def __init__(self) -> None:
        self._known: dict[str, Backend] = {}
        self._turn = 0

    def at(self, address: str) -> Backend:
        """The one at an address."""
        found = self._known.get(address)
        if found is None:
            found = self._known[address] = Backend(address)
        return found

    def choose(self, target: Target) -> Backend | None:
        """The server with the least to do, of equals the one that rested longest; None when all have enough.

        One that did not answer a moment ago is chosen only when there is no other.
        """
        limit = target.concurrency
        if len(target.replicas) == 1:
            only = self.at(target.replicas[0].socket)
            return only if limit is None or only.in_flight < limit else None
        best: Backend | None = None
        cost = (True, 1 << 60, 0)
        now = time.monotonic()
        for replica in target.replicas:
            backend = self.at(replica.socket)
            if limit is not None and backend.in_flight >= limit:
                continue
            here = (backend.shunned > now, backend.in_flight, backend.turn)
            if here < cost:
                best, cost = backend, here
        if best is not None:
            self._turn = best.turn = self._turn + 1
        return best

    def keep(self, addresses: Iterable[str]) -> None:
        """Close the connections to all others, once what is in flight there is done."""
        wanted = set(addresses)
        for address in [address for address in self._known if address not in wanted]:
            self._known.pop(address).pool.close()
