"""What a request says of the model that is registered when the work has succeeded."""

from __future__ import annotations

from typing import Any

from .fields import Field
from .kind import Body

REGISTER = Field(
    "register",
    ("string", "object"),
    "Register the model that it makes, as MODEL or MODEL@ALIAS, or with more words.",
    limit=1000,
    fields=(
        Field("model", "string", "Name of the model.", required=True, limit=400),
        Field("alias", "string", "Let this alias mean the version.", limit=400),
        Field("value", "string", "Of a run: name of the value that is the model.", limit=400),
        Field("step", "string", "Of a run: the step after which it is meant.", limit=400),
        Field("version", "string", "Name of the version; the next number without it.", limit=400),
        Field("format", "string", "Format of its files; recognised without it.", limit=100),
        Field("description", "string", "In a sentence or two."),
        Field("metrics", "object", "More metrics, as numbers by name.", limit=1000),
        Field("properties", "object", "Texts and numbers of your own, by name.", limit=1000),
    ),
)


def asked(body: Body) -> str | dict[str, Any] | None:
    """What the library's ``register=`` gets: only what was said."""
    found: str | dict[str, Any] | None = body.get("register")
    if isinstance(found, dict):
        return {name: value for name, value in found.items() if value is not None}
    return found
