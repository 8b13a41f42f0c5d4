"""The gateway of a profile: one address for all endpoints, which sends each request to a variant.

The names below load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.place import (
        Address,
        address,
        applied,
        ensure,
        predictor_host,
        token_path,
    )

__all__ = ["Address", "address", "applied", "ensure", "predictor_host", "token_path"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from jupyter_ext.serving.gateway import place

    return getattr(place, name)
