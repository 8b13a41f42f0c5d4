"""Stored bytes for a browser. They come from users' code: nothing in them may run or be taken for a page."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
from typing import BinaryIO

from jupyter_server.auth.decorator import authorized
from tornado import web

from . import access
from .fields import Field
from .handler import KubeflowHandler, Operation, operation, pool

MIMES = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/svg+xml",
    "text/plain",
    "application/json",
    "application/octet-stream",
)
"""What a blob may be shown as. HTML is not among them: it is displayed in the notebook's own renderer."""
CHUNK = 1 << 20
QUERY = (
    Field("mime", "string", "How to read the bytes.", default="application/octet-stream", choices=MIMES),
    Field("name", "string", "File name for a download.", limit=200),
)


class BlobHandler(KubeflowHandler):
    """``blobs/{digest}``."""

    @web.authenticated
    @authorized("read", "kubeflow.blobs")
    @operation(
        Operation("The bytes of a stored value, artifact or output.", "read", query=QUERY, reply="*/*")
    )
    async def get(self, digest: str) -> None:
        query = self.query(QUERY)
        path = await self.blocking(lambda: access.cluster().blobs.path(digest))
        mime: str = query["mime"]
        # The name of a blob is its content: it never changes.
        self.set_header("Etag", f'"{digest}"')
        self.set_header("Cache-Control", "private, max-age=31536000, immutable")
        self.set_header("X-Content-Type-Options", "nosniff")
        if self.check_etag_header():
            self.set_status(304)
            self.finish(set_content_type=mime)
            return
        if mime == "application/octet-stream":
            self.set_attachment_header(query["name"] or digest.removeprefix("b3:")[:16])
        with await self.blocking(path.open, "rb") as file:
            await self._send(file, path.stat().st_size, mime)

    async def _send(self, file: BinaryIO, size: int, mime: str) -> None:
        """Send in pieces: each waits until the browser took the one before, so memory stays small."""
        loop = asyncio.get_running_loop()
        self.set_header("Content-Length", str(size))
        kind = f"{mime}; charset=utf-8" if mime.startswith("text/") else mime
        self.set_header("Content-Type", kind)
        while chunk := await loop.run_in_executor(pool, file.read, CHUNK):
            self.write(chunk)
            await self.flush()
        self.finish(set_content_type=kind)

    @property
    def content_security_policy(self) -> str:
        """No script, no network, an origin of its own; an SVG may style itself."""
        return "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"

    def compute_etag(self) -> str | None:
        """The digest is the tag."""
        return None
