"""Lists, page by page; one that grew too old between two pages is begun again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Gone, Unavailable

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.transport import Transport

PAGE: Final = 500
MOST_PAGES: Final = 200
"""100,000 objects: more than that nobody looks at."""
_TIMES: Final = 3


def pages(
    transport: Transport, path: str, *, labels: str = "", fields: str = "", size: int = PAGE
) -> tuple[list[dict[str, Any]], int]:
    """All objects, and the resource version at which they were so. Raises Unavailable for too many."""
    for attempt in range(1, _TIMES + 1):
        try:
            return _all(transport, path, labels, fields, size)
        except Gone:
            if attempt == _TIMES:
                raise
    raise AssertionError("unreachable")


def _all(
    transport: Transport, path: str, labels: str, fields: str, size: int
) -> tuple[list[dict[str, Any]], int]:
    found: list[dict[str, Any]] = []
    version = 0
    for page in _each(transport, path, labels, fields, size):
        found += page.get("items") or ()
        version = int((page.get("metadata") or {}).get("resourceVersion") or 0)
    return found, version


def _each(transport: Transport, path: str, labels: str, fields: str, size: int) -> Iterator[dict[str, Any]]:
    query = {"limit": str(size)}
    if labels:
        query["labelSelector"] = labels
    if fields:
        query["fieldSelector"] = fields
    for _ in range(MOST_PAGES):
        page: dict[str, Any] = transport.ask("GET", path, query=query)
        yield page
        token = (page.get("metadata") or {}).get("continue")
        if not token:
            return
        query["continue"] = str(token)
    raise Unavailable(f"There are more than {size * MOST_PAGES:,} objects at {path}")
