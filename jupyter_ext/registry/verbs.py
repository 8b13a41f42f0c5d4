"""The same verbs without a registry in hand: they use the one of this profile, or the one of the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_ext.registry.place import default

if TYPE_CHECKING:
    from jupyter_ext.registry.comparison import Comparison
    from jupyter_ext.registry.handles import Model, Version


def register(model: Any, name: str, version: str | int | None = None, **facts: Any) -> Version:
    """Register a model; see ``Registry.register``."""
    return default().register(model, name, version, **facts)


def get(reference: str) -> Model | Version:
    """``name``, ``name:version`` or ``name@alias``; see ``Registry.get``."""
    return default().get(reference)


def models(filter: str = "", *, limit: int | None = None, archived: bool = False) -> list[Model]:  # noqa: A002 - the API's word
    """Models, newest first; see ``Registry.models``."""
    return default().models(filter, limit=limit, archived=archived)


def find(filter: str = "", *, limit: int | None = None, archived: bool = False) -> list[Version]:  # noqa: A002 - the API's word
    """Versions, newest first; see ``Registry.find``."""
    return default().find(filter, limit=limit, archived=archived)


def search(text: str, *, limit: int | None = 100) -> list[Model]:
    """What a search box means; see ``Registry.search``."""
    return default().search(text, limit=limit)


def compare(*references: str | Version) -> Comparison:
    """What differs between versions; see ``Registry.compare``."""
    return default().compare(*references)


def promote(reference: str | Version, alias: str = "champion", *, to: str | None = None) -> Version | None:
    """Let an alias mean a version; see ``Registry.promote``."""
    return default().promote(reference, alias, to=to)
