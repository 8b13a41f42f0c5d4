"""What is said of a variant or a version that an endpoint does not have."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.table import Route


def no_variant(route: Route, chosen: str) -> str:
    """The sentence, with the nearest names."""
    known = [*route.targets, *route.coming]
    near = get_close_matches(chosen, known, 3, 0.4) or known
    hint = f"It has {', '.join(near)}." if near else "It has none."
    return f"{route.name} has no variant {chosen[:60]!r}. {hint}"


def no_version(route: Route, version: str) -> str:
    """The sentence, with the versions that are served."""
    known = sorted({*(target.version for target in route.targets.values()), *route.coming.values()})
    return f"{route.name} does not serve version {version[:60]}. It serves: {', '.join(known)}."
