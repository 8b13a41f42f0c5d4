"""What a run has beyond other resources: values, outputs and code of its steps, and comparison with others."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_ext.errors import Invalid, Where

from . import access
from .fields import Field
from .handler import KubeflowHandler, Operation, operation
from .paths import save_beside
from .rows_pipelines import STEP

NAMES = (Field("names", "string", "Two to ten names of runs, with commas.", required=True, limit=1000),)


class CompareHandler(KubeflowHandler):
    """``runs:compare``."""

    @web.authenticated
    @authorized("read", "kubeflow.runs")
    @operation(Operation("Compare runs: parameters, steps, metrics, code.", "read", query=NAMES))
    async def get(self) -> None:
        names = [name for name in self.query(NAMES)["names"].split(",") if name]
        if not 2 <= len(names) <= 10:
            raise Invalid("give two to ten runs to compare", where=Where(field="names"))
        self.reply(await self.blocking(self.compare, names))

    @staticmethod
    def compare(names: list[str]) -> object:
        """Compare in a thread."""
        from jupyter_ext import pipelines

        return pipelines.compare(names).to_dict()


class ValuesHandler(KubeflowHandler):
    """``runs/{name}/values/{step}``: of a run elsewhere, whose status does not have them."""

    @web.authenticated
    @authorized("read", "kubeflow.runs")
    @operation(Operation("What a step was given and left.", "read"))
    async def get(self, name: str, step: str) -> None:
        self.reply(await self.blocking(self.left, name, step))

    @staticmethod
    def left(name: str, step: str) -> object:
        """Ask in a thread."""
        from jupyter_ext.pipelines.kfp.handle import KfpRun

        run = access.run(name)
        if isinstance(run, KfpRun):
            return run.left(step)
        status = run.step(step)
        return {key: status[key] for key in ("used", "outputs", "metrics") if key in status}


class ValueHandler(KubeflowHandler):
    """``runs/{name}/values/{step}/{value}``."""

    @web.authenticated
    @authorized("read", "kubeflow.runs")
    @operation(Operation("Preview of a value that a step left.", "read"))
    async def get(self, name: str, step: str, value: str) -> None:
        self.reply(await self.blocking(lambda: access.run(name).preview(step, value)))


class OutputsHandler(KubeflowHandler):
    """``runs/{name}/outputs/{step}``."""

    @web.authenticated
    @authorized("read", "kubeflow.runs")
    @operation(Operation("What the cells of a step printed and displayed.", "read"))
    async def get(self, name: str, step: str) -> None:
        self.reply(await self.blocking(lambda: access.run(name).outputs(step)))


class CodeHandler(KubeflowHandler):
    """``runs/{name}/code/{step}``."""

    @web.authenticated
    @authorized("read", "kubeflow.runs")
    @operation(Operation("The cells of a step as run, and as the notebook has them now.", "read"))
    async def get(self, name: str, step: str) -> None:
        self.reply(await self.blocking(lambda: access.run(name).code(step)))


class OpenHandler(KubeflowHandler):
    """``runs/{name}:open``: writes a notebook through the contents manager, as if the user had made it."""

    @web.authenticated
    @authorized("write", "kubeflow.runs")
    @operation(Operation("Write a notebook that opens a step in a live kernel.", "write", body=(STEP,)))
    async def post(self, name: str) -> None:
        body = self.body((STEP,))
        found = await self.blocking(lambda: access.run(name).debug(body["step"]))
        path = await save_beside(self.contents_manager, found["path"], found["notebook"])
        self.reply({key: found.get(key) for key in ("step", "cellId", "line", "code")} | {"path": path})
