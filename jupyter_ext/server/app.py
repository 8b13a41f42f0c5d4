"""The extension itself: what lives as long as the server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_server._tz import utcnow
from jupyter_server.extension.application import ExtensionApp
from traitlets import Float

from . import access
from .later import Handlers, LaterRoutes
from .watch import SCHEMA, Teller, Watcher, event_data
from .watch_kfp import RunsElsewhere
from .watch_registry import RegistryWatcher

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.mirror import Mirrors
    from jupyter_ext.cluster.resource import Resource

PREFIXES: Final = ("/kubeflow/v1/", "/api/model_registry/")
"""What is below these paths is ours."""


def _handlers() -> Handlers:
    from jupyter_ext.registry.mounted import handlers as registry

    from .routes import routes

    # The registry speaks upstream's own protocol, below a path of its own.
    return [*((route.pattern, route.handler) for route in routes()), *registry()]


def mirrors(teller: Teller) -> Mirrors:
    """Copies of a cluster's resources, whose changes are told as those of this machine's are."""
    from jupyter_ext.cluster.kube.mirror import Mirrors

    def chosen(cluster: KubeCluster | None) -> None:
        moved(teller, cluster.name if cluster else "local")

    def shape(resource: Resource) -> Resource | None:
        from jupyter_ext import resources

        return None if resources.is_part(resource) else resources.seen(resource)

    return Mirrors(lambda change, resource: teller.tell(event_data(change, resource)), chosen, shape)


def moved(teller: Teller, name: str) -> None:
    """Let each page read anew: where things are, or whether that can be reached, is not as it was."""
    nothing = dict.fromkeys(("phase", "reason", "steps", "progress"))
    teller.tell(
        {"type": "MODIFIED", "kind": "Cluster", "name": name, "uid": "", "resourceVersion": 0, **nothing}
    )


def elsewhere(teller: Teller) -> RunsElsewhere:
    """The runs of a Kubeflow Pipelines server, whose changes are told as those of this machine's are."""
    return RunsElsewhere(
        lambda change, run: teller.tell(event_data(change, run)), lambda: moved(teller, "Kubeflow Pipelines")
    )


class KubeflowServer(ExtensionApp):
    """Kubeflow resources in Jupyter Server."""

    name = "jupyter_kubeflow"
    load_other_extensions = True

    tick_seconds = Float(10.0, help="Seconds between two looks after schedules and running runs.").tag(
        config=True
    )

    routes: LaterRoutes
    mirrors: Mirrors
    """Copies of what the cluster has, where one is used."""
    elsewhere: RunsElsewhere
    _watchers: tuple[Watcher, ...] = ()
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
        """Stand for the routes: what answers them is brought in by the first request."""
        self.routes = LaterRoutes(self.server.web_app, _handlers)
        self.routes.stand_for(PREFIXES)

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Start what runs beside the requests, once the server answers them."""
        del serverapp
        self.ensure_started()

    def ensure_started(self) -> None:
        """Follow the store and look after schedules; on the server's loop, more than once is once."""
        if self._watchers:
            return
        loop = asyncio.get_running_loop()
        teller = Teller(loop, self._emit, self.log)
        self.mirrors, self.elsewhere = mirrors(teller), elsewhere(teller)
        self._watchers = (
            Watcher(loop, self._emit_local, self.log),
            RegistryWatcher(loop, self._emit, self.log),
        )
        for watcher in self._watchers:
            watcher.start()
        self._ticking = loop.create_task(self._tick_forever())

    async def stop_extension(self) -> None:
        """Stop both. Runs go on: each is a process of its own."""
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        for watcher in self._watchers:
            await asyncio.get_running_loop().run_in_executor(None, watcher.stop)
        if self._watchers:
            self.mirrors.stop()
            self.elsewhere.stop()
        self._watchers = ()

    def _emit_local(self, data: dict[str, Any]) -> None:
        """What this machine has of a kind that is shown from the cluster is no news."""
        if not self.mirrors.has(data["kind"]):
            self._emit(data)

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
