"""The same verbs without a registry in hand: they use the one of this profile, or the one of the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_ext.registry.place import default

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jupyter_ext.registry.comparison import Comparison
    from jupyter_ext.registry.handles import Model, Version
    from jupyter_ext.registry.improvement import Better


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


def better(
    version: str | Version, than: str | Version = "@champion", metric: str | None = None, *,
    direction: str | None = None, by: float = 0.0,
) -> Better:  # fmt: skip
    """Whether a version is better than another; see ``Registry.better``."""
    return default().better(version, than, metric, direction=direction, by=by)


def note_served(endpoint: str, versions: Sequence[Version], **about: Any) -> None:
    """Record what an endpoint serves; see ``Registry.note_served``."""
    (versions[0].registry if versions else default()).note_served(endpoint, versions, **about)


def serving(endpoint: str) -> Version | None:
    """The version that an endpoint serves; see ``Registry.serving``."""
    return default().serving(endpoint)


def made_by(name: str) -> list[Version]:
    """What a run, a job or an experiment registered; see ``Registry.made_by``."""
    return default().made_by(name)


def made_from(data: Any) -> list[Version]:
    """The versions that were made from this data; see ``Registry.made_from``."""
    return default().made_from(data)
