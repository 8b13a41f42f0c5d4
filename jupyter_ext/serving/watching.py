"""What a controller keeps an eye on besides its servers: the rules, and who waits for room on the machine."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.devices import FORGET_SECONDS
from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving import revisions, verbs
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.places import KIND

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.spec import Predictor, Service

EVERY: Final = 1.0


def traffic(cluster: LocalCluster) -> Any:
    """The store of what went through."""
    from jupyter_ext.serving import traffic as store

    return store.of(cluster)


class Guard:
    """Looks once a second at the rules of one endpoint, and rolls back what breaks one."""

    def __init__(self, cluster: LocalCluster, uid: str, name: str, store: Any) -> None:
        self.cluster, self.uid, self.name, self.store = cluster, uid, name, store
        self.readings: list[dict[str, Any]] = []
        self._looked = self._counted = 0.0
        self._waiting = False
        self._told: set[tuple[str, str]] = set()

    def check(self, resource: Resource, target: Service, switched: bool) -> str:
        """Why something was rolled back just now; empty when nothing was."""
        moment = time.monotonic()
        if moment - self._looked < EVERY:
            return ""
        self._looked = moment
        if not target.rules:
            self.readings = []
            return ""
        if not switched:
            return ""
        try:
            return self._check(resource, target)
        except KubeflowError as error:
            self.readings = [{"text": text, "state": "unknown", "value": str(error)} for text in target.rules]
            return ""

    def _check(self, resource: Resource, target: Service) -> str:
        from jupyter_ext.serving import rules

        found = []
        for text in target.rules:
            rule = rules.parse(text)
            worst: dict[str, Any] | None = None
            for each in target.variants:
                if not each.percent:
                    continue
                since = began(resource, each)
                stable = target.stable.name if each is not target.stable else None
                reading = rules.look(
                    rule, self.store, self.uid, each.name, time.time(), stable=stable, since=since
                )
                if reading.breach is not None and self._breached(resource, each, text, reading.breach):
                    return str(reading.breach.sentence)
                told = {**reading.to_dict(), "text": text, "variant": each.name}
                if worst is None or _rank(told) > _rank(worst):
                    worst = told
            if worst is not None:
                found.append(worst)
        self.readings = found
        return ""

    def _breached(self, resource: Resource, variant: Predictor, text: str, breach: Any) -> bool:
        """Roll back; False where there is nothing to return to."""
        sentence = str(breach.sentence)
        entry = revisions.without(resource, variant.name, variant.digest)
        key = (variant.digest, text)
        if entry is None:
            if key not in self._told:
                self._told.add(key)
                message = f"{sentence} There is no earlier revision without {variant.name} to return to."
                self.cluster.store.record(KIND, self.name, "Warning", "RuleBreached", message)
            return False
        self.cluster.store.record(KIND, self.name, "Warning", "RuleBreached", sentence)
        verbs.rollback(self.cluster, self.name, int(entry["number"]), by="rule", why=sentence)
        return True

    def is_room_wanted(self) -> bool:
        """Whether somebody waits for a lease on this machine. Asked once a second."""
        moment = time.monotonic()
        if moment - self._counted >= EVERY:
            self._counted = moment
            with self.cluster.store.reading() as connection:
                row = connection.execute(
                    "SELECT count(*) FROM leases WHERE granted = 0 AND seen > ?",
                    (time.time() - FORGET_SECONDS / 10,),
                ).fetchone()
            self._waiting = bool(row[0])
        return self._waiting


def _rank(reading: dict[str, Any]) -> int:
    return {"breached": 3, "ok": 2, "waiting": 1}.get(str(reading.get("state")), 0)


def began(resource: Resource, variant: Predictor) -> float | None:
    """When this variant, as it is, began to get a share of the requests."""
    moment = None
    for entry in reversed(revisions.entries(resource)):
        try:
            there = names.parse(entry["spec"], entry["annotations"]).variant(variant.name)
        except KubeflowError:
            break
        if there is None or not there.percent or there.digest != variant.digest:
            break
        moment = entry["time"]
    return None if moment is None else seconds(str(moment))


def seconds(moment: str) -> float:
    """RFC 3339 as seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()
