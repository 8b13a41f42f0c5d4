"""The user's servers under a JupyterHub; without one each answers 404 with the reason."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_ext import servers

from .fields import Field
from .handler import KubeflowHandler, Operation, operation

NAME = Field("name", "string", "Name of the server; empty is the default one.", default="", limit=40)
OPTIONS = Field("options", "object", "What to choose in the Hub's form; null is as it was last.", limit=100)
WHY = Field(
    "why",
    "string",
    "Names, separated by commas, of servers that did not start and whose reason is wanted.",
    default="",
)
CHOSEN = Field("options", "object", "What to choose in the Hub's form.", required=True, limit=100)


class ServersHandler(KubeflowHandler):
    """``servers``."""

    @web.authenticated
    @authorized("read", "kubeflow.servers")
    @operation(
        Operation(
            "This user's servers: state, reason of waiting, idleness, what is left of the quota.",
            "read",
            query=(WHY,),
        )
    )
    async def get(self) -> None:
        given = self.query((WHY,))
        why = given["why"].split(",") if "why" in self.request.query_arguments else ()
        self.reply(await self.blocking(servers.panel, why))


class FormHandler(KubeflowHandler):
    """``servers:form``: a POST for its body; it changes nothing."""

    @web.authenticated
    @authorized("read", "kubeflow.servers")
    @operation(
        Operation(
            "What can be chosen for a server, and whether these choices fit.", "read", body=(NAME, OPTIONS)
        )
    )
    async def post(self) -> None:
        body = self.body((NAME, OPTIONS))
        self.reply(await self.blocking(servers.form, body["name"], body.get("options")))


class StartHandler(KubeflowHandler):
    """``servers:start``."""

    @web.authenticated
    @authorized("write", "kubeflow.servers")
    @operation(Operation("Start a server.", "write", body=(NAME, OPTIONS)))
    async def post(self) -> None:
        body = self.body((NAME, OPTIONS))
        self.reply(await self.blocking(servers.start, body["name"], body.get("options")))


class StopHandler(KubeflowHandler):
    """``servers:stop``."""

    @web.authenticated
    @authorized("write", "kubeflow.servers")
    @operation(Operation("Stop a server; its files stay.", "write", body=(NAME,)))
    async def post(self) -> None:
        self.reply(await self.blocking(servers.stop, self.body((NAME,))["name"]))


class ResizeHandler(KubeflowHandler):
    """``servers:resize``."""

    @web.authenticated
    @authorized("write", "kubeflow.servers")
    @operation(Operation("Choose other options for a stopped server.", "write", body=(NAME, CHOSEN)))
    async def post(self) -> None:
        body = self.body((NAME, CHOSEN))
        self.reply(await self.blocking(servers.resize, body["name"], body["options"]))


class KeepHandler(KubeflowHandler):
    """``servers:keep``."""

    @web.authenticated
    @authorized("write", "kubeflow.servers")
    @operation(
        Operation("A server that is about to be stopped for idleness is needed.", "write", body=(NAME,))
    )
    async def post(self) -> None:
        self.reply(await self.blocking(servers.keep, self.body((NAME,))["name"]))
