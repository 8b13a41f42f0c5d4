"""Bytes that no good client or server sends: they are refused, reach nobody else, and leave the gateway as it was."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.gateway.conftest import World
from tests.waiting import until

PATH = b"/iris/v1/models/iris:predict"


@pytest.fixture(scope="module", autouse=True)
def servers(world):
    world.server("v1")
    world.route("iris", {"v1": 100})


def opened(world: World) -> socket.socket:
    host, port = world.address.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 120)


def head(
    world: World, *lines: bytes, method: bytes = b"POST", path: bytes = PATH, token: bool = True
) -> bytes:
    first = [method + b" " + path + b" HTTP/1.1", b"Host: localhost"]
    if token:
        first.append(b"Authorization: Bearer " + world.address.token.encode())
    return b"\r\n".join([*first, *lines, b"", b""])


def told(world: World, data: bytes) -> bytes:
    """Everything that comes back until the gateway closes, or has nothing more to say."""
    with opened(world) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return everything(connection)


def everything(connection: socket.socket) -> bytes:
    found = b""
    try:
        while block := connection.recv(1 << 16):
            found += block
    except (ConnectionResetError, TimeoutError):
        pass
    return found


def statuses(answer: bytes) -> list[int]:
    return [int(line.split()[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def first(world: World, data: bytes) -> int:
    """The status of the first answer, of a connection that stays open on our side."""
    with opened(world) as connection:
        connection.sendall(data)
        answer = b""
        while b"\r\n" not in answer:
            block = connection.recv(1 << 16)
            if not block:
                return 0
            answer += block
        return int(answer.split()[1])


def served(world: World) -> int:
    return world.predict("iris").json["served"]


REFUSED = {
    "length and chunks": [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    "chunks and length": [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
    "two lengths": [b"Content-Length: 5", b"Content-Length: 6"],
    "the same length twice": [b"Content-Length: 5", b"Content-Length: 5"],
    "a list of lengths": [b"Content-Length: 5, 5"],
    "a signed length": [b"Content-Length: +5"],
    "a negative length": [b"Content-Length: -5"],
    "a hexadecimal length": [b"Content-Length: 0x5"],
    "an endless length": [b"Content-Length: " + b"9" * 40],
    "another coding": [b"Transfer-Encoding: gzip, chunked"],
    "chunks that are not last": [b"Transfer-Encoding: chunked, identity"],
    "a coding that is none": [b"Transfer-Encoding: xchunked"],
    "two codings": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
    "a space before the colon": [b"Transfer-Encoding : chunked"],
    "a coding after a control": [b"Transfer-Encoding: \x0bchunked"],
    "a folded field": [b"X-Folded: a", b" b: c", b"Content-Length: 5"],
    "a folded length": [b"Content-Length:", b" 5"],
    "a zero byte": [b"X-Zero: a\x00b", b"Content-Length: 5"],
    "a lonely carriage return": [b"X-Return: a\rb: c", b"Content-Length: 5"],
    "a name with a space": [b"X Space: 1", b"Content-Length: 5"],
    "no name": [b": 1", b"Content-Length: 5"],
    "two hosts": [b"Host: other", b"Content-Length: 5"],
    "many fields": [b"X-%d: 1" % number for number in range(300)],
    "a giant field": [b"X-Giant: " + b"a" * 100_000],
}


@pytest.mark.parametrize("lines", REFUSED.values(), ids=REFUSED)
def test_what_can_be_read_in_two_ways_is_refused(world, lines):
    before = served(world)
    inner = head(world, b"Content-Length: 2") + b"{}"
    answer = told(world, head(world, *lines) + b"0\r\n\r\n" + inner)
    assert all(status >= 400 for status in statuses(answer))
    assert served(world) == before + 1


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200,
        b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\n",
        b"\r\n" * 2000,
        b"POST " + b"/a" * 60_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"a" * 300_000,
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(world, data):
    assert not {200, 201, 204} & set(statuses(told(world, data)))
    assert world.predict("iris").status == 200


def test_a_large_body_is_refused_before_it_comes(world):
    assert first(world, head(world, b"Content-Length: 99999999999")) == 413
    assert first(world, head(world, b"Content-Length: 60000000", token=False)) == 401
    chunk = b"%x\r\n" % (1 << 20) + b"a" * (1 << 20) + b"\r\n"
    with opened(world) as connection:
        with contextlib.suppress(OSError):  # it is closed while this is still sent
            connection.sendall(head(world, b"Transfer-Encoding: chunked"))
            for _ in range(80):
                connection.sendall(chunk)
        assert everything(connection)[:12] in {b"HTTP/1.1 413", b""}
    assert world.predict("iris").status == 200


def test_chunks_are_joined_and_pipelined_requests_answered_in_order(world):
    chunked = (
        head(world, b"Transfer-Encoding: chunked") + b'3;x=y\r\n{"a\r\n4\r\n":1}\r\n0\r\nTrailer: 1\r\n\r\n'
    )
    plain = head(world, b"Content-Length: 2", b"X-Request-Id: second") + b"{}"
    with opened(world) as connection:
        connection.sendall(chunked + plain)
        answer = b""
        while answer.count(b"HTTP/1.1 200") < 2 or not answer.endswith(b"}"):
            answer += connection.recv(1 << 16)
    assert answer.index(b'"size":7') < answer.index(b"x-request-id: second")
    assert b"transfer-encoding" not in answer.lower().partition(b"\r\n\r\n")[0]


def test_fields_of_the_connection_stay_there(world):
    said = world.predict("iris", Connection="close, X-Secret", X_Secret="1", X_Kept="2")
    assert said.status == 200
    sent = said.json["headers"]
    assert "x-secret" not in sent
    assert sent["x-kept"] == "2"
    assert sent["host"] == "localhost"
    for name in ("te", "upgrade", "proxy-authorization", "keep-alive"):
        assert name not in world.predict("iris", **{name: "x"}).json["headers"]


def test_who_goes_away_leaves_nothing_behind(world):
    world.route("left", {"v1": 100})
    path = b"/left/v1/models/left:predict"
    body = b'{"sleep": 0.2}'
    for _ in range(5):
        with opened(world) as connection:
            connection.sendall(head(world, b"Content-Length: %d" % len(body), path=path) + body)
    for part in (b"POST", head(world)[:-2], head(world, b"Content-Length: 100") + b"abc"):
        with opened(world) as connection:
            connection.sendall(part)
    flying = 'gateway_requests_in_flight{endpoint="left",variant="v1"} 0'
    until(lambda: flying in world.ask("/left/metrics").body.decode())
    assert world.predict("left").status == 200


def test_who_goes_away_does_not_wait_any_longer(world):
    about = {"percent": 100, "ready": False, "servers": []}
    world.route("awaited", {"v1": about}, timeout=600)
    waiting = 'gateway_requests_waiting{endpoint="awaited",variant="v1"}'
    with opened(world) as connection:
        connection.sendall(
            head(world, b"Content-Length: 2", path=b"/awaited/v1/models/awaited:predict") + b"{}"
        )
        until(lambda: f"{waiting} 1" in world.ask("/awaited/metrics").body.decode())
    until(lambda: f"{waiting} 0" in world.ask("/awaited/metrics").body.decode())


def test_many_who_say_nothing_do_not_keep_others_out(world):
    silent = [opened(world) for _ in range(200)]
    try:
        for each in silent[::2]:
            each.sendall(head(world)[:-3])
        assert world.predict("iris").status == 200
    finally:
        for each in silent:
            each.close()


@contextmanager
def bad_server(world: World, name: str, *answers: bytes) -> Iterator[None]:
    """A model server that answers the first request of each connection with these bytes, and then as asked."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(world.socket(name))
    listener.listen()
    given = iter(answers)

    def answer(connection: socket.socket) -> None:
        with connection:
            while connection.recv(1 << 16):
                connection.sendall(next(given, GOOD))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"ok":1}'
POISON = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"poison":1}'


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (GOOD + POISON, {200, 502}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + POISON, {502}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Length: 2\r\n\r\n{}" + POISON, {502}),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n folded: b\r\nContent-Length: 8\r\n\r\n" + b'{"ok":1}', {200, 502}),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD, {200}),
        (b"HTTP/1.1 204 No Content\r\n\r\n", {204}),
        (b"no http at all\r\n\r\n", {502}),
        (b"HTTP/1.1 999 Strange\r\nContent-Length: 0\r\n\r\n", {999, 502}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: zero\r\n\r\n", {502}),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + POISON, {502}),
    ],
)
def test_a_servers_strange_answer_reaches_only_who_asked(world, answer, status):
    name = f"bad{abs(hash(answer)) % 100_000}"
    with bad_server(world, name, answer):
        world.route(name, {"v1": {"percent": 100, "servers": [name]}}, timeout=60)
        found = world.predict(name)
        assert found.status in status
        assert b"poison" not in found.body
        for _ in range(3):
            again = world.predict(name)
            assert (again.status, again.body) == (200, b'{"ok":1}')


PIECES = (
    *(b"\r\n", b"\n", b"POST / HTTP/1.1", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Host: x"),
    *(b"0\r\n\r\n", b"3\r\nabc\r\n", b": ", b"GET /healthz HTTP/1.1", b"Connection: close", b" "),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from(PIECES),
        ),
        max_size=12,
    )
)
def test_any_bytes_leave_the_gateway_as_it_was(world, parts):
    told(world, b"".join(parts))
    assert world.ask("/healthz").status == 200
