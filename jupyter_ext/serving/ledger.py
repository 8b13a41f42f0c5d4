"""The status of an endpoint as its controller writes it: only what changed, and never over what others wrote."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.resource import now
from jupyter_ext.errors import KubeflowError, NotFound
from jupyter_ext.serving import door, status
from jupyter_ext.serving.places import KIND

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource


class Ledger:
    """What was written last, and what is to be written next."""

    def __init__(self, cluster: LocalCluster, resource: Resource) -> None:
        self.cluster, self.uid, self.name = cluster, resource.uid, resource.name
        self.fault = ""
        """What is wrong with what was asked for last, or with the gateway."""
        self._table: dict[str, Any] | None = None
        self.generation = int((resource.status.get("routing") or {}).get("generation") or 0)
        self._saved: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}
        self._conditions = list(resource.status.get("conditions") or [])

    def publish(self, table: dict[str, Any]) -> bool:
        """Let the gateway go by this table from now on; False if it does already."""
        if table == self._table:
            return False
        generation = self.generation + 1
        self._write({"routing": {"generation": generation, **table}, **self._extra})
        self._table, self.generation, self._extra = table, generation, {}
        return True

    def switched(self, revision: int) -> None:
        """Note which revision serves; written together with its routing."""
        self._extra = {"servingRevision": revision}

    def applied(self) -> int | None:
        """The generation by which the gateway goes; None where there is none to wait for."""
        try:
            return door.applied(self.cluster, self.name, self.uid)
        except KubeflowError:
            return None

    def save(self, fields: dict[str, Any]) -> None:
        """Write what differs from what was written last."""
        self._conditions = status.conditions(self._conditions, fields["conditions"])
        fields = {**fields, "conditions": self._conditions, **self._extra}
        if all(self._saved.get(key) == value for key, value in fields.items()):
            return
        self._write(fields)
        self._saved, self._extra = {**self._saved, **fields}, {}

    def close_routing(self) -> None:
        """Nobody is to be sent here any more."""
        with suppress(NotFound):
            self._write_with(lambda found: {"routing": status.closed(found.get("routing"))})
            self.generation += 1

    def conclude(self, phase: str, reason: str) -> None:
        """The end of this controller: nothing runs any more."""
        word = {"PAUSED": "Stopped", "CANCELED": "Stopped"}.get(phase, "Failed")
        kind = "Warning" if phase == "FAILED" else "Normal"

        def ended(found: dict[str, Any]) -> dict[str, Any]:
            rows = [each for each in found.get("variants") or [] if each.get("state") != "retired"]
            gone = [{**each, "replicas": 0, "pids": []} for each in rows]
            if phase != "FAILED":
                gone = [{**each, "state": "asleep", "reason": ""} for each in gone]
            states = {
                "Ready": (False, word, reason),
                "PredictorReady": (False, word, reason),
                "Stopped": (phase != "FAILED", "", ""),
            }
            return {
                "phase": phase,
                "reason": reason,
                "variants": gone,
                "conditions": status.conditions(self._conditions, states),
                "completionTime": now(),
            }

        with suppress(NotFound), self.cluster.store.transaction():
            self._write_with(ended)
            self.cluster.store.record(KIND, self.name, kind, word, reason)

    def _write(self, fields: dict[str, Any]) -> None:
        self._write_with(lambda _: fields)

    def _write_with(self, change: Any) -> None:
        def changed(found: Resource) -> Resource | None:
            if found.uid != self.uid:
                raise NotFound(f"{self.name} was deleted")
            fields = change(found.status)
            if found.phase == "CANCELING" and fields.get("phase") in {"RUNNING", "PENDING"}:
                fields = {**fields, "phase": found.phase, "reason": found.reason}
            return found.with_(status={**found.status, **fields})

        self.cluster.store.update(KIND, self.name, changed)
