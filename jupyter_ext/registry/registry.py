"""One registry: register, find, compare and promote models in it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.registry import produced
from jupyter_ext.registry.entry import Entry, next_version, write
from jupyter_ext.registry.files import Files, local_path
from jupyter_ext.registry.handles import Model, Version
from jupyter_ext.registry.registering import gather
from jupyter_ext.registry.transport import Transport, pages

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.services import Service
    from jupyter_ext.registry.comparison import Comparison
    from jupyter_ext.registry.improvement import Better
    from jupyter_ext.registry.store import Store

MOST: int = 10_000
"""Names looked through for one that is near."""


class Registry:
    """A registry that is asked through ``transport``.

    ``files`` is this machine's storage, ``own`` remembers what this user registered from here. ``storage`` is the
    URL below which models are put that are given as objects or local paths, or what gives it when there are some;
    without, they go into ``files`` if the registry is one of this machine (``is_here``).
    """

    def __init__(
        self,
        transport: Transport,
        files: Files,
        own: Store,
        *,
        storage: str | Callable[[], str | None] | None = None,
        is_here: bool = True,
        service: Service | None = None,
    ) -> None:
        self.transport = transport
        self.files = files
        self.service = service
        """Which Service of a cluster it is, where it is one."""
        self._storage = storage
        self._own = own
        self._is_here = is_here

    @property
    def storage(self) -> str | None:
        """Where others can read models."""
        return self._storage() if callable(self._storage) else self._storage

    def __reduce__(self) -> tuple[Callable[..., Registry], tuple[str, str | None]]:
        """Versions travel from step to step; connections and tokens do not."""
        from jupyter_ext.registry import place

        address = f"{place.SERVICE}{self.service.title}" if self.service else self.transport.address
        return place.arrived, (address, None if callable(self._storage) else self._storage)

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
        source: Mapping[str, str] | None = None,
    ) -> Version:
        """Register a model: an object, a path, or an address, which is then only noted.

        Files go into this profile's storage, or with ``to`` to a URL that fsspec knows. Version: the next number, unless
        said. ``data``: paths, frames, arrays or addresses by name. ``source`` says where the model comes from where
        that is not the process that registers it. Either everything is registered or nothing.

        Raises Invalid (nothing to register, a secret in the address, an example that does not fit), Conflict (the
        version is there already).
        """
        facts = gather(
            model, self.files if self._is_here else None, name=name, to=to or self._storage_of(model), format=format, format_version=format_version, example=example, data=data,
            metrics=metrics, parameters=parameters, properties=properties, source=source,
        )  # fmt: skip
        entry = Entry(
            name, owner or facts.author, facts.author, facts.custom, tuple(facts.artifacts(name)),
            None if version is None else str(version), description, alias,
        )  # fmt: skip
        with self.transport.transaction():
            if facts.digest is not None and facts.is_ours:
                produced.note(self._own, facts.digest)
            return self._enter(entry)

    def _storage_of(self, model: Any) -> str | None:
        """Where its files go; an address is only noted, and nobody has to know."""
        is_address = isinstance(model, str) and local_path(model) is None
        return None if is_address else self.storage

    def _enter(self, entry: Entry) -> Version:
        """In one request where the server takes it, else in several."""
        found = self.transport.enter(entry.to_json())
        if found is None:
            return write(self, entry)
        return Version(self, found["version"], Model(self, found["model"]))

    def next_version(self, model: Model) -> int:
        """The number that the next version gets."""
        return next_version(self, model)

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
        """What a search box means: words, or a filter query, over models and their versions.

        A registry elsewhere is asked by words in names and descriptions of models, or by a filter over models.
        """
        from jupyter_ext.registry import searching
        from jupyter_ext.registry.transport import InProcess

        asked = searching.read(text)
        if isinstance(self.transport, InProcess):
            service = self.transport.service
            found = searching.models(service.store, text, limit=limit or 0)
            return [Model(self, service.as_json(record)) for record in found.models]
        return self.models(searching.model_words(asked) if isinstance(asked, list) else text, limit=limit)

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
        for body in bodies:
            if body["artifactType"] == "model-artifact":
                body["name"] = to
        custom = dict(version.record.get("customProperties") or {})
        custom["lineage.copied-from"] = {"metadataType": "MetadataStringValue", "string_value": version.name}
        entry = Entry(
            to, version.model.owner, version.author, custom, tuple(bodies),
            None if name is None else str(name), version.description or None, alias,
        )  # fmt: skip
        with self.transport.transaction():
            return self._enter(entry)

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

    def better(
        self, version: str | Version, than: str | Version = "@champion", metric: str | None = None, *,
        direction: str | None = None, by: float = 0.0,
    ) -> Better:  # fmt: skip
        """Whether a version is better than another by a metric: true or false, with a sentence."""
        from jupyter_ext.registry.improvement import better

        found = self.version(version) if isinstance(version, str) else version
        return better(found, than, metric, direction=direction, by=by)

    def note_served(
        self,
        endpoint: str,
        versions: Sequence[Version],
        *,
        url: str = "",
        uid: str = "",
        profile: str | None = None,
    ) -> None:
        """Record that an endpoint serves these versions now, the stable one first, and no others; none: it is gone."""
        from jupyter_ext.registry import served

        served.note(self, endpoint, versions, url=url, uid=uid, profile=profile)

    def serving(self, endpoint: str) -> Version | None:
        """The version that an endpoint serves as its stable one, as far as the registry was told."""
        from jupyter_ext.registry import served

        return served.stable(self, endpoint)

    def made_by(self, name: str) -> list[Version]:
        """The versions that a run, a job or an experiment of this name made, newest first."""
        quoted = name.replace("\\", "\\\\").replace("'", "\\'")
        return self.find(f"lineage.run = '{quoted}' OR lineage.experiment = '{quoted}'", archived=True)

    def made_from(self, data: Any) -> list[Version]:
        """The versions that were made from this data: a path, a frame, an array or a digest. Of this machine's registry."""
        from jupyter_ext.registry.tracing import made_from

        return made_from(self, data)

    def is_produced(self, digest: str) -> bool:
        """Whether this user registered files with this digest from here."""
        return produced.is_noted(self._own, digest)

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
