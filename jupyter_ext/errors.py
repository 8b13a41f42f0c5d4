"""The errors a user can meet: each says what is wrong, where, and what to do.

Every surface (REST, magics, command line, widgets) turns these into its own form in one place, so no
library function formats an error for a particular surface.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Where:
    """The place of a fault. Cells count from 1 over all cells of the notebook, lines from 1 in the cell."""

    cell: int | None = None
    cell_id: str | None = None
    line: int | None = None
    field: str | None = None
    object: str | None = None

    def __str__(self) -> str:
        parts = []
        if self.object:
            parts.append(self.object)
        if self.cell is not None:
            parts.append(f"cell {self.cell}")
        if self.line is not None:
            parts.append(f"line {self.line}")
        if self.field:
            parts.append(f"field {self.field}")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """The known parts only, with the key names of the JSON interfaces."""
        names = {"cell_id": "cellId"}
        return {names.get(key, key): value for key, value in asdict(self).items() if value is not None}


class KubeflowError(Exception):
    """Something failed that is worth one clear sentence to the user.

    ``status`` is the HTTP status that the REST interface answers with.
    """

    status = 500

    def __init__(self, what: str, *, where: Where | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = self.what.rstrip(".")
        place = str(self.where) if self.where else ""
        if place:
            text += f" ({place})"
        return f"{text}. {self.hint}" if self.hint else f"{text}."

    def to_dict(self) -> dict[str, Any]:
        """JSON form, the same for REST bodies and ``--json`` output."""
        return {
            "what": self.what,
            "where": self.where.to_dict() if self.where else {},
            "hint": self.hint,
            "status": self.status,
        }


class Invalid(KubeflowError):
    """The request itself is wrong."""

    status = 400


class Forbidden(KubeflowError):
    """Who asks has not the right to do this."""

    status = 403


class NotFound(KubeflowError):
    """The named object does not exist."""

    status = 404


class Conflict(KubeflowError):
    """The object exists already, or was changed by somebody else meanwhile."""

    status = 409


class Gone(KubeflowError):
    """The asked-for history is no longer kept; list again and watch from there."""

    status = 410


class Unfit(KubeflowError):
    """The request is well-formed but this cluster can never honour it."""

    status = 422


class Unavailable(KubeflowError):
    """A part that is needed does not answer or is not installed."""

    status = 503
