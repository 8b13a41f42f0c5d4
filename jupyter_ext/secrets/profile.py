"""Secrets and ConfigMaps of the profile that is in use, by name and key."""

from __future__ import annotations

import builtins

from jupyter_ext.cluster.local.home import home_folder, profile_name
from jupyter_ext.errors import Invalid, Where
from jupyter_ext.secrets.store import SECRET, Entry, Store


def _store() -> Store:
    name = profile_name()
    return Store(home_folder() / name, name)


def set(name: str, key: str, value: str | bytes, *, kind: str = SECRET) -> Entry:  # noqa: A001 - what it does
    """Give a key of a Secret (``kind="ConfigMap"``: of a ConfigMap) a value; makes it where there is none.

    Raises Invalid for a name, a key or a size that Kubernetes would not take.
    """
    return _store().set(name, key, value, kind)


def get(name: str, key: str, *, kind: str = SECRET) -> str:
    """The value as text. Raises NotFound, and Invalid for one that is no text."""
    try:
        return get_bytes(name, key, kind=kind).decode()
    except UnicodeDecodeError:
        raise Invalid(
            f"The value of {key} in {name} is no text",
            where=Where(field=key),
            hint="Take its bytes: kf.secrets.get_bytes.",
        ) from None


def get_bytes(name: str, key: str, *, kind: str = SECRET) -> bytes:
    """The value as bytes. Raises NotFound."""
    return _store().value(name, key, kind)


def list(*, kind: str = SECRET) -> builtins.list[Entry]:  # noqa: A001 - what it does
    """All Secrets (or ConfigMaps) with their keys and without their values, by name."""
    return _store().entries(kind)


def delete(name: str, key: str | None = None, *, kind: str = SECRET) -> None:
    """Remove a Secret (or ConfigMap), or one key of it. Raises NotFound."""
    _store().delete(name, key, kind)
