"""The one table of routes: the server is set up from it, and the OpenAPI file is made from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from . import (
    about,
    blobs,
    clusters,
    compiled,
    elyra,
    gpus,
    home,
    logs,
    notebooks,
    resources,
    runs,
    servers,
    spark_ui,
)
from .registry import KINDS

BASE = "kubeflow/v1"

_PLACES = {
    "name": r"([\w.-]+)",
    "digest": r"(b3(?::|%3[Aa])[0-9a-f]{64})",
    "path": r"(.*)",
}
_ANY = r"([^/]+)"
_ENCODED = r"((?:[\w.~!*'()@$&+,;=-]|%[0-9A-Fa-f]{2})+)"
"""A name of any characters, percent-encoded."""


@dataclass(frozen=True)
class Route:
    """A path below ``kubeflow/v1/`` with ``{places}``, and the class that answers it."""

    path: str
    handler: type[Any]
    described: bool = True
    any_name: bool = False

    @property
    def pattern(self) -> str:
        """The regular expression for tornado; a colon may come percent-encoded."""
        parts = re.split(r"\{(\w+)\}", self.path)
        found = ""
        for position, part in enumerate(parts):
            if position % 2:
                found += _ENCODED if self.any_name and part == "name" else _PLACES.get(part, _ANY)
            else:
                found += re.escape(part).replace(":", "(?::|%3[Aa])")
        return f"/{BASE}/{found}"


def routes() -> list[Route]:
    """All routes, the more particular ones first."""
    found = [
        Route("status", about.StatusHandler),
        Route("doctor", about.DoctorHandler),
        Route("cluster", clusters.ClusterHandler),
        Route("home", home.HomeHandler),
        Route("home/contributors", home.ContributorsHandler),
        Route("home/contributors:remove", home.RemoveContributorHandler),
        Route("openapi.json", about.OpenApiHandler),
        Route("notebooks:check", notebooks.CheckHandler),
        Route("notebooks:compile", notebooks.CompileHandler),
        Route("notebooks:code", notebooks.SnippetHandler),
        Route("pipelines:check", compiled.CheckHandler),
        Route("pipelines:files", elyra.FilesHandler),
        Route("pipelines:convert", elyra.ConvertHandler),
        Route("runs:compare", runs.CompareHandler),
        Route("runs/{name}/values/{step}", runs.ValuesHandler),
        Route("runs/{name}/values/{step}/{value}", runs.ValueHandler),
        Route("runs/{name}/outputs/{step}", runs.OutputsHandler),
        Route("runs/{name}/code/{step}", runs.CodeHandler),
        Route("runs/{name}:open", runs.OpenHandler),
        Route("blobs/{digest}", blobs.BlobHandler),
        Route("apply", resources.ApplyHandler),
        Route("gpus", gpus.GpusHandler),
        Route("servers", servers.ServersHandler),
        Route("servers:form", servers.FormHandler),
        Route("servers:start", servers.StartHandler),
        Route("servers:stop", servers.StopHandler),
        Route("servers:resize", servers.ResizeHandler),
        Route("servers:keep", servers.KeepHandler),
    ]
    found += [
        Route(f"{kind.plural}/{{name}}/ui{rest}", spark_ui.entry_handler(kind), described=bool(rest))
        for kind in KINDS
        if kind.ui
        for rest in ("/{path}", "")
    ]
    found.append(Route("sparkui/{view}/{path}", spark_ui.ViewHandler, described=False))
    for kind in KINDS:
        loose = kind.elsewhere is not None
        found.append(Route(kind.plural, resources.list_handler(kind)))
        found += [
            Route(f"{kind.plural}:{question.name}", resources.question_handler(kind, question))
            for question in kind.questions
        ]
        if kind.logs:
            found.append(Route(f"{kind.plural}/{{name}}/logs:tail", logs.tail_handler(kind)))
            found.append(Route(f"{kind.plural}/{{name}}/logs", logs.socket_handler(kind)))
        found += [
            Route(f"{kind.plural}/{{name}}:{verb.name}", resources.verb_handler(kind, verb), any_name=loose)
            for verb in kind.verbs
        ]
        found.append(Route(f"{kind.plural}/{{name}}", resources.item_handler(kind), any_name=loose))
    found.append(Route("{path}", resources.UnknownHandler, described=False))
    return found
