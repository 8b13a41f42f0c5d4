"""The home page's one value; what changes in it comes with the events of the resources."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from .fields import Field
from .handler import KubeflowHandler, Operation, operation

WHO = (
    Field("name", "string", "The user or the group.", required=True, limit=255),
    Field("kind", "string", "Which of the two.", default="User", choices=("User", "Group")),
)
DRY = Field("dryRun", "boolean", "Only say what would be refused.", default=False)
ROLE = Field(
    "role", "string", "Work in the profile, or look at it.", default="edit", choices=("edit", "view")
)


class HomeHandler(KubeflowHandler):
    """``home``."""

    @web.authenticated
    @authorized("read", "kubeflow")
    @operation(Operation("The profile on one page: capacity, work, endpoints, components, storage.", "read"))
    async def get(self) -> None:
        self.reply(await self.blocking(self.page))

    @staticmethod
    def page() -> dict[str, Any]:
        """Look at everything, in a thread."""
        from jupyter_ext import home

        return home.summary()


class ContributorsHandler(KubeflowHandler):
    """``home/contributors``."""

    @web.authenticated
    @authorized("write", "kubeflow")
    @operation(
        Operation("Let somebody have a part in the profile.", "write", body=(*WHO, ROLE, DRY), status=201)
    )
    async def post(self) -> None:
        body = self.body((*WHO, ROLE, DRY))
        self.reply(await self.blocking(self.add, body), 200 if body["dryRun"] else 201)

    @staticmethod
    def add(body: dict[str, Any]) -> dict[str, Any]:
        """In a thread."""
        from jupyter_ext import home

        return home.add_contributor(body["name"], body["role"], kind=body["kind"], dry_run=body["dryRun"])


class RemoveContributorHandler(KubeflowHandler):
    """``home/contributors:remove``."""

    @web.authenticated
    @authorized("write", "kubeflow")
    @operation(Operation("Take somebody out of the profile.", "write", body=(*WHO, DRY)))
    async def post(self) -> None:
        self.reply(await self.blocking(self.remove, self.body((*WHO, DRY))))

    @staticmethod
    def remove(body: dict[str, Any]) -> dict[str, Any]:
        """In a thread."""
        from jupyter_ext import home

        return home.remove_contributor(body["name"], kind=body["kind"], dry_run=body["dryRun"])
