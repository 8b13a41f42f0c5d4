"""A gRPC server for the gateway's tests: it answers its name and what it was sent.

python stand_in_grpc.py SOCKET NAME
"""

from __future__ import annotations

import asyncio
import signal
import sys

import grpc


class Echo(grpc.GenericRpcHandler):
    def __init__(self, name: str) -> None:
        self.name = name

    def service(self, details):
        async def answer(message: bytes, context) -> bytes:
            if b"refuse" in message:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "It does not fit.")
            if b"sleep" in message:
                await asyncio.sleep(30)
            return self.name.encode() + b" " + details.method.encode() + b" " + message

        return grpc.unary_unary_rpc_method_handler(answer)


async def main(socket: str, name: str) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(name),))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    print("ready", flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await server.stop(1)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
