"""Requests to a Kubeflow Pipelines server: what it refuses, as the errors of ``jupyter_ext.errors``.

A refusal is a `google.rpc.Status` in grpc-gateway's JSON (kubeflow/pipelines, backend/api/v2beta1). The server
authenticates by a bearer token of the audience ``pipelines.kubeflow.org``; the file with it is read again as it rotates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from jupyter_ext.cluster.kube.access import Access
from jupyter_ext.cluster.kube.login import Login
from jupyter_ext.cluster.kube.transport import Transport
from jupyter_ext.errors import (
    Conflict,
    Forbidden,
    Invalid,
    KubeflowError,
    NotFound,
    Unavailable,
    Unfit,
    Where,
)

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.refusals import Asked

API: Final = "/apis/v2beta1"
LONGEST: Final = 400
"""Characters of a reason: the server repeats what it was given, with the stack of its calls before it."""
_CAUSE: Final = re.compile(r"[\w ]{1,60}[Ee]rror|Failed to .*|Validate .*|\w+ \w+ request failed\.?")
"""What the server's functions put before the reason, each with a colon."""
_RPC: Final = re.compile(r"rpc error: code = \w+ desc = ")
_ERRORS: Final[dict[int, type[KubeflowError]]] = {
    400: Invalid, 404: NotFound, 409: Conflict, 412: Conflict, 413: Unfit, 422: Invalid, 501: Unfit,
}  # fmt: skip


class Wire(Transport):
    """One server. ``prefix`` is what stands before ``/apis`` in its addresses, where it is behind something."""

    def __init__(self, access: Access, prefix: str = "", patience: float = 30.0) -> None:
        super().__init__(access, patience)
        self.prefix = prefix

    @property
    def address(self) -> str:
        """Without credentials."""
        return f"{self.access.server}{self.prefix}"

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        repeat: bool | None = None,
        patience: float | None = None,
    ) -> dict[str, Any]:
        """The JSON of the answer. Raises one of ``jupyter_ext.errors``."""
        told = {key: str(value) for key, value in (query or {}).items() if value not in (None, "")}
        found = self.ask(
            method, f"{self.prefix}{API}{path}", body, query=told, repeat=repeat, patience=patience
        )
        return self._object(found)

    def upload(self, path: str, query: Mapping[str, str], name: str, content: bytes) -> dict[str, Any]:
        """Send a file, as a form of one field (``uploadfile``)."""
        import urllib3

        form, kind = urllib3.encode_multipart_formdata({"uploadfile": (name, content, "application/yaml")})
        told = {key: value for key, value in query.items() if value}
        return self._object(
            self.ask("POST", f"{self.prefix}{API}{path}", form, query=told, content_type=kind)
        )

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """An answer that is plain text; the path is the whole one."""
        return str(self.ask("GET", f"{self.prefix}{path}", query=query, accept="text/plain, */*"))

    def _object(self, found: Any) -> dict[str, Any]:
        if isinstance(found, str) and found[:1] == "{":  # an upload is answered as text/plain
            with suppress(ValueError):
                found = json.loads(found)
        if found in ("", None):
            return {}
        if not isinstance(found, dict):
            what = f"{self.address} does not answer as Kubeflow Pipelines does"
            raise Unavailable(
                what, hint="Give the address below which /apis/v2beta1 is; a page to log in is none."
            )
        return found

    def _refused(self, asked: Asked, status: int, data: bytes) -> KubeflowError:
        said = _said(data)
        where = Where(object=asked.path.partition(API)[2].strip("/").partition("?")[0] or None)
        if "no user identity header" in said or status == 401:
            hint = (
                "Its server wants a token of the audience pipelines.kubeflow.org: name the file with it by "
                "KF_PIPELINES_SA_TOKEN_PATH."
            )
            return Forbidden(f"{self.address} does not know who you are", hint=hint)
        if status == 403 or "PermissionDenied" in said:
            hint = "Ask the profile's owner for the role of an editor."
            if "RBAC: access denied" in said:
                hint = "The mesh lets nobody in without a token: name its file by KF_PIPELINES_SA_TOKEN_PATH."
            return Forbidden(
                f"{self.address} does not allow it: {said or 'no reason given'}", where=where, hint=hint
            )
        if "already exist" in said or "AlreadyExists" in said or "UNIQUE constraint" in said:
            return Conflict(said, where=where, hint="Choose another name.")
        kind = _ERRORS.get(status)
        if kind is NotFound:
            return NotFound(f"{self.address} has no {where.object or 'such thing'}", hint=said or None)
        if kind is not None:
            return kind(said or f"Kubeflow Pipelines answered {status}", where=where)
        return Unavailable(f"{self.address} answered {status}: {said or 'without a reason'}", where=where)

    def _unreachable(self, asked: Asked, failure: Exception) -> Unavailable:
        del asked
        inner: Any = failure
        while not isinstance(inner, str) and (reason := _behind(inner)):
            inner = reason
        text = " ".join(str(inner).split())[:LONGEST] or type(failure).__name__
        return Unavailable(
            f"Kubeflow Pipelines at {self.address} does not answer: {text}",
            hint="Is the address right, is the server up? To run here instead: kf.cluster.use('local').",
        )


def connected(
    url: str, *, token: str = "", token_file: str | Path | None = None, ca: str | Path | None = None,
    namespace: str = "", patience: float = 30.0,
) -> Wire:  # fmt: skip
    """The server at an address. Raises Invalid for what is none; nothing is asked of it."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.username
        or parts.query
        or port == -1
    ):
        raise Invalid(
            "the address of a Kubeflow Pipelines server is http:// or https://, a host and perhaps a port",
            where=Where(field="url"),
            hint="The token goes into token_file=, or the variable KF_PIPELINES_SA_TOKEN_PATH.",
        )
    login = Login(token=token, token_file=None if token_file is None else Path(token_file).expanduser())
    path = parts.path.rstrip("/").removesuffix(API).removesuffix("/#").rstrip("/")
    try:
        authority = None if ca is None else Path(ca).expanduser().read_bytes()
    except OSError as error:
        raise Invalid(f"{ca} cannot be read ({error.strerror})", where=Where(field="ca")) from None
    server = f"{parts.scheme}://{parts.netloc}"
    access = Access(f"Kubeflow Pipelines at {server}", server, namespace, login, authority)
    return Wire(access, path, patience)


def _behind(failure: Any) -> Any:
    """What an error was made of: urllib3 puts the cause into ``reason``, or last into what it was made with."""
    args = getattr(failure, "args", ())
    last = args[-1] if args and isinstance(args[-1], Exception) else None
    return getattr(failure, "reason", None) or last


def _said(data: bytes) -> str:
    """The reason in the answer, without the names of the server's functions before it."""
    try:
        found = json.loads(data)
    except ValueError:
        found = data[: 4 * LONGEST].decode(errors="replace")
    if isinstance(found, dict):
        inner = found.get("error") if isinstance(found.get("error"), dict) else found
        assert isinstance(inner, dict)
        details = next((each for each in found.get("details") or () if isinstance(each, dict)), {})
        found = (
            details.get("error_message")
            or inner.get("message")
            or inner.get("error_message")
            or inner.get("error")
            or ""
        )
    first, *rest = " ".join(_RPC.sub("", str(found)[: 8 * LONGEST]).split()).split(": ")
    while rest and _CAUSE.fullmatch(first):
        first, *rest = rest
    short = ": ".join((first, *rest))
    return (short if len(short) <= LONGEST else short[: LONGEST - 1] + "…").rstrip(".")
