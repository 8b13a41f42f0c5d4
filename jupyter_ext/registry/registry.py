"""One registry: register, find, compare and promote models in it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.registry.files import Files
from jupyter_ext.registry.handles import Model, Version
from jupyter_ext.registry.registering import Facts, gather
from jupyter_ext.registry.transport import Transport, pages

if TYPE_CHECKING:
    from jupyter_ext.registry.comparison import Comparison
    from jupyter_ext.registry.store import Store

MOST: int = 10_000
"""Names looked through for one that is near."""


class Registry:
    """A registry that is asked through ``transport``.

    ``files`` is this machine's storage, ``own`` remembers what this user registered from here. ``storage`` is the
    URL below which models are put that are given as objects or local paths; without, they go into ``files`` if
    the registry is one of this machine (``is_here``).
    """

    def __init__(
        self,
        transport: Transport,
        files: Files,
        own: Store,
        *,
        storage: str | None = None,
        is_here: bool = True,
    ) -> None:
        self.transport = transport
        self.files = files
        self.storage = storage
        self._own = own
        self._is_here = is_here

    def __repr__(self) -> str:
        return f"Registry({self.transport.address!r})"

    def register(
        self,
        model: Any,
        name: str,
        version: str | int | None = None,
        *,
        alias: str | None = None,
        description: str | None = None,
        metrics: Mapping[str, float] | None = None,
        parameters: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        example: Any = None,
        data: Any = None,
        format: str | None = None,  # noqa: A002 - the word for it
        format_version: str | None = None,
        to: str | None = None,
        owner: str | None = None,
    ) -> Version:
        """Register a model: an object, a path, or an address, which is then only noted.

        Files go into this profile's storage, or with ``to`` to a URL that fsspec knows. Version: the next number, unless
        said. ``data``: paths, frames, arrays or addresses by name. Either everything is registered or nothing.

        Raises Invalid (nothing to register, a secret in the address, an example that does not fit), Conflict (the
        version is there already).
        """
        facts = gather(
            model, self.files if self._is_here else None, name=name, to=to or self.storage, format=format, format_version=format_version, example=example, data=data,
            metrics=metrics, parameters=parameters, properties=properties,
        )  # fmt: skip
        with self.transport.transaction():
            if facts.digest is not None and facts.is_ours:
                self._own.note_produced(facts.digest)
            owner_model = self._model_for(name, owner or facts.author)
            made = self._version_for(owner_model, version, facts, description)
            self._attach(made, facts.artifacts(name))
            if alias is not None:
                owner_model.alias(alias, made)
        return made

    def _model_for(self, name: str, owner: str) -> Model:
        try:
            return self.model(name, near=False)
        except NotFound:
            body = {"name": name, "owner": owner}
        try:
            return Model(self, self.transport.ask("POST", "registered_models", body=body))
        except Conflict:
            return self.model(name)  # somebody else was faster

    def _version_for(
        self, model: Model, version: str | int | None, facts: Facts, description: str | None
    ) -> Version:
        """Make the version. One without files is what a call that broke off left on a server: it is gone on with."""
        body = {
            "registeredModelId": model.id, "author": facts.author, "customProperties": facts.properties(),
            **({"description": description} if description else {}),
        }  # fmt: skip
        tries = 1 if version is not None else 50
        number = self._next(model) if version is None else 0
        for attempt in range(tries):
            chosen = str(version) if version is not None else str(number + attempt)
            try:
                record = self.transport.ask("POST", "model_versions", body={**body, "name": chosen})
                return Version(self, record, model)
            except Conflict:
                if version is None:
                    continue
                there = model.version(chosen)
                if there.version == chosen and not there.is_whole:
                    path = f"model_versions/{there.id}"
                    changed = {"customProperties": body["customProperties"]}
                    return Version(self, self.transport.ask("PATCH", path, body=changed), model)
                raise Conflict(
                    f"{model.name} has a version {chosen} already",
                    where=Where(object=f"{model.name}:{chosen}"),
                    hint="A version never changes. Leave it out for the next number.",
                ) from None
        raise Conflict(f"no number is free for a version of {model.name}", hint="Give version= yourself.")

    def _attach(self, version: Version, bodies: list[dict[str, Any]]) -> None:
        """The files come last: with them the version is whole."""
        for body in sorted(bodies, key=lambda one: one["artifactType"] == "model-artifact"):
            try:
                self.transport.ask("POST", f"model_versions/{version.id}/artifacts", body=body)
            except Conflict:  # there already, from a call that broke off
                if body["artifactType"] == "model-artifact":
                    raise
        version.forget()

    def _next(self, model: Model) -> int:
        path = f"registered_models/{model.id}/versions"
        newest = list(pages(self.transport, path, {"sortOrder": "DESC", "orderBy": "ID"}, 1))
        name = str(newest[0]["name"]) if newest else "0"
        return int(name) + 1 if name.isascii() and name.isdecimal() and len(name) < 9 else 1

    def model(self, name: str, *, near: bool = True) -> Model:
        """The model with exactly this name. Raises NotFound; with ``near`` its hint has names like it."""
        try:
            return Model(self, self.transport.ask("GET", "registered_model", {"name": name}))
        except NotFound:
            hint = self._near(name) if near else None
            raise NotFound(f"there is no model {name!r}", where=Where(object=name), hint=hint) from None

    def _near(self, name: str) -> str:
        names = [str(found["name"]) for found in pages(self.transport, "registered_models", {}, MOST)]
        close = difflib.get_close_matches(name, names, 3, 0.5)
        if close:
            return f"Did you mean {' or '.join(close)}?"
        return f"There is {', '.join(names[:10])}." if names else "Nothing is registered yet."

    def version(self, reference: str) -> Version:
        """``name:version``, ``name@alias``, or ``name`` for the newest version. Raises NotFound."""
        found = self.get(reference)
        return found if isinstance(found, Version) else found.version()

    def get(self, reference: str) -> Model | Version:
        """A model by its name, or a version by ``name:version`` or ``name@alias``. Names are matched in full."""
        try:
            return self.model(reference, near=False)
        except NotFound:
            pass
        for sign in "@:":
            name, found, part = reference.rpartition(sign)
            if not found or not name or not part:
                continue
            model = self.model(name)
            if sign == "@" and part not in model.aliases:
                aliases = ", ".join(model.aliases)
                raise NotFound(
                    f"the model {name} has no alias {part!r}",
                    where=Where(object=name),
                    hint=f"It has {aliases}." if aliases else "It has none; set one with alias=.",
                )
            return model.version(model.aliases[part] if sign == "@" else part)
        return self.model(reference)

    def models(
        self,
        filter: str = "",  # noqa: A002 - the API's word
        *,
        limit: int | None = None,
        archived: bool = False,
    ) -> list[Model]:
        """Models, newest first; ``filter`` is a filter query over their fields and properties."""
        return [
            Model(self, record)
            for record in self._list("registered_models", filter, limit, archived=archived)
        ]

    def find(
        self,
        filter: str = "",  # noqa: A002 - the API's word
        *,
        limit: int | None = None,
        archived: bool = False,
    ) -> list[Version]:
        """Versions of all models, newest first: ``find("accuracy > 0.9 AND lineage.run = 'flights-7'")``."""
        known: dict[str, Model] = {}
        listed = self._list("model_versions", filter, limit, archived=archived)
        return [Version(self, record, known=known) for record in listed]

    def search(self, text: str, *, limit: int | None = 100) -> list[Model]:
        """What a search box means: a filter query if it is one, else words in names and descriptions."""
        from jupyter_ext.registry import grammar

        try:
            grammar.parse(text)
            return self.models(text, limit=limit)
        except Invalid:
            parts = []
            for word in text.split():
                quoted = (
                    word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("'", "\\'")
                )
                parts.append(f"(name ILIKE '%{quoted}%' OR description ILIKE '%{quoted}%')")
            return self.models(" AND ".join(parts), limit=limit)

    def _list(self, path: str, text: str, limit: int | None, *, archived: bool) -> list[dict[str, Any]]:
        conditions = [f"({text})"] * bool(text.strip()) + ["state = 'LIVE'"] * (not archived)
        query = {"sortOrder": "DESC", "orderBy": "ID"}
        if conditions:
            query["filterQuery"] = " AND ".join(conditions)
        return list(pages(self.transport, path, query, limit))

    def compare(self, *references: str | Version) -> Comparison:
        """What differs between versions: metrics, parameters, data, packages, signature."""
        from jupyter_ext.registry.comparison import compare

        return compare([self.version(one) if isinstance(one, str) else one for one in references])

    def copy(
        self, version: Version, to: str, name: str | int | None = None, *, alias: str | None = None
    ) -> Version:
        """A version of another model with the same files and facts; see ``Version.copy``."""
        bodies = [_without_identity(artifact) for artifact in version.artifacts]
        custom = dict(version.record.get("customProperties") or {})
        custom["lineage.copied-from"] = {"metadataType": "MetadataStringValue", "string_value": version.name}
        facts = Facts.copied(version.author, custom)
        with self.transport.transaction():
            model = self._model_for(to, version.model.owner)
            made = self._version_for(model, name, facts, version.description or None)
            for body in bodies:
                if body["artifactType"] == "model-artifact":
                    body["name"] = to
            self._attach(made, bodies)
            if alias is not None:
                model.alias(alias, made)
        return made

    def promote(
        self, reference: str | Version, alias: str = "champion", *, to: str | None = None
    ) -> Version | None:
        """Let an alias mean this version, in its model or as a copy in another; gives the version it meant before."""
        version = self.version(reference) if isinstance(reference, str) else reference
        if to is None or to == version.model.name:
            return version.alias(alias)
        try:
            before = self.model(to, near=False)
            previous = before.version(before.aliases[alias]) if alias in before.aliases else None
        except NotFound:
            previous = None
        self.copy(version, to, alias=alias)
        return previous

    def is_produced(self, digest: str) -> bool:
        """Whether this user registered files with this digest from here."""
        return self._own.is_produced(digest)

    def gc(self, *, dry_run: bool = False, grace_seconds: float = 3600) -> dict[str, int]:
        """Remove files that no record mentions, for example those of a registration that was killed.

        Raises Invalid for a registry whose records are elsewhere.
        """
        from jupyter_ext.registry.transport import InProcess

        if not isinstance(self.transport, InProcess):
            raise Invalid("only the registry of this profile has files here that can be collected")
        used = set[str]()
        for text in self.transport.service.store.texts():
            used.update(_digests(text))
        return self.files.gc(used, grace_seconds=grace_seconds, dry_run=dry_run).to_dict()


def _digests(text: str) -> list[str]:
    import re

    return re.findall(r"b3:[0-9a-f]{64}", text)


def _without_identity(artifact: Mapping[str, Any]) -> dict[str, Any]:
    left = {
        "id",
        "createTimeSinceEpoch",
        "lastUpdateTimeSinceEpoch",
        "externalId",
        "experimentId",
        "experimentRunId",
    }
    return {name: value for name, value in artifact.items() if name not in left}
