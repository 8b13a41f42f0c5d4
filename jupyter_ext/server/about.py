"""What the server is, how it fares, and what it can be asked."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

import jupyter_ext

from . import access
from .handler import KubeflowHandler, Operation, operation


class StatusHandler(KubeflowHandler):
    """``status``: also the handshake with the front end, which compares the versions."""

    @web.authenticated
    @authorized("read", "kubeflow")
    @operation(Operation("Version, cluster, machine and health.", "read"))
    async def get(self) -> None:
        self.reply(await self.blocking(access.status))


class DoctorHandler(KubeflowHandler):
    """``doctor``."""

    @web.authenticated
    @authorized("read", "kubeflow")
    @operation(Operation("Check everything that is needed; each finding has a fix.", "read"))
    async def get(self) -> None:
        self.reply(await self.blocking(self.report))

    @staticmethod
    def report() -> dict[str, Any]:
        """Examine in a thread."""
        from jupyter_ext.cluster.discover import doctor

        report: dict[str, Any] = doctor().to_dict()
        return report


class OpenApiHandler(KubeflowHandler):
    """``openapi.json``."""

    @web.authenticated
    @authorized("read", "kubeflow")
    @operation(Operation("This interface, described as OpenAPI 3.1.", "read"))
    async def get(self) -> None:
        from jupyter_ext.openapi import document

        self.reply(document(jupyter_ext.__version__))
