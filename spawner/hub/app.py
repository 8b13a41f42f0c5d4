"""JupyterHub's application and proxy, with what a Hub of one machine needs beside its configuration."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.proxy import ConfigurableHTTPProxy

from spawner.form import page as form
from spawner.hub import signin
from spawner.hub.keeping.records import Records
from spawner.hub.proxy import is_ours


class OwnProxy(ConfigurableHTTPProxy):  # type: ignore[misc]
    """The proxy of this Hub; what a killed Hub left is recognised by what it runs, not by its number alone."""

    def _check_pid(self, pid: int) -> None:
        if not is_ours(pid, Path(self.pid_file).parent):
            raise ProcessLookupError

    async def get_all_routes(self) -> dict[str, Any]:
        """Routes without what the proxy calls activity: an open page, or the question whether a server is idle, is none.

        Servers tell the Hub themselves when somebody works with them.
        """
        routes: dict[str, Any] = await super().get_all_routes()
        for route in routes.values():
            route["data"].pop("last_activity", None)
        return routes


class LocalHub(JupyterHub):  # type: ignore[misc]
    """Says where to sign in once it is up, and ends servers that no Hub knows."""

    name = "jupyterhub"

    async def init_spawners(self) -> int:
        """Find the servers that outlived the Hub; one that is in no record of the Hub is ended."""
        found = await super().init_spawners()
        folder = Path(self.config.ProfileProcessSpawner.folder)
        await asyncio.to_thread(_end_unknown, Records(folder), self._known())
        return int(found or 0)

    def _known(self) -> set[str]:
        rows = self.db.query(orm.Spawner)
        return {str((row.state or {}).get("uid", "")) for row in rows if row.server is not None}

    async def start(self) -> None:
        """Start, then print the links: on the terminal only, never in the log."""
        form.attach(
            self.tornado_application, self.hub.base_url
        )  # the panel may ask before anybody sees the form
        await super().start()
        path = Path(self.config.LinkAuthenticator.sign_in_file)
        base = self.bind_url.rstrip("/") + "/hub"
        lines = ["", "Sign in (each link works once; the password until the Hub ends):", ""]
        for user, secrets in signin.read(path).items():
            query = urlencode({"username": user, "token": secrets["link"]})
            lines += [
                f"  {user}: {base}/enter?{query}",
                f"  {' ' * len(user)}  password {secrets['password']}",
            ]
        sys.stdout.write("\n".join([*lines, "", f"They are in {path} too. Ctrl-C ends the Hub.", ""]))
        sys.stdout.flush()


def _end_unknown(records: Records, known: set[str]) -> None:
    records.cluster.leases.machine()  # asks the driver once, here where it blocks nobody
    records.reap()
    for state in records.living():
        if state.uid not in known and (keeper := records.keeper(state.uid)):
            with suppress(ProcessLookupError):
                os.kill(keeper, signal.SIGTERM)
