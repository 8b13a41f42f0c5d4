"""The embedded controller of an endpoint: one process that keeps its servers as its resource says.

It owns no state that the store does not have: killed at any line it is started again, and so are its servers. The
order of a switch: the new ones are ready, the routing is swapped, the gateway goes by it, and only then do old ones
that are not kept warm finish what they have and end.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local import workload
from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving import door, records, revisions, routing, watching
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.crew import Crew
from jupyter_ext.serving.drift_status import DriftStatus
from jupyter_ext.serving.ledger import Ledger
from jupyter_ext.serving.parts import Parts
from jupyter_ext.serving.places import KIND
from jupyter_ext.serving.replicas import Fleet
from jupyter_ext.serving.reporting import report
from jupyter_ext.serving.scaling import Scaler

if TYPE_CHECKING:
    import threading
    from concurrent.futures import Future

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.spec import Predictor, Service

BUSY_TICK: Final = 0.03
IDLE_TICK: Final = 0.1
"""Seconds between looks: while something is changing or awaited, and else."""
BUSY_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 0.5
DOOR_SECONDS: Final = 5.0
WARM: Final = 3
WARM_SECONDS: Final = 3600.0
"""How many variants of earlier revisions are kept running, and for how long."""
APPLY_SECONDS: Final = 10.0
"""How long to wait for the gateway to go by a routing before old servers end all the same."""
END_SECONDS: Final = 4.0
STOP_SECONDS: Final = 60.0
GIVE_UP: Final = 5
"""After so many deaths of the first server, none of which was ever ready, the endpoint has failed."""


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """Serve until the endpoint is stopped or deleted; the entry point of the workload's process."""
    Controller(cluster, resource, stop).run()


class _Over(Exception):
    """There is nothing more to do. ``phase``: what the resource says from now on; None leaves it."""

    def __init__(self, phase: str | None, reason: str) -> None:
        super().__init__(reason)
        self.phase, self.reason = phase, reason


class Controller:
    """One endpoint, from its first server to its last."""

    def __init__(self, cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
        self.cluster, self.stopping = cluster, stop
        self.uid, self.name = resource.uid, resource.name
        self.ledger = Ledger(cluster, resource)
        self.crew = Crew(cluster, resource.uid, resource.name)
        self.scaler = Scaler(watching.traffic(cluster), resource.uid)
        self.guard = watching.Guard(cluster, resource.uid, resource.name, self.scaler.traffic)
        self.parts = Parts(self.crew)
        self.drift = DriftStatus(cluster, self.crew, self.name, self.uid, self.scaler.traffic)
        self.resource = resource
        self.target: Service = names.read(resource)
        self.revision = 0
        self.serving: Service | None = None
        self.busy_until = time.monotonic() + BUSY_SECONDS
        self._version = -1
        self._swept = self._doored = 0.0
        self._listed: dict[str, int] = {}
        self._published_at = 0.0
        self._trouble = ""
        self._was_up = False
        self._untold = False
        self._telling: Future[Any] | None = None
        self._opening: Future[Any] | None = None
        self.split: dict[str, int] = {}
        self.door: Any = None

    def run(self) -> None:
        """Until there is nothing more to do."""
        over = _Over(None, "")
        try:
            while True:
                self._dared()
                busy = time.monotonic() < self.busy_until
                self.stopping.wait(BUSY_TICK if busy else IDLE_TICK)
        except _Over as end:
            over = end
        finally:
            if over.phase not in (None, "DELETED"):
                self.ledger.close_routing()
                self._await_door()
            self.crew.close(self._patience(over.phase))
            if over.phase not in (None, "DELETED"):
                self.ledger.conclude(over.phase, over.reason)
                records.gone(self.resource)

    def _patience(self, phase: str | None) -> float:
        """Seconds for servers to finish what they have: a stop that was asked for waits for requests, others cannot."""
        if phase == "PAUSED":
            return min(float(max(each.timeout for each in self.target.variants)), STOP_SECONDS)
        return 0.5 if phase == "DELETED" else END_SECONDS

    def _dared(self) -> None:
        """One turn. What keeps the store from answering now is no reason to end servers that answer."""
        try:
            self._turn()
            self._trouble = ""
        except KubeflowError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                self.cluster.log(self.uid).write(f"{type(error).__name__}: {error}\n")

    def _turn(self) -> None:
        self._look()
        self._tend()
        self._scale()
        self.parts.tick(self.target)
        self.crew.tick()
        self._switch()
        self._publish()
        self._let_go()
        self._say()
        self.drift.tick(self.resource, self.serving)
        reason = self.guard.check(self.resource, self.target, self.switched)
        if reason:
            self.busy()

    def busy(self) -> None:
        """Look more often for a while."""
        self.busy_until = time.monotonic() + BUSY_SECONDS

    @property
    def switched(self) -> bool:
        """Whether what is asked for is what serves."""
        return self.serving is self.target

    # What is asked for

    def _look(self) -> None:
        if self.stopping.is_set():
            if workload.stop_requested(self.cluster, self.uid):
                raise _Over("CANCELED", "It was stopped.")
            raise _Over(None, "This process was asked to end.")
        version = self._resource_version()
        if version is None:
            raise _Over("DELETED", "")
        if version == self._version:
            return
        self._version = version
        resource = self.cluster.store.by_uid(self.uid)
        if resource is None:
            raise _Over("DELETED", "")
        if not revisions.is_noted(resource):
            resource = self._note(resource)
        self._take(resource)

    def _resource_version(self) -> int | None:
        with self.cluster.store.reading() as connection:
            row = connection.execute(
                "SELECT resource_version FROM resources WHERE uid = ?", (self.uid,)
            ).fetchone()
        return int(row[0]) if row else None

    def _note(self, resource: Resource) -> Resource:
        """Write down a revision that somebody made past the verbs."""
        try:
            names.read(resource)
        except KubeflowError:
            return resource

        def noted(found: Resource) -> Resource | None:
            if revisions.is_noted(found):
                return None
            return found.with_(status={**found.status, "revisions": revisions.appended(found, "Apply")})

        return self.cluster.store.update(KIND, resource.name, noted)

    def _take(self, resource: Resource) -> None:
        """Go by this resource from now on."""
        first = self.serving is None and self.revision == 0
        self.resource = resource
        holder, slash, unit = resource.annotations.get(names.INSIDE, "").partition("/")
        self.crew.inside = (holder, unit) if slash else None
        try:
            target = names.read(resource)
        except KubeflowError as error:
            self.ledger.fault = str(error)
            return
        self.ledger.fault = ""
        if target.stopped:
            raise _Over("PAUSED", "It is stopped. Start it to serve.")
        number = revisions.number_of(resource)
        if number == self.revision and target == self.target:
            return
        new = {each.digest for each in target.variants} - {each.digest for each in self.target.variants}
        self.target, self.revision = target, number
        if first:
            self.serving = self._served_before(resource)
        for digest in new:
            if digest in self.crew.fleets and self.crew.fleets[digest].failed:
                self.crew.fleets[digest].again()
        self.busy()

    def _served_before(self, resource: Resource) -> Service | None:
        """What served when an earlier controller died."""
        number = resource.status.get("servingRevision")
        if number is None:
            return None
        if number == self.revision:
            return self.target
        for entry in revisions.entries(resource):
            if entry["number"] == number:
                with suppress(KubeflowError):
                    return revisions.asked(resource, entry)
        return None

    # What runs

    def _needed(self) -> dict[str, Predictor]:
        """By digest what has to run: of what serves, and of what is asked for."""
        found = {each.digest: each for each in (self.serving.variants if self.serving else ())}
        return found | {each.digest: each for each in self.target.variants}

    def _scale(self) -> None:
        needed = self._needed()
        services = [self.target] if self.switched or self.serving is None else [self.target, self.serving]
        listen = any(not self._is_there(each) for service in services for each in service.variants)
        for service in services:
            self.scaler.look(service, listen=listen)
        if self.scaler.wanted:
            self.busy()
        for predictor in needed.values():
            fleet = self.crew.fleet(predictor)
            fleet.retired_at = None
            unproven = self.serving is not None and not self.switched and not fleet.verified
            fleet.want = self.scaler.count(predictor, self.target.idle, needed=unproven)
            if fleet.ready and predictor.name in self.scaler.wanted:
                self.scaler.answered(predictor.name)
        self._retire(needed)
        self.scaler.forget(set(self.crew.fleets))

    def _is_there(self, predictor: Predictor) -> bool:
        fleet = self.crew.fleets.get(predictor.digest)
        return fleet is not None and bool(fleet.ready)

    def _retire(self, needed: dict[str, Predictor]) -> None:
        """Keep what earlier revisions ran warm: the newest few, for a while, and as long as nobody waits for room."""
        moment = time.monotonic()
        idle = [fleet for digest, fleet in self.crew.fleets.items() if digest not in needed]
        for fleet in idle:
            if fleet.retired_at is None:
                fleet.retired_at = moment
                self.busy()
            alive = [each for each in fleet.replicas if not each.leaving and each.state == "ready"]
            fleet.want = min(fleet.want, len(alive))
        warm = sorted(
            (fleet for fleet in idle if fleet.want), key=lambda one: one.retired_at or 0.0, reverse=True
        )
        keep = 0 if self.guard.is_room_wanted() else WARM
        for place, fleet in enumerate(warm):
            if place >= keep or moment - (fleet.retired_at or moment) > WARM_SECONDS:
                fleet.want = 0

    # What is served

    def _switch(self) -> None:
        """Let what is asked for serve as soon as every variant with a share is there."""
        if self.switched or self.parts.trouble(self.target):
            return
        if all(self.is_good(each) for each in self.target.variants if each.percent):
            self.serving = self.target
            self.ledger.switched(self.revision)
            self._untold = True
            self.busy()

    def is_good(self, predictor: Predictor) -> bool:
        """Whether a variant can be given requests."""
        fleet = self.crew.fleets.get(predictor.digest)
        if fleet is None:
            return False
        if fleet.ready:
            return True
        return predictor.least == 0 and (fleet.verified or self.serving is None) and not fleet.failed

    def _is_up(self, predictor: Predictor) -> bool:
        fleet = self.crew.fleets.get(predictor.digest)
        return fleet is not None and fleet.state in {"ready", "asleep"}

    def _publish(self) -> None:
        service = self.serving or self.target
        split = routing.shares(service, self.crew.fleets, complete=self.serving is not None)
        self.split = split
        found = routing.table(
            self.name, service, self.target, self.crew.fleets, split, self.parts.addresses()
        )
        stable = self.crew.fleets.get(service.stable.digest)
        # What a transformer gets has other columns than what the model does.
        if found["log"] and stable is not None and stable.columns and not self.target.transformer:
            found["log"] = {**found["log"], "columns": stable.columns}
        found["settings"] = revisions.settings(self.resource)
        if self.parts.trouble(service):
            found = routing.held(found)
        if self.ledger.publish(found):
            self._published_at = time.monotonic()
            self._listed = {socket: was for socket, was in self._listed.items() if socket in self._sockets()}
            self.busy()
        for entry in found["variants"]:
            for replica in entry["replicas"]:
                self._listed[replica["socket"]] = self.ledger.generation

    def _sockets(self) -> set[str]:
        """Where servers that are still there listen."""
        return {
            each.program.http
            for fleet in self.crew.fleets.values()
            for each in fleet.replicas
            if each.program
        }

    def _let_go(self) -> None:
        """End servers that leave, once the gateway sends them nothing more."""
        leaving = [
            each
            for fleet in (*self.crew.fleets.values(), *self.parts.fleets())
            for each in fleet.replicas
            if each.leaving and each.state != "draining" and each.process is not None
        ]
        if not leaving:
            return
        self.busy()
        applied = self.ledger.applied()
        late = time.monotonic() - self._published_at > APPLY_SECONDS
        for each in leaving:
            listed = self._listed.get(each.program.http, -1) if each.program else -1
            if late or applied is None or applied > listed:
                each.drain()
                if each.program:
                    self._listed.pop(each.program.http, None)

    def _await_door(self) -> None:
        """Wait until the gateway sends nothing more here, so that nothing is cut off."""
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            applied = self.ledger.applied()
            if applied is None or applied >= self.ledger.generation:
                return
            time.sleep(0.01)

    # What is said

    def _say(self) -> None:
        fleets = self.crew.fleets
        stable = fleets.get(self.target.stable.digest)
        if self.serving is None and stable is not None and stable.failed and self._is_hopeless(stable):
            self._give_up(stable)
        if any(fleet.state == "loading" for fleet in fleets.values() if fleet.retired_at is None):
            self.busy()
        self._was_up = self._was_up or any(
            self.split.get(each.name) and self._is_up(each) and not self.parts.trouble(self.target)
            for each in (self.serving or self.target).variants
        )
        self.ledger.save(report(self, up=self._was_up))

    def _is_hopeless(self, stable: Fleet) -> bool:
        """Whether the first version cannot be had, so that nothing ever served."""
        return not stable.verified and (stable.error is not None or stable.restarts >= GIVE_UP)

    def _give_up(self, stable: Fleet) -> None:
        what = "does not load" if stable.error else "does not stay up"
        self.ledger.save(report(self, up=False))
        if self._resource_version() != self._version and self._changed_meanwhile():
            return
        raise _Over("FAILED", f"{stable.predictor.name} {what}: {stable.why}")

    def _changed_meanwhile(self) -> bool:
        current = self.cluster.store.by_uid(self.uid)
        return current is None or revisions.number_of(current) != self.revision

    # What is around

    def _tend(self) -> None:
        """See that the gateway is there, and whatever else of this profile has died."""
        moment = time.monotonic()
        if moment - self._swept > SWEEP_SECONDS:
            self._swept = moment
            workload.sweep(self.cluster)
        if self._untold and self.serving and self.door and (self._telling is None or self._telling.done()):
            self._untold = False
            url = f"{self.door.url.rstrip('/')}/{self.name}"
            self._telling = self.crew.aside(records.told, self.resource, self.serving, url)
        if moment - self._doored > DOOR_SECONDS or (self.door is None and moment - self._doored > 0.1):
            self._doored = moment
            self._open_door()

    def _open_door(self) -> None:
        """See that the gateway runs; in a thread, for it may take a while."""
        if self._opening is not None and self._opening.done():
            failure = self._opening.exception()
            if failure is None:
                self.door = self._opening.result()
            elif isinstance(failure, KubeflowError):
                self.ledger.fault = str(failure)
            self._opening = None
        if self._opening is None:
            self._opening = self.crew.aside(door.ensure, self.cluster)
