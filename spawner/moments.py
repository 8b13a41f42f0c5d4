"""Times as Jupyter and the API server write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_LONGEST: Final = 40


def moment(text: object) -> datetime | None:
    """Read a time of RFC 3339; None for what is none. Times without a zone are UTC."""
    if not isinstance(text, str) or not text or len(text) > _LONGEST:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
