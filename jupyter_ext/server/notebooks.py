"""A notebook before it runs: checked while it is edited, compiled, and as code to copy."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_ext.errors import Invalid, Where

from .fields import Field
from .handler import LARGE, KubeflowHandler, Operation, operation
from .paths import locate
from .registering import REGISTER, asked
from .rows_pipelines import CONTENT, OPTIONS, PARAMETERS, PATH

CHECK = (PATH, CONTENT)
CODE = (Field("path", "string", PATH.about, required=True, limit=4096), PARAMETERS, OPTIONS, REGISTER)


class NotebookHandler(KubeflowHandler):
    """What the handlers of notebooks share."""

    async def source(self, body: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
        """Give file and content of the notebook meant; without content the file has it. Raises Invalid, NotFound."""
        content: dict[str, Any] | None = body["content"]
        if not body["path"]:
            if content is None:
                raise Invalid("there is no notebook", where=Where(field="path"), hint="Give path or content.")
            return "", content
        located = await locate(self.contents_manager, body["path"], must_exist=content is None)
        return located.path, located.notebook if content is None else content


class CheckHandler(NotebookHandler):
    """``notebooks:check``."""

    @web.authenticated
    @authorized("read", "kubeflow.notebooks")
    @operation(Operation("The notebook as a pipeline, with its problems.", "read", body=CHECK, limit=LARGE))
    async def post(self) -> None:
        self.reply(await self.blocking(self.check, *await self.source(self.body(CHECK, LARGE))))

    @staticmethod
    def check(path: str, content: dict[str, Any] | None) -> object:
        """Analyse in a thread."""
        from jupyter_ext.pipelines import graph, notebook

        read = notebook.read(path) if content is None else notebook.read(content, path=path)
        return {"pipeline": graph.analyse(read).to_dict()}


class CompileHandler(NotebookHandler):
    """``notebooks:compile``."""

    @web.authenticated
    @authorized("read", "kubeflow.notebooks")
    @operation(Operation("The notebook as a Kubeflow pipeline (IR YAML).", "read", body=CHECK, limit=LARGE))
    async def post(self) -> None:
        self.reply(await self.blocking(self.compile, *await self.source(self.body(CHECK, LARGE))))

    @staticmethod
    def compile(path: str, content: dict[str, Any] | None) -> object:
        """Compile in a thread."""
        from jupyter_ext import pipelines

        return {"yaml": pipelines.compile(path if content is None else content)}


class SnippetHandler(KubeflowHandler):
    """``notebooks:code``."""

    @web.authenticated
    @authorized("read", "kubeflow.notebooks")
    @operation(Operation("The same run as Python, command line and magic.", "read", body=CODE))
    async def post(self) -> None:
        from jupyter_ext.pipelines.snippets import snippets

        body = self.body(CODE)
        self.reply(snippets(body["path"], body["parameters"], {**body["options"], "register": asked(body)}))
