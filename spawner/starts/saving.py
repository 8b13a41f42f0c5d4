"""Writing states to the Hub's database: one commit for all starts that wait for one.

A commit stops the Hub's loop until the disk has it, and a start needs two of its own. Of a class that starts at once
each would wait for every other's; so those who come while one was made a moment ago are written together.

What is to be written is set in the moment before the commit: the Hub rolls back what it finds changed in its session at
the end of any request, also of another user's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

_APART: Final = 0.1
"""Seconds between two commits at the least: a single start is written at once."""


class Saving:
    """The commits of one session; `committed` is what is called."""

    def __init__(self) -> None:
        self._last = -_APART
        self._next: asyncio.Future[None] | None = None
        self._changes: list[Callable[[], None]] = []

    def next(self, session: Any, change: Callable[[], None]) -> asyncio.Future[None]:
        """What is done with the next commit, which has this change."""
        self._changes.append(change)
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.create_future()
            loop.call_later(max(0.0, self._last + _APART - time.monotonic()), self._commit, session)
        return self._next

    def _commit(self, session: Any) -> None:
        waiting, self._next = self._next, None
        changes, self._changes = self._changes, []
        error: Exception | None = None
        try:
            for change in changes:
                change()
            session.commit()
        except Exception as failed:
            session.rollback()
            error = failed
        self._last = time.monotonic()
        if waiting is not None and error is None:
            waiting.set_result(None)
        elif waiting is not None and error is not None:
            waiting.set_exception(error)


_of_sessions: Final[WeakKeyDictionary[Any, Saving]] = WeakKeyDictionary()


async def committed(session: Any, change: Callable[[], None]) -> None:
    """Make the change, and return once the database has it; raises what SQLAlchemy raises."""
    found = _of_sessions.get(session)
    if found is None:
        found = _of_sessions[session] = Saving()
    await asyncio.shield(found.next(session, change))
