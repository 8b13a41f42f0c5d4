"""The Hub service ``idle``: asks servers what they do, warns their users, and stops what nobody uses.

``python -m spawner.hub.culler``, started by the Hub with a token that may see servers, ask them, and stop them, and nothing else.
Users read their warnings at ``/services/idle/servers`` and say ``POST /services/idle/keep/NAME``.

What it asks goes with ``no_track_activity``: looking whether a server is idle must not keep it from being so.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from jupyterhub.services.auth import HubAuthenticated
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from spawner.hub import gpu_use
from spawner.hub.culling import Facts, Rule, Verdict, decide, facts_of

log = logging.getLogger("idle")
VARIABLE: Final = "JUPYTER_KUBEFLOW_IDLE_"
_LARGEST: Final = 8 << 20
_ASK_SECONDS: Final = 10.0
_LONGEST_KEEP: Final = timedelta(hours=12)
Key = tuple[str, str]


@dataclass(frozen=True)
class Setup:
    """Where things are. ``servers`` is the address that paths of servers follow; empty asks only the Hub."""

    hub: str
    token: str
    servers: str = ""
    folder: str = ""
    dcgm: str = ""
    every: float = 60.0
    rule: Rule = field(default_factory=Rule)
    sizes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Setup:
        """Read the service's environment. Raises KeyError without the Hub's, ValueError for a wrong number."""

        def minutes(name: str, default: float) -> timedelta:
            return timedelta(minutes=float(environment.get(VARIABLE + name) or default))

        gpu = environment.get(VARIABLE + "GPU_MINUTES")
        rule = Rule(
            idle=minutes("MINUTES", 60),
            gpu_idle=timedelta(minutes=float(gpu)) if gpu else None,
            warning=minutes("WARNING_MINUTES", 10),
            max_age=minutes("MAX_AGE_MINUTES", 0),
        )
        return cls(
            environment["JUPYTERHUB_API_URL"].rstrip("/"),
            environment["JUPYTERHUB_API_TOKEN"],
            environment.get(VARIABLE + "SERVERS_URL", "").rstrip("/"),
            environment.get(VARIABLE + "FOLDER", ""),
            environment.get(VARIABLE + "DCGM_URL", ""),
            float(environment.get(VARIABLE + "EVERY_SECONDS") or 60),
            rule,
            {
                str(key): int(value)
                for key, value in json.loads(environment.get(VARIABLE + "SIZES") or "{}").items()
            },
        )


class Culler:
    """Goes round all servers, again and again; remembers the last verdict on each."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.verdicts: dict[Key, Verdict] = {}
        self.kept: dict[Key, datetime] = {}
        self.use = gpu_use.Use()
        self.inside = gpu_use.Use()
        self.client = AsyncHTTPClient(force_instance=True, max_body_size=_LARGEST)

    async def run(self) -> None:
        """Never returns. One round that fails is told, and the next one tries again."""
        while True:
            try:
                await self.round()
            except Exception as error:  # the Hub may be restarting
                log.warning("A round failed: %s", error)
            await asyncio.sleep(self.setup.every)

    async def round(self) -> None:
        """Look at each server once, some at a time."""
        await self._look_at_gpus()
        places = await asyncio.to_thread(_places, self.setup.folder)
        gate = asyncio.Semaphore(20)
        seen: set[Key] = set()

        async def look(user: str, model: dict[str, Any]) -> None:
            key = (user, str(model.get("name", "")))
            seen.add(key)
            async with gate:
                try:
                    await self._one(key, model, places.get(key) or _in_cluster(model))
                except Exception as error:  # of one server, and the others are looked at
                    log.warning("%s/%s could not be looked at: %s", *key, error)

        await asyncio.gather(*[look(user, model) for user, model in await self._servers()])
        self.inside.keep("/".join(key) for key in seen)
        for known in (self.verdicts, self.kept):
            for key in known.keys() - seen:
                del known[key]

    async def _look_at_gpus(self) -> None:
        sample = await asyncio.to_thread(gpu_use.ask_smi)
        if self.setup.dcgm:
            request = HTTPRequest(self.setup.dcgm, request_timeout=_ASK_SECONDS)
            sample |= gpu_use.parse_dcgm((await self.client.fetch(request)).body.decode(errors="replace"))
        self.use.add(sample)

    async def _servers(self) -> list[tuple[str, dict[str, Any]]]:
        """Every running server with its user, page by page."""
        found: list[tuple[str, dict[str, Any]]] = []
        offset: int | None = 0
        while offset is not None:
            page = await self._ask(
                f"{self.setup.hub}/users?state=active&limit=200&offset={offset}", pages=True
            )
            for user in page["items"]:
                servers = (user.get("servers") or {}).values()
                found += [(str(user["name"]), model) for model in servers if model.get("ready")]
            following = page["_pagination"].get("next")
            offset = int(following["offset"]) if following else None
        return found

    async def _one(self, key: Key, model: dict[str, Any], place: Mapping[str, Any]) -> None:
        facts = await self._facts(model, place, key)
        if facts is None:
            return
        chosen = model.get("user_options") or {}
        size = chosen.get("size") if isinstance(chosen, dict) else None
        minutes = place.get("idle_minutes")
        if minutes is None and isinstance(size, str):
            minutes = self.setup.sizes.get(size)
        verdict = decide(facts, self.setup.rule.of_size(minutes), datetime.now(UTC))
        self.verdicts[key] = verdict
        if verdict.action == "stop":
            log.warning("Stopping %s/%s: %s", *key, verdict.words)
            await self._stop(key)

    async def _facts(self, model: dict[str, Any], place: Mapping[str, Any], key: Key) -> Facts | None:
        base = f"{self.setup.servers}{model.get('url', '')}api/" if self.setup.servers else ""
        answers = await asyncio.gather(
            *[self._of_server(base, what) for what in ("kernels", "terminals", "status")]
        )
        devices = place.get("devices") or ()
        silent = bool(base) and answers[0] is None
        gpu = {"has_gpu": bool(devices), "gpu_utilisation": await self._gpu_use(base, devices, key)}
        facts = facts_of(model, *answers, answers=not silent, **gpu)
        return replace(facts, kept_until=self.kept.get(key)) if facts else None

    async def _gpu_use(self, base: str, devices: Collection[str], key: Key) -> float | None:
        """The greatest use of its GPUs: as the machine or the exporter says, else as nvidia-smi says within the server."""
        known = self.use.of(devices)
        if known is not None or not devices or not base:
            return known
        answer = await self._of_server(f"{base.removesuffix('api/')}kubeflow/v1/", "gpus")
        rows = answer.get("gpus") if isinstance(answer, dict) else None
        used = [
            row["use"]
            for row in rows or ()
            if isinstance(row, dict) and isinstance(row.get("use"), int | float)
        ]
        name = "/".join(key)
        if used:
            self.inside.note(name, min(max(float(max(used)), 0.0), 1.0))
        return self.inside.of([name])

    async def _of_server(self, base: str, what: str) -> Any:
        if not base:
            return None
        try:
            return await self._ask(f"{base}{what}?no_track_activity=1")
        except (OSError, HTTPClientError, ValueError):
            return None

    async def _stop(self, key: Key) -> None:
        user, server = (quote(part, safe="") for part in key)
        path = f"servers/{server}" if server else "server"
        request = self._request(f"{self.setup.hub}/users/{user}/{path}", method="DELETE")
        await self.client.fetch(request)

    async def _ask(self, url: str, *, pages: bool = False) -> Any:
        request = self._request(url)
        if pages:
            request.headers["Accept"] = "application/jupyterhub-pagination+json"
        return json.loads((await self.client.fetch(request)).body)

    def _request(self, url: str, method: str = "GET") -> HTTPRequest:
        headers = {"Authorization": f"token {self.setup.token}"}
        return HTTPRequest(url, method, headers, request_timeout=_ASK_SECONDS, follow_redirects=False)

    def keep(self, key: Key) -> Verdict | None:
        """A user needs the server: not idle for the rule's time, and twelve hours at most."""
        if key not in self.verdicts:
            return None
        now = datetime.now(UTC)
        self.kept[key] = now + min(max(self.setup.rule.idle, self.setup.rule.warning * 2), _LONGEST_KEEP)
        self.verdicts[key] = Verdict("keep", "You said that you need it.", self.kept[key])
        return self.verdicts[key]


def _places(folder: str) -> dict[Key, dict[str, Any]]:
    """GPUs and rule of each server of this machine, by its keeper's record; empty on a cluster."""
    found: dict[Key, dict[str, Any]] = {}
    for path in Path(folder).glob("servers/*/state.json") if folder else ():
        try:
            state = json.loads(path.read_bytes())
            if state["phase"] == "running":
                found[state["user"], state["server"]] = state
        except (OSError, ValueError, KeyError):
            continue
    return found


def _in_cluster(model: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a server that is a pod, from what its spawner keeps; empty where the Hub does not show that."""
    state = model.get("state")
    chosen = state.get("chosen") if isinstance(state, dict) else None
    if not isinstance(state, dict) or not isinstance(chosen, dict):
        return {}
    minutes = chosen.get("idle_minutes")
    return {
        "devices": [f"{state.get('namespace')}/{state.get('pod_name')}"]
        if chosen.get("accelerators")
        else [],
        "idle_minutes": minutes if isinstance(minutes, int) and not isinstance(minutes, bool) else None,
    }


class _Handler(HubAuthenticated, web.RequestHandler):  # type: ignore[misc]
    culler: Culler

    def initialize(self, culler: Culler) -> None:
        self.culler = culler

    def user(self) -> str:
        """The user whose token, or whose server's token, this is."""
        found = self.current_user
        if not isinstance(found, dict) or found.get("kind") != "user":
            raise web.HTTPError(403)
        return str(found["name"])


class ServersHandler(_Handler):
    """What is to become of the caller's servers."""

    @web.authenticated
    def get(self) -> None:
        """JSON ``{servers: {name: verdict}}``; only the caller's."""
        own = self.user()
        found = {
            name: verdict.to_dict() for (user, name), verdict in self.culler.verdicts.items() if user == own
        }
        self.write({"servers": found})


class KeepHandler(_Handler):
    """The caller needs a server."""

    def check_xsrf_cookie(self) -> None:
        """Only a token in the header is taken, which no other site can send."""
        if not self.request.headers.get("Authorization"):
            raise web.HTTPError(403)

    @web.authenticated
    def post(self, name: str = "") -> None:
        """JSON of the new verdict; 404 for a server that is not running."""
        verdict = self.culler.keep((self.user(), name))
        if verdict is None:
            raise web.HTTPError(404)
        self.write(verdict.to_dict())


def application(culler: Culler, prefix: str) -> web.Application:
    """The routes below the service's prefix."""
    more = {"culler": culler}
    return web.Application(
        [(f"{prefix}servers", ServersHandler, more), (f"{prefix}keep/([^/]{{0,100}})", KeepHandler, more)],
        cookie_secret=os.urandom(32),
    )


async def main() -> None:
    """Run both, the rounds and the routes, until the Hub ends this process."""
    culler = Culler(Setup.of(os.environ))
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    routes = application(culler, os.environ["JUPYTERHUB_SERVICE_PREFIX"])
    routes.listen(address.port or 0, address.hostname or "127.0.0.1", max_buffer_size=1 << 20)
    await culler.run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="[idle] %(message)s")
    asyncio.run(main())
