"""A future of an answer that the connection which waits for it gets at once, and not in the loop's next round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupyter_ext.serving.http.message import Response


class Promised(asyncio.Future[Response]):
    """Kept with ``keep``. Who awaits it, or adds a callback, is told in the next round, as of any future."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.at_once: Callable[[asyncio.Future[Response]], None] | None = None

    def keep(self, response: Response) -> None:
        """Give the answer."""
        self.set_result(response)
        if self.at_once is not None:
            self.at_once(self)
