"""A proxy as one writes it with aiohttp: two servers, chosen by a header.

python gateway_aiohttp.py PORT SOCKET SOCKET
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}


def main(port: int, sockets: list[str]) -> None:
    """Serve for ever."""

    async def sessions(app: web.Application) -> AsyncIterator[None]:
        app["sessions"] = [
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(path, limit=0)) for path in sockets
        ]
        yield
        for session in app["sessions"]:
            await session.close()

    async def handle(request: web.Request) -> web.Response:
        user = request.headers.get("X-User", "").encode()
        session = request.app["sessions"][zlib.crc32(user) % 100 < 10]
        headers = {key: value for key, value in request.headers.items() if key.lower() not in HOP}
        body = await request.read()
        url = "http://localhost" + request.path_qs
        async with session.request(request.method, url, data=body, headers=headers) as answer:
            kept = {key: value for key, value in answer.headers.items() if key.lower() not in HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    app = web.Application(client_max_size=64 << 20)
    app.cleanup_ctx.append(sessions)
    app.router.add_route("*", "/{path:.*}", handle)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
