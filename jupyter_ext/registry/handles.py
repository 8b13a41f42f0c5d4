"""Models and versions as objects: what is known of them, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.registry import metadata, signature
from jupyter_ext.registry.lineage import PREFIX, checked_uri
from jupyter_ext.registry.transport import pages

if TYPE_CHECKING:
    from jupyter_ext.registry.registry import Registry

ALIAS: Final = "alias:"
"""Custom properties of a model that begin so name a version: any client of the registry can read them."""
SIGNATURE: Final = "signature"
EXAMPLE: Final = "example"
PACKAGES: Final = "packages"
DIGEST: Final = "digest"
_OWN: Final = frozenset({SIGNATURE, EXAMPLE, PACKAGES})


class _Record:
    """What models and versions share. ``record`` is the JSON of the REST API, read once and after each change."""

    _path = ""

    def __init__(self, registry: Registry, record: Mapping[str, Any]) -> None:
        self.registry = registry
        self.record = dict(record)

    @property
    def id(self) -> str:
        """The registry's number for it."""
        return str(self.record["id"])

    @property
    def description(self) -> str:
        """In the words of who registered it."""
        return str(self.record.get("description") or "")

    @property
    def archived(self) -> bool:
        """Whether it was put away."""
        return self.record.get("state") == "ARCHIVED"

    @property
    def created(self) -> datetime:
        """When it was registered."""
        return datetime.fromtimestamp(int(self.record["createTimeSinceEpoch"]) / 1000, UTC)

    @property
    def properties(self) -> dict[str, Any]:
        """The custom properties as plain values, but for those that have names of their own here."""
        return {
            name: metadata.to_python(value)
            for name, value in self._custom.items()
            if name not in _OWN and not name.startswith((ALIAS, PREFIX))
        }

    @property
    def _custom(self) -> dict[str, Any]:
        return dict(self.record.get("customProperties") or {})

    def update(self, *, description: str | None = None, properties: Mapping[str, Any] | None = None) -> None:
        """Change the description, or some properties; None removes one."""
        self._change({} if description is None else {"description": description}, properties or {})

    def archive(self) -> None:
        """Put it away: lists leave it out, names stay taken, nothing is removed."""
        self._change({"state": "ARCHIVED"})

    def restore(self) -> None:
        """Undo ``archive``."""
        self._change({"state": "LIVE"})

    def refresh(self) -> None:
        """Read it again."""
        self.record = self.registry.transport.ask("GET", f"{self._path}/{self.id}")

    def _change(self, fields: Mapping[str, Any], properties: Mapping[str, Any] | None = None) -> None:
        transport = self.registry.transport
        body = dict(fields)
        with transport.transaction():
            if properties:
                self.refresh()
                custom = {name: value for name, value in self._custom.items() if name not in properties}
                custom |= {
                    name: metadata.from_python(value)
                    for name, value in properties.items()
                    if value is not None
                }
                body["customProperties"] = custom
            self.record = transport.ask("PATCH", f"{self._path}/{self.id}", body=body)


class Model(_Record):
    """A registered model."""

    _path = "registered_models"

    @property
    def name(self) -> str:
        """Unique in its registry."""
        return str(self.record["name"])

    @property
    def owner(self) -> str:
        """Who made it."""
        return str(self.record.get("owner") or "")

    @property
    def aliases(self) -> dict[str, str]:
        """Alias to the name of the version it means."""
        found = {name[len(ALIAS) :]: value for name, value in self._custom.items() if name.startswith(ALIAS)}
        return {name: str(metadata.to_python(value)) for name, value in found.items()}

    def versions(
        self,
        filter: str = "",  # noqa: A002 - the API's word
        *,
        limit: int | None = None,
        archived: bool = False,
    ) -> list[Version]:
        """The versions, newest first."""
        return list(self._versions(filter, limit, archived=archived))

    def _versions(self, text: str, limit: int | None, *, archived: bool) -> Iterator[Version]:
        query = {"sortOrder": "DESC", "orderBy": "ID"}
        conditions = [f"({text})"] * bool(text) + ["state = 'LIVE'"] * (not archived)
        if conditions:
            query["filterQuery"] = " AND ".join(conditions)
        path = f"registered_models/{self.id}/versions"
        for record in pages(self.registry.transport, path, query, limit):
            yield Version(self.registry, record, self)

    def version(self, name: str | int | None = None) -> Version:
        """One version by its name or alias; without, the newest. Raises NotFound, which names what there is."""
        if name is None:
            found = self.versions(limit=1)
            if not found:
                raise NotFound(f"the model {self.name} has no version yet", where=Where(object=self.name))
            return found[0]
        wanted = self.aliases.get(str(name), str(name))
        try:
            record = self.registry.transport.ask(
                "GET", "model_version", {"name": wanted, "parentResourceId": self.id}
            )
        except NotFound:
            raise NotFound(
                f"the model {self.name} has no version {wanted!r}",
                where=Where(object=self.name),
                hint=_nearest(wanted, [found.version for found in self.versions(limit=200, archived=True)]),
            ) from None
        return Version(self.registry, record, self)

    def alias(self, name: str, version: str | int | Version | None) -> Version | None:
        """Let an alias mean a version (None: nothing any more); gives the version it meant before."""
        if not name or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise Invalid(
                f"{name!r} is no alias", where=Where(field="alias"), hint="Letters, digits, - _ and . only."
            )
        with self.registry.transport.transaction():
            self.refresh()
            before = self.aliases.get(name)
            if version is not None and not isinstance(version, Version):
                version = self.version(version)
            self._change({}, {f"{ALIAS}{name}": version.version if version is not None else None})
        try:
            return self.version(before) if before is not None else None
        except NotFound:
            return None

    @property
    def card(self) -> str:
        """The model card, Markdown: what was written, and what is known."""
        from jupyter_ext.registry.card import card

        return card(self)

    @property
    def readme(self) -> str:
        """The part of the card that people write."""
        return str(self.record.get("readme") or "")

    @readme.setter
    def readme(self, text: str) -> None:
        self._change({"readme": text})

    def __repr__(self) -> str:
        return f"Model({self.name!r})"


class Version(_Record):
    """One version of a model."""

    _path = "model_versions"

    def __init__(
        self,
        registry: Registry,
        record: Mapping[str, Any],
        model: Model | None = None,
        *,
        known: dict[str, Model] | None = None,
    ) -> None:
        super().__init__(registry, record)
        # Versions that were found together share the models that any of them asked for.
        self._known = {} if known is None else known
        if model is not None:
            self._known[model.id] = model
        self._artifacts: list[dict[str, Any]] | None = None

    @property
    def model(self) -> Model:
        """What it is a version of."""
        key = str(self.record["registeredModelId"])
        if key not in self._known:
            self._known[key] = Model(
                self.registry, self.registry.transport.ask("GET", f"registered_models/{key}")
            )
        return self._known[key]

    @property
    def version(self) -> str:
        """Its name within the model."""
        return str(self.record["name"])

    @property
    def name(self) -> str:
        """``model:version``, as ``get`` takes it."""
        return f"{self.model.name}:{self.version}"

    @property
    def author(self) -> str:
        """Who registered it."""
        return str(self.record.get("author") or "")

    @property
    def aliases(self) -> list[str]:
        """Those that mean this version."""
        return [alias for alias, version in self.model.aliases.items() if version == self.version]

    @property
    def lineage(self) -> dict[str, Any]:
        """Where it comes from: run, step, cell, notebook, commit, …, as far as that was known."""
        return {
            name[len(PREFIX) :]: metadata.to_python(value)
            for name, value in self._custom.items()
            if name.startswith(PREFIX)
        }

    @property
    def packages(self) -> dict[str, str]:
        """What was imported when it was registered, with versions."""
        return dict(self._struct(PACKAGES) or {})

    @property
    def signature(self) -> dict[str, Any] | None:
        """Names, types and shapes of what it takes and gives."""
        return self._struct(SIGNATURE)

    @property
    def example(self) -> Any:
        """A few rows that it can predict; None where none were given."""
        found = self._struct(EXAMPLE)
        return None if found is None else signature.example_of(found)

    @property
    def artifacts(self) -> list[dict[str, Any]]:
        """Everything attached to it, as JSON of the REST API."""
        if self._artifacts is None:
            path = f"model_versions/{self.id}/artifacts"
            self._artifacts = list(pages(self.registry.transport, path, {}, None))
        return self._artifacts

    @property
    def metrics(self) -> dict[str, float]:
        """The newest value of each."""
        return {found["name"]: found["value"] for found in self._of("metric") if "value" in found}

    @property
    def parameters(self) -> dict[str, str]:
        """As texts."""
        return {found["name"]: found.get("value", "") for found in self._of("parameter")}

    @property
    def data(self) -> dict[str, dict[str, Any]]:
        """The data sets it was made from, by name."""
        return {found["name"]: found for found in self._of("dataset-artifact")}

    @property
    def artifact(self) -> dict[str, Any]:
        """The model artifact: address, format, source. Raises NotFound."""
        found = self._of("model-artifact")
        if not found:
            raise NotFound(f"{self.name} has no files", where=Where(object=self.name))
        return found[0]

    @property
    def is_whole(self) -> bool:
        """Whether its files were registered."""
        return bool(self._of("model-artifact"))

    def forget(self) -> None:
        """Ask for the artifacts again when they are wanted next."""
        self._artifacts = None

    @property
    def uri(self) -> str:
        """Where its files are."""
        return str(self.artifact.get("uri") or "")

    @property
    def format(self) -> str:
        """Name of the format of its files."""
        return str(self.artifact.get("modelFormatName") or "")

    @property
    def digest(self) -> str | None:
        """Of its files, as they were registered."""
        found = (self.artifact.get("customProperties") or {}).get(DIGEST)
        return str(metadata.to_python(found)) if found else None

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [found for found in self.artifacts if found.get("artifactType") == kind]

    def _struct(self, name: str) -> dict[str, Any] | None:
        found = self._custom.get(name)
        value = metadata.to_python(found) if found else None
        return value if isinstance(value, dict) else None

    def path(self) -> Path:
        """Its files on this machine; brought here and checked against their digest where that is known."""
        from jupyter_ext.registry.loading import fetch

        return fetch(self)

    def load(self, *, trust: bool = False) -> Any:
        """The model itself. Raises Untrusted for one that may run code and that this user did not register."""
        from jupyter_ext.registry.loading import load

        return load(self, trust=trust)

    def log(self, **metrics: float) -> None:
        """Add or change metrics."""
        with self.registry.transport.transaction():
            for name, value in metrics.items():
                body = {"artifactType": "metric", "name": name, "value": float(value)}
                self.registry.transport.ask("POST", f"model_versions/{self.id}/artifacts", body=body)
            self._change({}, metrics)
        self.forget()

    def alias(self, name: str) -> Version | None:
        """Let an alias mean this version; gives the version it meant before."""
        return self.model.alias(name, self)

    def copy(self, to: str, version: str | None = None, *, alias: str | None = None) -> Version:
        """The same files and facts as a version of another model, which is made if it is not there."""
        checked_uri(self.uri)
        return self.registry.copy(self, to, version, alias=alias)

    def __repr__(self) -> str:
        return f"Version({self.name!r})"


def _nearest(wanted: str, names: list[str]) -> str | None:
    """The sentence that helps who mistyped a name."""
    import difflib

    if not names:
        return None
    near = difflib.get_close_matches(wanted, names, 3, 0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"There is {', '.join(names[:10])}."
