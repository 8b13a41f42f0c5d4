"""KServe's InferenceGraph: several endpoints behind one address, one after the other, side by side, or one of them.

What a graph says is checked when it is given; the gateway runs it (``gateway.graphs``). The shapes are those of
serving.kserve.io/v1alpha1, ``inference_graph.go``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.handle import Handle
from jupyter_ext.cluster.resource import KINDS, Resource, now, valid_name
from jupyter_ext.errors import Conflict, Invalid, Where
from jupyter_ext.serving import conditions

KIND: Final = "InferenceGraph"
ROOT: Final = "root"
ROUTERS: Final = ("Sequence", "Splitter", "Ensemble", "Switch")
DATA: Final = ("$request", "$response")
DEFAULT_TIMEOUT: Final = 60.0
_NODES: Final = 100
_STEPS: Final = 50
_SPEC: Final = frozenset({
    *("nodes", "timeout", "resources", "affinity", "tolerations", "nodeSelector", "nodeName"),
    *("serviceAccountName", "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "routerTimeouts"),
})  # fmt: skip
"""All but the first two are about the router's pod; here the gateway is the router."""
_STEP: Final = frozenset({
    *("name", "serviceName", "serviceUrl", "nodeName", "weight", "condition", "data", "dependency"),
    "mapPredictionsToInstances",
})  # fmt: skip
_URL: Final = re.compile(r"http://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?(/[!-~]*)?")


@dataclass(frozen=True, slots=True)
class Step:
    """One target: an endpoint, an address, or another node. ``hard``: its failure is the node's."""

    name: str
    service: str = ""
    url: str = ""
    node: str = ""
    weight: int = 0
    condition: str = ""
    uses: str = "$request"
    hard: bool = False
    renames: bool = False
    """Predictions of the step before become the instances of this one."""


@dataclass(frozen=True, slots=True)
class Node:
    """How a request goes through its steps."""

    kind: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph that can be run."""

    name: str
    nodes: Mapping[str, Node]
    timeout: float

    @property
    def services(self) -> set[str]:
        """The endpoints it needs."""
        return {step.service for node in self.nodes.values() for step in node.steps if step.service}


def graph_of(resource: Resource) -> Plan:
    """Read a graph. Raises Invalid naming the node, the step and what is wrong there."""
    spec = resource.spec
    _known(spec, _SPEC, "spec")
    nodes = spec.get("nodes")
    if not isinstance(nodes, Mapping) or not nodes:
        raise _wrong("spec.nodes", "A graph has nodes", f"Give it at least the node {ROOT!r}.")
    if len(nodes) > _NODES:
        raise _wrong("spec.nodes", f"A graph has at most {_NODES} nodes, not {len(nodes)}")
    if ROOT not in nodes:
        raise _wrong("spec.nodes", f"A graph begins at the node {ROOT!r}, which is missing")
    read = {str(name): _node(str(name), given) for name, given in nodes.items()}
    for name, node in read.items():
        for place, step in enumerate(node.steps):
            if step.node and step.node not in read:
                near = ", ".join(get_close_matches(step.node, read, 3, 0.4) or sorted(read))
                where = f"spec.nodes.{name}.steps[{place}].nodeName"
                raise _wrong(where, f"There is no node {step.node!r}", f"There are: {near}.")
    _no_cycle(read)
    timeout = spec.get("timeout")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int) or timeout < 1):
        raise _wrong("spec.timeout", f"The timeout is a number of seconds, not {timeout!r}")
    return Plan(resource.name, read, float(timeout or DEFAULT_TIMEOUT))


def _wrong(field: str, what: str, hint: str | None = None) -> Invalid:
    return Invalid(what, where=Where(field=field), hint=hint)


def _known(given: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, 1, 0.5)
            hint = f"Is it {near[0]}?" if near else f"Known: {', '.join(sorted(known))}."
            raise _wrong(f"{where}.{name}", f"{name} is not a field of an InferenceGraph", hint)


def _node(name: str, given: Any) -> Node:
    where = f"spec.nodes.{name}"
    if not isinstance(given, Mapping):
        raise _wrong(where, f"The node {name!r} is a mapping with routerType and steps")
    _known(given, frozenset(["routerType", "steps"]), where)
    kind = given.get("routerType")
    if kind not in ROUTERS:
        raise _wrong(
            f"{where}.routerType", f"{kind!r} is no type of a node", f"There are {', '.join(ROUTERS)}."
        )
    steps = given.get("steps")
    if not isinstance(steps, list) or not 0 < len(steps) <= _STEPS:
        raise _wrong(f"{where}.steps", f"The node {name!r} has 1 to {_STEPS} steps")
    read = tuple(_step(f"{where}.steps[{place}]", str(kind), each) for place, each in enumerate(steps))
    if kind == "Splitter" and sum(step.weight for step in read) != 100:
        weights = " + ".join(str(step.weight) for step in read)
        total = sum(step.weight for step in read)
        raise _wrong(
            f"{where}.steps",
            f"The weights of the Splitter {name!r} add up to {total} ({weights})",
            "Make it 100.",
        )
    names = [step.name or str(place) for place, step in enumerate(read)]
    twice = next((each for each in names if names.count(each) > 1), None)
    if kind == "Ensemble" and twice is not None:
        raise _wrong(f"{where}.steps", f"Two steps of the Ensemble {name!r} are named {twice!r}")
    return Node(str(kind), read)


def _step(where: str, kind: str, given: Any) -> Step:
    if not isinstance(given, Mapping):
        raise _wrong(where, "A step is a mapping with serviceName, serviceUrl or nodeName")
    _known(given, _STEP, where)
    texts = {
        name: given.get(name) or "" for name in ("name", "serviceName", "serviceUrl", "nodeName", "condition")
    }
    for name, text in texts.items():
        if not isinstance(text, str) or len(text) > 2000:
            raise _wrong(f"{where}.{name}", f"{name} is a text")
    targets = [name for name in ("serviceName", "serviceUrl", "nodeName") if texts[name]]
    if len(targets) != 1:
        said = " and ".join(targets) or "none of them"
        raise _wrong(where, f"A step has one of serviceName, serviceUrl and nodeName; this one has {said}")
    if texts["serviceUrl"] and not _URL.fullmatch(texts["serviceUrl"]):
        raise _wrong(
            f"{where}.serviceUrl",
            f"{texts['serviceUrl'][:80]!r} is no address that the gateway can ask",
            "It asks http:// addresses; other endpoints are better named by serviceName.",
        )
    if texts["condition"]:
        _condition(where, kind, texts["condition"])
    elif kind == "Switch":
        raise _wrong(where, "Every step of a Switch has a condition", "For example: condition: user.kind")
    return Step(
        *(texts["name"], texts["serviceName"], texts["serviceUrl"], texts["nodeName"]),
        weight=_weight(where, kind, given.get("weight")),
        condition=texts["condition"],
        uses=_one_of(where, "data", given.get("data"), DATA),
        hard=_one_of(where, "dependency", given.get("dependency"), ("Soft", "Hard")) == "Hard",
        renames=_flag(where, given.get("mapPredictionsToInstances")),
    )


def _condition(where: str, kind: str, text: str) -> None:
    if kind not in {"Switch", "Sequence"}:
        raise _wrong(f"{where}.condition", f"A step of a node of type {kind} has no condition")
    try:
        conditions.parse(text)
    except Invalid as error:
        raise Invalid(error.what, where=Where(field=f"{where}.condition"), hint=error.hint) from None


def _weight(where: str, kind: str, given: Any) -> int:
    if given is None:
        if kind == "Splitter":
            raise _wrong(f"{where}.weight", "Every step of a Splitter has a weight; they add up to 100")
        return 0
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 100:
        raise _wrong(f"{where}.weight", f"A weight is a whole number from 0 to 100, not {given!r}")
    if kind != "Splitter":
        raise _wrong(
            f"{where}.weight", f"Only steps of a Splitter have a weight; this node is of type {kind}"
        )
    return given


def _one_of(where: str, name: str, given: Any, known: tuple[str, ...]) -> str:
    if given in {None, ""} if not isinstance(given, list | dict) else False:
        return known[0]
    if given not in known:
        raise _wrong(f"{where}.{name}", f"{name} is {' or '.join(known)}, not {str(given)[:60]!r}")
    return str(given)


def _flag(where: str, given: Any) -> bool:
    if given is not None and not isinstance(given, bool):
        raise _wrong(f"{where}.mapPredictionsToInstances", f"It is true or false, not {str(given)[:60]!r}")
    return bool(given)


def _no_cycle(nodes: Mapping[str, Node]) -> None:
    """Raise Invalid when a node leads back to itself."""
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            circle = " → ".join([*way[way.index(name) :], name])
            raise _wrong(f"spec.nodes.{name}", f"The graph goes round in a circle: {circle}")
        if name in done:
            return
        for step in nodes[name].steps:
            if step.node:
                visit(step.node, (*way, name))
        done.add(name)

    for name in nodes:
        visit(name, ())


# Giving, changing and asking one


def check_graph(resource: Resource, among: Collection[str] = ()) -> Plan:
    """Everything that ``submit_graph`` refuses. ``among``: endpoints that are made together with it."""
    from jupyter_ext.cluster.kube.handle import place as remote_place

    if resource.kind != KIND or resource.api_version != KINDS[KIND].api_version:
        raise Invalid(
            f"{resource.api_version} {resource.kind} is not an InferenceGraph of {KINDS[KIND].api_version}",
            where=Where(field="kind"),
        )
    valid_name(resource.name, "metadata.name")
    plan = graph_of(resource)
    if (remote := remote_place("serving")) is not None:
        remote.apply(resource, dry=True)
        return plan
    cluster = discover.current()
    for node, each in plan.nodes.items():
        for place, step in enumerate(each.steps):
            if (
                step.service
                and step.service not in among
                and cluster.store.find("InferenceService", step.service) is None
            ):
                known = [found.name for found in cluster.store.list("InferenceService", summary=True)]
                near = get_close_matches(step.service, known, 3, 0.4) or known[:5]
                raise Invalid(
                    f"There is no endpoint {step.service!r}",
                    where=Where(field=f"spec.nodes.{node}.steps[{place}].serviceName"),
                    hint=f"There are: {', '.join(near)}." if near else "Serve a model first.",
                )
    if cluster.store.find("InferenceService", resource.name) is not None:
        raise Conflict(
            f"There is an endpoint named {resource.name!r}",
            where=Where(field="metadata.name"),
            hint="A graph has an address like an endpoint's: give it another name.",
        )
    return plan


def submit_graph(resource: Resource, among: Collection[str] = ()) -> Graph:
    """Check a graph, create it and give it an address. Raises Conflict if there is one of its name."""
    from jupyter_ext.cluster.kube.handle import place as remote_place
    from jupyter_ext.serving import gateway

    if (remote := remote_place("serving")) is not None:
        from jupyter_ext.serving.kube_graph import KubeGraph

        graph_of(resource)
        return KubeGraph(remote.create(resource).name, remote)
    cluster = discover.current()
    check_graph(resource, among)
    fresh = replace(
        resource, namespace=cluster.namespace, status={"phase": "PENDING", "reason": "Waits for the gateway."}
    )
    cluster.store.create(fresh)
    url = f"{gateway.ensure(cluster).url}/{resource.name}"
    cluster.store.update(KIND, resource.name, lambda found: found.with_(status=_status(url)))
    return Graph(resource.name, cluster)


def _status(url: str) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": now()}
    return {"phase": "RUNNING", "reason": "", "url": url, "conditions": [ready]}


def update_graph(resource: Resource, *, dry: bool = False, among: Collection[str] = ()) -> Resource:
    """Give a graph that is there another spec; requests that are on their way end by the old one."""
    from jupyter_ext.cluster.kube.handle import place as remote_place

    if (remote := remote_place("serving")) is not None:
        graph_of(resource)
        return remote.apply(resource, dry=dry)
    cluster = discover.current()
    current = cluster.get(KIND, resource.name)
    check_graph(resource, among)
    changed = current.with_(
        spec=resource.spec,
        labels={**current.labels, **resource.labels},
        annotations={**current.annotations, **resource.annotations},
    )
    if dry or changed == current:
        return changed
    return cluster.store.update(
        KIND,
        resource.name,
        lambda found: found.with_(spec=changed.spec, labels=changed.labels, annotations=changed.annotations),
    )


def graph(name: str) -> Graph:
    """The graph of that name, of the cluster that is used or else of this machine; raises NotFound."""
    from jupyter_ext.cluster.kube.handle import there
    from jupyter_ext.serving.kube_graph import KubeGraph

    if (remote := there("serving", lambda cluster: KubeGraph.found(cluster, name))) is not None:
        return remote
    found = Graph(name)
    _ = found.resource
    return found


def graphs(limit: int = 50) -> list[Graph]:
    """The newest first: of the Kubernetes cluster that is used, then of this machine."""
    from jupyter_ext.cluster.kube.handle import place as remote_place
    from jupyter_ext.serving.kube_graph import KubeGraph

    found: list[Graph] = []
    if (remote := remote_place("serving")) is not None:
        found += [KubeGraph(each.name, remote) for each in remote.list(KIND, limit=limit, summary=True).items]
    cluster = discover.current()
    return found + [Graph(each.name, cluster) for each in cluster.list(KIND, limit=limit, summary=True)]


class Graph(Handle):
    """One graph, by name. Every property reads the store. Its phase is PENDING or RUNNING."""

    _kind = KIND

    @property
    def url(self) -> str:
        """Its address; requests are posted to it."""
        from jupyter_ext.serving import gateway

        return f"{gateway.ensure(self._cluster).url}/{self.name}"

    @property
    def token(self) -> str:
        """What requests show as ``Authorization: Bearer …``."""
        from jupyter_ext.serving import gateway

        return gateway.ensure(self._cluster).token

    def predict(self, data: Any, *, raw: bool = False, headers: Mapping[str, str] | None = None) -> Any:
        """Send a request through the graph, as ``Endpoint.predict`` sends one to an endpoint."""
        from jupyter_ext.serving import gateway, predicting

        address = gateway.ensure(self._cluster)
        timeout = float(self.resource.spec.get("timeout") or DEFAULT_TIMEOUT) + 5
        token = gateway.token_path(self._cluster)
        target = predicting.Target(f"{address.url}/{self.name}", token, self.name, timeout=timeout)
        return predicting.predict(data, target, raw=raw, headers=headers)

    def wait(self, timeout: float | None = None) -> Graph:
        """A graph is ready as soon as it is there."""
        del timeout
        _ = self.resource
        return self

    def delete(self) -> None:
        """Remove it; the endpoints stay."""
        self._cluster.delete(KIND, self.name)
