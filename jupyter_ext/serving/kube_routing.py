"""From what runs on a Kubernetes cluster to what our gateway there goes by: which Service has which variant now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from jupyter_ext.serving.kube_asking import plain
from jupyter_ext.serving.kube_objects import service_name
from jupyter_ext.serving.routing import inherited

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.spec import Predictor, Service


class Place(NamedTuple):
    """An InferenceService that answers: its name is its model's name, and its address that of its Service."""

    name: str
    address: str


class Places:
    """Who has which predictor. ``ready``: of each InferenceService the predictors, by digest, of its ready pods."""

    def __init__(self, ready: Mapping[str, set[str]], services: Iterable[Resource]) -> None:
        self._ready = ready
        self._addresses = {each.name: address_of(each) for each in services}

    def of(self, own: str, digest: str) -> Place | None:
        """Where a variant is: at its own InferenceService, or at another that has it, above all at one with nothing else.

        While a Deployment goes from one predictor to the next its Service has both for a moment.
        """
        others = sorted(name for name in self._ready if name != own)
        those = [
            Place(name, address)
            for name in (own, *others)
            if digest in self._ready.get(name, ()) and (address := self._addresses.get(name))
        ]
        pure = (each for each in those if self._ready[each.name] == {digest})
        return next(pure, those[0] if those else None)


def address_of(service: Resource) -> str:
    """``host:port`` inside the cluster; empty while KServe has not said it."""
    parts = urlsplit(plain(str((service.status.get("address") or {}).get("url") or "")))
    return f"{parts.hostname}:{parts.port or 80}" if parts.hostname and parts.scheme == "http" else ""


def is_there(endpoint: str, service: Service, places: Places) -> bool:
    """Whether all variants with a share can be asked."""
    return all(_at(endpoint, service, each, places) for each in service.variants if each.percent)


def is_any(endpoint: str, service: Service, places: Places) -> bool:
    """Whether some variant with a share can be asked."""
    return any(_at(endpoint, service, each, places) for each in service.variants if each.percent)


def table(endpoint: str, force: Service, target: Service, places: Places) -> dict[str, Any]:
    """``status.routing`` but for its generation.

    ``force`` is what the shares are of, ``target`` what is asked for: its other variants can be addressed by name. What
    a variant would get that cannot be had goes to one that can.
    """
    at = {each.name: _at(endpoint, force, each, places) for each in force.variants}
    shares = inherited(force, {name for name, place in at.items() if place is not None})
    known = {each.name for each in force.variants}
    rows = [_row(each, shares[each.name], at[each.name]) for each in force.variants]
    rows += [
        _row(each, 0, _at(endpoint, target, each, places))
        for each in target.variants
        if each.name not in known
    ]
    mirror = target.mirror
    return {
        "timeout": max(each.timeout for each in (*force.variants, *target.variants)),
        "sticky": target.sticky,
        "mirror": mirror if mirror and any(row["name"] == mirror["variant"] for row in rows) else None,
        "log": target.log,
        "asleep": False,
        "variants": rows,
    }


def used(routing: Mapping[str, Any]) -> set[str]:
    """The InferenceServices that a table sends anybody to."""
    return {str(row["model"]) for row in routing["variants"] if row["ready"]}


def _at(endpoint: str, service: Service, each: Predictor, places: Places) -> Place | None:
    return places.of(service_name(endpoint, service, each.name), each.digest)


def _row(each: Predictor, percent: int, at: Place | None) -> dict[str, Any]:
    return {
        "name": each.name,
        "percent": percent,
        "model": at.name if at else "",
        "version": str(each.facts.get("version") or "1"),
        "ready": at is not None,
        "replicas": [{"socket": at.address}] if at else [],
        "concurrency": each.body.get("containerConcurrency") or None,
        "digest": each.digest,
    }
