"""The client of the API server, against a real socket."""

from __future__ import annotations

import asyncio

from kubernetes_asyncio.client import ApiClient, Configuration

from spawner.api import Api


def test_a_burst_waits_for_its_turn_and_not_out_of_its_time():
    """Three hundred at once, each answered within a twentieth of what it may take: together they take far longer."""
    asked = 0

    async def answer(reader, writer):
        nonlocal asked
        while await reader.readuntil(b"\r\n\r\n"):
            asked += 1
            await asyncio.sleep(0.1)
            body = b'{"kind":"Pod"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()

    async def handled(reader, writer):
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def story():
        server = await asyncio.start_server(handled, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        api = Api(ApiClient(Configuration(host=f"http://127.0.0.1:{port}")), timeout=2.0)
        try:
            return await asyncio.gather(*(api.get(f"/api/v1/pods/p{number}") for number in range(300)))
        finally:
            await api.close()
            server.close()

    assert asyncio.run(story()) == [{"kind": "Pod"}] * 300
    assert asked == 300
