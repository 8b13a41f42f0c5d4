"""An endpoint of a Kubernetes cluster as it is: what it is asked to be, with what KServe and its pods say of it.

The status has the words of this machine's endpoints, so that whatever shows or waits for those does so for these.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube import why
from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.cluster.kube.pods import OWNER, Pod, pod_of
from jupyter_ext.errors import Forbidden, NotFound, Unavailable
from jupyter_ext.serving import kube_asking, kube_foreign, kube_gateway, revisions
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.kube_objects import DIGEST, GRAPH, graph_name, is_realized, service_name, split
from jupyter_ext.serving.kube_routing import address_of
from jupyter_ext.serving.places import ENDPOINT, KIND
from jupyter_ext.serving.server.process import FAILED

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.kube_record import Records
    from jupyter_ext.serving.spec import Predictor, Service

_OF_SERVICE: Final = OWNER[KIND]
_OF_GRAPH: Final = OWNER[GRAPH]
_AGAIN: Final = 2
"""Starts of a container after which what it says is no accident."""

_UNTOLD: Final = "KServe has not been told of it: who asked for it ended amid that. wait() goes on."

Json = dict[str, Any]


class View:
    """One look: three requests, and one more where there may be a graph."""

    def __init__(self, records: Records, name: str) -> None:
        remote = records.remote
        self.name = name
        self.kept = records.kept(name)
        self.record = None if self.kept is None else self.kept.resource
        listed = remote.list(KIND, labels={ENDPOINT: name}) if self.record else [remote.get(KIND, name)]
        self.services = {each.name: each for each in listed}
        if name not in self.services:
            raise NotFound(f"There is no endpoint {name!r}", hint="It may have been deleted.")
        self.stable = self.services[name]
        self.graph: Resource | None = None
        self.gateway: Resource | None = None
        self.pods: list[Json] = []
        if self.record is None:
            return
        own = kube_gateway.name_of(name)
        if own in self.services and kube_gateway.is_gateway(self.services[own], name):
            there = self.services.pop(own)
            self.gateway = None if there.deleted else there
        try:
            path = f"/api/v1/namespaces/{remote.namespace}/pods"
            self.pods, _ = pages(remote.transport, path, labels=f"{ENDPOINT}={name}")
        except Forbidden:
            self.pods = []
        if not self.opens:
            with suppress(NotFound, Unavailable, Forbidden):
                self.graph = remote.get(GRAPH, graph_name(name))

    def resource(self) -> Resource:
        """The endpoint: its spec is what it is asked to be."""
        if self.record is None:
            return kube_foreign.shown(self.stable)
        service = names.read(self.record)
        rows = [self._row(service, each) for each in service.variants]
        phase, reason = self._phase(service, rows)
        settled = (
            phase == "RUNNING" and all(row["state"] == "ready" for row in rows) and not self._leaving(service)
        )
        status = {
            **self.stable.status,
            **addresses(self.front, self.record.namespace),
            "phase": phase,
            "reason": reason,
            "variants": rows,
            "revisions": revisions.entries(self.record),
        }
        if self.gateway is not None:
            status["gateway"] = door = self._door(service)  # which knows itself what is in force
            if door["state"] in {"loading", "failed"} and not reason:
                status["reason"] = f"Its gateway: {door['reason'] or 'its pod is starting.'}"
        elif settled and self.is_split(service):
            status["servingRevision"] = revisions.number_of(self.record)
        about = self.stable
        return self.record.with_(
            status=status,
            uid=about.uid,
            created=about.created,
            generation=about.generation,
            resource_version=about.resource_version,
            deleted=about.deleted,
        )

    @property
    def front(self) -> Resource:
        """What requests go to: the gateway, once it answers or nothing else splits, the graph, or the stable variant."""
        if self.gateway is not None and address_of(self.gateway) and (self.opens or self.graph is None):
            return self.gateway
        return self.graph or self.stable

    @property
    def is_told(self) -> bool:
        """Whether KServe has been told all that is asked for."""
        if self.record is None:
            return True
        service = names.read(self.record)
        is_complete = self.gateway is not None or not kube_gateway.needs(service)
        return is_complete and is_realized(self.record, service, self.services)

    @property
    def opens(self) -> bool:
        """Whether a pod of the gateway answers."""
        if self.gateway is None:
            return False
        own = self.gateway.name
        return any(
            _label(pod, _OF_SERVICE) == own and _is_ready(pod) and not _is_leaving(pod) for pod in self.pods
        )

    def ready(self) -> dict[str, set[str]]:
        """Of each InferenceService, the predictors of its ready pods, by digest."""
        found: dict[str, set[str]] = {}
        for pod in self.pods:
            name, digest = _label(pod, _OF_SERVICE), _label(pod, DIGEST)
            if name in self.services and digest and _is_ready(pod) and not _is_leaving(pod):
                found.setdefault(name, set()).add(digest)
        return found

    def _door(self, service: Service) -> Json:
        """How the gateway is."""
        assert self.gateway is not None
        own = self.gateway.name
        pods = [pod for pod in self.pods if _label(pod, _OF_SERVICE) == own and not _is_leaving(pod)]
        if service.stopped:
            return {"state": "asleep", "reason": ""}
        if self.opens:
            return {"state": "ready", "reason": ""}
        return {"state": "failed" if any(map(_has_failed, pods)) else "loading", "reason": _why(pods)}

    # Variants

    def _row(self, service: Service, each: Predictor) -> Json:
        name = service_name(self.name, service, each.name)
        found, pods = self.services.get(name), self._running(name, each.digest)
        ready = sum(_is_ready(pod) for pod in pods)
        state, reason = "loading", ""
        if service.stopped:
            state = "asleep"
        elif ready and found is not None:
            state = "ready"
        elif any(_has_failed(pod) for pod in pods):
            state, reason = "failed", _why(pods)
        elif pods:
            reason = _why(pods) or "Its pods have not answered yet."
        else:
            reason = found.reason if found is not None else _UNTOLD
        return {
            "name": each.name,
            "digest": each.digest,
            "percent": each.percent,
            "model": str(each.facts.get("model") or ""),
            "version": str(each.facts.get("version") or ""),
            "state": state,
            "reason": reason,
            "replicas": ready,
            "restarts": max((_restarts(pod) for pod in pods), default=0),
        }

    def _running(self, name: str, digest: str) -> list[Json]:
        """The pods of a variant: our gateway sends there wherever they are."""
        return [
            pod
            for pod in self.pods
            if (_label(pod, _OF_SERVICE) == name or self.gateway is not None)
            and _label(pod, DIGEST) == digest
            and not _is_leaving(pod)
        ]

    def _leaving(self, service: Service) -> bool:
        """Whether pods still answer that are no longer asked for."""
        asked = {(service_name(self.name, service, each.name), each.digest) for each in service.variants}
        return any(
            _label(pod, DIGEST)
            and (_label(pod, _OF_SERVICE), _label(pod, DIGEST)) not in asked
            and not _is_leaving(pod)
            for pod in self.pods
        )

    def _phase(self, service: Service, rows: Sequence[Json]) -> tuple[str, str]:
        first = rows[0]
        if self.stable.deleted:
            return "CANCELING", "It is being deleted."
        if service.stopped:
            left = [pod for pod in self.pods if not _is_leaving(pod)]
            return ("RUNNING", "Its pods are ending.") if left else ("PAUSED", "It is stopped.")
        failed = [row for row in rows if row["state"] == "failed"]
        words = f"{failed[0]['name']}: {failed[0]['reason']}" if failed else str(first["reason"])
        if first["state"] == "ready":
            return "RUNNING", words
        if self._leaving(service):
            return "RUNNING", words or "The next version is starting."
        if first["state"] == "failed":
            return "FAILED", words
        return "PENDING", words or "Its pods have not started yet."

    # The split

    def wants_graph(self, service: Service) -> bool:
        """Whether a graph stands, or is to stand, before the variants. Once there is one it stays: it has an address."""
        if self.gateway is not None:
            return False
        return self.graph is not None or any(each.percent for each in service.variants[1:])

    def is_split(self, service: Service) -> bool:
        """Whether requests go by the shares."""
        if not self.wants_graph(service):
            return True
        if self.graph is None or self.record is None:
            return False
        asked = split(self.record, service).spec["nodes"]["root"]["steps"]
        routers = [pod for pod in self.pods if _label(pod, _OF_GRAPH) and not _is_leaving(pod)]
        return bool(routers) and all(_is_ready(pod) and _steps(pod) == asked for pod in routers)


def addresses(front: Resource, namespace: str) -> Json:
    """Of what requests go to: the address inside, and, where KServe makes one (an Ingress, an HTTPRoute), the one outside."""
    found: Json = {}
    with suppress(Unavailable):  # KServe has not said it yet
        found["address"] = {"url": kube_asking.address(front, namespace)}
    if front.status.get("url"):
        found["url"] = front.status["url"]
    return found


def _label(pod: Json, name: str) -> str:
    return str((pod["metadata"].get("labels") or {}).get(name) or "")


def _is_leaving(pod: Json) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _is_ready(pod: Json) -> bool:
    rows = (pod.get("status") or {}).get("conditions") or ()
    return any(row.get("type") == "Ready" and row.get("status") == "True" for row in rows)


def _containers(pod: Json) -> list[Json]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _restarts(pod: Json) -> int:
    return max((int(row.get("restartCount") or 0) for row in _containers(pod)), default=0)


def _has_failed(pod: Json) -> bool:
    """Whether starting it again changes nothing: its model does not load, or it ends again and again."""
    for row in _containers(pod):
        for state in (row.get("state") or {}, row.get("lastState") or {}):
            ended = state.get("terminated") or {}
            if ended.get("exitCode") == FAILED:
                return True
            if ended.get("exitCode") and int(row.get("restartCount") or 0) >= _AGAIN:
                return True
    return False


def _why(pods: Sequence[Json]) -> str:
    """What the pods say; of a model server its own last words."""
    for pod in pods:
        for row in _containers(pod):
            for state in (row.get("state") or {}, row.get("lastState") or {}):
                words = str((state.get("terminated") or {}).get("message") or "").strip()
                if words:
                    return words.splitlines()[-1][:1000]
    found: list[Pod] = [pod_of(KIND, pod) for pod in pods]
    return why.reason(found, ())


def _steps(pod: Json) -> list[Json]:
    """The shares by which a router goes."""
    try:
        words = pod["spec"]["containers"][0]["args"]
        steps = json.loads(words[words.index("--graph-json") + 1])["nodes"]["root"]["steps"]
        return [{"serviceName": step["serviceName"], "weight": step["weight"]} for step in steps]
    except (KeyError, IndexError, ValueError, TypeError):
        return []
