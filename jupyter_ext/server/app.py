"""The extension itself: what lives as long as the server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server._tz import utcnow
from jupyter_server.extension.application import ExtensionApp
from traitlets import Float

from . import access
from .watch import SCHEMA, Watcher

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


class KubeflowServer(ExtensionApp):
    """Kubeflow resources in Jupyter Server."""

    name = "jupyter_kubeflow"
    load_other_extensions = True

    tick_seconds = Float(10.0, help="Seconds between two looks after schedules and running runs.").tag(
        config=True
    )

    _watcher: Watcher | None = None
    _ticking: asyncio.Task[None] | None = None

    @property
    def server(self) -> Any:
        """The server; it is there before anything here is called."""
        return self.serverapp

    def initialize_settings(self) -> None:
        """Let handlers find the extension, and the event bus know what it will carry."""
        self.settings["jupyter_kubeflow"] = self
        bus = self.server.event_logger
        if SCHEMA not in bus.schemas:
            bus.register_event_schema(Path(__file__).parent.parent / "events" / "resource.yaml")

    def initialize_handlers(self) -> None:
        """Add the routes."""
        from jupyter_ext.registry.mounted import handlers as registry

        from .routes import routes

        self.handlers.extend((route.pattern, route.handler) for route in routes())
        # The registry speaks upstream's own protocol, below a path of its own.
        self.handlers.extend(registry())

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Start what runs beside the requests, once the server answers them."""
        del serverapp
        self.ensure_started()

    def ensure_started(self) -> None:
        """Follow the store and look after schedules; on the server's loop, more than once is once."""
        if self._watcher is not None:
            return
        loop = asyncio.get_running_loop()
        self._watcher = Watcher(loop, self._emit, self.log)
        self._watcher.start()
        self._ticking = loop.create_task(self._tick_forever())

    async def stop_extension(self) -> None:
        """Stop both. Runs go on: each is a process of its own."""
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        if self._watcher is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._watcher.stop)
            self._watcher = None

    def _emit(self, data: dict[str, Any]) -> None:
        self.server.event_logger.emit(schema_id=SCHEMA, data=data)

    async def _tick_forever(self) -> None:
        """Look after schedules, and keep the server alive while runs go on."""
        loop = asyncio.get_running_loop()
        told = ""
        while True:
            await asyncio.sleep(self.tick_seconds)
            try:
                busy = await loop.run_in_executor(None, access.tick)
                told = ""
            except Exception as error:
                if str(error) != told:
                    told = str(error)
                    self.log.warning("schedules cannot be looked after now: %s", error)
                continue
            if busy:
                # An open panel does not keep an idle server from being culled; a run that works does.
                self.server.web_app.settings["last_activity_times"]["jupyter_kubeflow"] = utcnow()
