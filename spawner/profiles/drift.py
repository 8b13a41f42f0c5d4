"""Where an object differs from what it should be, in what is ours of it. Pure.

Labels and annotations that others add are theirs and stay. All else is compared whole: an extra subject in a
binding or an extra rule in a policy is a way in that nobody declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spawner import quantities

Json = dict[str, Any]


def drift(wanted: Json, found: Json) -> list[str]:
    """The fields that differ, as paths; nothing where nothing is to do."""
    wrong = []
    for part in ("labels", "annotations"):
        have = (found.get("metadata") or {}).get(part) or {}
        for key, value in (wanted["metadata"].get(part) or {}).items():
            if have.get(key) != value:
                wrong.append(f"metadata.{part}.{key}")
    for field in sorted(set(wanted) - {"apiVersion", "kind", "metadata"}):
        ours, theirs = _plain(field, wanted[field]), _plain(field, found.get(field))
        if ours != theirs:
            wrong.append(_first(field, ours, theirs))
    return wrong


def stray(wanted: Json, found: Json) -> Json | None:
    """A merge patch that takes away entries of a quota that nobody declared; None where there are none.

    Server-side apply leaves alone what another manager put there.
    """
    if wanted["kind"] == "Profile":
        within = stray({"kind": "ResourceQuota", **_quota_of(wanted)}, _quota_of(found))
        return {"spec": {"resourceQuotaSpec": within["spec"]}} if within else None
    if wanted["kind"] != "ResourceQuota":
        return None
    extra = set((found.get("spec") or {}).get("hard") or {}) - set(wanted["spec"].get("hard") or {})
    return {"spec": {"hard": dict.fromkeys(sorted(extra))}} if extra else None


def _quota_of(profile: Json) -> Json:
    """The quota of a Profile, as a ResourceQuota has it."""
    return {"spec": (profile.get("spec") or {}).get("resourceQuotaSpec") or {}}


def is_immutable(wanted: Json, found: Json) -> bool:
    """Whether the change needs the object to be made anew: the role of a binding cannot be changed."""
    return wanted["kind"] == "RoleBinding" and bool(found.get("roleRef") != wanted["roleRef"])


def _plain(field: str, value: Any) -> Any:
    """The same value in the one form in which it can be compared."""
    if field == "subjects":
        rows = value if isinstance(value, list) else []
        return sorted(tuple(str(row.get(key) or "") for key in ("kind", "name", "namespace")) for row in rows)
    return _canonical(value, is_amount=False)


def _canonical(value: Any, *, is_amount: bool) -> Any:
    if isinstance(value, Mapping):
        amounts = {"hard", "default", "defaultRequest", "max"}
        return {
            key: _canonical(item, is_amount=is_amount or key in amounts)
            for key, item in value.items()
            if not (item in ({}, [], None, "") and key != "podSelector")
        }
    if isinstance(value, list):
        return [_canonical(item, is_amount=False) for item in value]
    if is_amount:
        try:
            return quantities.stored(str(value))
        except ValueError:
            return value
    return value


def _first(path: str, ours: Any, theirs: Any) -> str:
    """The path down to the first difference."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*ours, *theirs}):
            if ours.get(key) != theirs.get(key):
                return _first(f"{path}.{key}", ours.get(key), theirs.get(key))
    return path
