"""Which cluster and which profile are used: what there is, what was chosen, and to choose another."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_ext.errors import KubeflowError

from .fields import Field
from .handler import KubeflowHandler, Operation, operation

if TYPE_CHECKING:
    from jupyter_ext.cluster.answers import Capability
    from jupyter_ext.cluster.kube import KubeCluster

WAIT: Final = 3.0
"""Seconds that somebody waits for a cluster to say what it can do; it is asked on, and known the next time."""
CHOICE = (
    Field(
        "context", "string", "A context of the kubeconfig, in-cluster, or local.", required=True, limit=253
    ),
    Field("namespace", "string", "A namespace of it; without, the context's own.", default="", limit=63),
)
ASKED = (Field("context", "string", "Tell the profiles of this one.", limit=253),)


@dataclass(frozen=True)
class Used:
    """Where work goes now. ``kinds`` are those that are read from the cluster; ``reason`` says why it is this one."""

    kind: str = "local"
    name: str = ""
    namespace: str = ""
    reason: str = ""
    capabilities: dict[str, Capability] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)


class _Asking:
    """What a cluster can do, asked in a thread of its own: one that does not answer holds up nobody."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: dict[int, threading.Thread] = {}
        self._errors: dict[int, KubeflowError] = {}
        self._kinds: dict[int, list[str]] = {}

    def kinds(self, cluster: KubeCluster) -> list[str]:
        """The kinds that it had when it was asked."""
        return self._kinds.get(id(cluster), [])

    def of(self, cluster: KubeCluster) -> dict[str, Capability]:
        """What is known within some seconds. Raises what it said instead, or Unavailable."""
        from jupyter_ext.errors import Unavailable

        key = id(cluster)
        with self._guard:
            thread = self._running.get(key)
            if thread is None or not thread.is_alive():
                self._errors.pop(key, None)
                thread = threading.Thread(
                    target=self._ask, args=(cluster,), name="kubeflow-clusters", daemon=True
                )
                self._running[key] = thread
                thread.start()
        thread.join(0.0 if cluster.surveyed else WAIT)
        if cluster.surveyed is not None:
            return dict(cluster.surveyed[1].capabilities)
        raise self._errors.get(key) or Unavailable(f"{cluster.access.name} has not answered yet")

    def _ask(self, cluster: KubeCluster) -> None:
        from jupyter_ext.cluster.discover import CAPABILITY, holder

        try:
            cluster.capabilities()
            self._kinds[id(cluster)] = [kind for kind in CAPABILITY if holder(kind) is cluster]
        except KubeflowError as error:
            self._errors[id(cluster)] = error


_asking = _Asking()


def used() -> Used:
    """What is used now, as far as it is known; never raises: the reason says what is wrong."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.cluster.answers import Capability

    try:
        place, cluster = discover.place(), discover.remote()
    except KubeflowError as error:
        return Used(reason=str(error))
    if cluster is None:
        return Used(reason=place.reason)
    moved = set(discover.CAPABILITY.values())
    try:
        found = _asking.of(cluster)
        can = {name: found[name] for name in moved if place.is_chosen or found[name].available}
    except KubeflowError as error:
        can = {name: Capability(False, str(error)) for name in moved} if place.is_chosen else {}
    kinds = [kind for kind in _asking.kinds(cluster) if discover.CAPABILITY[kind] in can]
    return Used("kubernetes", cluster.access.name, cluster.namespace, place.reason, can, kinds)


def choices(context: str | None = None) -> dict[str, Any]:
    """What can be chosen, and what is used. ``context``: whose namespaces are told, by default those of the used one."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.cluster.kube.access import contexts, in_cluster

    now = used()
    rows: list[dict[str, Any]] = [{"context": discover.LOCAL, "kind": "local", "title": "This machine"}]
    if in_cluster(discover.SERVICE_ACCOUNT.parent):
        rows.append({"context": discover.IN_CLUSTER, "kind": "kubernetes", "title": "This pod's cluster"})
    trouble = ""
    try:
        named, _ = contexts()
        rows += [{"context": name, "kind": "kubernetes", "title": name} for name in named[:200]]
        place = discover.place()
        chosen = place.context or (discover.IN_CLUSTER if place.kind == "kubernetes" else discover.LOCAL)
    except KubeflowError as error:
        trouble, chosen = str(error), discover.LOCAL
    asked = context or chosen
    profiles, why = _profiles(asked, now.namespace if asked == chosen else "")
    return {
        "used": {"context": chosen, "kind": now.kind, "name": now.name, "namespace": now.namespace},
        "reason": trouble or now.reason,
        "choices": rows,
        "context": asked,
        "profiles": profiles,
        "profilesReason": why,
    }


def _profiles(context: str, namespace: str) -> tuple[list[str], str]:
    """The namespaces of a cluster that one may see, and why there are no more."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.access import of_kubeconfig, of_pod
    from jupyter_ext.cluster.kube.profiles import profiles

    if context == discover.LOCAL:
        return [], ""
    own = namespace
    try:
        pod = context == discover.IN_CLUSTER
        access = of_pod(discover.SERVICE_ACCOUNT.parent) if pod else of_kubeconfig(context)
        cluster = KubeCluster(access, patience=WAIT)
        own = own or cluster.namespace
        try:
            return profiles(cluster, own), ""
        finally:
            cluster.close()
    except KubeflowError as error:
        return [own] if own else [], str(error)


def choose(context: str, namespace: str) -> dict[str, Any]:
    """Use it from now on, in all that belongs to the profile. Raises Unavailable for what there is not."""
    from jupyter_ext.cluster import discover

    discover.use(context, namespace, keep=True)
    return choices()


class ClusterHandler(KubeflowHandler):
    """``cluster``."""

    @web.authenticated
    @authorized("read", "kubeflow")
    @operation(Operation("Clusters and profiles that there are, and which is used.", "read", query=ASKED))
    async def get(self) -> None:
        query = self.query(ASKED)
        self.reply(await self.blocking(choices, query["context"]))

    @web.authenticated
    @authorized("write", "kubeflow")
    @operation(Operation("Use this cluster and profile from now on.", "write", body=CHOICE))
    async def post(self) -> None:
        body = self.body(CHOICE)
        found = await self.blocking(choose, body["context"], body["namespace"])
        await self.blocking(self.app.mirrors.cluster)
        self.reply(found)
