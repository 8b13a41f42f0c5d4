"""Who answers for which endpoint: read from the resources, swapped as a whole, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, KubeflowError
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.gateway.split import Split, Sticky

DEFAULT_TIMEOUT: Final = 60.0
_LONGEST_TIMEOUT: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Replica:
    """One model server: where it listens for HTTP and, perhaps, for gRPC."""

    socket: str
    grpc: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One variant. ``concurrency`` is how many requests one replica takes at once; None: any number."""

    name: str
    percent: float
    version: str
    ready: bool
    replicas: tuple[Replica, ...]
    concurrency: int | None = None
    model: str = ""
    """What its servers call the model, where that is not the endpoint's name."""


@dataclass(frozen=True, slots=True)
class LogPlan:
    """Which requests are logged (``sample``, from 0 to 1), and what of them."""

    sample: float = 0.0
    bodies: bool = True
    redact: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    """The names of the model's inputs, by which columns without names are told."""
    keep: int = 10_000


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint."""

    name: str
    uid: str
    generation: int
    timeout: float
    split: Split
    targets: Mapping[str, Target]
    sticky: Sticky | None = None
    mirror: tuple[str, float] | None = None
    """The variant that gets copies, and of which share of the requests."""
    log: LogPlan = field(default_factory=LogPlan)
    asleep: bool = False
    transformer: str | None = None
    transformer_grpc: str | None = None
    explainer: str | None = None
    resting: bool = False
    """Stopped or failed: nothing will become ready by waiting."""
    reason: str = ""
    grpc: bool = False
    coming: Mapping[str, str] = field(default_factory=dict)
    """Variants that are asked for and not among the targets yet, and their versions."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """Why variants that failed cannot be had."""
    senders: dict[bytes, tuple[str, str]] = field(default_factory=dict, compare=False, repr=False)
    """Unit and variant of senders that were seen, by what they are kept by; filled by the router."""

    def has(self, variant: str) -> bool:
        """Whether the endpoint has it, be it that it is still on its way."""
        return variant in self.targets or variant in self.coming

    def of_version(self, version: str) -> str:
        """The variant that serves a version; of several the one with the most traffic. Empty if there is none."""
        if not version:
            return ""
        those = [target for target in self.targets.values() if target.version == version]
        if those:
            return max(those, key=lambda target: target.percent).name
        return next((name for name, coming in self.coming.items() if coming == version), "")


@dataclass(frozen=True, slots=True)
class Table:
    """All endpoints of the profile, and its graphs, by name."""

    routes: Mapping[str, Route]
    graphs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def grpc(self) -> bool:
        """Whether some endpoint speaks gRPC."""
        return any(route.grpc for route in self.routes.values())


def route_of(resource: Resource) -> Route:
    """What an InferenceService's ``status.routing`` says; while it says nothing, a route without variants."""
    routing = resource.status.get("routing") or {}
    rows = routing.get("variants") or []
    targets = {target.name: target for target in (_target(row, resource.name) for row in rows)}
    asked = _asked_for(resource)
    mirror = routing.get("mirror")
    asleep = bool(routing.get("asleep"))
    return Route(
        name=resource.name,
        uid=resource.uid,
        generation=int(routing.get("generation") or 0),
        timeout=min(float(routing.get("timeout") or DEFAULT_TIMEOUT), _LONGEST_TIMEOUT),
        split=Split({target.name: target.percent for target in targets.values()}),
        targets=targets,
        sticky=_sticky(routing.get("sticky")),
        mirror=(str(mirror["variant"]), float(mirror["percent"]) / 100) if mirror else None,
        log=_log(routing.get("log")),
        asleep=asleep,
        transformer=_address(routing.get("transformer")),
        transformer_grpc=_grpc_address(routing.get("transformer")),
        explainer=_address(routing.get("explainer")),
        resting=resource.resting and not asleep,
        reason=resource.reason,
        grpc=any(replica.grpc for target in targets.values() for replica in target.replicas),
        coming={name: version for name, (version, _) in asked.items() if name not in targets},
        troubles=troubles_of(resource, {digest for _, digest in asked.values()}),
    )


def troubles_of(resource: Resource, digests: set[str] | None = None) -> dict[str, str]:
    """Why variants that failed cannot be had; ``digests``: only of these, for others are of an earlier revision."""
    rows = [row for row in resource.status.get("variants") or [] if row.get("state") == "failed"]
    known = [row for row in rows if digests is None or row.get("digest") in digests]
    return {str(row["name"]): str(row.get("reason") or "") for row in known}


def _asked_for(resource: Resource) -> dict[str, tuple[str, str]]:
    """Version and digest of the variants of the spec, by name; none of one that cannot be read."""
    try:
        variants = names.read(resource).variants
    except KubeflowError:
        return {}
    return {each.name: (str(each.facts.get("version") or "1"), each.digest) for each in variants}


def _target(given: Mapping[str, Any], endpoint: str) -> Target:
    replicas = tuple(
        Replica(_full(str(each["socket"])), _full(str(each["grpc"])) if each.get("grpc") else None)
        for each in given.get("replicas") or []
        if each.get("socket")
    )
    concurrency = given.get("concurrency")
    model = str(given.get("model") or endpoint)
    return Target(
        *(str(given["name"]), float(given.get("percent") or 0), str(given.get("version") or "")),
        *(bool(given.get("ready")) and bool(replicas), replicas, int(concurrency) if concurrency else None),
        "" if model == endpoint else model,
    )


def _full(address: str) -> str:
    """``unix:/path`` or ``host:port``."""
    return f"unix:{address}" if address.startswith("/") else address


def _address(given: Any) -> str | None:
    if isinstance(given, Mapping):
        given = given.get("address") or given.get("socket")
    return _full(str(given)) if given else None


def _grpc_address(given: Any) -> str | None:
    found = given.get("grpc") if isinstance(given, Mapping) else None
    return _full(str(found)) if found else None


def _sticky(given: Any) -> Sticky | None:
    """What cannot be read keeps nobody; the endpoint's own check has said so to whoever wrote it."""
    try:
        return Sticky(str(given)) if given else None
    except Invalid:
        return None


def _log(given: Any) -> LogPlan:
    if not isinstance(given, Mapping):
        return LogPlan()
    sample = given.get("sample")
    keep = given.get("keep")
    return LogPlan(
        sample=min(max(float(1.0 if sample is None else sample), 0.0), 1.0),
        bodies=bool(given.get("bodies", True)),
        redact=tuple(str(name) for name in given.get("redact") or []),
        columns=tuple(str(name) for name in given["columns"]) if given.get("columns") else None,
        keep=min(max(int(10_000 if keep is None else keep), 1), 1_000_000),
    )
