"""Addresses that are elsewhere: which of them this Python can fetch from, by fsspec and the package for their scheme."""

from __future__ import annotations

from jupyter_ext.errors import Unfit, Where
from jupyter_ext.store.address import PACKAGES, for_fsspec, scheme_of
from jupyter_ext.store.address import require as require_package

__all__ = ["PACKAGES", "for_fsspec", "require", "scheme_of"]


def require(uri: str) -> None:
    """Raise Unfit, with what to install, where this Python cannot fetch from an address."""
    scheme, where = scheme_of(uri), Where(field="artifactUri")
    if scheme not in PACKAGES:
        raise Unfit(
            f"{uri[:200]} is not on this machine, and {scheme}:// cannot be fetched from",
            where=where,
            hint="Fetch it, and import the local path instead.",
        )
    require_package(uri, where)
