"""gRPC is passed on as it comes: the messages are not decoded, but for the model's name in front.

Services of the Open Inference Protocol (``open_inference_grpc.proto``): ``inference.GRPCInferenceService``.
"""

from __future__ import annotations

import asyncio
import hmac
import random
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import grpc

from jupyter_ext.serving.gateway.exchange import LOST_LIMIT
from jupyter_ext.serving.gateway.missing import no_variant, no_version
from jupyter_ext.serving.gateway.records import Logged, make_id
from jupyter_ext.serving.gateway.split import unit_of
from jupyter_ext.serving.gateway.table import Replica

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.lane import Lane
    from jupyter_ext.serving.gateway.router import Router
    from jupyter_ext.serving.gateway.table import Route, Target

SERVICE: Final = "/inference.GRPCInferenceService/"
MESSAGE_LIMIT: Final = 64 << 20
_FIRST: Final = {"ModelInfer": (1, 2), "ModelReady": (1, 2), "ModelMetadata": (1, 2)}
"""The numbers of the fields for the model's name and version."""
_LIVE: Final = b"\x08\x01"
"""``{live: true}``, and ``{ready: true}``: one field, number 1."""
_STATUSES: Final = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_OPTIONS: Final = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.so_reuseport", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 250),
]
_UNSENT: Final = ("failed to connect", "connections to all backends failing")
_AGAIN: Final = 0.25
"""The longest wait, in seconds, before a server that does not answer is asked again."""
_PASSED: Final = frozenset(["x-user", "traceparent", "tracestate"])


class _Failed(Exception):
    """The call ends with this status."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class Calls(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The gRPC side of the gateway."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self._channels: dict[str, Any] = {}
        self._busy: dict[str, int] = {}
        self._server: Any = None
        self._closing: set[asyncio.Future[None]] = set()

    async def listen(self, port: int) -> int:
        """On loopback; gives the port, which the system chooses when 0 is asked for or the port is taken."""
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((self,))
        try:
            found = int(self._server.add_insecure_port(f"127.0.0.1:{port}"))
        except RuntimeError:
            found = int(self._server.add_insecure_port("127.0.0.1:0"))
        await self._server.start()
        return found

    async def close(self, seconds: float) -> None:
        """Finish what is on its way."""
        if self._server is not None:
            await self._server.stop(seconds)
        for channel in self._channels.values():
            await channel.close()

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """How a method is handled; none but the protocol's are there."""
        name = str(details.method)
        if not name.startswith(SERVICE):
            return None
        method = name.removeprefix(SERVICE)
        if method == "ModelStreamInfer":
            return None

        async def handle(message: bytes, context: Any) -> bytes:
            try:
                return await self._handle(method, message, context)
            except _Failed as error:
                await context.abort(error.code, str(error))
                raise

        return grpc.unary_unary_rpc_method_handler(handle)

    async def _handle(self, method: str, message: bytes, context: Any) -> bytes:
        found = dict(context.invocation_metadata() or ())
        self._admit(found)
        if method in {"ServerLive", "ServerReady"}:
            return _LIVE
        if method not in _FIRST:
            return await self._anywhere(method, message, context)
        name, version = named(message, *_FIRST[method])
        route = self.router.table.routes.get(name)
        if route is None:
            raise _Failed(grpc.StatusCode.NOT_FOUND, self.router.nothing(name))
        return await Call(self, route, method, message, found, version).run(context)

    def _admit(self, found: dict[str, Any]) -> None:
        scheme, _, given = str(found.get("authorization", "")).partition(" ")
        shown = given.strip() if scheme.lower() == "bearer" else str(found.get("x-gateway-token", ""))
        if not hmac.compare_digest(shown.encode(), self.router.token.encode()):
            raise _Failed(
                grpc.StatusCode.UNAUTHENTICATED,
                "This gateway needs its token: metadata authorization: Bearer TOKEN, from the file gateway.token.",
            )

    async def _anywhere(self, method: str, message: bytes, context: Any) -> bytes:
        """What is about the server and no model: any server may answer."""
        for route in self.router.table.routes.values():
            for target in route.targets.values():
                for replica in target.replicas:
                    if replica.grpc and target.ready:
                        return await self.ask(
                            replica.grpc, method, message, (), context.time_remaining() or 10.0
                        )
        raise _Failed(grpc.StatusCode.UNAVAILABLE, "No endpoint answers by gRPC now.")

    def choose(self, target: Target) -> Replica | None:
        """The replica with the least calls on their way."""
        those = [replica for replica in target.replicas if replica.grpc]
        limit = target.concurrency
        free = [each for each in those if limit is None or self._busy.get(str(each.grpc), 0) < limit]
        return min(free, key=lambda each: (self._busy.get(str(each.grpc), 0), random.random()), default=None)  # noqa: S311

    async def ask(
        self, address: str, method: str, message: bytes, metadata: tuple[tuple[str, str], ...], seconds: float
    ) -> bytes:
        """Pass a call on. Raises grpc.aio.AioRpcError."""
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._busy[address] = self._busy.get(address, 0) + 1
        try:
            answer: bytes = await channel.unary_unary(SERVICE + method)(
                message, timeout=seconds, metadata=metadata, wait_for_ready=False
            )
            return answer
        finally:
            self._busy[address] -= 1

    async def tried(
        self, address: str, message: bytes, metadata: tuple[tuple[str, str], ...], seconds: float
    ) -> tuple[int, bytes]:
        """The status, in the numbers of HTTP, and the answer to a prediction."""
        try:
            return 200, await self.ask(address, "ModelInfer", message, metadata, seconds)
        except grpc.aio.AioRpcError as error:
            return _STATUSES.get(error.code(), 500), b""

    def keep(self, addresses: set[str]) -> None:
        """Close the channels to servers that are gone, when their calls are done."""
        for address in [
            each for each in self._channels if each not in addresses and not self._busy.get(each)
        ]:
            channel = self._channels.pop(address)
            self._busy.pop(address, None)
            closing = asyncio.ensure_future(channel.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


class Call:
    """One call of a user; what ``recorder`` and ``lane`` need of it they find by the same names as of an Exchange."""

    def __init__(
        self, calls: Calls, route: Route, method: str, message: bytes, found: dict[str, Any], version: str
    ) -> None:
        self.calls, self.router, self.route = calls, calls.router, route
        self.method, self.message = method, message
        self.quiet = method != "ModelInfer"
        self.size = len(message)
        self.unit: str | None = None
        self.turn: asyncio.Future[None] | None = None
        self.started = self.router.loop.time()
        self.deadline = self.started + route.timeout
        headers = {key.encode(): str(value).encode() for key, value in found.items()}
        self.quiet = self.quiet or (bool(found.get("x-variant")) and headers.get(b"x-replay") == b"true")
        key = route.sticky.key(headers, "", b"") if route.sticky is not None else None
        if key is not None:
            self.unit = unit_of(key, self.router.salt)
        self.forced = str(found.get("x-variant", "")) or route.of_version(version)
        if version and not self.forced:
            raise _Failed(grpc.StatusCode.NOT_FOUND, no_version(route, version))
        self.variant = self.forced
        self.given = str(found.get("x-request-id", ""))[:128]
        self.id = self.given
        self.metadata = tuple((key, str(value)) for key, value in found.items() if key in _PASSED)

    def resume(self) -> None:
        """It is its turn."""
        if self.turn is not None and not self.turn.done():
            self.turn.set_result(None)

    async def run(self, context: Any) -> bytes:
        """The answer; counted whatever it is."""
        code, answer, text = grpc.StatusCode.OK, b"", None
        try:
            answer = await self._tried()
            marks = (("x-request-id", self.id), ("x-variant", self.variant))
            await context.send_initial_metadata(marks)
            return answer
        except _Failed as error:
            code, text = error.code, str(error)
            raise
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        finally:
            self.router.inner.pop(self.id, None)
            if not self.quiet:
                self._count(_STATUSES.get(code, 500), answer, text)

    async def _tried(self) -> bytes:
        """Again with another server, or when there is one, if one does not answer at all."""
        lost = tries = 0
        while True:
            lane, replica = await self._server()
            left = self.deadline - self.router.loop.time()
            lane.in_flight += 1
            lane.most = max(lane.most, lane.in_flight)
            try:
                metadata = (*self.metadata, ("x-request-id", self.id))
                if self.route.transformer:
                    metadata = (*metadata, ("x-variant", self.variant))
                    self.router.inner[self.id] = self
                return await self.calls.ask(
                    str(replica.grpc), self.method, self.message, metadata, max(left, 0.001)
                )
            except grpc.aio.AioRpcError as error:
                tries += 1
                text = error.details() or "The model server broke off."
                # The only sign of whether it was sent: gRPC has one status for both.
                lost += not text.startswith(_UNSENT)
                over = self.router.loop.time() + _AGAIN >= self.deadline
                if error.code() is not grpc.StatusCode.UNAVAILABLE or lost >= LOST_LIMIT or over:
                    raise _Failed(error.code(), text) from None
            finally:
                lane.in_flight -= 1
                if (first := lane.release()) is not None:
                    first.resume()
            await asyncio.sleep(min(0.02 * 2 ** min(tries, 5), _AGAIN))

    async def _server(self) -> tuple[Lane, Replica]:
        """A server of the variant, waited for."""
        while True:
            self.route = self.router.table.routes.get(self.route.name, self.route)
            target = self._choose()
            lane = self.router.lane(self.route.uid, self.variant)
            if self.route.transformer and not self.quiet and (target is not None or self.route.asleep):
                return lane, self._transformer()
            if target is not None and target.ready and not any(each.grpc for each in target.replicas):
                raise _Failed(
                    grpc.StatusCode.UNIMPLEMENTED, f"{self.route.name} was not asked to answer by gRPC."
                )
            if target is not None and target.ready and (replica := self.calls.choose(target)) is not None:
                return lane, replica
            left = self.deadline - self.router.loop.time()
            failed = self.route.troubles.get(self.variant) if self.forced else None
            if left <= 0 or self.route.resting or lane.full or failed is not None:
                text = (
                    f"{self.route.name} ({self.variant}) is not ready. {failed or self.route.reason}".rstrip()
                )
                raise _Failed(grpc.StatusCode.UNAVAILABLE, text)
            if self.variant and (target is None or not target.ready):
                self.router.want(self.route.uid, self.variant)
            self.turn = self.router.loop.create_future()
            lane.hold(self)
            try:
                await asyncio.wait_for(self.turn, min(left, 5.0))
            except TimeoutError:
                lane.drop(self)

    def _transformer(self) -> Replica:
        """It is asked in place of the variant, and asks that itself."""
        address = self.route.transformer_grpc
        if address is None:
            text = f"The transformer of {self.route.name} does not answer by gRPC."
            raise _Failed(grpc.StatusCode.UNIMPLEMENTED, text)
        return Replica(address, address)

    def _choose(self) -> Target | None:
        if self.forced:
            if not self.route.has(self.forced):
                raise _Failed(grpc.StatusCode.NOT_FOUND, no_variant(self.route, self.forced))
        elif self.variant not in self.route.targets:
            split = self.route.split
            try:
                by_chance = self.unit is None
                self.variant = split.at(random.random()) if by_chance else split.of(int(self.unit or "0", 16))  # noqa: S311
            except LookupError:
                self.variant = ""
        if not self.given:
            self.id = make_id(self.id[:16] or self.router.next_id(), self.variant, self.unit)
        return self.route.targets.get(self.variant)

    def _count(self, status: int, answer: bytes, error: str | None) -> None:
        """Count, log and perhaps mirror."""
        router, route = self.router, self.route
        seconds = router.loop.time() - self.started
        lane = router.lane(route.uid, self.variant)
        lane.statuses[status] = lane.statuses.get(status, 0) + 1
        router.recorder.active(route.uid)
        router.recorder.count(
            route.uid, self.variant, status, seconds, lane.most, len(self.message), len(answer)
        )
        lane.most = lane.in_flight
        if self.given:
            router.recorder.served(route.uid, self.id, self.variant, self.unit)
        plan = route.log
        if plan.sample and (plan.sample >= 1 or random.random() < plan.sample):  # noqa: S311
            made = Logged(
                *(self.id, time.time() - seconds, self.variant, f"{SERVICE}{self.method}", status, seconds),
                *(self.unit, self.message, answer, error),
            )
            router.recorder.log(route, made, messages=True)
        if route.mirror is not None and status < 400:
            router.mirror.perhaps_call(self, route, answer)


def named(message: bytes, name: int, version: int) -> tuple[str, str]:
    """The texts of two fields of a message; raises _Failed for what is no message."""
    found = {name: "", version: ""}
    try:
        for number, text in _texts(message):
            if number in found:
                found[number] = text.decode()
            if number > max(found):
                break
    except (ValueError, IndexError):
        raise _Failed(grpc.StatusCode.INVALID_ARGUMENT, "The message is not of the protocol.") from None
    return found[name], found[version]


def _texts(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields that have a length, in their order (protobuf's wire format)."""
    place = 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number is too long")

    skip: dict[int, Callable[[], int]] = {0: lambda: number() * 0, 1: lambda: 8, 5: lambda: 4}
    while place < len(message):
        tag = number()
        kind = tag & 7
        if kind == 2:
            length = number()
            if place + length > len(message):
                raise ValueError("a field is longer than the message")
            yield tag >> 3, message[place : place + length]
            place += length
        elif kind in skip:
            place += skip[kind]()
        else:
            raise ValueError("this is no kind of a field")
