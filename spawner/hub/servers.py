"""The servers panel: what a user's servers are and what can be done with them, asked of the Hub with a server's own token.

Runs inside a single-user server. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from spawner.refused import Refused

NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_SECONDS: Final = 15.0
_STREAM_SECONDS: Final = 0.6
_LARGEST: Final = 4 << 20
_LONGEST: Final = 6_000
"""Characters of choices in an address."""
_START_SECONDS: Final = 60.0
Json = dict[str, Any]


def is_under_a_hub(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this server was started by a JupyterHub that it may ask."""
    return all(
        environment.get(key) for key in ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_USER")
    )


@dataclass(frozen=True)
class Hub:
    """The Hub, as one user's server may use it. ``idle`` is the address of the service that stops idle servers."""

    api: str
    token: str
    user: str
    server: str = ""
    base: str = "/"
    idle: str = ""

    def __repr__(self) -> str:
        return f"Hub({self.api!r}, user={self.user!r})"  # never the token

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Hub:
        """The Hub of this server. Raises Refused (404) where there is none."""
        if not is_under_a_hub(environment):
            raise Refused(
                404, "This server was not started by a JupyterHub", hint="Start one: jupyter kf hub."
            )
        base = environment.get("JUPYTERHUB_BASE_URL", "/")
        public = urlsplit(environment.get("JUPYTER_KUBEFLOW_HUB_PUBLIC", ""))
        idle = f"{public.scheme}://{public.netloc}{base}services/idle/" if public.netloc else ""
        return cls(
            environment["JUPYTERHUB_API_URL"].rstrip("/"),
            environment["JUPYTERHUB_API_TOKEN"],
            environment["JUPYTERHUB_USER"],
            environment.get("JUPYTERHUB_SERVER_NAME", ""),
            base,
            idle,
        )

    def panel(self, why: Collection[str] = ()) -> Json:
        """Everything that the panel shows; ``why`` are servers whose start failed, and the reason is wanted.

        Raises Refused when the Hub does not answer.
        """
        user = self._ask("GET", f"{self._user()}?include_stopped_servers")
        verdicts = self._verdicts()
        models = user.get("servers") or {}
        if "" not in models:
            models = {"": {}, **models}
        asked = [name for name, each in models.items() if each.get("pending") == "spawn" or name in why]
        with ThreadPoolExecutor(8) as pool:  # each is listened to for a while
            words = dict(zip(asked, pool.map(self._why, asked), strict=True))
        found = [
            row(name, model, self, verdicts.get(name), words.get(name, ""))
            for name, model in sorted(models.items())
        ]
        left = self._left(models.get(self.server) or {})
        notice = (left or {}).pop("notice", None)
        for each in found:
            if each["isCurrent"] and isinstance(notice, dict):
                each["idle"] = notice  # its user may no longer be there: that comes before idleness
        return {
            "user": self.user,
            "current": self.server,
            "servers": found,
            "home": f"{self.base}hub/home",
            "left": left,
        }

    def form(self, name: str, choices: Mapping[str, Any] | None = None) -> Json:
        """What can be chosen for a server now, judged over these choices. Raises Refused, also where there is no form."""
        return dict(self._ask("GET", self._form(_checked(name), choices or {})))

    def start(self, name: str, options: Mapping[str, Any] | None = None) -> Json:
        """Start a server as it was, or with other options; returns its row. Raises Refused with the Hub's reason."""
        # The choices alone: the form that JupyterHub 5 and 6 both understand. Without any it takes the last ones.
        self._ask("POST", self._path(name), dict(options) if options else None, seconds=_START_SECONDS)
        return self._row(name)

    def stop(self, name: str) -> Json:
        """Stop a server; what is in its folders stays."""
        self._ask("DELETE", self._path(name), seconds=_START_SECONDS)
        return self._row(name)

    def resize(self, name: str, options: Mapping[str, Any]) -> Json:
        """Choose other options for a stopped server; they are checked when it starts. Raises Refused (409) while it runs."""
        state = self._row(name)["state"]
        if state != "stopped":
            raise Refused(
                409, f"It is {state}: its size can be changed while it is stopped", hint="Stop it first."
            )
        try:
            model = self._ask("PATCH", self._path(name), {"user_options": dict(options)})
        except Refused as refused:
            if refused.status != 405:
                raise
            raise Refused(
                501,
                "This JupyterHub keeps no choices for a stopped server",
                hint="Start it with the new ones.",
            ) from None
        return row(name, model, self, None, "")

    def keep(self, name: str) -> Json:
        """Say that a server which is about to be stopped is needed."""
        if not self.idle:
            raise Refused(404, "Nothing stops idle servers here")
        found: Json = self._ask("POST", f"{self.idle}keep/{quote(_checked(name), safe='')}")
        return found

    def _row(self, name: str) -> Json:
        user = self._ask("GET", f"{self._user()}?include_stopped_servers")
        return row(name, (user.get("servers") or {}).get(name, {}), self, None, "")

    def _user(self) -> str:
        return f"{self.api}/users/{quote(self.user, safe='')}"

    def _path(self, name: str) -> str:
        name = _checked(name)
        return f"{self._user()}/" + (f"servers/{quote(name, safe='')}" if name else "server")

    def _verdicts(self) -> Json:
        """What the idle service says; nothing where there is none."""
        if not self.idle:
            return {}
        with suppress(Refused):
            return dict(self._ask("GET", f"{self.idle}servers").get("servers", {}))
        return {}

    def _left(self, model: Mapping[str, Any]) -> Json | None:
        """What the form knows of quota and capacity where this server is; None where the form cannot be asked."""
        chosen = model.get("user_options")
        profile = chosen.get("namespace") if isinstance(chosen, Mapping) else None
        with suppress(Refused):
            return dict(self._ask("GET", self._form(self.server, {"namespace": profile} if profile else {})))
        return None

    def _form(self, name: str, choices: Mapping[str, Any]) -> str:
        """Where the form says what fits."""
        api = urlsplit(self.api)
        query = urlencode({key: value for key, value in choices.items() if value not in ("", [])}, doseq=True)
        if len(query) > _LONGEST:
            raise Refused(400, "These are too many choices", field="options")
        place = f"{self.base}hub/kubeflow/form/state/{quote(self.user, safe='')}/{quote(name, safe='')}"
        return f"{api.scheme}://{api.netloc}{place}?{query}"

    def _why(self, name: str) -> str:
        """The last words of a start that goes on, or of one that failed."""
        words = ""
        deadline = time.monotonic() + _STREAM_SECONDS
        with (
            suppress(OSError, HTTPException, ValueError, Refused),
            self._open("GET", f"{self._path(name)}/progress", None, _STREAM_SECONDS) as stream,
        ):
            while time.monotonic() < deadline and (line := stream.readline(1 << 16)):
                if line.startswith(b"data:"):
                    words = str(json.loads(line[5:]).get("message", ""))[:2000] or words
        return words

    def _ask(self, method: str, url: str, body: Json | None = None, seconds: float = _SECONDS) -> Any:
        try:
            with self._open(method, url, body, seconds) as answer:
                text = answer.read(_LARGEST)
        except HTTPError as error:
            raise _refusal(error) from None
        except (OSError, HTTPException) as error:
            raise Refused(503, f"The Hub does not answer: {error}", hint="It may be restarting.") from None
        try:
            return json.loads(text) if text.strip() else {}
        except ValueError:
            return {}

    def _open(self, method: str, url: str, body: Json | None, seconds: float) -> HTTPResponse:
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"token {self.token}", "Accept": "application/json, text/event-stream"}
        request = Request(url, data, headers, method=method)  # noqa: S310 - the Hub's own address
        found: HTTPResponse = build_opener(ProxyHandler({})).open(request, timeout=seconds)
        return found


def row(name: str, model: Mapping[str, Any], hub: Hub, idle: Mapping[str, Any] | None, why: str) -> Json:
    """One server of the panel, from the Hub's model of it."""
    pending = model.get("pending")
    state = "running" if model.get("ready") else "stopped"
    state = {"spawn": "starting", "stop": "stopping"}.get(str(pending), state)
    path = f"{hub.base}user/{quote(hub.user, safe='')}/" + (f"{quote(name, safe='')}/" if name else "")
    options = model.get("user_options")
    return {
        "name": name,
        "title": str(model.get("display_name") or name or "Default server")[:200],
        "state": state,
        "words": why,
        "isCurrent": name == hub.server,
        "url": path,
        "form": f"{hub.base}hub/spawn/{quote(hub.user, safe='')}"
        + (f"/{quote(name, safe='')}" if name else ""),
        "started": model.get("started"),
        "lastActivity": model.get("last_activity"),
        "options": dict(options) if isinstance(options, Mapping) else {},
        "idle": dict(idle) if idle else None,
    }


def _checked(name: str) -> str:
    if name and not NAME.fullmatch(name):
        raise Refused(
            400, f"{name[:60]!r} cannot be a server's name", hint="Use a-z, 0-9 and -.", field="name"
        )
    return name


def _refusal(error: HTTPError) -> Refused:
    """The Hub's own words, if it has any."""
    words = ""
    with suppress(OSError, ValueError, AttributeError):
        words = str(json.loads(error.read(1 << 16)).get("message", ""))[:2000]
    return Refused(error.code, words or f"The Hub answered {error.code}")
