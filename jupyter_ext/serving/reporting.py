"""The status of an endpoint, put together from what its controller knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_ext.serving import status

if TYPE_CHECKING:
    from jupyter_ext.serving.local import Controller


def report(controller: Controller, *, up: bool) -> dict[str, Any]:
    """The status of an endpoint as its controller sees it now."""
    fleets, target = controller.crew.fleets, controller.target
    split = controller.split
    rows = [status.variant(each, fleets.get(each.digest), each.percent) for each in target.variants]
    shown = {each.digest for each in target.variants}
    for each in controller.serving.variants if controller.serving and not controller.switched else ():
        if each.digest not in shown:
            row = status.variant(each, fleets.get(each.digest), split.get(each.name, 0))
            rows.append({**row, "leaving": True})
            shown.add(each.digest)
    for digest, fleet in fleets.items():
        if digest not in shown and (fleet.want or fleet.ready):
            rows.append(status.variant(fleet.predictor, fleet, 0))
    mirror = target.mirror or {}
    for row in rows:
        if row["name"] == mirror.get("variant") and row["state"] != "retired":
            row["mirror"] = mirror["percent"]
    why = (
        controller.ledger.fault
        or controller.parts.trouble(target)
        or status.reason_of(target, fleets, controller.serving, controller.switched)
    )
    return {
        "phase": "RUNNING" if up else "PENDING",
        "reason": why,
        "observedGeneration": controller.resource.generation,
        "variants": rows,
        "modelStatus": status.model_status(target, fleets, controller.switched),
        "canaryStatuses": status.canary_statuses(target, fleets),
        "rules": controller.guard.readings,
        "drift": controller.drift.summary,
        "conditions": _conditions(controller, up, why),
        **status.address(getattr(controller.door, "url", None), controller.name, _grpc(controller)),
    }


def _grpc(controller: Controller) -> str | None:
    return (
        getattr(controller.door, "grpc_url", None)
        if any(each.grpc for each in controller.target.variants)
        else None
    )


def _conditions(controller: Controller, up: bool, why: str) -> dict[str, tuple[bool, str, str]]:
    failed = any(fleet.state == "failed" for fleet in controller.crew.fleets.values())
    word = "ModelLoadFailed" if failed else "Starting"
    good = up and controller.switched
    found = {
        "PredictorReady": (up, word, why),
        "IngressReady": (controller.door is not None, "NoGateway", "The gateway is being started."),
        "LatestDeploymentReady": (good, word, why),
        "Ready": (up and controller.door is not None, word, why),
        "Stopped": (False, "", ""),
    }
    if len(controller.target.variants) > 1:
        ready = all(controller.is_good(each) for each in controller.target.variants[1:])
        found["CanaryPredictorReady"] = (ready, word, why)
    return found
