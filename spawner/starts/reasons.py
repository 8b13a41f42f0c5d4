"""A reason as a person reads it, and the facts that reasons are found in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Final

Json = Mapping[str, Any]

_LONGEST: Final = 600


@dataclass(frozen=True)
class Reason:
    """Why a server does not start, and what to do.

    ``code`` is one word for metrics and logs; ``what``, ``why`` and ``next`` are sentences of plain text, parts of
    which come from events and registries: nothing of them is HTML before `html`. ``is_hopeless``: waiting longer
    changes nothing.
    """

    code: str
    what: str
    why: str = ""
    next: str = ""
    is_hopeless: bool = False
    status: int = field(default=409, compare=False)

    def text(self) -> str:
        """All of it in one line."""
        return " ".join(part for part in (self.what, self.why, self.next) if part)

    def html(self) -> str:
        """All of it as paragraphs, escaped."""
        parts = [f"<p><strong>{escape(self.what)}</strong></p>"]
        parts += [f"<p>{escape(part)}</p>" for part in (self.why, self.next) if part]
        return "".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """As JSON for a page."""
        return asdict(self)


@dataclass(frozen=True)
class Facts:
    """What is known around a pod. ``nodes`` and ``pods`` are None where the Hub may not list them.

    All are objects as the API server gives them. ``scales_up``: a cluster that gets new nodes on its own, where
    no node today is no reason to give up.
    """

    pod: Json
    events: Sequence[Json] = ()
    nodes: Sequence[Json] | None = None
    pods: Sequence[Json] | None = None
    quotas: Sequence[Json] = ()
    claims: Sequence[Json] = ()
    scales_up: bool = False

    @property
    def namespace(self) -> str:
        """Where the pod is."""
        return str((self.pod.get("metadata") or {}).get("namespace") or "")


def clip(text: object, most: int = _LONGEST) -> str:
    """A foreign text in one line of bounded length, without control characters."""
    line = " ".join("".join(each if each.isprintable() else " " for each in str(text)[: 4 * most]).split())
    return line if len(line) <= most else line[: most - 1] + "…"
