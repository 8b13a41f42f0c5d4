"""What models and versions share as objects: a record of the REST API, its plain properties, and how it is changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.registry import metadata
from jupyter_ext.registry.lineage import PREFIX

if TYPE_CHECKING:
    from jupyter_ext.registry.registry import Registry

ALIAS: Final = "alias:"
"""Custom properties of a model that begin so name a version: any client of the registry can read them."""
SIGNATURE: Final = "signature"
EXAMPLE: Final = "example"
PACKAGES: Final = "packages"
DIGEST: Final = "digest"
_OWN: Final = frozenset({SIGNATURE, EXAMPLE, PACKAGES})


class Thing:
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
    def updated(self) -> datetime:
        """When it, itself, was changed last."""
        return datetime.fromtimestamp(int(self.record["lastUpdateTimeSinceEpoch"]) / 1000, UTC)

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
