"""A model server that does next to nothing, so that what is measured is what stands before it.

python gateway_backend.py SOCKET NAME
"""

from __future__ import annotations

import asyncio
import sys

from jupyter_ext.serving.http.loop import run
from jupyter_ext.serving.http.message import Response
from jupyter_ext.serving.http.server import Server


async def main(socket: str, name: str) -> None:
    """Answer until the end."""
    response = Response(200, b'{"predictions": [1, 0], "by": "%s"}' % name.encode())
    server = Server(lambda _request: response)
    await server.listen_unix(socket)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    run(main(*sys.argv[1:3]))
