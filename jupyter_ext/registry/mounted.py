"""The registry of this profile in the Jupyter server, behind its authentication and authorisation.

Upstream's client reaches it with the server's token (``user_token=``), where the server has no base URL.
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.registry.exchange import JSON, failure, respond
from jupyter_ext.registry.routes import BASE, OURS

RESOURCE: Final = "kubeflow.registry"
"""What authorizers are asked about, with the actions read and write."""
pool: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="kubeflow-registry")


class MountedHandler(APIHandler):
    """``/api/model_registry/{version}/{path}``. Asking it is no activity of the user."""

    _track_activity = False
    auth_resource = RESOURCE
    SUPPORTED_METHODS = ("GET", "POST", "PATCH")

    @web.authenticated
    @authorized("read", RESOURCE)
    async def get(self, version: str, path: str) -> None:
        """Get, find and list."""
        await self._answer(version, path)

    @web.authenticated
    @authorized("write", RESOURCE)
    async def post(self, version: str, path: str) -> None:
        """Create."""
        await self._answer(version, path)

    @web.authenticated
    @authorized("write", RESOURCE)
    async def patch(self, version: str, path: str) -> None:
        """Change."""
        await self._answer(version, path)

    async def _answer(self, version: str, path: str) -> None:
        content = (self.request.headers.get("Content-Type", ""), self.request.body)
        status, body = await asyncio.get_running_loop().run_in_executor(
            pool,
            lambda: respond(
                _service(), str(self.request.method), (version, path), self.request.query_arguments, content
            ),
        )
        self.set_status(status)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(body, set_content_type=JSON)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What the server refuses (no token, not allowed) in the form of the registry's errors."""
        del kwargs
        self.finish(failure(status_code, self._reason), set_content_type=JSON)

    def compute_etag(self) -> str | None:
        """Answers are not cached."""
        return None


def _service() -> Any:
    from jupyter_ext.registry.place import service

    return service()


def handlers() -> list[tuple[str, type[MountedHandler]]]:
    """What the server extension adds to its routes."""
    return [(rf"{BASE}/(v1|v1alpha3|{OURS})/(.*)", MountedHandler)]
