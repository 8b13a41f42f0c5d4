"""Removing versions for good, in the registry of this profile only; upstream has no such verb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_ext.errors import Conflict, Invalid, Where
from jupyter_ext.registry import served
from jupyter_ext.registry.entities import ARTIFACT_KINDS, KINDS
from jupyter_ext.registry.transport import InProcess

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Model, Version
    from jupyter_ext.registry.store import Store


def version(found: Version) -> None:
    """Remove a version with its artifacts and aliases. Raises Conflict while an endpoint serves it."""
    store = _store(found)
    with store.transaction():
        found.model.refresh()
        _not_served(found.name, [row for row in served.of_version(found) if row["state"] == served.DEPLOYED])
        for alias in found.aliases:
            found.model.alias(alias, None)
        store.remove([*_below(store, int(found.id)), int(found.id)])


def model(found: Model) -> None:
    """Remove a model with all its versions. Raises Conflict while an endpoint serves one of them."""
    store = _store(found)
    with store.transaction():
        _not_served(found.name, [row for row in served.of_model(found) if row["state"] == served.DEPLOYED])
        gone: list[int] = []
        versions, _ = store.list([KINDS["ModelVersion"]], parent=int(found.id))
        for one in versions:
            gone += [*_below(store, one.id), one.id]
        gone += [int(record["id"]) for record in served.records(found.registry, model=found.id)]
        store.remove([*gone, int(found.id)])


def _store(found: Model | Version) -> Store:
    transport = found.registry.transport
    if not isinstance(transport, InProcess):
        raise Invalid(
            f"{found.name} is in a registry elsewhere, from which nothing is removed",
            where=Where(object=found.name),
            hint="Archive it: lists leave it out then.",
        )
    return transport.service.store


def _not_served(name: str, rows: list[dict[str, str]]) -> None:
    if rows:
        endpoints = ", ".join(dict.fromkeys(row["name"] for row in rows))
        raise Conflict(
            f"{name} is served by {endpoints}",
            where=Where(object=name),
            hint="Stop or delete the endpoint first, or let it serve another version.",
        )


def _below(store: Store, number: int) -> list[int]:
    """The artifacts of a version that nothing else has too, and what served it."""
    artifacts, _ = store.list([KINDS[kind] for kind in ARTIFACT_KINDS], context=number)
    serves, _ = store.list([KINDS["ServeModel"]])
    return [
        *(one.id for one in artifacts if list(store.contexts(one.id)) == [number]),
        *(one.id for one in serves if str(one.fields.get("modelVersionId")) == str(number)),
    ]
