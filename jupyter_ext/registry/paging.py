"""Pages of a list: order, size, and the token that says where the next page begins.

The token is that of upstream (``scopes/paginate.go``): base64 of ``id:value``, the last record's id and the value
it is ordered by. A page goes on after that record even if it, or others, changed or went meanwhile.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, Where

COLUMNS: Final = {"ID": "id", "CREATE_TIME": "created", "LAST_UPDATE_TIME": "updated"}
TOKEN_LENGTH: Final = 1024
_INT64: Final = 1 << 63


class Cursor(NamedTuple):
    """After which record the page begins."""

    id: int
    value: int


@dataclass(frozen=True)
class Paging:
    """Which part of a list is wanted. ``size`` 0: all of it."""

    size: int = 0
    column: str = "id"
    descending: bool = False
    after: Cursor | None = None

    def where(self) -> tuple[str, list[int]]:
        """The SQL that skips earlier pages."""
        if self.after is None:
            return "1", []
        sign = "<" if self.descending else ">"
        if self.column == "id":
            return f"r.id {sign} ?", [self.after.id]
        return f"(r.{self.column}, r.id) {sign} (?, ?)", [self.after.value, self.after.id]

    def order(self) -> str:
        """The SQL of the order; the id decides between equals."""
        way = "DESC" if self.descending else "ASC"
        return f"r.id {way}" if self.column == "id" else f"r.{self.column} {way}, r.id {way}"


def read(query: Mapping[str, str]) -> Paging:
    """From the arguments of a request; empty ones count as missing. Raises Invalid."""
    return Paging(
        _size(query.get("pageSize", "")),
        COLUMNS[_choice(query, "orderBy", COLUMNS, "ID")],
        _choice(query, "sortOrder", ("ASC", "DESC"), "ASC") == "DESC",
        decoded(query["nextPageToken"]) if query.get("nextPageToken") else None,
    )


def _size(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise Invalid(f"pageSize {text[:40]!r} is not a whole number", where=Where(field="pageSize"))
    return int(text)


def _choice(query: Mapping[str, str], name: str, known: Any, default: str) -> str:
    given = query.get(name) or default
    if given not in known:
        raise Invalid(
            f"{name} is {given[:40]!r}", where=Where(field=name), hint=f"One of {', '.join(known)}."
        )
    return given


def token(record_id: int, value: int) -> str:
    """What the next request gives back to go on after this record."""
    return base64.b64encode(f"{record_id}:{value}".encode()).decode()


def decoded(text: str) -> Cursor:
    """What a token says; raises Invalid for anything this module did not write."""
    try:
        if len(text) > TOKEN_LENGTH:
            raise ValueError
        number, _, value = base64.b64decode(text, validate=True).decode("ascii").partition(":")
        found = Cursor(int(number), int(value))
        if not all(0 <= part < _INT64 for part in found):
            raise ValueError
    except (ValueError, binascii.Error):
        raise Invalid(
            "the nextPageToken is not one of this list",
            where=Where(field="nextPageToken"),
            hint="Give back the nextPageToken of the page before, or none.",
        ) from None
    return found
