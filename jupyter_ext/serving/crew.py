"""All the servers of one endpoint, and where their sockets and files are."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving import finding, places
from jupyter_ext.serving.health import Prober
from jupyter_ext.serving.replicas import Fleet

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.serving.finding import Source
    from jupyter_ext.serving.spec import Predictor


class Crew:
    """All fleets of one endpoint, by the digest of what their processes are."""

    def __init__(self, cluster: LocalCluster, uid: str, name: str) -> None:
        self.cluster, self.uid, self.name = cluster, uid, name
        self.folder: Path = cluster.work_folder(uid) / "servers"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.sockets = places.sockets(cluster)
        self.environment = dict(os.environ)
        self.fleets: dict[str, Fleet] = {}
        self.others: list[Fleet] = []
        """Fleets of what is no variant; whoever puts them here sees to them."""
        self.inside: tuple[str, str] | None = None
        """Holder and unit of the lease that servers may share; see ``Leases.acquire``."""
        self.slots: set[str] = set()
        self.prober = Prober()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="files")
        self._clean()

    def _clean(self) -> None:
        """Remove what servers of an earlier controller left; they are gone, or this one would not be here."""
        for path in self.folder.iterdir():
            path.unlink(missing_ok=True)
        for path in self.sockets.glob(f"{self.uid[:8]}-*"):
            path.unlink(missing_ok=True)

    def mark(self, stem: str) -> Path:
        """Where a server's socket is to be, without its ending."""
        digest, rest = stem[:8], stem.partition("-")[2]
        return self.sockets / f"{self.uid[:8]}-{digest}-{rest}"

    def slot(self, name: str) -> int:
        """The smallest number that no replica of this name has."""
        slot = 0
        while f"{name}/{slot}" in self.slots:
            slot += 1
        self.slots.add(f"{name}/{slot}")
        return slot

    def fetch(self, predictor: Predictor) -> Future[Source]:
        """The predictor's files, brought here in a thread; refused if they may run code that nobody trusts."""

        def bring() -> Source:
            source = finding.fetch(self.cluster, predictor.model, predictor.facts)
            finding.require_trust(self.cluster, source, predictor.name)
            return source

        return self._pool.submit(bring)

    def aside(self, call: Any, *args: Any) -> Future[Any]:
        """Do something slow in a thread."""
        return self._pool.submit(call, *args)

    def say(self, kind: str, reason: str, message: str) -> None:
        """Record an event of the endpoint."""
        with suppress(KubeflowError):
            self.cluster.store.record(places.KIND, self.name, kind, reason, message[:1000])

    def fleet(self, predictor: Predictor) -> Fleet:
        """The fleet of a predictor; made if there is none."""
        found = self.fleets.get(predictor.digest)
        if found is None:
            found = self.fleets[predictor.digest] = Fleet(self, predictor)
        elif found.predictor != predictor:
            found.predictor = predictor  # another share or name; the same processes
        return found

    def tick(self) -> None:
        """See to every fleet."""
        self.prober.watch(
            [each for fleet in (*self.fleets.values(), *self.others) for each in fleet.replicas]
        )
        for digest, fleet in list(self.fleets.items()):
            fleet.tick()
            if fleet.want == 0 and not fleet.replicas and fleet.retired_at is not None:
                del self.fleets[digest]

    def close(self, seconds: float) -> None:
        """End every process: ask, wait that long, and kill."""
        everyone = [each for fleet in (*self.fleets.values(), *self.others) for each in fleet.replicas]
        for each in everyone:
            each.leaving = True
            each.drain()
            each.hasten(seconds)
        deadline = time.monotonic() + seconds
        while (
            any(each.process and each.ended() is None for each in everyone)
            and time.monotonic() < deadline + 1
        ):
            time.sleep(0.01)
        for each in everyone:
            each.close()
        self.fleets.clear()
        self.others.clear()
        self.prober.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
