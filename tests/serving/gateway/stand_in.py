"""A model server for the gateway's tests: it answers who it is, and does what the request tells it to.

python stand_in.py SOCKET NAME
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import orjson

from jupyter_ext.serving.http.loop import run
from jupyter_ext.serving.http.message import Request, Response
from jupyter_ext.serving.http.server import Server

STATE = {"busy": 0, "most": 0, "served": 0}


async def answer(request: Request, name: str) -> Response:
    STATE["busy"] += 1
    STATE["served"] += 1
    STATE["most"] = max(STATE["most"], STATE["busy"])
    try:
        told = orjson.loads(request.body) if request.body.startswith(b"{") else {}
        if told.get("die") or told.get("die-of") == name:
            os.kill(os.getpid(), signal.SIGKILL)
        if told.get("sleep"):
            await asyncio.sleep(told["sleep"])
        headers = {key.decode(): value.decode("latin-1") for key, value in request.headers}
        said = {
            "predictions": told.get("say", [name]),
            "who": name,
            "pid": os.getpid(),
            "target": request.target.decode(),
            "method": request.method,
            "headers": headers,
            "size": len(request.body),
            **STATE,
        }
        extra = [(b"x-made-by", name.encode()), (b"connection", b"keep-alive")]
        return Response(told.get("status", 200), orjson.dumps(said), headers=extra)
    finally:
        STATE["busy"] -= 1


async def main(socket: str, name: str) -> None:
    server = Server(lambda request: answer(request, name))
    await server.listen_unix(socket)
    print("ready", flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await server.drain(10)


if __name__ == "__main__":
    run(main(*sys.argv[1:3]))
