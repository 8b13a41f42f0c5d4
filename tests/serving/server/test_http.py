"""HTTP/1.1 as it comes over real sockets: in any pieces, pipelined, malformed, endless, half closed."""

from __future__ import annotations

import asyncio
import socket
import stat
from contextlib import asynccontextmanager

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.serving.http.client import Late, Lost, Pool, Unreachable
from jupyter_ext.serving.http.loop import run
from jupyter_ext.serving.http.message import Malformed, Response, failure
from jupyter_ext.serving.http.server import Limits, Server


def echo(request):
    return Response(
        200, orjson.dumps([request.method, request.path, request.query, request.body.decode("latin-1")])
    )


@asynccontextmanager
async def serving(tmp_path, handle=echo, **limits):
    server = Server(handle, Limits(**limits))
    await server.listen_unix(tmp_path / "s")
    try:
        yield server, str(tmp_path / "s")
    finally:
        assert await server.drain(1) == 0


async def talk(path, *pieces, half_close=False):
    """Send, read to the end."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if half_close:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


async def until(true):
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came about")


def answers(raw):
    """The status and body of each answer in these bytes."""
    found = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in lines[1:])
        if b"transfer-encoding" in fields:
            body = b""
            while True:
                size, _, rest = rest.partition(b"\r\n")
                if not int(size, 16):
                    raw = rest[2:]
                    break
                body += rest[: int(size, 16)]
                rest = rest[int(size, 16) + 2 :]
        else:
            length = int(fields.get(b"content-length", b"0"))
            body, raw = rest[:length], rest[length:]
        found.append((int(lines[0].split()[1]), body))
    return found


MESSAGES = (
    b"POST /a%20b?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    b"POST /chunks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;e=1\r\nde\r\n0\r\nT: 1\r\n\r\n"
    b"GET http://elsewhere/last?y HTTP/1.1\r\nHOST: x\r\nConnection: close\r\n\r\n"
)
EXPECTED = [
    (200, b'["POST","/a b","x=1","hello"]'),
    (200, b'["POST","/chunks","","abcde"]'),
    (200, b'["GET","/last","y",""]'),
]


def test_pipelined_requests_are_answered_in_order_wherever_they_are_cut(tmp_path):
    async def main():
        async with serving(tmp_path) as (_, path):
            for cut in range(len(MESSAGES)):
                assert answers(await talk(path, MESSAGES[:cut], MESSAGES[cut:])) == EXPECTED, cut
            single = [MESSAGES[at : at + 1] for at in range(len(MESSAGES))]
            assert answers(await talk(path, *single)) == EXPECTED

    run(main())


def test_slow_answers_do_not_overtake(tmp_path):
    started = []

    def handle(request):
        started.append(request.path)
        if request.path != "/1":
            return echo(request)
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.05, future.set_result, Response(200, b"slow"))
        return future

    async def main():
        many = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(1, 60))
        async with serving(tmp_path, handle) as (_, path):
            found = answers(await talk(path, many + b"GET /end HTTP/1.0\r\n\r\n"))
        assert found[0][1] == b"slow"
        assert started == [f"/{number}" for number in range(1, 60)] + ["/end"]
        assert len(found) == 60

    run(main())


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET nothing HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\na", 415),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n" + b"a" * 2000, 413),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999999999\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"a" * 2000, 413),
        (b"GET /" + b"a" * 4000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET /" + b"a" * 400_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 40 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"b" * 400_000, 431),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_reason_and_the_connection_closed(tmp_path, raw, status):
    async def main():
        async with serving(tmp_path, body=1000, head=2000, fields=20) as (server, path):
            cut = len(raw) // 2
            for pieces in ([raw], [raw[:cut], raw[cut:]]):
                answer = await talk(path, *pieces, half_close=True)
                if answer != b"reset":
                    ((found, body),) = answers(answer)
                    assert (found, list(orjson.loads(body))) == (status, ["error"])
                    assert b"\r\nconnection: close\r\n" in answer
            assert answers(await talk(path, b"GET /still HTTP/1.0\r\n\r\n"))[0][0] == 200
            assert server.in_flight == 0

    run(main())


def test_no_answer_and_no_trace_of_a_request_that_was_cut_off(tmp_path):
    async def main():
        async with serving(tmp_path) as (server, path):
            first = MESSAGES.index(b"POST /chunks")
            for cut in range(first):
                assert await talk(path, MESSAGES[:cut], half_close=True) == b"", cut
            assert (server.open, server.in_flight) == (0, 0)

    run(main())


def test_slow_and_idle_clients_are_let_go(tmp_path):
    async def main():
        async with serving(tmp_path, arrival=0.2, idle=0.2) as (server, path):
            slow = await talk(path, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
            assert answers(slow)[0][0] == 408
            assert await talk(path) == b""
            assert server.open == 0

    run(main())


def test_a_client_that_waits_for_100_continue_gets_it_unless_its_body_is_too_large(tmp_path):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"

    async def ask(path, size):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(head % size)
        first = await reader.readuntil(b"\r\n\r\n")
        if b" 100 " in first:
            writer.write(b"b" * size)
            first += await reader.read()
        writer.close()
        return first

    async def main():
        async with serving(tmp_path, body=10) as (_, path):
            assert (await ask(path, 10)).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
            assert (await ask(path, 11)).startswith(b"HTTP/1.1 413 ")

    run(main())


def test_heads_closing_and_old_versions(tmp_path):
    async def main():
        async with serving(tmp_path) as (_, path):
            head = await talk(path, b"HEAD /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert head.endswith(b"\r\n\r\n")
            assert b"content-length: 19\r\n" in head
            old = await talk(path, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n")
            assert old.count(b"HTTP/1.1 200") == 2
            assert old.count(b"connection: keep-alive") == old.count(b"connection: close") == 1
            upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
            assert answers(await talk(path, upgrade))[0][0] == 200

    run(main())


def test_an_answer_in_pieces_and_one_that_breaks(tmp_path):
    async def pieces(fail):
        yield b"one"
        yield b""
        await asyncio.sleep(0)
        if fail:
            raise RuntimeError("the model stopped")
        yield b"two"

    def handle(request):
        return Response(200, pieces(request.path == "/fail"), b"text/plain")

    async def main():
        async with serving(tmp_path, handle) as (_, path):
            both = (
                b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            assert answers(await talk(path, both)) == [(200, b"onetwo"), (200, b"onetwo")]
            assert (await talk(path, b"GET / HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\nonetwo")
            pool = Pool(f"unix:{path}")
            assert (await pool.send(b"GET", b"/", [], b"", 5)).body == b"onetwo"
            with pytest.raises(Lost) as lost:
                await pool.send(b"GET", b"/fail", [], b"", 5)
            assert lost.value.started
            pool.close()

    run(main())


def test_faults_of_the_handler_are_answers(tmp_path):
    async def later():
        await asyncio.sleep(0)
        raise KeyError("x")

    def handle(request):
        match request.path:
            case "/now":
                raise ValueError("bad")
            case "/later":
                return later()
            case "/split":
                return Response(200, b"", headers=[(b"x", b"a\r\nset-cookie: b")])
        return failure(404, "nothing")

    async def main():
        async with serving(tmp_path, handle) as (_, path):
            pool = Pool(f"unix:{path}")
            found = {}
            for name in ("now", "later", "split", "none"):
                reply = await pool.send(b"GET", b"/" + name.encode(), [], b"", 5)
                found[name] = (reply.status, orjson.loads(reply.body)["error"])
                assert reply.header(b"set-cookie") is None
            assert found["now"] == (500, "ValueError: bad")
            assert found["later"] == (500, "KeyError: 'x'")
            assert found["split"][0] == 500
            assert found["none"] == (404, "nothing")
            with pytest.raises(Malformed):
                pool.send(b"GET", b"/", [(b"x", b"a\r\nb: c")], b"", 5)
            with pytest.raises(ValueError, match="target"):
                pool.send(b"GET", b"/ HTTP/1.1\r\nx: y", [], b"", 5)
            pool.close()

    run(main())


def test_a_drain_finishes_what_is_in_work_and_the_socket_is_private(tmp_path):
    release = asyncio.Event()

    async def handle(request):
        await release.wait()
        return Response(200, b"done")

    async def main():
        server = Server(handle)
        await server.listen_unix(tmp_path / "s")
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
        idle = asyncio.create_task(talk(str(tmp_path / "s")))
        busy = asyncio.create_task(talk(str(tmp_path / "s"), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        await until(lambda: server.in_flight == 1 and server.open == 2)
        drained = asyncio.create_task(server.drain(10))
        assert await idle == b""
        with pytest.raises(OSError):
            await asyncio.open_unix_connection(str(tmp_path / "s"))
        release.set()
        answer = await busy
        assert answer.endswith(b"done")
        assert b"connection: close" in answer
        assert await drained == 0

    run(main())


def test_a_server_takes_the_name_of_one_before_it_with_no_gap(tmp_path):
    async def main():
        first, second = Server(lambda _: Response(200, b"1")), Server(lambda _: Response(200, b"2"))
        await first.listen_unix(tmp_path / "s")
        await second.listen_unix(tmp_path / "s")
        await first.drain(1)
        pool = Pool(f"unix:{tmp_path}/s")
        assert (await pool.send(b"GET", b"/", [], b"", 5)).body == b"2"
        pool.close()
        await second.drain(1)

    run(main())


def test_who_goes_away_takes_the_work_along(tmp_path):
    seen = []

    async def handle(request):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return Response()

    async def main():
        async with serving(tmp_path, handle) as (server, path):
            _, writer = await asyncio.open_unix_connection(path)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: server.in_flight)
            writer.transport.abort()
            await until(lambda: seen)
            pool = Pool(f"unix:{path}")
            with pytest.raises(Late):
                await pool.send(b"GET", b"/", [], b"", 0.05)
            await until(lambda: len(seen) == 2)
            pool.close()

    run(main())


def test_each_request_has_its_own_patience(tmp_path):
    async def main():
        over = asyncio.Event()

        async def handle(_):
            await over.wait()
            return Response()

        async with serving(tmp_path, handle) as (_, path):
            pool = Pool(f"unix:{path}", connections=2)
            long = pool.send(b"GET", b"/", [], b"", 60)
            for _ in range(2):  # an earlier deadline behind a later one, twice
                with pytest.raises(Late, match=r"0\.05 s"):
                    await pool.send(b"GET", b"/", [], b"", 0.05)
            assert not long.done()
            busy = pool.send(b"GET", b"/", [], b"", 60)
            with pytest.raises(Late):  # it waits for a connection
                await pool.send(b"GET", b"/", [], b"", 0.05)
            assert (long.done(), busy.done()) == (False, False)
            over.set()
            assert [(await each).status for each in (long, busy)] == [200, 200]
            pool.close()

    run(main())


def test_who_is_not_admitted_sends_no_body(tmp_path):
    def admit(method, target, headers):
        allowed = (b"authorization", b"Bearer t") in headers
        return None if allowed else failure(401, f"{method} {target.decode()} needs a token")

    async def main():
        server = Server(echo, Limits(), admit)
        await server.listen_unix(tmp_path / "s")
        head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n"
        ((status, body),) = answers(await talk(str(tmp_path / "s"), head))
        assert (status, orjson.loads(body)) == (401, {"error": "POST /x needs a token"})
        pool = Pool(f"unix:{tmp_path}/s")
        reply = await pool.send(b"POST", b"/x", [(b"authorization", b"Bearer t")], b"a", 5)
        assert reply.status == 200
        pool.close()
        await server.drain(1)

    run(main())


def test_too_many_connections(tmp_path):
    async def main():
        async with serving(tmp_path, connections=2) as (_, path):
            kept = [await asyncio.open_unix_connection(path) for _ in range(2)]
            await asyncio.sleep(0.05)
            assert answers(await talk(path))[0][0] == 503
            for _, writer in kept:
                writer.close()

    run(main())


def test_the_pool_keeps_and_shares_its_connections(tmp_path):
    async def main():
        server = Server(echo)
        port = await server.listen_tcp("127.0.0.1", 0)
        pool = Pool(f"127.0.0.1:{port}", connections=3)
        replies = await asyncio.gather(
            *[pool.send(b"POST", b"/%d" % number, [], b"%d" % number, 5) for number in range(200)]
        )
        assert [orjson.loads(reply.body)[3] for reply in replies] == [str(number) for number in range(200)]
        assert pool.open <= 3
        assert (pool.waiting, pool.in_flight) == (0, 0)
        pool.close()
        with pytest.raises(Unreachable):
            await pool.send(b"GET", b"/", [], b"", 5)
        assert await server.drain(1) == 0

    run(main())


def test_the_pool_says_what_became_of_a_request(tmp_path):
    async def main():
        pool = Pool(f"unix:{tmp_path}/s")
        with pytest.raises(Unreachable):
            await pool.send(b"GET", b"/", [], b"", 5)
        server = Server(echo)
        await server.listen_unix(tmp_path / "s")
        assert (await pool.send(b"GET", b"/1", [], b"", 5)).status == 200
        # Closed while idle: the next request goes over a new connection by itself.
        again = Server(echo)
        await again.listen_unix(tmp_path / "s")
        for connection in server.connections:
            connection.transport.abort()
        assert (await pool.send(b"GET", b"/2", [], b"", 5)).status == 200
        await server.drain(1)
        await again.drain(1)
        # A server that dies over the request.
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "d"))
        listener.listen()
        listener.setblocking(False)
        dying = Pool(f"unix:{tmp_path}/d")
        for said, started in (
            (b"", False),
            (b"HTTP/1.1 200 OK\r\nContent-Le", True),
            (b"junk\r\n\r\n", True),
        ):
            asked = dying.send(b"GET", b"/", [], b"", 5)
            one, _ = await asyncio.get_running_loop().sock_accept(listener)
            await asyncio.get_running_loop().sock_recv(one, 1)
            await asyncio.get_running_loop().sock_sendall(one, said)
            one.close()
            with pytest.raises(Lost) as lost:
                await asked
            assert lost.value.started is started
        listener.close()
        pool.close()

    run(main())


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_leave_the_server_well(tmp_path_factory, junk, cut):
    async def main():
        async with serving(tmp_path_factory.mktemp("h")) as (_, path):
            await talk(path, junk[:cut], junk[cut:], half_close=True)
            await talk(path, MESSAGES[: cut % len(MESSAGES)] + junk, half_close=True)
            assert answers(await talk(path, MESSAGES)) == EXPECTED

    run(main())
