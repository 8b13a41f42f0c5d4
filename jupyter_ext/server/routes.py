"""The one table of routes: the server is set up from it, and the OpenAPI file is made from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from . import about, blobs, logs, notebooks, resources, runs
from .registry import KINDS

BASE = "kubeflow/v1"

_PLACES = {
    "name": r"([\w.-]+)",
    "digest": r"(b3(?::|%3[Aa])[0-9a-f]{64})",
    "path": r"(.*)",
}
_ANY = r"([^/]+)"


@dataclass(frozen=True)
class Route:
    """A path below ``kubeflow/v1/`` with ``{places}``, and the class that answers it."""

    path: str
    handler: type[Any]
    described: bool = True

    @property
    def pattern(self) -> str:
        """The regular expression for tornado; a colon may come percent-encoded."""
        parts = re.split(r"\{(\w+)\}", self.path)
        found = ""
        for position, part in enumerate(parts):
            if position % 2:
                found += _PLACES.get(part, _ANY)
            else:
                found += re.escape(part).replace(":", "(?::|%3[Aa])")
        return f"/{BASE}/{found}"


def routes() -> list[Route]:
    """All routes, the more particular ones first."""
    found = [
        Route("status", about.StatusHandler),
        Route("doctor", about.DoctorHandler),
        Route("openapi.json", about.OpenApiHandler),
        Route("notebooks:check", notebooks.CheckHandler),
        Route("notebooks:compile", notebooks.CompileHandler),
        Route("notebooks:code", notebooks.SnippetHandler),
        Route("runs:compare", runs.CompareHandler),
        Route("runs/{name}/values/{step}/{value}", runs.ValueHandler),
        Route("runs/{name}/outputs/{step}", runs.OutputsHandler),
        Route("runs/{name}/code/{step}", runs.CodeHandler),
        Route("runs/{name}:open", runs.OpenHandler),
        Route("blobs/{digest}", blobs.BlobHandler),
        Route("apply", resources.ApplyHandler),
    ]
    for kind in KINDS:
        found.append(Route(kind.plural, resources.list_handler(kind)))
        found += [
            Route(f"{kind.plural}:{question.name}", resources.question_handler(kind, question))
            for question in kind.questions
        ]
        if kind.logs:
            found.append(Route(f"{kind.plural}/{{name}}/logs:tail", logs.tail_handler(kind)))
            found.append(Route(f"{kind.plural}/{{name}}/logs", logs.socket_handler(kind)))
        found += [
            Route(f"{kind.plural}/{{name}}:{verb.name}", resources.verb_handler(kind, verb))
            for verb in kind.verbs
        ]
        found.append(Route(f"{kind.plural}/{{name}}", resources.item_handler(kind)))
    found.append(Route("{path}", resources.UnknownHandler, described=False))
    return found
