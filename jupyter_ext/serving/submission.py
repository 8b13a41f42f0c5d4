"""From a model to an endpoint: all that can be found wrong is found here, before a process is started."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.resource import Resource, is_name, make_plain, valid_name
from jupyter_ext.errors import Conflict, Invalid, Unfit, Where
from jupyter_ext.serving import building, finding, kube, verbs
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.applying import check, submit, update
from jupyter_ext.serving.fields import whole
from jupyter_ext.serving.handle import Endpoint
from jupyter_ext.serving.places import KIND
from jupyter_ext.serving.starting import create, inside
from jupyter_ext.serving.variants import Draft, name_for

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.registry.handles import Version

__all__ = ["check", "examine", "serve", "submit", "update"]

WAIT_SECONDS: Final = 600.0


@dataclass
class Asked:
    """What one call of ``serve`` asks for, in the words of KServe."""

    name: str
    version: Version
    predictor: dict[str, Any]
    facts: dict[str, Any]
    notes: dict[str, str]
    variant: str | None
    share: int | None
    inside: str | None = field(default=None)

    @property
    def what(self) -> str:
        """The sentence of the revision."""
        return f"Serve {self.version.name}" + (f" with {self.share} %" if self.share is not None else "")

    def first(self) -> Resource:
        """A new endpoint."""
        if self.share not in (None, 100):
            raise Invalid(
                f"There is no endpoint {self.name} yet, so nobody can get the other {100 - int(self.share or 0)} %",
                where=Where(field="percent"),
                hint="Leave percent out for the first variant.",
            )
        chosen = valid_name(self.variant, "variant") if self.variant else name_for(self.version.version)
        model = {"protocolVersion": "v2", **self.predictor["model"]}
        body = {"name": chosen, "minReplicas": 1, "timeout": names.TIMEOUT, **self.predictor, "model": model}
        annotations = {names.VARIANTS: json.dumps({chosen: self.facts}, sort_keys=True), **self.notes}
        labels = {names.MODEL_ID: str(self.facts["model_id"]), names.VERSION_ID: str(self.facts["id"])}
        return Resource.new(KIND, self.name, {"predictor": body}, annotations=annotations, labels=labels)

    def changed(self, found: Resource) -> Resource:
        """The endpoint that exists, with this model in the place of the stable one or beside it."""
        draft = Draft(found)
        taken = {each: str(draft.facts.get(each, {}).get("version", "")) for each in draft.names}
        version = self.version.version
        chosen = valid_name(self.variant, "variant") if self.variant else name_for(version, taken)
        if self.share is None:
            draft.replace(chosen, self.predictor, self.facts)
        else:
            own = {key: value for key, value in self.predictor.items() if key != "maxReplicas"}
            draft.add(chosen, own, self.facts, self.share)
            self._require_room(draft, chosen)
        for key, text in self.notes.items():
            draft.set(key, text)
        if self.inside:
            draft.set(names.INSIDE, self.inside)
        return draft.done()

    def _require_room(self, draft: Draft, chosen: str) -> None:
        others = sum(percent for each, (percent, _) in draft.canaries.items() if each != chosen)
        if others + (self.share or 0) > 100:
            raise Invalid(
                f"The variants beside {draft.names[0]} get {others} % already; with {self.share} % that is more than 100",
                where=Where(field="percent"),
                hint="Give less, or set all of them with traffic().",
            )


def serve(
    model: Any,
    endpoint: str | None = None,
    *,
    variant: str | None = None,
    percent: int | None = None,
    replicas: int | str | None = None,
    resources: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: int | None = None,
    batch: Mapping[str, Any] | bool | None = None,
    idle: float | None = None,
    sticky: str | None = None,
    log: Mapping[str, Any] | bool | None = None,
    grpc: bool | None = None,
    explain: bool = False,
    trust: bool = False,
    transformer: Any = None,
    rules: Sequence[str] | str | None = None,
    wait: bool = True,
) -> Endpoint:
    """Serve a model at a stable address.

    ``model``: ``"iris"``, ``"iris@champion"``, ``"iris:3"``, a version, or an object or path, which is registered
    first under the endpoint's name. On an endpoint that exists it replaces the stable variant as soon as it is ready;
    with ``percent`` it is put beside it (0: no user meets it). ``replicas``: a number, or ``"0:3"`` for as many as the
    requests need; with 0 it sleeps after ``idle`` seconds and wakes on request. ``timeout`` of a request in seconds
    (60). ``batch``: ``{"size": 32, "wait_ms": 5}``. ``sticky``: ``"header:x-user"``, ``"query:user"`` or
    ``"body:user.id"``. ``log``: True, or ``{"sample": 0.1, "bodies": True, "redact": ["name"], "keep": 10000}``.
    ``trust`` is for models that may run code and that somebody else made.

    Raises Invalid, NotFound (with the nearest names), Unfit and Untrusted for all that can be known to be wrong before
    it starts; with ``wait`` also what keeps it from becoming ready.
    """
    cluster = discover.current()
    said: dict[str, Any] = {
        "endpoint": endpoint, "variant": variant, "percent": percent, "replicas": replicas, "resources": resources,
        "env": env, "timeout": timeout, "batch": batch, "idle": idle, "sticky": sticky, "log": log, "grpc": grpc,
        "explain": explain, "trust": trust, "transformer": transformer, "rules": rules,
    }  # fmt: skip
    remote = kube.place()
    asked = _asked(cluster, finding.taken(model, endpoint), **said, dry=False)
    made = _place(cluster, asked) if remote is None else kube.start(remote, cluster, asked)
    return made.wait(WAIT_SECONDS) if wait else made


def examine(
    model: Any,
    endpoint: str | None = None,
    *,
    variant: str | None = None,
    percent: int | None = None,
    replicas: int | str | None = None,
    resources: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: int | None = None,
    batch: Mapping[str, Any] | bool | None = None,
    idle: float | None = None,
    sticky: str | None = None,
    log: Mapping[str, Any] | bool | None = None,
    grpc: bool | None = None,
    explain: bool = False,
    trust: bool = False,
    transformer: Any = None,
    rules: Sequence[str] | str | None = None,
) -> Resource:
    """What ``serve`` would store, or the first thing that it would refuse; nothing is made, trusted or started."""
    cluster = discover.current()
    said: dict[str, Any] = {
        "endpoint": endpoint, "variant": variant, "percent": percent, "replicas": replicas, "resources": resources,
        "env": env, "timeout": timeout, "batch": batch, "idle": idle, "sticky": sticky, "log": log, "grpc": grpc,
        "explain": explain, "trust": trust, "transformer": transformer, "rules": rules,
    }  # fmt: skip
    asked = _asked(cluster, finding.taken(model, endpoint, dry=True), **said, dry=True)
    if (remote := kube.place()) is not None:
        return kube.examined(remote, cluster, asked)
    current = cluster.store.find(KIND, asked.name)
    made = asked.first() if current is None else asked.changed(current)
    for each in names.read(made).variants:
        _require_room(cluster, each)
    return made


def _asked(
    cluster: LocalCluster,
    version: Version,
    *,
    endpoint: str | None,
    variant: str | None,
    percent: int | None,
    replicas: int | str | None,
    resources: Mapping[str, Any] | None,
    env: Mapping[str, str] | None,
    timeout: int | None,
    batch: Mapping[str, Any] | bool | None,
    idle: float | None,
    sticky: str | None,
    log: Mapping[str, Any] | bool | None,
    grpc: bool | None,
    explain: bool,
    trust: bool,
    transformer: Any,
    rules: Sequence[str] | str | None,
    dry: bool,
) -> Asked:
    name = valid_name(endpoint, "endpoint") if endpoint else _endpoint_name(version)
    share = None if percent is None else whole(percent, "percent", 0, 100)
    predictor = {
        "model": {**verbs.predictor_model(version), **building.model_options(resources, env, grpc)},
        **building.predictor_options(replicas, timeout, batch),
    }
    notes = building.notes(idle, sticky, log, rules)
    source = finding.of_version(version)
    if not trust:
        finding.require_trust(cluster, source, version.name)
    elif not dry:
        finding.trust(cluster, source)
    facts = {**finding.facts_of(version), **({"explain": True} if explain else {})}
    if transformer is not None:
        from jupyter_ext.serving.transformer import taken

        notes[names.TRANSFORMER] = taken(cluster, transformer, name, trust=trust, dry=dry)
    return Asked(name, version, predictor, facts, notes, variant, share, inside(cluster))


def _place(cluster: LocalCluster, asked: Asked) -> Endpoint:
    """Make the endpoint, or change the one of this name."""
    if cluster.store.find(KIND, asked.name) is None:
        first = asked.first()
        for each in names.read(first).variants:
            _require_room(cluster, each)
        try:
            return create(cluster, first)
        except Conflict:
            pass  # somebody made it a moment ago

    def edit(found: Resource) -> Resource:
        made = asked.changed(found)
        for each in names.read(made).variants:
            _require_room(cluster, each)
        return made

    verbs.change(cluster, asked.name, asked.what, edit)
    return Endpoint(asked.name, cluster)


def _require_room(cluster: LocalCluster, predictor: names.Predictor) -> None:
    """Raise Unfit for resources that this machine never has."""
    try:
        cluster.leases.check(predictor.request)
    except Unfit as error:
        part = error.where.field if error.where else ""
        raise Unfit(error.what, where=Where(field=f"resources.{part}"), hint=error.hint) from None


def _endpoint_name(version: Version) -> str:
    """The model's own name where an endpoint can have it."""
    name = version.model.name
    return valid_name(name if is_name(name) else make_plain(name), "endpoint")
