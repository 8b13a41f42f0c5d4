"""What changes in a registry's file, told by model: a version, an alias or an endpoint of it is a change of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from jupyter_ext.registry.entities import KINDS
from jupyter_ext.registry.store import Record, Store

POLL_SECONDS: Final = 0.05


class Change(NamedTuple):
    """One model that changed. ``version`` grows with every change in the file."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    id: int
    name: str
    state: str
    reason: str
    version: int


def changes(store: Store, since: int, newest: int) -> tuple[list[Change], int]:
    """The models that changed after ``since``, and the number of the last change; those above ``newest`` are new."""
    with store.snapshot():
        version = store.version()
        if version <= since:
            return [], since
        records, removed = store.changed(since)
        reasons: dict[int, str] = {}
        for record in records:
            model = _model_of(store, record)
            if model is not None:
                reason = _reason(record)
                reasons[model] = reason or reasons.get(model, "")
        for _, kind, parent, name in removed:
            if kind == "ModelVersion" and parent:
                reasons[parent] = f"version {name} was removed"
        found = []
        for number, reason in reasons.items():
            model_record = store.get(["RegisteredModel"], number)
            if model_record is not None:
                state = str(model_record.fields.get("state") or "LIVE")
                kind = "ADDED" if number > newest else "MODIFIED"
                found.append(Change(kind, number, model_record.name, state, reason, version))  # type: ignore[arg-type]
        found += [
            Change("DELETED", number, name, "", "it was removed", version)
            for number, kind, _, name in removed
            if kind == "RegisteredModel"
        ]
        return found, version


def _model_of(store: Store, record: Record) -> int | None:
    if record.kind == "RegisteredModel":
        return record.id
    if record.kind == "ModelVersion":
        return record.parent
    if record.kind == "InferenceService":
        return int(record.fields["registeredModelId"])
    if KINDS[record.kind].artifact and record.parent:
        version = store.get(["ModelVersion"], record.parent)
        return version.parent if version is not None else None
    return None


def _reason(record: Record) -> str:
    """In words, where one of the changed records says it; the last one counts."""
    is_new = record.created == record.updated
    if record.kind == "ModelVersion":
        if is_new:
            return f"version {record.name} was registered"
        return f"version {record.name} " + (
            "was put away" if record.fields.get("state") == "ARCHIVED" else "changed"
        )
    if record.kind == "InferenceService":
        served = record.fields.get("desiredState") == "DEPLOYED"
        return f"endpoint {record.name} {'serves it' if served else 'no longer serves it'}"
    return ""


def follow(store: Store, since: int, stop: threading.Event) -> Iterator[Change]:
    """Changes after ``since`` as they come, until ``stop``; asks SQLite only whether its file changed."""
    last = store.greatest_id() if since else 0
    connection = store.follow()
    seen = -1
    try:
        while not stop.is_set():
            if connection.closed:  # by a fork of this process
                connection, seen = store.follow(), -1
            with connection.guard:
                if connection.closed:
                    continue
                data = connection.execute("PRAGMA data_version").fetchone()[0]
            if data != seen:
                seen = data
                found, since = changes(store, since, last)
                last = store.greatest_id() if found else last
                yield from found
            stop.wait(POLL_SECONDS)
    finally:
        connection.close()
