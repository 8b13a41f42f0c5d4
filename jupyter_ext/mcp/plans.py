"""Two steps for what changes something: a plan with a one-time word, and the same call again with that word."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from jupyter_ext.errors import Conflict, Where

SECONDS: Final = 300.0
MOST: Final = 100
"""Plans that wait at the same time; the oldest is forgotten for a new one."""

AGAIN: Final = "Call it without confirm for a new plan, and show that to the user."


@dataclass(frozen=True)
class Plan:
    """What a call would do. ``words`` and ``code`` are for people; ``state`` names what they rest on.

    ``state`` covers what the arguments only name: the resource as it is now, the content of files.
    """

    words: str
    code: str
    state: object = None
    about: object = None
    """More that is worth knowing before saying yes, as data."""


class Plans:
    """Plans that were told and not yet carried out. Of a word only its digest is kept."""

    def __init__(self, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._guard = threading.Lock()
        self._waiting: OrderedDict[str, tuple[str, str, float]] = OrderedDict()

    def tell(self, tool: str, arguments: dict[str, Any], plan: Plan) -> str:
        """Keep a plan; gives the word that confirms it."""
        word = secrets.token_urlsafe(18)
        with self._guard:
            while len(self._waiting) >= MOST:
                self._waiting.popitem(last=False)
            until = self._clock() + self.seconds
            self._waiting[_digest(word)] = (_digest([tool, arguments]), _digest(plan.state), until)
        return word

    def confirm(self, word: str, tool: str, arguments: dict[str, Any], plan: Plan) -> None:
        """Use the word up, whatever comes of it; raises Conflict where it confirms something else than this."""
        with self._guard:
            call, state, until = self._waiting.pop(_digest(word), ("", "", 0.0))
        where = Where(field="confirm")
        if not call:
            raise Conflict("this confirmation is not known, or was used already", where=where, hint=AGAIN)
        if self._clock() >= until:
            raise Conflict(f"this confirmation is older than {self.seconds:g} s", where=where, hint=AGAIN)
        if call != _digest([tool, arguments]):
            raise Conflict("this confirmation is for other arguments", where=where, hint=AGAIN)
        if state != _digest(plan.state):
            raise Conflict("what the plan was made for has changed since", where=where, hint=AGAIN)

    def forget(self, word: str) -> None:
        """Use a word up without carrying anything out."""
        with self._guard:
            self._waiting.pop(_digest(word), None)


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
