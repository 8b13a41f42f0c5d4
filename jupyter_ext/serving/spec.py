"""What an InferenceService asks for, read from the resource; everything that can be known to be wrong is found here.

``spec`` is KServe's (v1beta1, canaries as in Standard mode), what is ours is in annotations.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.devices import Request
from jupyter_ext.cluster.resource import parse_cpu, parse_memory, parse_quantity, valid_name
from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.serving import notes
from jupyter_ext.serving.fields import FRAMEWORKS, known, listed, nearest, text, whole
from jupyter_ext.serving.notes import (
    IDLE,
    IDLE_SECONDS,
    INSIDE,
    LOG,
    MIRROR,
    OURS,
    PREFIX,
    ROUTED,
    RULES,
    STICKY,
    TRANSFORMER,
    VARIANTS,
    checked_log,
    note,
)  # fmt: skip

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

__all__ = [
    "CPU_MILLI", "IDLE", "IDLE_SECONDS", "INSIDE", "LOG", "MIRROR", "MODEL_ID", "MOST_REPLICAS", "OURS", "PREFIX",
    "ROUTED", "RULES", "STABLE", "STICKY", "STOP", "TIMEOUT", "TRANSFORMER", "VARIANTS", "VERSION_ID", "Predictor",
    "Service", "checked_log", "merge", "note", "parse", "read", "request_of",
]  # fmt: skip
STOP: Final = "serving.kserve.io/stop"
MODEL_ID: Final = "modelregistry.kubeflow.org/registered-model-id"
VERSION_ID: Final = "modelregistry.kubeflow.org/model-version-id"
STABLE: Final = "stable"
"""The name of a stable predictor that has none."""
TIMEOUT: Final = 60
MOST_VARIANTS: Final = 16
MOST_REPLICAS: Final = 64
CPU_MILLI: Final = 100
"""What a replica that says nothing takes of the machine: most of the time it waits."""
PER_REPLICA: Final = 8
"""Requests in flight for which one replica is thought to be enough where ``scaleTarget`` does not say."""
_GPU: Final = "nvidia.com/gpu"
_ADDRESS: Final = (
    "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "containerConcurrency", "logger", "labels",
    "annotations",
)  # fmt: skip
"""Fields of a predictor that do not change what its processes are."""


@dataclass(frozen=True)
class Predictor:
    """One variant: its share, and what its processes are. ``body`` is the whole predictor, merged with the stable one."""

    name: str
    percent: int
    body: dict[str, Any] = field(repr=False)
    facts: dict[str, Any] = field(default_factory=dict, repr=False)
    least: int = 1
    most: int = 1

    @property
    def model(self) -> dict[str, Any]:
        """The model of the predictor, in the form of today; empty for containers."""
        return dict(self.body.get("model") or {})

    @property
    def container(self) -> dict[str, Any]:
        """The container that serves; empty for a model."""
        found = self.body.get("containers") or [{}]
        return dict(found[0])

    @cached_property
    def digest(self) -> str:
        """Of what its processes are: not of its name, share and number of replicas."""
        what = {key: value for key, value in self.body.items() if key not in {"name", *_ADDRESS}}
        content = json.dumps([what, self.facts], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def env(self) -> dict[str, str]:
        """Variables of its processes."""
        found = self.model.get("env") or self.container.get("env") or []
        return {entry["name"]: str(entry.get("value", "")) for entry in found}

    @property
    def request(self) -> Request:
        """What each replica takes of the machine."""
        return request_of(self.model.get("resources") or self.container.get("resources") or {}, "resources")

    @property
    def grpc(self) -> bool:
        """Whether it speaks V2 by gRPC too."""
        return self.model.get("protocolVersion") == "grpc-v2"

    @property
    def timeout(self) -> int:
        """Seconds for one request."""
        return int(self.body.get("timeout") or TIMEOUT)

    @property
    def batch(self) -> dict[str, Any] | None:
        """How requests are joined, or None."""
        found = self.body.get("batcher")
        if not found:
            return None
        return {"size": int(found.get("maxBatchSize", 32)), "wait_ms": float(found.get("maxLatency", 50))}

    @property
    def target(self) -> float:
        """Requests in flight for each replica."""
        return float(self.body.get("scaleTarget") or PER_REPLICA)


@dataclass(frozen=True)
class Service:
    """One endpoint as it is to be. ``variants``: the stable one first."""

    variants: tuple[Predictor, ...]
    sticky: str | None = None
    mirror: dict[str, Any] | None = None
    rules: tuple[str, ...] = ()
    log: dict[str, Any] | None = None
    idle: float = IDLE_SECONDS
    stopped: bool = False
    transformer: dict[str, Any] | None = None
    explainer: dict[str, Any] | None = None

    @property
    def stable(self) -> Predictor:
        """The variant that gets what the others leave."""
        return self.variants[0]

    def variant(self, name: str) -> Predictor | None:
        """The variant of this name."""
        return next((each for each in self.variants if each.name == name), None)


def read(resource: Resource) -> Service:
    """What the resource asks for. Raises Invalid and Unfit, naming the field."""
    return parse(resource.spec, resource.annotations)


def parse(spec: Mapping[str, Any], annotations: Mapping[str, str]) -> Service:
    """As ``read``, of a spec and its annotations."""
    known("spec", spec, "spec")
    if "predictor" not in spec:
        raise Invalid("spec.predictor is missing", where=Where(field="spec.predictor"))
    facts = note(annotations, VARIANTS, dict)
    stable_body = _predictor(spec["predictor"], "spec.predictor")
    if "canaryTrafficPercent" in stable_body:
        raise Unfit(
            "spec.predictor.canaryTrafficPercent needs an earlier predictor",
            where=Where(field="spec.predictor.canaryTrafficPercent"),
            hint="Leave it out of the first version, or say spec.canary.",
        )
    canaries = [
        _canary(entry, stable_body, f"spec.canary[{place}]")
        for place, entry in enumerate(listed(spec.get("canary") or [], "spec.canary"))
    ]
    shares = [percent for percent, _ in canaries]
    if sum(shares) > 100:
        raise Invalid(
            f"The canaries get {sum(shares)} %, which is more than 100 %",
            where=Where(field="spec.canary"),
            hint="The stable predictor gets what they leave.",
        )
    bodies = [(100 - sum(shares), stable_body), *canaries]
    variants = tuple(_variant(percent, body, facts) for percent, body in bodies)
    _check_names(variants)
    return Service(
        variants,
        sticky=notes.sticky(annotations.get(STICKY)),
        mirror=notes.mirror(note(annotations, MIRROR, dict), [each.name for each in variants]),
        rules=tuple(str(each) for each in note(annotations, RULES, list)),
        log=notes.log(annotations, always=bool(stable_body.get("logger"))),
        idle=notes.idle(annotations.get(IDLE)),
        stopped=str(annotations.get(STOP, "")).lower() == "true",
        transformer=_part(spec, "transformer") or notes.transformer(annotations),
        explainer=_part(spec, "explainer"),
    )


def _variant(percent: int, body: dict[str, Any], facts: Mapping[str, Any]) -> Predictor:
    name = str(body.get("name") or STABLE)
    least = whole(body.get("minReplicas", 1), "minReplicas", 0, MOST_REPLICAS)
    most = whole(body.get("maxReplicas") or max(least, 1), "maxReplicas", 1, MOST_REPLICAS)
    if most < least:
        raise Invalid(
            f"maxReplicas is {most} and minReplicas {least}", where=Where(field="spec.predictor.maxReplicas")
        )
    mine = facts.get(name)
    return Predictor(name, percent, body, dict(mine) if isinstance(mine, dict) else {}, least, most)


def _check_names(variants: tuple[Predictor, ...]) -> None:
    if len(variants) > MOST_VARIANTS:
        raise Unfit(f"An endpoint has at most {MOST_VARIANTS} variants", where=Where(field="spec.canary"))
    seen: set[str] = set()
    for place, each in enumerate(variants):
        path = "spec.predictor.name" if place == 0 else f"spec.canary[{place - 1}].predictor.name"
        valid_name(each.name, path)
        if each.name in seen:
            raise Invalid(f"Two variants are named {each.name}", where=Where(field=path))
        seen.add(each.name)


def _canary(entry: object, stable: dict[str, Any], path: str) -> tuple[int, dict[str, Any]]:
    entry = known("canary", entry, path)
    percent = whole(entry.get("trafficPercent", 0), f"{path}.trafficPercent", 0, 100)
    own = known("canary.predictor", entry.get("predictor"), f"{path}.predictor")
    if not own.get("name"):
        raise Invalid(f"{path}.predictor.name is missing", where=Where(field=f"{path}.predictor.name"))
    if "minReplicas" in own and whole(own["minReplicas"], f"{path}.predictor.minReplicas") > stable.get(
        "minReplicas", 1
    ):
        raise Invalid(
            "A canary has at most as many minReplicas as the stable predictor",
            where=Where(field=f"{path}.predictor.minReplicas"),
        )
    merged = merge(stable, own)
    if "model" in own and "containers" not in own:
        merged.pop("containers", None)
    if "containers" in own:
        merged.pop("model", None)
    return percent, _predictor(merged, f"{path}.predictor")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``base`` as KServe does it: mappings are joined, everything else is replaced, empty is nothing."""
    found = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            found[key] = merge(found[key], value)
        elif value not in (None, "", [], {}):
            found[key] = value
    return found


def _predictor(value: object, path: str) -> dict[str, Any]:
    """A predictor in today's form, every field of it looked at."""
    body = dict(known("predictor", value, path))
    older = [name for name in FRAMEWORKS if name in body]
    forms = [*older, *(name for name in ("model", "containers") if body.get(name))]
    if len(forms) != 1:
        what = "has no model" if not forms else f"has both {' and '.join(forms)}"
        raise Invalid(f"{path} {what}", where=Where(field=path), hint="Give it one model.")
    if older:
        own = dict(body.pop(older[0]) or {})
        own.setdefault("modelFormat", {"name": FRAMEWORKS[older[0]]})
        body["model"] = own
    if "model" in body:
        body["model"] = _model(body["model"], f"{path}.model")
    else:
        body["containers"] = [container(body["containers"], f"{path}.containers")]
    _component(body, path)
    return body


def _component(body: Mapping[str, Any], path: str) -> None:
    for name in ("minReplicas", "maxReplicas"):
        if name in body:
            whole(body[name], f"{path}.{name}", 0, MOST_REPLICAS)
    for name, least in (("timeout", 1), ("containerConcurrency", 0), ("scaleTarget", 1)):
        if name in body:
            whole(body[name], f"{path}.{name}", least, 1_000_000)
    if body.get("scaleMetric", "concurrency") not in {"concurrency", "rps"}:
        raise Unfit(
            f"{path}.scaleMetric cannot be {body['scaleMetric']!r} here",
            where=Where(field=f"{path}.scaleMetric"),
            hint="Replicas follow the requests in flight: leave it out, or say concurrency.",
        )
    if body.get("batcher"):
        for name, value in known("batcher", body["batcher"], f"{path}.batcher").items():
            whole(value, f"{path}.batcher.{name}", 1, 100_000)
    if body.get("logger"):
        _logger(known("logger", body["logger"], f"{path}.logger"), f"{path}.logger")


def _logger(logger: Mapping[str, Any], path: str) -> None:
    if logger.get("mode", "all") not in {"all", "request", "response"}:
        raise Invalid(
            f"{path}.mode is all, request or response, not {logger['mode']!r}",
            where=Where(field=f"{path}.mode"),
        )
    if logger.get("url"):
        raise Unfit(
            f"{path}.url cannot be honoured on this machine",
            where=Where(field=f"{path}.url"),
            hint="Without it requests are logged here: endpoint.requests() has them.",
        )


def _model(value: object, path: str) -> dict[str, Any]:
    model = dict(known("model", value, path))
    model.pop("name", None)  # of the container, which there is none of here
    form = known("modelFormat", model.get("modelFormat") or {}, f"{path}.modelFormat")
    text(form.get("name"), f"{path}.modelFormat.name")
    protocol = model.get("protocolVersion", "v2")
    if protocol not in {"v1", "v2", "grpc-v2"}:
        raise Invalid(
            f"{path}.protocolVersion is v1, v2 or grpc-v2, not {protocol!r}",
            where=Where(field=f"{path}.protocolVersion"),
        )
    text(model.get("storageUri"), f"{path}.storageUri")
    if model.get("args") and not model.get("runtime"):
        raise Unfit(
            f"{path}.args are for a runtime, and none is named",
            where=Where(field=f"{path}.args"),
            hint="Leave them out.",
        )
    _process(model, path)
    return model


def container(value: object, path: str) -> dict[str, Any]:
    """The one container of a component. Raises Unfit where what it is to run is not on this machine."""
    found = listed(value, path)
    if len(found) != 1:
        raise Unfit(f"{path} has {len(found)} containers; one runs here", where=Where(field=path))
    body = dict(known("container", found[0], f"{path}[0]"))
    command = listed(body.get("command") or [], f"{path}[0].command")
    for name in ("command", "args"):
        for place, word in enumerate(listed(body.get(name) or [], f"{path}[0].{name}")):
            text(word, f"{path}[0].{name}[{place}]")
    if not command:
        raise Unfit(
            f"The image {body.get('image', '')!r} cannot be run on this machine",
            where=Where(field=f"{path}[0].command"),
            hint="Images need a cluster. Name a command that exists here.",
        )
    _process(body, f"{path}[0]")
    return body


def _process(body: Mapping[str, Any], path: str) -> None:
    names: set[str] = set()
    for place, entry in enumerate(listed(body.get("env") or [], f"{path}.env")):
        here = f"{path}.env[{place}]"
        name = text(entry.get("name") if isinstance(entry, dict) else None, f"{here}.name")
        if "valueFrom" in entry:
            raise Unfit(
                f"{here}.valueFrom needs a cluster", where=Where(field=here), hint="Give the value itself."
            )
        if "=" in name or name in names or "\0" in str(entry.get("value", "")):
            raise Invalid(f"{here}.name {name!r} is no name, or is there twice", where=Where(field=here))
        names.add(name)
    request_of(body.get("resources") or {}, f"{path}.resources")


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Invalid(f"{path} must be a mapping", where=Where(field=path))
    return value


def request_of(resources: object, path: str) -> Request:
    """What ``resources`` ask of the machine. Raises Invalid, and Unfit for what there is none of here."""
    found = known("resources", resources, path)
    asked: dict[str, Any] = {}
    for part in ("limits", "requests"):
        for name, value in _mapping(found.get(part), f"{path}.{part}").items():
            if name not in {"cpu", "memory", _GPU, "ephemeral-storage"}:
                raise Unfit(
                    f"There is no {name!r} on this machine",
                    where=Where(field=f"{path}.{part}.{name}"),
                    hint=nearest(str(name), {"cpu", "memory", _GPU}),
                )
            asked[name] = value
    gpus = parse_quantity(asked.get(_GPU, 0), f"{path}.{_GPU}")
    if gpus.denominator != 1:
        raise Invalid(f"{gpus} is no whole number of GPUs", where=Where(field=f"{path}.{_GPU}"))
    return Request(
        parse_cpu(asked["cpu"], f"{path}.cpu") if "cpu" in asked else CPU_MILLI,
        parse_memory(asked["memory"], f"{path}.memory") if "memory" in asked else 0,
        int(gpus),
    )


def _part(spec: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    if not spec.get(name):
        return None
    path = f"spec.{name}"
    body = dict(known(name, spec[name], path))
    if body.get("art"):
        raise Unfit(f"{path}.art needs an image", where=Where(field=f"{path}.art"), hint="Use explain=True.")
    _component(body, path)
    return {**body, "containers": [container(body.get("containers") or [], f"{path}.containers")]}
