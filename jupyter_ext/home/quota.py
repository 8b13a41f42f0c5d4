"""What a namespace of a cluster may use and uses, in numbers; and who uses it, for what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube import pods as labels
from jupyter_ext.cluster.kube.cluster import USER
from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.cluster.resource import parse_quantity
from jupyter_ext.errors import Forbidden, Invalid, KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

Json = dict[str, Any]

HUB_USER: Final = "hub.jupyter.org/username"
_SERVER: Final = ("hub.jupyter.org/username", "notebook-name")
_KINDS: Final = [(label, kind) for kind, label in labels.OWNER.items()]
"""In this order: a pod of a JobSet has the label of a Job as well."""
_OTHERS: Final = "Pod"
MOST: Final = 50
"""Rows by person and by kind."""


def of(cluster: Any) -> list[Json] | None:
    """Each quota: ``name`` and ``rows`` of ``resource``, ``used`` and ``hard`` (cores, bytes, numbers).

    None on this machine, and where one may not see it.
    """
    if cluster.kind == "local":
        return None
    try:
        things, _ = pages(cluster.transport, f"/api/v1/namespaces/{cluster.namespace}/resourcequotas")
    except Forbidden:
        return None
    return [_quota(thing) for thing in things]


def _quota(thing: Mapping[str, Any]) -> Json:
    status = thing.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    rows = [
        {"resource": name, "used": number(used.get(name, 0)), "hard": number(most)}
        for name, most in sorted(hard.items())
    ]
    return {"name": str(thing["metadata"]["name"]), "rows": rows}


def number(quantity: Any) -> float:
    """What a quantity says; 0 for what is none, for others write these."""
    try:
        return float(parse_quantity(quantity))
    except (Invalid, OverflowError):
        return 0.0


def use(cluster: Any) -> Json | None:
    """What pods that run or wait have asked for: ``people`` and ``kinds``, the greatest first, and ``total``.

    None on this machine, and where one may not see pods.
    """
    if cluster.kind == "local":
        return None
    try:
        live = live_pods(cluster, f"/api/v1/namespaces/{cluster.namespace}/pods")
    except Forbidden:
        return None
    makers = _makers(cluster, live)
    people: dict[str, Json] = {}
    kinds: dict[str, Json] = {}
    total = share()
    for pod in live:
        asked = requests(pod)
        kind, name = work_of(pod)
        notes = (pod.get("metadata") or {}).get("annotations") or {}
        person = notes.get(HUB_USER) or notes.get(USER) or makers.get((kind, name), "")
        for row in (people.setdefault(person, share()), kinds.setdefault(kind, share()), total):
            add(row, asked)
    return {
        "people": _sorted({"name": name, **row} for name, row in people.items()),
        "kinds": _sorted({"kind": kind, **row} for kind, row in kinds.items()),
        "total": total,
    }


def live_pods(cluster: KubeCluster, path: str) -> list[Json]:
    """Pods that are not over. Raises Forbidden."""
    things, _ = pages(cluster.transport, path, fields="status.phase!=Succeeded,status.phase!=Failed")
    return things


def share() -> Json:
    """Nothing yet: cores, bytes, accelerators and pods."""
    return {"cpu": 0.0, "memory": 0.0, "gpus": 0.0, "pods": 0}


def add(row: Json, asked: Mapping[str, float]) -> None:
    """One pod more."""
    for key in ("cpu", "memory", "gpus"):
        row[key] += asked[key]
    row["pods"] += 1


def requests(pod: Mapping[str, Any]) -> dict[str, float]:
    """What the scheduler reserves for a pod: its containers together, or the greatest of those that run before.

    Containers that run beside from the start (`restartPolicy: Always` of an init container) count with the others.
    """
    spec = pod.get("spec") or {}
    beside = _sum(each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always")
    whole = _sum(spec.get("containers") or ())
    found = {key: whole[key] + beside[key] for key in whole}
    for each in spec.get("initContainers") or ():
        if each.get("restartPolicy") != "Always":
            found = {key: max(found[key], value) for key, value in _sum([each]).items()}
    over = _read(spec.get("overhead") or {})
    return {key: value + over[key] for key, value in found.items()}


def _sum(containers: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    found = {"cpu": 0.0, "memory": 0.0, "gpus": 0.0}
    for each in containers:
        asked = each.get("resources") or {}
        for key, value in _read({**(asked.get("limits") or {}), **(asked.get("requests") or {})}).items():
            found[key] += value
    return found


def _read(amounts: Mapping[str, Any]) -> dict[str, float]:
    gpus = (
        number(value)
        for name, value in amounts.items()
        if "/" in name and not name.partition("/")[0].endswith("kubernetes.io") and "storage" not in name
    )
    return {
        "cpu": number(amounts.get("cpu", 0)),
        "memory": number(amounts.get("memory", 0)),
        "gpus": sum(gpus),
    }


def work_of(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and name of what a pod works for; a pod of nobody known is its own."""
    about = pod.get("metadata") or {}
    tags = {**(about.get("labels") or {})}
    for label, kind in _KINDS:
        if tags.get(label):
            return kind, str(tags[label])
    if any(word in tags or word in (about.get("annotations") or {}) for word in _SERVER):
        return "Server", str(about.get("name"))
    return _OTHERS, str(about.get("name"))


def _makers(cluster: KubeCluster, live: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Who made what the pods work for: one list for each kind that has some."""
    found: dict[tuple[str, str], str] = {}
    for kind in sorted({work_of(pod)[0] for pod in live} - {"Server", _OTHERS}):
        try:
            listed = cluster.list(kind, summary=True)
        except KubeflowError:
            continue
        for resource in listed:
            if maker := resource.annotations.get(USER):
                found[kind, resource.name] = maker
    return found


def _sorted(rows: Iterable[Json]) -> list[Json]:
    return sorted(rows, key=lambda row: (-row["gpus"], -row["cpu"], -row["memory"]))[:MOST]
