"""A real MCP server as a process of its own, and the SDK's own client at its standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from jupyter_ext.cluster.local import LocalCluster
from tests.waiting import PATIENCE

SECRET = "hunter2-is-not-told"


class Assistant:
    """What an assistant's program does: start the server, ask, and leave."""

    def __init__(self, home: Path, root: Path, *words: str) -> None:
        environment = {**os.environ, "JUPYTER_KUBEFLOW_HOME": str(home), "WAREHOUSE_PASSWORD": SECRET}
        arguments = ["-m", "jupyter_ext.cli", "mcp", "--root", str(root), *words]
        self._parameters = StdioServerParameters(command=sys.executable, args=arguments, env=environment)
        self.home, self.root = home, root
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._leave = asyncio.Event()
        self._client: Client | None = None
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        if self._failed:
            raise self._failed

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._live())
        except BaseException as error:
            self._failed = error
        finally:
            self._ready.set()

    async def _live(self) -> None:
        async with Client(stdio_client(self._parameters)) as client:
            self._client = client
            self._ready.set()
            await self._leave.wait()

    def _ask(self, ask: Callable[[Client], Any]) -> Any:
        assert self._client is not None
        return asyncio.run_coroutine_threadsafe(ask(self._client), self._loop).result(PATIENCE)

    @property
    def about(self) -> str:
        assert self._client is not None
        return self._client.instructions or ""

    def tools(self) -> dict[str, Any]:
        return {tool.name: tool for tool in self._ask(lambda client: client.list_tools()).tools}

    def call(self, tool: str, /, **arguments: Any) -> Any:
        return self._ask(lambda client: client.call_tool(tool, arguments))

    def text(self, tool: str, /, **arguments: Any) -> str:
        """The answer of a call that is not refused."""
        found = self.call(tool, **arguments)
        assert not found.is_error, found.content[0].text
        return "\n".join(part.text for part in found.content)

    def refusal(self, tool: str, /, **arguments: Any) -> str:
        """The one sentence with which a call is refused."""
        found = self.call(tool, **arguments)
        assert found.is_error, found.content[0].text
        assert len(found.content) == 1
        return str(found.content[0].text)

    def plan(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        found = self.call(tool, **arguments)
        assert not found.is_error, found.content[0].text
        plan: dict[str, Any] = found.structured_content
        assert plan["changed"] is False
        return plan

    def process(self) -> psutil.Process:
        """The server's, if it was the last one to be started."""
        below = psutil.Process().children(recursive=True)
        found = [each for each in below if each.status() != psutil.STATUS_ZOMBIE and "mcp" in each.cmdline()]
        return max(found, key=lambda process: process.create_time())

    def leave(self) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self._loop.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Home and folder of this module's servers."""
    return tmp_path_factory.mktemp("kubeflow"), tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def writer(place: tuple[Path, Path]) -> Iterator[Assistant]:
    """One that may write."""
    assistant = Assistant(*place, "--allow-writes")
    yield assistant
    assistant.leave()


@pytest.fixture(scope="module")
def reader(place: tuple[Path, Path]) -> Iterator[Assistant]:
    """One that may not."""
    assistant = Assistant(*place)
    yield assistant
    assistant.leave()


@pytest.fixture(scope="module")
def cluster(place: tuple[Path, Path]) -> LocalCluster:
    """The cluster that both talk to."""
    return LocalCluster(place[0])
