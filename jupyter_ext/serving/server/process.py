"""The process: listen, load, answer, and end in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, Final

from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving.http.server import Limits, Server
from jupyter_ext.serving.server import loading
from jupyter_ext.serving.server.config import Config, read
from jupyter_ext.serving.server.metrics import Metrics
from jupyter_ext.serving.server.repository import Repository
from jupyter_ext.serving.server.rest import Rest
from jupyter_ext.serving.server.state import State

_LOOK: Final = 1.0
"""Seconds between looks at whether the parent still lives."""
FAILED: Final = 3
"""The exit status when a model does not load."""


async def serve(config: Config) -> int:
    """Until SIGTERM or SIGINT; gives the exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if config.state is not None:
        _follow(loop, stop, os.getppid())
    state = State(config.state)
    state.say("loading")
    metrics = Metrics()
    repository = Repository(config, metrics)
    live: dict[str, Any] = {"draining": False}
    server = Server(Rest(repository, metrics, live).handle, Limits(body=config.limit_bytes))
    live["connections"] = lambda: server.open
    await _listen(server, config)
    rpc = None
    patience = 1.0
    try:
        if not await _loaded(repository, state, stop):
            return FAILED
        patience = config.drain
        if not stop.is_set():
            if config.grpc is not None:
                from jupyter_ext.serving.server.rpc import Rpc

                rpc = Rpc(repository, metrics, config.limit_bytes)
                await rpc.listen(config.grpc)
            state.say("ready")
            await stop.wait()
        live["draining"] = True
        state.say("draining", "it was asked to end")
    finally:
        if rpc is not None:
            await rpc.drain(patience)
        await server.drain(patience)
    return 0


def _follow(loop: asyncio.AbstractEventLoop, stop: asyncio.Event, parent: int) -> None:
    """End when whoever started this process is gone: nobody else would end it."""
    if os.getppid() != parent:
        stop.set()
    else:
        loop.call_later(_LOOK, _follow, loop, stop, parent)


async def _listen(server: Server, config: Config) -> None:
    place = config.http
    if place.socket is not None:
        await server.listen_unix(place.socket)
        return
    port = await server.listen_tcp(place.host, place.port)
    sys.stderr.write(f"http://{place.host}:{port}\n")
    sys.stderr.flush()


async def _loaded(repository: Repository, state: State, stop: asyncio.Event) -> bool:
    """Whether all models are there, or nobody wants them any more."""
    load = asyncio.create_task(repository.load())
    ended = asyncio.create_task(stop.wait())
    await asyncio.wait({load, ended}, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    if not load.done():
        return True
    error = load.exception()
    if error is None:
        return True
    reason = str(error) if isinstance(error, KubeflowError) else f"{type(error).__name__}: {error}"
    state.say("failed", reason[:4000], error)
    sys.stderr.write(f"{reason}\n")
    return False


def main(arguments: Sequence[str]) -> int:
    """The command."""
    from jupyter_ext.serving.http.loop import run

    try:
        config = read(arguments)
    except KubeflowError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    loading.add_paths()
    return run(_whole(config))


async def _whole(config: Config) -> int:
    """Ends the process from within: a model that hangs in a thread, or loads, would keep the loop from closing."""
    status = await serve(config)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
