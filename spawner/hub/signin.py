"""A throw-away sign-in: each start of the Hub gives each user a link that works once and a password, both random.

They are in one file that only the Hub's user can read, and nowhere else: not in arguments, not in a log. They end with the Hub.
"""

from __future__ import annotations

import json
import os
import secrets
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final

from jupyterhub.auth import Authenticator
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join
from tornado import web
from traitlets import Unicode

FILE: Final = "sign-in.json"
_LONGEST: Final = 256


def renew(path: Path, users: list[str]) -> dict[str, dict[str, str]]:
    """Write new secrets for these users over all old ones; the file is 0600 before anything is in it."""
    found = {
        user: {"link": secrets.token_urlsafe(32), "password": secrets.token_urlsafe(16)} for user in users
    }
    _write(path, found)
    return found


def read(path: Path) -> dict[str, dict[str, str]]:
    """The secrets by user. Raises OSError or ValueError when there are none."""
    return dict(json.loads(path.read_bytes()))


def _write(path: Path, found: dict[str, dict[str, str]]) -> None:
    made = path.with_suffix(f".{os.getpid()}")
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(found, file, indent=1)
    made.replace(path)


class LinkAuthenticator(Authenticator):  # type: ignore[misc]
    """Knows the users that the Hub was started for, by the secrets in the file."""

    sign_in_file = Unicode(config=True, help="The file with the secrets of this start, mode 0600.")

    def get_handlers(self, app: Any) -> list[tuple[str, type[web.RequestHandler]]]:
        """The form of JupyterHub for the password, and a path for the link."""
        return [*super().get_handlers(app), ("/enter", EnterHandler)]

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:  # noqa: ARG002 - JupyterHub's signature
        """The user whose password, or unused link, this is. Takes as long for a user that is not there."""
        name = str(data.get("username", ""))[:_LONGEST]
        kind = "link" if "link" in data else "password"
        given = str(data.get(kind, ""))[:_LONGEST]
        path = Path(self.sign_in_file)
        found = read(path)
        wanted = found.get(name, {}).get(kind, "")
        right = compare_digest(given.encode(), (wanted or secrets.token_urlsafe(32)).encode())
        if not right or not wanted:
            return None
        if kind == "link":
            found[name]["link"] = ""
            _write(path, found)
        return name


class EnterHandler(BaseHandler):  # type: ignore[misc]
    """``/hub/enter?username=…&token=…``: what the Hub printed when it was started."""

    async def get(self) -> None:
        """Sign in and go on to an address without the token in it."""
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        data = {"username": self.get_argument("username", ""), "link": self.get_argument("token", "")}
        user = await self.login_user(data)
        if user is None:
            self.set_status(403)
            words = "This link does not work: each works once, and only until the Hub is started again. Sign in with the password."
            self.finish(await self._page(words, data["username"][:_LONGEST]))
            return
        self._jupyterhub_user = user
        asked = self._validate_next_url(self.get_argument("next", ""))
        self.redirect(asked or url_path_join(self.hub.base_url, "spawn"))

    async def _page(self, words: str, username: str) -> str:
        login = self.settings["login_url"]
        return str(
            await self.render_template(
                "login.html",
                next="",
                username=username,
                login_error=words,
                login_url=login,
                authenticator_login_url=login,
                authenticator=self.authenticator,
                xsrf=self.xsrf_token.decode("ascii"),
                custom_html="",
            )
        )
