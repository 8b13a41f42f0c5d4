"""A server whose machine was lost is started again: asked of the Hub by its REST API, as its user would ask."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Final
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

_SECONDS: Final = 300.0
"""How long the Hub is asked: it may be starting itself, or have no room at the moment."""
_PAUSE: Final = 2.0


class Pace:
    """Not again within ``seconds``: a server that takes its machines down with it stays ended."""

    def __init__(self, seconds: float = 600.0) -> None:
        self.seconds = seconds
        self._last: dict[tuple[str, str], float] = {}

    def takes(self, user: str, server: str, now: float) -> bool:
        """Whether this one may be started again now; notes it if so."""
        self._last = {key: at for key, at in self._last.items() if now - at < self.seconds}
        if (user, server) in self._last:
            return False
        self._last[user, server] = now
        return True


async def start_again(spawner: Any) -> bool:
    """Start the server of ``spawner`` with the choices of its last start; False if the Hub refuses, or never answers.

    The token may do just that, for this server, and ends by itself. Never raises: there is nobody to tell but the log.
    """
    user, name = spawner.user.name, spawner.name
    title = f"{user}/{name}"
    try:
        token = spawner.user.new_api_token(
            note="Start again: the machine was lost",
            expires_in=int(_SECONDS),
            scopes=[f"servers!server={user}/{name}"],
        )
    except ValueError as error:  # it is not for this user to start servers
        spawner.log.warning("The server %s is not started again: %s", title, error)
        return False
    path = f"users/{quote(user, safe='')}/servers/{quote(name, safe='')}"
    request = HTTPRequest(
        f"{spawner.hub.api_url.rstrip('/')}/{path}",
        method="POST",
        headers={"Authorization": f"token {token}"},
        body="",
        request_timeout=60,
    )
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        await asyncio.sleep(_PAUSE)
        try:
            await AsyncHTTPClient().fetch(request)
        except HTTPClientError as error:
            if 400 <= error.code < 500 and error.code != 429:
                spawner.log.warning("The server %s is not started again: %s", title, _message(error))
                return False
        except OSError:
            continue  # the Hub is not listening yet
        else:
            spawner.log.info("The server %s is started again: its machine was lost", title)
            return True
    spawner.log.warning("The server %s is not started again: the Hub gave no answer", title)
    return False


def _message(error: HTTPClientError) -> str:
    """What the Hub said, or its status."""
    try:
        return str(json.loads(error.response.body)["message"])  # type: ignore[union-attr]
    except (AttributeError, KeyError, TypeError, ValueError):
        return str(error)
