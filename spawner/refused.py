"""The one error of the spawner: what is refused, why, and what to do next, each in one sentence."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """Something asked of the spawner is not done, and the user is told why.

    ``status`` is the HTTP status a handler answers with; below 500 it is the user's to mend, and the Hub must not
    count it as a failure of its own. ``message`` says what is so and why, ``hint`` what to do next, ``field`` which
    field of the form is meant. All of it is plain text about the user's own things: escape it before it is HTML,
    and never put in it what belongs to somebody else.
    """

    def __init__(self, status: int, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
        self.field = field

    def __str__(self) -> str:
        where = f" (field {self.field})" if self.field else ""
        text = f"{self.message.rstrip('.')}{where}."
        return f"{text} {self.hint}" if self.hint else text

    @property
    def jupyterhub_message(self) -> str:
        """What the Hub shows on its page when a start fails so (read from the exception by name)."""
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, of the same shape as every other error of the project."""
        return {
            "what": self.message,
            "where": {"field": self.field} if self.field else {},
            "hint": self.hint or None,
            "status": self.status,
        }
