"""From fleets and shares to what the gateway goes by."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.serving.replicas import Fleet
    from jupyter_ext.serving.spec import Predictor, Service


def shares(service: Service, fleets: Mapping[str, Fleet], *, complete: bool) -> dict[str, int]:
    """Percent of each variant now: what a variant that cannot be had would get goes to one that can.

    ``complete``: whether all of them have been ready once; else one that is not ready yet counts as such too.
    """
    return inherited(
        service,
        {each.name for each in service.variants if _able(fleets.get(each.digest), complete=complete)},
    )


def inherited(service: Service, able: AbstractSet[str]) -> dict[str, int]:
    """Percent of each variant where only those that are ``able`` can be had: of two, the stable one is the heir."""
    found = {each.name: each.percent for each in service.variants}
    if not able:
        return found
    heir = service.stable.name if service.stable.name in able else max(able, key=lambda name: found[name])
    for name, percent in list(found.items()):
        if percent and name not in able:
            found[name] = 0
            found[heir] += percent
    return found


def _able(fleet: Fleet | None, *, complete: bool) -> bool:
    if fleet is None:
        return False
    if fleet.state in {"ready", "asleep"}:
        return True
    return complete and fleet.state == "loading"


def table(
    name: str,
    service: Service,
    target: Service,
    fleets: Mapping[str, Fleet],
    split: Mapping[str, int],
    parts: Mapping[str, Any],
) -> dict[str, Any]:
    """``status.routing`` but for its generation. ``target`` says what is no matter of variants: log, stickiness.

    Variants of the target that nobody is sent to yet are in it too, so that they can be addressed by name.
    """
    variants = [_variant(name, each, fleets.get(each.digest), split[each.name]) for each in service.variants]
    known = {each.name for each in service.variants}
    others = [each for each in target.variants if each.name not in known]
    variants += [_variant(name, each, fleets.get(each.digest), 0) for each in others]
    busy = [entry for entry in variants if entry["percent"]]
    mirror = (
        target.mirror
        if target.mirror and any(v["name"] == target.mirror["variant"] for v in variants)
        else None
    )
    asleep = all(not entry["replicas"] for entry in busy) and all(
        fleet.want == 0
        for each in service.variants
        if split[each.name] and (fleet := fleets.get(each.digest)) is not None
    )
    return {
        "timeout": max(each.timeout for each in service.variants),
        "sticky": target.sticky,
        "mirror": mirror,
        "log": target.log,
        "asleep": asleep,
        "variants": variants,
        **parts,
    }


def held(found: dict[str, Any]) -> dict[str, Any]:
    """The table while something is missing without which nobody may be answered: requests wait."""
    variants = [{**each, "ready": False, "replicas": []} for each in found["variants"]]
    return {**found, "variants": variants}


def _variant(name: str, predictor: Predictor, fleet: Fleet | None, percent: int) -> dict[str, Any]:
    ready = sorted(fleet.ready, key=lambda each: each.slot) if fleet is not None else []
    return {
        "name": predictor.name,
        "percent": percent,
        "model": name,
        "version": str(predictor.facts.get("version") or "1"),
        "ready": bool(ready),
        "replicas": [each.address for each in ready],
        "concurrency": predictor.body.get("containerConcurrency") or None,
        "digest": predictor.digest,
    }
