"""A pipeline of Elyra's in the file browser: which file each of its nodes runs, and the file as a notebook or as YAML."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_ext.errors import Invalid, Where

from .fields import Field
from .handler import KubeflowHandler, Operation, operation
from .paths import ELYRA, locate, save_beside, server_path

PATH = Field("path", "string", "Elyra's pipeline relative to the server's root.", required=True, limit=4096)
CONVERT = (
    PATH,
    Field("to", "string", "What to make of it.", choices=("notebook", "yaml"), default="notebook"),
)


class ElyraHandler(KubeflowHandler):
    """What both have in common."""

    async def file(self, path: str) -> str:
        """The file on this machine. Raises Invalid, NotFound."""
        located = await locate(self.contents_manager, path, endings=ELYRA)
        if getattr(self.contents_manager, "root_dir", None) is None:
            raise Invalid(f"{path!r} is in no folder of this machine", where=Where(field="path"))
        return located.path


class FilesHandler(ElyraHandler):
    """``pipelines:files``."""

    @web.authenticated
    @authorized("read", "kubeflow.notebooks")
    @operation(Operation("The file that each node of Elyra's pipeline runs.", "read", body=(PATH,)))
    async def post(self) -> None:
        body = self.body((PATH,))
        found = await self.blocking(self.files, await self.file(body["path"]))
        root = self.contents_manager.root_dir
        places = {step: server_path(path, root) for step, path in found.items()}
        self.reply({"files": {step: path for step, path in places.items() if path}})

    @staticmethod
    def files(path: str) -> dict[str, str]:
        """Read in a thread."""
        from jupyter_ext.pipelines.elyra.translate import translate

        translation = translate(path)
        return {step: str(translation.places.workspace / file) for step, file in translation.files.items()}


class ConvertHandler(ElyraHandler):
    """``pipelines:convert``: writes through the contents manager, as if the user had made it."""

    @web.authenticated
    @authorized("write", "kubeflow.notebooks")
    @operation(
        Operation("Write Elyra's pipeline as a notebook or as Kubeflow's YAML.", "write", body=CONVERT)
    )
    async def post(self) -> None:
        body = self.body(CONVERT)
        path = await self.file(body["path"])
        found = await self.blocking(self.convert, path, body["to"])
        if body["to"] == "notebook":
            written = await save_beside(
                self.contents_manager, str(Path(path).with_suffix(".ipynb")), found.notebook
            )
        else:
            written = await self._save_text(str(Path(body["path"]).with_suffix(".yaml")), found.yaml)
        self.reply({"path": written, "notes": found.notes})

    @staticmethod
    def convert(path: str, to: str) -> Any:
        """Convert in a thread."""
        from jupyter_ext.pipelines.elyra import converting

        return converting.to_yaml(path) if to == "yaml" else converting.to_notebook(path)

    async def _save_text(self, path: str, text: str) -> str:
        contents: Any = self.contents_manager
        folder, _, name = path.strip("/").rpartition("/")
        name = await ensure_async(contents.increment_filename(name, folder, insert="-"))
        target = f"{folder}/{name}" if folder else name
        saved = await ensure_async(contents.save({"type": "file", "format": "text", "content": text}, target))
        return str(saved["path"])
