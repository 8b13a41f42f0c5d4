"""A pipeline that was compiled for Kubeflow, before it runs: its graph, its parameters and what cannot run here."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_ext.errors import Invalid, Where

from . import access
from .fields import Field
from .handler import KubeflowHandler, Operation, operation
from .paths import COMPILED, locate

CHECK = (
    Field("path", "string", "Compiled pipeline relative to the server's root.", required=True, limit=4096),
)


class CheckHandler(KubeflowHandler):
    """``pipelines:check``."""

    @web.authenticated
    @authorized("read", "kubeflow.notebooks")
    @operation(Operation("A compiled pipeline's steps, parameters and problems.", "read", body=CHECK))
    async def post(self) -> None:
        body = self.body(CHECK)
        located = await locate(self.contents_manager, body["path"], endings=COMPILED)
        if getattr(self.contents_manager, "root_dir", None) is None:
            raise Invalid(f"{body['path']!r} is in no folder of this machine", where=Where(field="path"))
        self.reply(await self.blocking(self.check, located.path))

    @staticmethod
    def check(path: str) -> object:
        """Read in a thread."""
        from jupyter_ext.pipelines.compiled.submit import check

        return {"pipeline": check(access.cluster(), path).to_dict()}
