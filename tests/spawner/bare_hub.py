"""What the Hubs have in common that tests and benchmarks drive by their REST API: a real Hub, and a dict for a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyterhub.proxy import Proxy


class RoutesOnly(Proxy):
    """Nobody browses through this Hub: its routes are only kept."""

    should_start = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.routes: dict[str, dict[str, Any]] = {}

    async def add_route(self, routespec: str, target: str, data: Any) -> None:
        """Keep it."""
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        """Forget it."""
        self.routes.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """What was kept."""
        return self.routes


def configure(c: Any, settings: Mapping[str, Any]) -> None:
    """Its addresses, files, users and the service ``test`` that drives it.

    ``settings`` has ``folder``, ``port`` (the Hub's API is at the next one), ``spawner``, the service's ``token``,
    and, where it is not loopback, ``address``.
    """
    address = settings.get("address", "127.0.0.1")
    c.JupyterHub.proxy_class = RoutesOnly
    c.JupyterHub.authenticator_class = "dummy"
    c.DummyAuthenticator.password = "never used"
    c.Authenticator.allow_all = True
    c.JupyterHub.bind_url = f"http://{address}:{settings['port']}"
    c.JupyterHub.hub_bind_url = f"http://{address}:{settings['port'] + 1}"
    c.JupyterHub.db_url = f"sqlite:///{settings['folder']}/hub.sqlite"
    c.JupyterHub.cookie_secret_file = f"{settings['folder']}/cookie"
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.spawner_class = settings["spawner"]
    c.JupyterHub.services = [{"name": "test", "api_token": settings["token"]}]
    scopes = ["admin:users", "admin:servers", "access:servers", "read:shares", "admin:groups", "shutdown"]
    c.JupyterHub.load_roles = [{"name": "test", "services": ["test"], "scopes": scopes}]
