"""How busy the GPUs are that this server has: asked by the Hub's service that stops idle servers."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from .handler import KubeflowHandler, Operation, operation


class GpusHandler(KubeflowHandler):
    """``gpus``."""

    @web.authenticated
    @authorized("read", "kubeflow")
    @operation(
        Operation(
            "The GPUs of this server with their use, 0 to 1; none where nvidia-smi is not at hand.", "read"
        )
    )
    async def get(self) -> None:
        self.reply(await self.blocking(self.used))

    @staticmethod
    def used() -> dict[str, Any]:
        """One sample, in a thread: it takes nvidia-smi a second."""
        from spawner.hub.gpu_use import ask_smi

        return {"gpus": [{"uuid": uuid, "use": use} for uuid, use in sorted(ask_smi().items())]}
