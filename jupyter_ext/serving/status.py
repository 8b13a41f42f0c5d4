"""What an endpoint says of itself: KServe's fields, and ours beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import now

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.replicas import Fleet
    from jupyter_ext.serving.spec import Predictor, Service

_LONGEST: Final = 1000
_TRACEBACK: Final = 8000
_STATES: Final = {"ready": "Loaded", "loading": "Loading", "failed": "FailedToLoad", "asleep": "Standby"}
_TRANSITIONS: Final = {"ready": "UpToDate", "asleep": "UpToDate", "failed": "BlockedByFailedLoad"}


def lost(resource: Resource, phase: str, reason: str) -> Resource:
    """The truth about an endpoint whose controller is gone: nothing of it runs."""
    variants = [
        {
            **each,
            "state": "failed" if phase == "FAILED" else "asleep",
            "reason": reason,
            "replicas": 0,
            "pids": [],
        }
        for each in resource.status.get("variants") or []
        if each.get("state") != "retired"
    ]
    routing = closed(resource.status.get("routing"))
    status = {**resource.status, "variants": variants, "routing": routing}
    status["conditions"] = conditions(
        resource.status.get("conditions") or [], {"Ready": (False, phase.capitalize(), reason)}
    )
    return resource.with_(status=status)


def closed(routing: Mapping[str, Any] | None) -> dict[str, Any]:
    """A routing by which nobody is sent anywhere."""
    found = dict(routing or {"generation": 0, "variants": []})
    variants = [{**each, "ready": False, "replicas": []} for each in found.get("variants") or []]
    return {
        **found,
        "generation": int(found.get("generation") or 0) + 1,
        "asleep": False,
        "variants": variants,
    }


def conditions(
    before: Sequence[Mapping[str, Any]], states: Mapping[str, tuple[bool, str, str]]
) -> list[dict[str, Any]]:
    """Conditions as Kubernetes has them; the time of a transition moves only with the state."""
    known = {str(each["type"]): each for each in before}
    found = []
    for name, (good, reason, message) in sorted(states.items()):
        text = "True" if good else "False"
        old = known.get(name)
        moment = old["lastTransitionTime"] if old and old.get("status") == text else now()
        entry: dict[str, Any] = {"type": name, "status": text, "lastTransitionTime": moment}
        if not good and reason:
            entry |= {"reason": reason, "message": message[:_LONGEST]}
        found.append(entry)
    return found


def variant(predictor: Predictor, fleet: Fleet | None, percent: int) -> dict[str, Any]:
    """The row of a variant."""
    replicas = [each for each in (fleet.replicas if fleet else []) if not each.leaving]
    ready = fleet.ready if fleet else []
    row: dict[str, Any] = {
        "name": predictor.name,
        "percent": percent,
        "model": str(predictor.facts.get("model") or ""),
        "version": str(predictor.facts.get("version") or ""),
        "state": fleet.state if fleet else "loading",
        "reason": (fleet.why if fleet else "")[:_LONGEST],
        "replicas": len(ready),
        "wanted": fleet.want if fleet else 0,
        "restarts": fleet.restarts if fleet else 0,
        "digest": predictor.digest,
        "format": str((predictor.model.get("modelFormat") or {}).get("name") or ""),
        "pids": [each.pid for each in replicas if each.pid is not None],
    }
    if fleet is not None and fleet.error and fleet.state == "failed":
        row["error"] = {
            key: str(value)[-_TRACEBACK:] for key, value in fleet.error.items() if isinstance(value, str)
        }
    return row


def model_status(target: Service, fleets: Mapping[str, Fleet], switched: bool) -> dict[str, Any]:
    """KServe's ``modelStatus`` of the stable predictor that is asked for."""
    failed = [
        each for each in target.variants if (f := fleets.get(each.digest)) is not None and f.state == "failed"
    ]
    stable = fleets.get(target.stable.digest)
    state = stable.state if stable else "loading"
    copies = [fleets[each.digest] for each in target.variants if each.digest in fleets]
    found: dict[str, Any] = {
        "transitionStatus": "BlockedByFailedLoad" if failed else ("UpToDate" if switched else "InProgress"),
        "states": {
            "activeModelState": "Loaded" if switched and state == "ready" else _STATES.get(state, "Pending"),
            "targetModelState": _STATES.get(state, "Pending"),
        },
        "copies": {
            "totalCopies": sum(len(each.ready) for each in copies),
            "failedCopies": sum(each.state == "failed" for each in copies),
        },
    }
    if failed:
        fleet = fleets[failed[0].digest]
        found["lastFailureInfo"] = {
            "reason": "ModelLoadFailed" if fleet.error else "RuntimeUnhealthy",
            "message": fleet.why[:_LONGEST],
            "location": failed[0].name,
            "modelRevisionName": failed[0].name,
            **({"exitCode": fleet.exit_code} if fleet.exit_code is not None else {}),
        }
    return found


def canary_statuses(target: Service, fleets: Mapping[str, Fleet]) -> list[dict[str, Any]]:
    """KServe's ``canaryStatuses``."""
    found = []
    for each in target.variants[1:]:
        fleet = fleets.get(each.digest)
        state = fleet.state if fleet else "loading"
        found.append(
            {
                "name": each.name,
                "ready": state in {"ready", "asleep"},
                "trafficPercent": each.percent,
                "modelStatus": {
                    "transitionStatus": _TRANSITIONS.get(state, "InProgress"),
                    "states": {
                        "activeModelState": _STATES.get(state, "Pending"),
                        "targetModelState": _STATES.get(state, "Pending"),
                    },
                    "copies": {
                        "totalCopies": len(fleet.ready) if fleet else 0,
                        "failedCopies": int(state == "failed"),
                    },
                },
            }
        )
    return found


def reason_of(target: Service, fleets: Mapping[str, Fleet], serving: Service | None, switched: bool) -> str:
    """The sentence about the endpoint."""
    troubles = []
    for each in target.variants:
        fleet = fleets.get(each.digest)
        if fleet is None or fleet.state == "ready":
            continue
        if fleet.state == "failed":
            verb = "does not load" if fleet.error else "does not stay up"
            troubles.append(f"{each.name} {verb}: {fleet.why.rstrip('.')}.")
        elif fleet.state == "loading":
            why = fleet.why
            troubles.append(f"{each.name} is being started." if not why else f"{each.name}: {why}")
    if serving is not None and not switched and troubles:
        names = " and ".join(each.name for each in serving.variants if each.percent) or serving.stable.name
        several = " and " in names
        troubles.append(f"Meanwhile {names} go{'' if several else 'es'} on serving.")
    if troubles:
        return " ".join(troubles)[:_LONGEST]
    asleep = [each.name for each in target.variants if (f := fleets.get(each.digest)) and f.state == "asleep"]
    if len(asleep) == len(target.variants):
        return "Asleep: the next request wakes it."
    return ""


def address(url: str | None, name: str, grpc: str | None) -> dict[str, Any]:
    """Where the endpoint is reached, as KServe says it."""
    if not url:
        return {}
    own = f"{url.rstrip('/')}/{name}"
    predictor: dict[str, Any] = {"url": own, "restUrl": own}
    if grpc:
        predictor["grpcUrl"] = grpc
    return {"url": own, "address": {"url": own}, "components": {"predictor": predictor}}
