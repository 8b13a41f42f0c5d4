"""What is around a server: nodes, who uses them, and what its profile's namespace has.

Nodes and pods of the whole cluster are watched only from the first form or the first pod that finds no node;
before that, nothing of them is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from spawner.api import Api, ApiError, Json
from spawner.mirror import Key, Mirror
from spawner.profiles.survey import listed
from spawner.refused import Refused
from spawner.starts.pods import trimmed
from spawner.starts.queues import Queues
from spawner.starts.reasons import Facts

if TYPE_CHECKING:
    from spawner.form.capacity import Fleet
    from spawner.form.choices import Home
    from spawner.form.schema import Schema

_RECENT: Final = 5.0
"""Seconds for which a list of a namespace is believed."""
_of_loops: Final[dict[int, tuple[asyncio.AbstractEventLoop, Surroundings]]] = {}

PATHS: Final = {
    "quotas": "/api/v1/namespaces/{}/resourcequotas",
    "limit_ranges": "/api/v1/namespaces/{}/limitranges",
    "claims": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "pod_defaults": "/apis/kubeflow.org/v1alpha1/namespaces/{}/poddefaults",
    "storage_classes": "/apis/storage.k8s.io/v1/storageclasses",
    "device_classes": "/apis/resource.k8s.io/v1/deviceclasses",
    "slices": "/apis/resource.k8s.io/v1/resourceslices",
    "device_claims": "/apis/resource.k8s.io/v1/resourceclaims",
}


def _node(node: Json) -> Json:
    about, spec = node.get("metadata") or {}, node.get("spec") or {}
    return {
        "metadata": {key: about[key] for key in ("name", "labels", "uid") if key in about},
        "spec": {key: spec[key] for key in ("taints", "unschedulable") if key in spec},
        "status": {"allocatable": (node.get("status") or {}).get("allocatable") or {}},
    }


class Counted(Mirror[Json]):
    """A mirror that keeps the sums of a fleet."""

    def __init__(self, api: Api, path: str, trim: Any, fleet: Fleet, kind: str) -> None:
        self._fleet, self._kind = fleet, kind
        super().__init__(api, path, trim)

    def _put(self, key: Key, row: Json | None) -> None:
        old = self.rows.get(key)
        super()._put(key, row)
        self._count(old, row)

    def _replace(self, rows: dict[Key, Json], version: str) -> None:
        before = self.rows
        super()._replace(rows, version)
        for key in before.keys() | rows.keys():
            if before.get(key) != rows.get(key):
                self._count(before.get(key), rows.get(key))

    def _count(self, old: Json | None, new: Json | None) -> None:
        if self._kind == "node":
            if new is not None:
                self._fleet.put_node(new)
            elif old is not None:
                self._fleet.drop_node(str(old["metadata"]["name"]))
            return
        gone = old is not None and (new is None or new["metadata"].get("uid") != old["metadata"].get("uid"))
        if gone and old is not None:
            self._fleet.drop_pod(str(old["metadata"].get("uid")))
        if new is not None:
            self._fleet.put_pod(new)


class Surroundings:
    """One per loop: `Surroundings.of`."""

    def __init__(self, api: Api) -> None:
        from spawner.form.capacity import Fleet

        self.fleet = Fleet()
        self._api = api
        self._nodes = Counted(api, "/api/v1/nodes", _node, self.fleet, "node")
        self._pods = Counted(api, "/api/v1/pods", trimmed, self.fleet, "pod")
        self._lists: dict[tuple[str, str], tuple[float, list[Json]]] = {}
        self.queues = Queues(api, self._listed)

    @classmethod
    def of(cls, api: Api) -> Surroundings:
        """The one of the running loop."""
        loop = asyncio.get_running_loop()
        found = _of_loops.get(id(loop))
        if found is None or found[0] is not loop or found[1]._api is not api:  # noqa: SLF001 — its own class
            found = _of_loops[id(loop)] = (loop, cls(api))
        return found[1]

    async def stop(self) -> None:
        """End both watches."""
        _of_loops.pop(id(asyncio.get_running_loop()), None)
        await asyncio.gather(self._nodes.stop(), self._pods.stop())

    async def look(self) -> bool:
        """Bring nodes and pods up to date; False where the Hub may not see them."""
        try:
            await asyncio.gather(self._nodes.fresh(), self._pods.fresh())
        except Refused:
            return False
        return True

    @property
    def nodes(self) -> list[Json]:
        """As last seen."""
        return list(self._nodes.rows.values())

    @property
    def pods(self) -> list[Json]:
        """As last seen, of all namespaces: never shown, only counted."""
        return list(self._pods.rows.values())

    async def lists(self, namespace: str, kind: str) -> list[Json]:
        """The objects of a namespace of one of the kinds of ``PATHS``; none where the kind is not installed."""
        return await self._listed(PATHS[kind].format(namespace), namespace)

    async def _listed(self, path: str, namespace: str) -> list[Json]:
        key = (namespace, path)
        known = self._lists.get(key)
        if known is not None and time.monotonic() - known[0] < _RECENT:
            return known[1]
        try:
            found = await listed(self._api, path)
        except ApiError as error:
            if error.status != 403:
                raise
            found = []
        if len(self._lists) > 1000:
            self._lists.clear()
        self._lists[key] = (time.monotonic(), found)
        return found

    async def devices(self) -> tuple[list[Json], list[Json], dict[str, int]]:
        """Device classes and slices of DRA, and how many devices of each class are free."""
        from spawner.form.devices import free_devices

        classes = await self.lists("", "device_classes")
        if not classes:
            return [], [], {}
        slices, claims = await self.lists("", "slices"), await self.lists("", "device_claims")
        return classes, slices, dict(free_devices(classes, slices, claims))

    async def facts(self, pod: Json, events: Iterable[Json], *, scales_up: bool = False) -> Facts:
        """All that `explain` looks at."""
        namespace = str((pod.get("metadata") or {}).get("namespace"))
        seen = await self.look()
        return Facts(
            pod,
            list(events),
            self.nodes if seen else None,
            self.pods if seen else None,
            await self.lists(namespace, "quotas"),
            await self.lists(namespace, "claims"),
            scales_up,
        )

    async def _home(self, schema: Schema, claims: Iterable[Json], name: str) -> Home | None:
        """The home as it is: what it once got it keeps, and it may grow where its storage class lets it."""
        found = next((each for each in claims if (each.get("metadata") or {}).get("name") == name), None)
        if schema.home is None or found is None:
            return None
        requests = ((found.get("spec") or {}).get("resources") or {}).get("requests") or {}
        classes = await self.lists("", "storage_classes")
        return replace(
            schema.home, claim_size=str(requests.get("storage") or ""), fixed=_fixed(found, classes)
        )

    async def extended(
        self, schema: Schema, namespace: str, wanted: Iterable[str] | None = None, home_claim: str = ""
    ) -> Schema:
        """The schema with what this profile adds; ``wanted`` limits it to the choices that were made.

        ``home_claim`` names the volume that the server's home has already, if it has.
        """
        from spawner.form.accelerators import discover
        from spawner.form.choices import Claim, PodDefaultChoice, Queue

        asked = None if wanted is None else frozenset(wanted)

        def want(*keys: str) -> bool:
            return asked is None or bool(asked.intersection(keys))

        accelerators = []
        if want("accelerator") and await self.look():
            classes, slices, _ = await self.devices()
            accelerators = discover(self.nodes, classes, slices)
        defaults = await self.lists(namespace, "pod_defaults") if want("pod_defaults") else []
        claims = await self.lists(namespace, "claims") if want("data", "home_size") else []
        queues = await self.queues.of(namespace) if want("queue") or schema.queue_needed else []
        return schema.extended(
            profiles=(namespace,),
            accelerators=accelerators,
            pod_defaults=[PodDefaultChoice.of(each) for each in defaults],
            claims=_claims(claims, Claim),
            queues=[Queue.of(each) for each in queues],
            home=await self._home(schema, claims, home_claim),
        )


def _fixed(claim: Json, classes: Iterable[Json]) -> str:
    """Why a volume cannot grow; empty where it can."""
    kind = str((claim.get("spec") or {}).get("storageClassName") or "")
    if (claim.get("status") or {}).get("phase") != "Bound":
        return "It has no disk yet, so its size stays."
    found = next((each for each in classes if (each.get("metadata") or {}).get("name") == kind), None)
    if found is None:
        return "Its size stays: nothing is known of its storage class."
    return (
        ""
        if found.get("allowVolumeExpansion") is True
        else f"Its size stays: the storage class {kind} lets no volume grow."
    )


def _claims(things: Iterable[Json], kind: Any) -> list[Any]:
    found = []
    for thing in things:
        about, spec = thing.get("metadata") or {}, thing.get("spec") or {}
        labels = about.get("labels") or {}
        if labels.get("component") == "singleuser-storage" or about.get("deletionTimestamp"):
            continue
        size = str(((spec.get("resources") or {}).get("requests") or {}).get("storage") or "")
        found.append(kind(name=str(about.get("name")), size=size, modes=tuple(spec.get("accessModes") or ())))
    return found
