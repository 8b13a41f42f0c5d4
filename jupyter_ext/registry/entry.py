"""What one registration writes, and how: as one transaction here, as one request to a server of ours.

Upstream's API takes a model, a version and each artifact one by one. A server of ours also takes all of it at once
(``POST /api/model_registry/jupyter-kubeflow/registrations``), so that it happens or does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.registry.handles import Model, Version
from jupyter_ext.registry.transport import pages

if TYPE_CHECKING:
    from jupyter_ext.registry import metadata
    from jupyter_ext.registry.registry import Registry

Json = dict[str, Any]
TRIES: Final = 50
"""Numbers that are tried where others register versions of the same model at the same time."""


@dataclass(frozen=True)
class Entry:
    """A version with its artifacts, and the model and the alias that it may need."""

    name: str
    owner: str
    author: str
    properties: Mapping[str, metadata.Property] = field(default_factory=dict)
    """Of the version, as the REST API has them."""
    artifacts: tuple[Json, ...] = ()
    version: str | None = None
    """Without it the next number."""
    description: str | None = None
    alias: str | None = None

    def to_json(self) -> Json:
        """As it is sent."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: object) -> Self:
        """Read what was sent; what it holds is checked where it is written. Raises Invalid."""
        if not isinstance(given, Mapping):
            raise Invalid("a registration is a JSON object")
        for name, (kind, needed) in _MEMBERS.items():
            value = given.get(name)
            if value is None and not needed:
                continue
            if not isinstance(value, kind):
                raise Invalid(f"{name} is not what it should be", where=Where(field=name))
        if unknown := sorted(given.keys() - _MEMBERS.keys()):
            raise Invalid(f"a registration has no {unknown[0][:80]!r}", where=Where(field=unknown[0][:80]))
        artifacts = given.get("artifacts") or ()
        if any(not isinstance(each, dict) or "artifactType" not in each for each in artifacts):
            raise Invalid("an artifact is an object with artifactType", where=Where(field="artifacts"))
        words = {name: given[name] for name in _MEMBERS if given.get(name) is not None}
        return cls(**{**words, "artifacts": tuple(artifacts)})


_MEMBERS: Final[dict[str, tuple[type, bool]]] = {
    "name": (str, True),
    "owner": (str, True),
    "author": (str, True),
    "properties": (dict, False),
    "artifacts": (list, False),
    "version": (str, False),
    "description": (str, False),
    "alias": (str, False),
}


def write(registry: Registry, entry: Entry) -> Version:
    """Register it by requests of upstream's API. Raises Conflict where the version is there already."""
    with registry.transport.transaction():
        model, is_new = _model_for(registry, entry)
        # A model that did not exist a moment ago has no versions to look at.
        made = _version_for(registry, model, entry, first=1 if is_new else None)
        _attach(registry, made, entry.artifacts)
        if entry.alias is not None:
            model.alias(entry.alias, made)
    return made


def next_version(registry: Registry, model: Model) -> int:
    """The number that the next version gets."""
    path = f"registered_models/{model.id}/versions"
    newest = list(pages(registry.transport, path, {"sortOrder": "DESC", "orderBy": "ID"}, 1))
    name = str(newest[0]["name"]) if newest else "0"
    return int(name) + 1 if name.isascii() and name.isdecimal() and len(name) < 9 else 1


def _model_for(registry: Registry, entry: Entry) -> tuple[Model, bool]:
    """The model, and whether it was made now."""
    try:
        return registry.model(entry.name, near=False), False
    except NotFound:
        body = {"name": entry.name, "owner": entry.owner}
    try:
        return Model(registry, registry.transport.ask("POST", "registered_models", body=body)), True
    except Conflict:
        return registry.model(entry.name), False  # somebody else was faster


def _version_for(registry: Registry, model: Model, entry: Entry, *, first: int | None) -> Version:
    """Make the version. One without files is what a call that broke off left on a server: it is gone on with."""
    ask = registry.transport.ask
    body = {
        "registeredModelId": model.id, "author": entry.author, "customProperties": dict(entry.properties),
        **({"description": entry.description} if entry.description else {}),
    }  # fmt: skip
    if entry.version is None:
        number = first or next_version(registry, model)
        for chosen in range(number, number + TRIES):
            try:
                return Version(
                    registry, ask("POST", "model_versions", body={**body, "name": str(chosen)}), model
                )
            except Conflict:
                continue
        raise Conflict(f"no number is free for a version of {model.name}", hint="Give version= yourself.")
    try:
        return Version(registry, ask("POST", "model_versions", body={**body, "name": entry.version}), model)
    except Conflict:
        there = model.version(entry.version)
        if there.version == entry.version and not there.is_whole:
            changed = {"customProperties": body["customProperties"]}
            return Version(registry, ask("PATCH", f"model_versions/{there.id}", body=changed), model)
        raise Conflict(
            f"{model.name} has a version {entry.version} already",
            where=Where(object=f"{model.name}:{entry.version}"),
            hint="A version never changes. Leave it out for the next number.",
        ) from None


def _attach(registry: Registry, version: Version, bodies: tuple[Json, ...]) -> None:
    """The files come last: with them the version is whole."""
    for body in sorted(bodies, key=lambda one: one["artifactType"] == "model-artifact"):
        try:
            registry.transport.ask("POST", f"model_versions/{version.id}/artifacts", body=body)
        except Conflict:  # there already, from a call that broke off
            if body["artifactType"] == "model-artifact":
                raise
    version.forget()
