"""Registered models, as the server serves them: each verb is a library function.

They are those of the registry that this profile uses, which may be elsewhere; only one of this machine has live events.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Where

from .fields import Field
from .kind import Body, Elsewhere, Kind, Question, Verb
from .listing import PAGE

VERSION = Field("version", "string", "A version by its name, or an alias.", limit=400)
ALIAS = Field("alias", "string", "The alias.", limit=100)
DESCRIPTION = Field("description", "string", "In a sentence or two.", limit=100_000)
PROPERTIES = Field("properties", "object", "More properties; null removes one.", default={}, limit=1000)
ARCHIVED = Field("archived", "boolean", "Also what is archived.", default=False)
LIMIT = Field("limit", "integer", "Greatest number.", default=PAGE, limit=500)
CREATE = (
    Field("path", "string", "File or folder relative to the server's root, or an address.", limit=4096),
    Field("from", "object", "What a run, a job or a trial made, instead of path.", fields=(
        Field("kind", "string", "Kind of the resource.", required=True, choices=("Run", "TrainJob", "Experiment", "Trial")),
        Field("name", "string", "Its name.", required=True, limit=100),
        Field("step", "string", "Step of a run.", limit=400),
        Field("value", "string", "Name of the value of a run.", limit=400),
    )),
    Field("name", "string", "Name of the model.", required=True, limit=400),
    VERSION,
    ALIAS,
    DESCRIPTION,
    Field("metrics", "object", "Numbers by name.", default={}, limit=1000),
    Field("parameters", "object", "What it was trained with, by name.", default={}, limit=1000),
    PROPERTIES,
    Field("data", "object", "Paths or addresses of data by name.", default={}, limit=100),
    Field("format", "string", "Where it is not recognised.", limit=100),
    Field("to", "string", "A URL to put the files to.", limit=4096),
    Field("dryRun", "boolean", "Only say what would be refused, and the same as code.", default=False),
)  # fmt: skip


def _registry() -> Any:
    from jupyter_ext.registry import place

    return place.default()


def _model(name: str) -> Any:
    return _registry().model(name)


def _version(name: str, body: Body) -> Any:
    return _model(name).version(body["version"] or None)


def _item(model: Any) -> object:
    from jupyter_ext.registry import presenting

    model.refresh()
    return presenting.item(model)


def _row(version: Any) -> object:
    from jupyter_ext.registry import presenting

    return presenting.row(version)


def _state() -> object:
    """Names the state of a registry of this machine; one elsewhere may have changed at any time."""
    import time

    from jupyter_ext.registry import presenting

    registry = _registry()
    return presenting.number(registry) or f"{registry.transport.address} {time.time_ns()}"


def _page(query: Mapping[str, Any]) -> dict[str, Any]:
    from jupyter_ext.registry import presenting

    states = tuple(query["state"].split(",")) if query["state"] else ()
    return presenting.page(
        _registry(),
        text=query["q"] or "",
        states=states,
        limit=query["limit"] or PAGE,
        before=query["before"],
    )


def _search(query: Body) -> object:
    from jupyter_ext.registry import presenting

    states = () if query["archived"] else ("LIVE",)
    try:
        return presenting.page(_registry(), text=query["q"], states=states, limit=query["limit"])
    except Invalid as error:
        raise Invalid(error.what, where=Where(field="q"), hint=error.hint) from None


def _get(name: str) -> object:
    return _item(_model(name))


def _create(body: Body) -> object:
    from jupyter_ext.registry import adopting

    return _item(adopting.register(_registry(), body).model)


def _draft(body: Body) -> object:
    from jupyter_ext.registry import adopting

    return adopting.draft(_registry(), body)


def _versions(name: str, body: Body) -> object:
    from jupyter_ext.registry import presenting

    return presenting.versions(
        _model(name),
        text=body["q"] or "",
        archived=body["archived"],
        limit=body["limit"],
        before=body["before"],
    )


def _one(name: str, body: Body) -> object:
    from jupyter_ext.registry import presenting

    return presenting.detail(_version(name, body))


def _lineage(name: str, body: Body) -> object:
    model = _model(name)
    version = model.version(body["version"] or model.aliases.get("champion"))
    try:
        return _with_requests(version.trace(), version.version)
    except KubeflowError:
        return version.trace()  # of a log that cannot be read


REQUESTS = 3
"""Requests of each endpoint that lineage shows."""


def _with_requests(graph: dict[str, Any], version: str) -> dict[str, Any]:
    """The last logged requests that the version answered, as the graph's right end."""
    from jupyter_ext.serving import traffic

    from . import access

    store = traffic.of(access.cluster())
    for node in [node for node in graph["nodes"] if node["kind"] == "InferenceService"]:
        try:
            endpoint = access.resource("InferenceService", node["title"])
        except NotFound:
            continue
        node["state"] = endpoint.phase
        names = [
            one["name"] for one in endpoint.status.get("variants") or () if str(one.get("version")) == version
        ]
        for found in [one for name in names for one in store.requests(endpoint.uid, REQUESTS, variant=name)][
            :REQUESTS
        ]:
            place = {"request": found.id}
            graph["nodes"].append({
                "id": f"Request:{found.id}", "kind": "Request", "title": found.id[:16], "note": f"{found.path} {found.status}",
                "ref": {"kind": "InferenceService", "name": endpoint.name, "place": place},
            })  # fmt: skip
            graph["edges"].append(
                {"source": node["id"], "target": f"Request:{found.id}", "label": found.variant}
            )
    return graph


def _alias(name: str, body: Body) -> object:
    model = _model(name)
    model.alias(body["alias"], body["version"] or None)
    return _item(model)


def _archive(name: str, body: Body) -> object:
    model = _model(name)
    (model.version(body["version"]) if body["version"] else model).archive()
    return _item(model)


def _restore(name: str, body: Body) -> object:
    model = _model(name)
    (model.version(body["version"]) if body["version"] else model).restore()
    return _item(model)


def _promote(name: str, body: Body) -> object:
    version = _version(name, body)
    target = body["to"] or name
    before = version.registry.promote(version, body["alias"], to=body["to"])
    now = version.registry.model(target).version(body["alias"])
    instead = f", in place of version {before.version}" if before and before.version != now.version else ""
    return {
        "model": target,
        "version": now.version,
        "alias": body["alias"],
        "before": before.version if before else None,
        "sentence": f"{target}@{body['alias']} is version {now.version} now{instead}.",
    }


def _copy(name: str, body: Body) -> object:
    return _row(_version(name, body).copy(body["to"], body["as"], alias=body["alias"]))


def _better(name: str, body: Body) -> object:
    version = _version(name, body)
    return version.registry.better(
        version, body["than"], body["metric"], direction=body["direction"]
    ).to_dict()


def _describe(name: str, body: Body) -> object:
    model = _model(name)
    target = model.version(body["version"]) if body["version"] else model
    target.update(description=body["description"], properties=body["properties"])
    return _item(model)


def _card(name: str, body: Body) -> object:
    model = _model(name)
    if body["readme"] is not None:
        model.readme = body["readme"]
    return {"card": model.card, "readme": model.readme}


def _code(name: str, body: Body) -> object:
    from jupyter_ext.registry import snippets

    return snippets.of(_version(name, body))


def _remove(name: str, body: Body) -> object:
    if not body["version"]:
        raise Invalid("say which version", where=Where(field="version"))
    model = _model(name)
    model.version(body["version"]).purge()
    return _item(model)


def _delete(name: str) -> None:
    _model(name).purge()


def _compare(query: Body) -> object:
    try:
        names = json.loads(query["versions"])
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(names) > 20:
        raise Invalid(
            "versions is not a JSON list of names", where=Where(field="versions"), hint='["iris:1", "iris:2"]'
        )
    from jupyter_ext.registry import comparison

    registry = _registry()
    return comparison.rows([registry.version(name) for name in names])


def _properties(_: Body) -> object:
    from jupyter_ext.registry import searching
    from jupyter_ext.registry.transport import InProcess

    transport = _registry().transport
    if not isinstance(transport, InProcess):
        raise NotFound("a registry elsewhere does not say which properties it has")
    return {"items": searching.properties(transport.service.store)}


KINDS = (
    Kind(
        "RegisteredModel",
        "registeredmodels",
        create=_create,
        create_body=CREATE,
        draft=_draft,
        delete=_delete,
        logs=False,
        elsewhere=Elsewhere(_state, _page, _get),
        verbs=(
            Verb("versions", "The versions as rows of a table, newest first.", _versions, "read", (
                LIMIT, ARCHIVED,
                Field("before", "string", "Only older ones than this version.", limit=400),
                Field("q", "string", "Words, or a filter.", limit=10_000))),
            Verb("version", "Everything of a version.", _one, "read", (VERSION,)),
            Verb("lineage", "Where a version comes from and where it went: nodes and edges.", _lineage, "read", (VERSION,)),
            Verb("alias", "Let an alias mean a version; without version, nothing any more.", _alias, "write",
                 (Field("alias", "string", "The alias.", required=True, limit=100), VERSION)),
            Verb("archive", "Put the model or a version away.", _archive, "write", (VERSION,)),
            Verb("restore", "Undo archive.", _restore, "write", (VERSION,)),
            Verb("promote", "Let an alias mean a version, in this model or as a copy in another.", _promote, "write", (
                VERSION, Field("alias", "string", "The alias.", default="champion", limit=100),
                Field("to", "string", "Another model.", limit=400))),
            Verb("copy", "The same files and facts as a version of another model.", _copy, "write", (
                VERSION, Field("to", "string", "Name of the other model.", required=True, limit=400),
                Field("as", "string", "Name of the version there.", limit=400), ALIAS)),
            Verb("better", "Whether a version is better than another by a metric.", _better, "read", (
                VERSION, Field("than", "string", "@alias, or model:version.", default="@champion", limit=800),
                Field("metric", "string", "Which metric.", limit=400),
                Field("direction", "string", "What is better.", choices=("maximize", "minimize")))),
            Verb("describe", "Change the description or properties of the model or of a version.", _describe, "write",
                 (DESCRIPTION, PROPERTIES, VERSION)),
            Verb("card", "The model card; with readme, which is its written part, changed.", _card, "write",
                 (Field("readme", "string", "Markdown.", limit=1 << 20),)),
            Verb("code", "How to get it in Python, as a magic and on the command line.", _code, "read", (VERSION,)),
            Verb("remove", "Remove a version for good; refused while it is served.", _remove, "write", (VERSION,)),
        ),
        questions=(
            Question("search", "Models by words or a filter, over models and versions.", _search, (
                Field("q", "string", "Words, or a filter.", default="", limit=10_000), LIMIT, ARCHIVED)),
            Question("compare", "What differs between versions.", _compare,
                     (Field("versions", "string", "JSON list of model:version.", required=True, limit=10_000),)),
            Question("properties", "The names that a filter can use.", _properties),
        ),
    ),
)  # fmt: skip
