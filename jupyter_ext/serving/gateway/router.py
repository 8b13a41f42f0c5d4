"""Takes every request, finds out whose it is, and sends it on its way."""

from __future__ import annotations

import asyncio
import hmac
import os
import random
import re
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Protocol

from jupyter_ext.serving.gateway import pages
from jupyter_ext.serving.gateway.exchange import Exchange
from jupyter_ext.serving.gateway.lane import Backends, Lane
from jupyter_ext.serving.gateway.mirror import Mirror
from jupyter_ext.serving.gateway.missing import no_variant, no_version
from jupyter_ext.serving.gateway.place import secret_of
from jupyter_ext.serving.gateway.recorder import Recorder
from jupyter_ext.serving.gateway.records import Logged
from jupyter_ext.serving.gateway.table import Route, Table
from jupyter_ext.serving.gateway.targets import Asked, parse
from jupyter_ext.serving.http.message import Headers, Request, Response, failure

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.calls import Calls
    from jupyter_ext.serving.traffic import Traffic

Answer = Response | asyncio.Future[Response]
_ID_LIMIT: Final = 128
_READY: Final = re.compile(
    rb"/v1/models/[^/]+|/v2/models/[^/]+(/versions/[^/]+)?/ready|/v2/health/(live|ready)"
)
_KNOWN_TARGETS: Final = 2048
_INNER_LIMIT: Final = 10_000
"""Requests whose transformer may still ask for its predictor."""


class Outer(Protocol):
    """A request that is with a transformer."""

    route: Route
    variant: str
    unit: str | None


class Router:
    """Lives in one event loop; ``swap`` is called there too."""

    def __init__(self, traffic: Traffic, token: str, salt: bytes, recorder: Recorder) -> None:
        self.loop = asyncio.get_running_loop()
        self.table = Table({})
        self.backends = Backends()
        self.traffic = traffic
        self.token = token
        self.salt = salt
        self.recorder = recorder
        self.mirror = Mirror(self)
        self.calls: Calls | None = None
        """The gRPC side, once an endpoint has asked for it."""
        self.inner: dict[str, Outer] = {}
        """Requests that are with a transformer, by id."""
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="gateway")
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._asked: dict[bytes, Asked] = {}
        self._accepted = f"Bearer {token}".encode()
        self._counter = int.from_bytes(os.urandom(8), "big")

    # The table

    def swap(self, table: Table) -> None:
        """Route by this from now on; who waits looks again."""
        before, self.table = self.table, table
        uids = {route.uid for route in table.routes.values()}
        kept = {
            address
            for route in table.routes.values()
            for address in (
                *(replica.socket for target in route.targets.values() for replica in target.replicas),
                *(each for each in (route.transformer, route.explainer) if each),
            )
        }
        self.backends.keep(kept)
        if self.calls is not None:
            self.calls.keep(_grpc_addresses(table))
        for key, lane in list(self._lanes.items()):
            waiting = [lane.release() for _ in range(len(lane.waiting))]
            for exchange in waiting:
                if exchange is not None:
                    exchange.resume()
            if key[0] not in uids and not lane.in_flight and not lane.waiting:
                del self._lanes[key]
                self.recorder.forget(key[0])
        if before.routes.keys() != table.routes.keys() or before.graphs.keys() != table.graphs.keys():
            self._asked.clear()

    def swap_from_thread(self, table: Table, over: threading.Event) -> bool:
        """Have it routed by this, from another thread: True when it is, False when ``over`` was set before."""
        done = threading.Event()

        def swap() -> None:
            self.swap(table)
            done.set()

        self.loop.call_soon_threadsafe(swap)
        while not done.wait(1.0):
            if over.is_set():
                return False
        return True

    def lane(self, uid: str, variant: str) -> Lane:
        """What is known of a variant beside the table."""
        key = (uid, variant)
        found = self._lanes.get(key)
        if found is None:
            found = self._lanes[key] = Lane()
        return found

    def lanes_of(self, uid: str) -> list[tuple[str, Lane]]:
        """The variants of an endpoint that were asked something since the gateway began."""
        return sorted((variant, lane) for (of, variant), lane in self._lanes.items() if of == uid and variant)

    def want(self, uid: str, variant: str) -> None:
        """Ask for a variant to be started; written by a thread."""
        self.threads.submit(self.recorder.want, uid, variant)

    def next_id(self) -> str:
        """Sixteen hexadecimal digits that were not used before."""
        self._counter = (self._counter + 1) & 0xFFFFFFFFFFFFFFFF
        return f"{self._counter:016x}"

    # Requests

    def admit(self, _method: str, target: bytes, headers: Headers) -> Response | None:
        """Refuse whoever does not show the token, before the body is read."""
        found = dict(headers)
        shown = found.get(b"authorization", b"")
        if hmac.compare_digest(shown, self._accepted) or self._admitted(found, self._read(target)):
            return None
        return _unknown(found)

    def handle(self, request: Request) -> Answer:
        """The answer, or the future of one, to a request that was admitted."""
        asked = self._read(request.target)
        found = dict(request.headers)
        if asked.kind != "endpoint":
            return pages.answer(self, request, asked, found)
        route = self.table.routes.get(asked.name)
        if route is None:
            return self.elsewhere(request, asked, found)
        return self.send(route, request, asked, found)

    def _read(self, target: bytes) -> Asked:
        """What a path asks for; most are the same few."""
        asked = self._asked.get(target)
        if asked is None:
            asked = parse(target)
            if len(self._asked) >= _KNOWN_TARGETS:
                self._asked.clear()
            if len(target) < 512:
                self._asked[target] = asked
        return asked

    def send(self, route: Route, request: Request, asked: Asked, found: Mapping[bytes, bytes]) -> Answer:
        """Through the endpoint."""
        if route.asleep and request.method == "GET" and _READY.fullmatch(asked.path):
            # It will be as soon as it is needed: asking does not wake it.
            return pages.ready(route)
        exchange = Exchange(self, route, request, asked.path, _given_id(found))
        exchange.quiet = request.method in {"GET", "HEAD"}
        chosen = found.get(b"x-variant", b"").decode("latin-1") or route.of_version(asked.version)
        if chosen:
            if not route.has(chosen):
                return failure(404, no_variant(route, chosen))
            exchange.variant, exchange.forced = chosen, True
            exchange.quiet = exchange.quiet or found.get(b"x-replay", b"").lower() == b"true"
        elif asked.version:
            return failure(404, no_version(route, asked.version))
        if asked.inner:
            return self._inner(exchange, found)
        if request.method == "POST" and (route.explainer or route.transformer):
            exchange.via = route.explainer if asked.explain and route.explainer else route.transformer
        if not exchange.quiet:
            self.recorder.active(route.uid)
        answer = exchange.begin(found)
        if exchange.via is not None and len(self.inner) < _INNER_LIMIT:
            self.inner[exchange.id] = exchange
            answer.add_done_callback(lambda _: self.inner.pop(exchange.id, None))
        return answer

    def _inner(self, exchange: Exchange, found: Mapping[bytes, bytes]) -> Answer:
        """What a transformer asks of its predictor: by the variant that its own request was given."""
        outer = self.inner.get(exchange.id)
        exchange.quiet = True
        if outer is not None and outer.route.uid == exchange.route.uid:
            exchange.variant, exchange.unit = outer.variant, outer.unit
            exchange.forced = outer.variant in exchange.route.targets
        return exchange.begin(found)

    def _admitted(self, found: Mapping[bytes, bytes], asked: Asked) -> bool:
        """Whether the sender shows the token in another way, or needs none."""
        if asked.kind == "alive":
            return True
        if asked.inner:
            return hmac.compare_digest(asked.inner, secret_of(self.token, asked.name))
        scheme, _, given = found.get(b"authorization", b"").partition(b" ")
        shown = (
            given.strip() if scheme.lower() in {b"bearer", b"token"} else found.get(b"x-gateway-token", b"")
        )
        return hmac.compare_digest(shown, self.token.encode())

    def elsewhere(self, request: Request, asked: Asked, found: Mapping[bytes, bytes]) -> Answer:
        """A graph of that name, or nothing."""
        plan = self.table.graphs.get(asked.name)
        if plan is None:
            return failure(404, self.nothing(asked.name))
        if request.method != "POST":
            return pages.of_graph(asked.name)
        from jupyter_ext.serving.gateway.graphs import run

        return asyncio.ensure_future(run(self, plan, request, _given_id(found) or self.next_id()))

    def nothing(self, name: str) -> str:
        """The sentence for a name that is not there."""
        known = [*self.table.routes, *self.table.graphs]
        near = get_close_matches(name, known, 3, 0.5) or sorted(known)[:5]
        hint = f"Is it {' or '.join(near)}?" if near else "No endpoint is served here."
        return f"There is no endpoint {name[:80]!r}. {hint}"

    # Afterwards

    def finished(self, exchange: Exchange, status: int, response: Response, error: str | None) -> None:
        """Count, log and perhaps mirror a request that has its answer."""
        route, request = exchange.route, exchange.request
        seconds = self.loop.time() - exchange.started
        lane = exchange.lane or self.lane(route.uid, exchange.variant)
        lane.statuses[status] = lane.statuses.get(status, 0) + 1
        body = response.body if isinstance(response.body, bytes) else b""
        self.recorder.count(
            route.uid, exchange.variant, status, seconds, lane.most, len(request.body), len(body)
        )
        lane.most = lane.in_flight
        if exchange.explicit:
            self.recorder.served(route.uid, exchange.id, exchange.variant, exchange.unit)
        plan = route.log
        if plan.sample and (plan.sample >= 1 or random.random() < plan.sample):  # noqa: S311
            path = exchange.path.partition(b"?")[0].decode("latin-1")[:500]
            made = Logged(
                *(exchange.id, time.time() - seconds, exchange.variant, path, status, seconds),
                *(exchange.unit, request.body, body, error),
            )
            self.recorder.log(route, made)
        if route.mirror is not None and status < 500:
            self.mirror.perhaps(exchange, route, body, status)


def _grpc_addresses(table: Table) -> set[str]:
    routes = table.routes.values()
    targets = (target for route in routes for target in route.targets.values())
    found = {replica.grpc for target in targets for replica in target.replicas if replica.grpc}
    return found | {route.transformer_grpc for route in routes if route.transformer_grpc}


def _given_id(found: Mapping[bytes, bytes]) -> str:
    """The id that the sender chose, if it is of visible ASCII letters."""
    given = found.get(b"x-request-id", b"")
    good = 0 < len(given) <= _ID_LIMIT and all(0x21 <= letter <= 0x7E for letter in given)
    return given.decode() if good else ""


def _unknown(found: Mapping[bytes, bytes]) -> Response:
    shown = b"authorization" in found or b"x-gateway-token" in found
    what = "The token is not this gateway's" if shown else "This gateway needs its token"
    hint = "Authorization: Bearer TOKEN, where TOKEN is in the file gateway.token of the profile's folder"
    return failure(401, f"{what}. Send {hint}.", ((b"www-authenticate", b"Bearer"),))
