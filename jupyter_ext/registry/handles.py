"""Models and versions as objects: what is known of them, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.registry import metadata, signature
from jupyter_ext.registry.lineage import PREFIX, checked_uri
from jupyter_ext.registry.records import ALIAS, DIGEST, EXAMPLE, PACKAGES, SIGNATURE, Thing
from jupyter_ext.registry.transport import pages

if TYPE_CHECKING:
    from jupyter_ext.registry.registry import Registry


class Model(Thing):
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

    def purge(self) -> None:
        """Remove it for good with all its versions. Raises Conflict while it is served, Invalid in a registry elsewhere."""
        from jupyter_ext.registry import purging

        purging.model(self)

    def __repr__(self) -> str:
        return f"Model({self.name!r})"

    def _repr_html_(self) -> str:
        from jupyter_ext.registry.widgets import model_html

        return model_html(self)


class Version(Thing):
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
        found = self.example_json
        return None if found is None else signature.example_of(found)

    @property
    def example_json(self) -> dict[str, Any] | None:
        """The example as it is kept: ``{"form": "frame", "columns": […], "data": […]}``."""
        return self._struct(EXAMPLE)

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
        return self.digest_in(self.artifact)

    @staticmethod
    def digest_in(artifact: Mapping[str, Any]) -> str | None:
        """The digest that a model artifact notes."""
        found = (artifact.get("customProperties") or {}).get(DIGEST)
        return str(metadata.to_python(found)) if found else None

    def danger(self) -> str | None:
        """Why reading its files may run code; None where it cannot. Nothing is loaded. Raises NotFound, Unfit."""
        return self.danger_of(self.artifact)

    def danger_of(self, artifact: Mapping[str, Any]) -> str | None:
        """As ``danger``, of a model artifact that was read already; None for a format that nothing here reads."""
        from jupyter_ext.registry.loading import danger

        return danger(self, artifact) if artifact else None

    def is_trusted(self) -> bool:
        """Whether it loads without a question: its files cannot run code, or this user registered them from here."""
        from jupyter_ext.registry.loading import is_trusted

        return is_trusted(self)

    @property
    def profile(self) -> dict[str, Any] | None:
        """What the training data looked like: that of the data set ``train``, else of the first that has one."""
        import json

        found = sorted(self.data.values(), key=lambda one: one["name"] != "train")
        for text in (one.get("profile") for one in found):
            try:
                value = json.loads(text) if text else None
            except ValueError:
                continue
            if isinstance(value, dict):
                return value
        return None

    def endpoints(self) -> list[dict[str, Any]]:
        """The endpoints that serve it, and those that once did: name, state and URL."""
        from jupyter_ext.registry import served

        return served.of_version(self)

    def trace(self) -> dict[str, Any]:
        """Where it comes from and where it went, as nodes and edges."""
        from jupyter_ext.registry.tracing import trace

        return trace(self)

    def purge(self) -> None:
        """Remove it for good, with its aliases. Raises Conflict while it is served, Invalid in a registry elsewhere."""
        from jupyter_ext.registry import purging

        purging.version(self)

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

    def _repr_html_(self) -> str:
        from jupyter_ext.registry.widgets import version_html

        return version_html(self)


def _nearest(wanted: str, names: list[str]) -> str | None:
    """The sentence that helps who mistyped a name."""
    import difflib

    if not names:
        return None
    near = difflib.get_close_matches(wanted, names, 3, 0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"There is {', '.join(names[:10])}."
