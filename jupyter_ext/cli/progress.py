"""A run as it goes on: on a terminal one line per step, kept up to date; elsewhere a line per change."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from .text import one_line, seconds

Step = Mapping[str, Any]

_MARKS = {
    "PENDING": "·",
    "RUNNING": "▸",
    "SUCCEEDED": "✓",
    "SKIPPED": "\u2013",
    "FAILED": "✗",
    "CANCELING": "▸",
    "CANCELED": "■",
    "PAUSED": "‖",
}
_COLOURS = {"RUNNING": "36", "SUCCEEDED": "32", "FAILED": "31", "CANCELED": "33"}
_FINISHED = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")


def took(step: Step) -> str:
    """How long a step took, or has taken by now."""
    if step.get("seconds") is not None or step["state"] != "RUNNING" or not step.get("startedAt"):
        return seconds(step.get("seconds"))
    return seconds((datetime.now(UTC) - datetime.fromisoformat(step["startedAt"])).total_seconds())


def line(step: Step, width: int) -> str:
    """One step in words: name, state, duration, whether cached, and why it waits or failed."""
    name = ("  " if step.get("parent") else "") + str(step["name"])
    state = "cached" if step.get("cached") else str(step["state"]).lower()
    reason = (
        one_line(str(step.get("reason") or "")) if step["state"] in {"PENDING", "FAILED", "SKIPPED"} else ""
    )
    attempt = f"  attempt {step['attempt']}" if (step.get("attempt") or 0) > 1 else ""
    return f"{name.ljust(width)}  {state.ljust(9)}  {took(step).rjust(9)}{attempt}  {reason}".rstrip()


class Progress:
    """Shows the steps of one run on a stream, however often ``show`` is called."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._colours = self._live and not os.environ.get("NO_COLOR")
        self._drawn = 0
        self._told: dict[str, tuple[str, int]] = {}

    def show(self, steps: Sequence[Step]) -> None:
        """Bring what is shown up to date."""
        if not steps:
            return
        if self._live and len(steps) < shutil.get_terminal_size().lines - 2:
            self._redraw(steps)
        else:
            self._append(steps)

    def _redraw(self, steps: Sequence[Step]) -> None:
        columns = shutil.get_terminal_size().columns
        width = max(len(str(step["name"])) + 2 * bool(step.get("parent")) for step in steps)
        text = f"\x1b[{self._drawn}A" if self._drawn else ""
        for step in steps:
            colour = _COLOURS.get(step["state"]) if self._colours else None
            mark = _MARKS.get(step["state"], "?")
            shown = f"\x1b[{colour}m{mark}\x1b[0m" if colour else mark
            text += f"\x1b[2K{shown} {line(step, width)[: columns - 3]}\n"
        self._stream.write(text)
        self._stream.flush()
        self._drawn = len(steps)

    def _append(self, steps: Sequence[Step]) -> None:
        width = max(len(str(step["name"])) + 2 * bool(step.get("parent")) for step in steps)
        for step in steps:
            now = (str(step["state"]), int(step.get("attempt") or 0))
            if self._told.get(step["name"]) != now and now[0] != "PENDING":
                self._told[step["name"]] = now
                # A cached step would otherwise be told twice: begun and done in the same moment.
                if now[0] in {*_FINISHED, "RUNNING"}:
                    self._stream.write(line(step, width) + "\n")
        self._stream.flush()
