"""How a registry is asked: in this process, or over HTTP. The words are those of the REST API either way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

from jupyter_ext.registry.routes import answer
from jupyter_ext.registry.service import Service

PAGE: Final = 500
"""Records asked for at once."""

Json = dict[str, Any]


class Transport(Protocol):
    """Asks a registry; errors are those of ``jupyter_ext.errors``."""

    @property
    def address(self) -> str:
        """For people: where the registry is."""

    def ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None
    ) -> Json:
        """One request below ``/api/model_registry/{version}/``."""

    def enter(self, entry: Json) -> Json | None:
        """Write a whole registration at once; gives model and version, or None where it is to be written by ``ask``."""

    def transaction(self) -> AbstractContextManager[None]:
        """Where the registry can: all requests within happen, or none."""


class InProcess:
    """The registry of a file, without a server."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @property
    def address(self) -> str:
        """The file."""
        return str(self.service.store.path)

    def ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None
    ) -> Json:
        """One request, answered by the same code that a server would ask."""
        _, found = answer(self.service, method, "v1alpha3", path, query or {}, body)
        return found

    def enter(self, entry: Json) -> None:
        """Nothing: requests cost next to nothing here, and a transaction makes them one."""
        del entry

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        with self.service.transaction():
            yield


def pages(transport: Transport, path: str, query: Mapping[str, str], limit: int | None) -> Iterator[Json]:
    """The records of a list, page after page."""
    left = limit
    token = ""
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        asked = {**query, "pageSize": str(size)} | ({"nextPageToken": token} if token else {})
        found = transport.ask("GET", path, asked)
        yield from found["items"]
        token = found.get("nextPageToken") or ""
        if not token:
            return
        if left is not None:
            left -= len(found["items"])
