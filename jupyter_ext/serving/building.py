"""The keywords of ``serve`` in the words of KServe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.fields import whole

_GPU: Final = "nvidia.com/gpu"


def model_options(
    resources: Mapping[str, Any] | None, env: Mapping[str, str] | None, grpc: bool | None
) -> dict[str, Any]:
    """Fields of the model: what its processes need, know and speak."""
    found: dict[str, Any] = {}
    if resources is not None:
        asked = {
            _GPU if key in {"gpu", "gpus"} else str(key): written(value) for key, value in resources.items()
        }
        found["resources"] = {"requests": asked, "limits": asked}
        names.request_of(found["resources"], "resources")
    if env is not None:
        found["env"] = [{"name": str(key), "value": str(value)} for key, value in env.items()]
    if grpc is not None:
        found["protocolVersion"] = "grpc-v2" if grpc else "v2"
    return found


def written(quantity: Any) -> Any:
    """A quantity as the API takes it: a whole number or a text."""
    return f"{quantity:.6f}".rstrip("0").rstrip(".") if isinstance(quantity, float) else quantity


def predictor_options(
    replicas: int | str | None, timeout: int | None, batch: Mapping[str, Any] | bool | None
) -> dict[str, Any]:
    """Fields of the predictor: how many, how long, how many at once."""
    found: dict[str, Any] = {}
    if replicas is not None:
        found["minReplicas"], found["maxReplicas"] = replica_range(replicas)
    if timeout is not None:
        found["timeout"] = whole(timeout, "timeout", 1, 86_400)
    if batch:
        given = {} if batch is True else dict(batch)
        size, wait = given.pop("size", 32), given.pop("wait_ms", 5)
        if given:
            raise Invalid(
                f"batch has no {min(given)!r}", where=Where(field="batch"), hint="size and wait_ms."
            )
        found["batcher"] = {
            "maxBatchSize": whole(size, "batch.size", 1, 100_000),
            "maxLatency": whole(wait, "batch.wait_ms", 1, 60_000),
        }
    return found


def replica_range(text: int | str) -> tuple[int, int]:
    """The least and the most replicas of ``2`` or ``"0:3"``. Raises Invalid."""
    least, colon, most = str(text).partition(":")
    where = Where(field="replicas")
    if isinstance(text, bool) or not least.isdecimal() or (colon and not most.isdecimal()):
        raise Invalid(
            f"{text!r} is no number of replicas", where=where, hint='Write 2, or "0:3" for a range.'
        )
    low, high = int(least), int(most) if colon else max(int(least), 1)
    if high < max(low, 1) or high > names.MOST_REPLICAS:
        raise Invalid(f"{text!r} is no range of 1 to {names.MOST_REPLICAS} replicas", where=where)
    return low, high


def notes(
    idle: float | None,
    sticky: str | None,
    log: Mapping[str, Any] | bool | None,
    rules: Sequence[str] | str | None,
) -> dict[str, str]:
    """Annotations: what KServe has no words for."""
    found: dict[str, str] = {}
    if idle is not None:
        found[names.IDLE] = f"{float(idle):g}"
    if sticky:
        found[names.STICKY] = sticky
    if log:
        found[names.LOG] = json.dumps(names.checked_log({} if log is True else log))
    if rules:
        from jupyter_ext.serving.rules import parse

        texts = [rules] if isinstance(rules, str) else list(rules)
        found[names.RULES] = json.dumps([str(parse(text)) for text in texts], ensure_ascii=False)
    return found
