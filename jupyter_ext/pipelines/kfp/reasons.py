"""Why a step failed, from the last words of its log: the server itself says only that it did."""

from __future__ import annotations

import re
from typing import Any, Final

LONGEST: Final = 400
LAST: Final = 200
"""Lines of a log in which the reason is looked for."""
_OURS: Final = re.compile(r"^Step (?P<step>.+?) failed: (?P<words>.+)$")
_PLACE: Final = re.compile(r"^cell (?P<cell>\d+)(?:, line (?P<line>\d+))?: (?P<words>.*)$")
_RAISED: Final = re.compile(
    r"^(?P<type>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Failed)): ?(?P<words>.*)$"
)
_LAUNCHER: Final = re.compile(
    r"^(?:[IWEF]\d{4} \d\d:\d\d:\d\d|time=\S+ level=|\d{4}-\d\d-\d\dT\S+Z? (?:INFO|ERROR))"
)
"""Lines of KFP's launcher and of Argo's executor, which stand around those of the component."""
_LAUNCHED: Final = re.compile(r"^F\d{4} .*?\] (?:failed to execute component: )?(?P<words>.+)$")


def error(log: str) -> dict[str, Any]:
    """``type``, ``message`` and, of a notebook's step, ``cell`` and ``line``; empty where the log says nothing."""
    lines = [line.rstrip() for line in log.splitlines()[-LAST:] if line.strip()]
    for line in reversed(lines):
        if match := _OURS.match(line):
            return _of_notebook(match["words"])
    for line in reversed(lines):
        if not _LAUNCHER.match(line) and (match := _RAISED.match(line)):
            return {"type": match["type"], "message": _clip(match["words"])}
    for line in reversed(lines):
        if match := _LAUNCHED.match(line):
            return {"type": "Error", "message": _clip(match["words"])}
    own = [line for line in lines if not _LAUNCHER.match(line)]
    return {"type": "Error", "message": _clip(own[-1])} if own else {}


def _of_notebook(words: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if match := _PLACE.match(words):
        found["cell"] = int(match["cell"])
        if match["line"]:
            found["line"] = int(match["line"])
        words = match["words"]
    kind, mark, rest = words.partition(": ")
    if mark and kind.isidentifier():
        return {"type": kind, "message": _clip(rest), **found}
    return {"type": "Error", "message": _clip(words), **found}


def _clip(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
