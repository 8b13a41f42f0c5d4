"""What the server is, how it fares, and what it can be asked."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

import jupyter_ext

from . import access
from .fields import Field
from .handler import KubeflowHandler, Operation, operation

EXAMINED = (
    Field(
        "cluster",
        "boolean",
        "The Kubernetes cluster of the server's kubeconfig, not this machine.",
        default=False,
    ),
    Field("context", "string", "Another context of the kubeconfig.", limit=253),
    Field("namespace", "string", "Look into this namespace only.", default="", limit=63),
    Field("hub", "string", "The Hub's service account, as namespace/name.", default="", limit=127),
)


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
    @operation(
        Operation(
            "Check everything that is needed, here or in a cluster; each finding has a fix.", "read", EXAMINED
        )
    )
    async def get(self) -> None:
        self.reply(await self.blocking(self.report, **self.query(EXAMINED)))

    @staticmethod
    def report(cluster: bool, context: str | None, namespace: str, hub: str) -> dict[str, Any]:
        """Examine in a thread."""
        from jupyter_ext.cluster.discover import doctor

        if cluster:
            return doctor(cluster=True, context=context, namespace=namespace, hub=hub).to_dict()
        return doctor().to_dict()


class OpenApiHandler(KubeflowHandler):
    """``openapi.json``."""

    @web.authenticated
    @authorized("read", "kubeflow")
    @operation(Operation("This interface, described as OpenAPI 3.1.", "read"))
    async def get(self) -> None:
        from jupyter_ext.openapi import document

        self.reply(document(jupyter_ext.__version__))
