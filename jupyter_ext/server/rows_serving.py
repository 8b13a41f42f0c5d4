"""Endpoints and graphs of models, as the server serves them: each verb is a library function.

A browser never gets the gateway's token: what it wants predicted goes through the verbs, and code reads the token
from its file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .fields import Field
from .kind import Body, Kind, Verb
from .rows_training import DRY, RESOURCES

VARIANT = Field("variant", "string", "Name of the variant, for example v2.", limit=63)
STICKY = Field(
    "sticky", "string", "header:NAME, query:NAME or body:PATH; empty: nobody stays with a variant.", limit=400
)
LOG = Field(
    "log",
    ("boolean", "object"),
    "Keep requests and answers: true, or {sample, bodies, redact, keep}.",
    limit=10,
)
RULES = Field("rules", "array", "For example: roll back if errors > 2 % over 5 minutes.", limit=100)
CREATE = (
    Field("model", "string", "NAME, NAME@ALIAS or NAME:VERSION of the registry.", required=True, limit=400),
    Field("endpoint", "string", "Name of the endpoint; that of the model without it.", limit=63),
    VARIANT,
    Field(
        "percent", "number", "Put it beside what is served, with this share; without it, it takes over.", limit=100
    ),
    Field("replicas", ("integer", "string"), "Processes, or LEAST:MOST.", limit=1000),
    RESOURCES,
    Field("env", "object", "Environment variables.", default={}, limit=1000),
    Field("timeout", "integer", "Seconds that a request may take.", limit=86_400),
    Field("batch", "object", "Requests put into one prediction.", fields=(
        Field("size", "integer", "So many at most.", required=True, limit=10**6),
        Field("wait_ms", "integer", "Milliseconds that the first one waits for others.", limit=60_000),
    )),
    Field("idle", "integer", "Seconds without a request after which its processes stop.", limit=10**8),
    STICKY,
    LOG,
    Field("grpc", "boolean", "Answer V2 by gRPC too.", default=False),
    Field("explain", "boolean", "Answer :explain too.", default=False),
    Field("trust", "boolean", "Load a format that can run code, registered by somebody else.", default=False),
    RULES,
    DRY,
)  # fmt: skip
DATA = Field("data", ("object", "array"), "A V1 or V2 body, rows, or columns.", required=True, limit=100_000)
CURVES = (
    Field("since", "integer", "Only points after this cursor.", default=0, limit=2**53),
    Field("names", "array", "Only these, for example v1/rate.", limit=1000),
    Field(
        "limit", "integer", "Points of each series at most; more are thinned.", default=2000, limit=100_000
    ),
)
COMPARE = (
    Field("metric", "string", "What is compared: errors, p95, or an outcome; all without it.", limit=400),
    Field("against", "string", "Which variant the others are held against; the stable one without it.", limit=63),
    Field("since", "number", "Only the last so many seconds.", limit=10**9),
)  # fmt: skip
REQUESTS = (
    Field("limit", "integer", "Requests at most.", default=50, limit=1000),
    Field("before", ("integer", "string"), "Only older ones: next of the page before.", limit=2**53),
    VARIANT,
    Field("failed", "boolean", "Only those that failed, or only the others."),
    Field("search", "string", "Only those with this text.", default="", limit=400),
)
ID = Field("id", ("integer", "string"), "Of a request in the log.", required=True, limit=2**53)


def _words(body: Body) -> dict[str, Any]:
    """Give what was said as keywords of the library's function."""
    return {name: value for name, value in body.items() if name != "dryRun" and value not in (None, {}, [])}


def _create(body: Body) -> object:
    from jupyter_ext import serving

    said = _words(body)
    # Whoever asked sees by events how it comes up; a model takes what time it takes.
    return serving.serve(said.pop("model"), wait=False, **said).resource


def _draft(body: Body) -> object:
    from jupyter_ext.serving import forms

    return forms.draft(_words(body))


def _endpoint(name: str) -> Any:
    from jupyter_ext import serving

    return serving.get(name)


def _do(verb: str, name: str, body: Body) -> object:
    endpoint = _endpoint(name)
    getattr(endpoint, verb)(**{key: value for key, value in body.items() if value is not None})
    return endpoint.resource


def _traffic(name: str, body: Body) -> object:
    if body["dryRun"]:
        from jupyter_ext.serving import forms

        return forms.traffic_draft(name, body["split"], body["sticky"])
    endpoint = _endpoint(name)
    more = {} if body["sticky"] is None else {"sticky": body["sticky"] or None}
    endpoint.traffic(body["split"], **more)
    return endpoint.resource


def _mirror(name: str, body: Body) -> object:
    endpoint = _endpoint(name)
    endpoint.mirror(body["variant"] or None, body["percent"] if body["variant"] else 0)
    return endpoint.resource


def _rules(name: str, body: Body) -> object:
    from jupyter_ext.serving import forms

    if body["dryRun"]:
        return {"problems": forms.rule_problems(body["rules"] or [])}
    return {"items": _endpoint(name).rules(*(body["rules"] or [""] if body["rules"] is not None else ()))}


def _log(name: str, body: Body) -> object:
    endpoint = _endpoint(name)
    if body["log"] is not None:
        endpoint.log(None if body["log"] is False else body["log"])
    return {"log": endpoint.kept}


def _revisions(name: str, _: Body) -> object:
    from jupyter_ext.serving import presenting

    return {"items": presenting.revisions(_endpoint(name))}


def _curves(name: str, body: Body) -> object:
    from jupyter_ext.display.series import page

    from . import access

    uid = _endpoint(name).resource.uid
    return page(
        access.cluster().metrics.read(uid, since=body["since"], names=body["names"], limit=body["limit"])
    )


def _compare(name: str, body: Body) -> object:
    import time

    since = None if body["since"] is None else time.time() - body["since"]
    return _endpoint(name).compare(metric=body["metric"], against=body["against"], since=since).to_dict()


def _drift(name: str, body: Body) -> object:
    more = {"variant": body["variant"]} if body["variant"] else {}
    return _endpoint(name).drift(**more).to_dict()


def _requests(name: str, body: Body) -> object:
    from jupyter_ext.serving import presenting

    return presenting.requests_page(_endpoint(name), body)


def _request(name: str, body: Body) -> object:
    from jupyter_ext.serving import presenting

    return presenting.request(_endpoint(name), body["id"])


def _replay(name: str, body: Body) -> object:
    more = {key: body[key] for key in ("against", "ids") if body[key]}
    return _endpoint(name).replay(body["variant"], limit=body["limit"], **more).to_dict()


def _ask(verb: str, name: str, body: Body) -> object:
    return _told(getattr(_endpoint(name), verb)(body["data"], variant=body["variant"], raw=True))


def _told(answer: Any) -> dict[str, Any]:
    from jupyter_ext.serving import presenting

    return {
        "status": answer.status,
        "seconds": answer.seconds,
        "requestId": answer.request_id,
        "variant": answer.variant,
        "body": presenting.answer_body(answer.body),
    }


def _feedback(name: str, body: Body) -> None:
    _endpoint(name).feedback(body["requestId"], **body["outcome"])


def _example(name: str, body: Body) -> object:
    from jupyter_ext.serving import presenting

    return presenting.example(_endpoint(name), body["variant"])


def _code(name: str, body: Body) -> object:
    from jupyter_ext.serving import snippets

    return snippets.of(_endpoint(name).resource, body["variant"], body["data"])


def _delete(name: str) -> None:
    _endpoint(name).delete()


def _changes(name: str, about: str, *body: Field, call: Callable[[str, Body], object] | None = None) -> Verb:
    """A verb that changes the endpoint."""
    return Verb(name, about, call or partial(_do, name), action="write", body=body)


_CHANGING = (
    _changes(
        "traffic",
        "Share the traffic between variants.",
        Field("split", "object", "Percent by variant; they add up to 100.", required=True, limit=100),
        STICKY,
        DRY,
        call=_traffic,
    ),
    _changes(
        "mirror",
        "Send copies of requests to a variant whose answers nobody waits for.",
        VARIANT,
        Field("percent", "number", "Share of the requests that is copied.", default=100, limit=100),
        call=_mirror,
    ),
    _changes("promote", "Give a variant all the traffic; it becomes the stable one.", VARIANT),
    _changes("rollback", "Go back to an earlier revision, or to the one before.",
             Field("revision", "integer", "Its number.", limit=10**9)),
    _changes("remove", "Take a variant away; its share goes to the stable one.",
             Field("variant", "string", "Name of the variant.", required=True, limit=63)),
    _changes("rules", "Set the rules by which it rolls back by itself, or read how they stand.", RULES, DRY, call=_rules),
    _changes("log", "Set what is kept of its requests (false: nothing), or read it.", LOG, call=_log),
    _changes("stop", "Stop its processes; its address stays."),
    _changes("start", "Start its processes again."),
)  # fmt: skip
_READING = (
    Verb("revisions", "What it was, newest first.", _revisions, "read"),
    Verb("curves", "Rate, errors and latency of each variant over time.", _curves, "read", CURVES),
    Verb("compare", "The variants held against each other, with a verdict.", _compare, "read", COMPARE),
    Verb("drift", "How far requests have moved from what the model was trained on.", _drift, "read", (VARIANT,)),
    Verb("requests", "The log of requests, newest first.", _requests, "read", REQUESTS),
    Verb("request", "One request of the log with its answer.", _request, "read", (ID,)),
    Verb("example", "The example recorded with its model, ready to send.", _example, "read", (VARIANT,)),
    Verb("code", "The same endpoint as Python, magic, command and YAML, and the code of clients.", _code, "read",
         (VARIANT, Field("data", ("object", "array"), "What the clients send; the example without it.", limit=100_000))),
)  # fmt: skip
_ASKING = (
    Verb("predict", "Predict.", partial(_ask, "predict"), body=(DATA, VARIANT)),
    Verb("explain", "Which input weighed how much in each prediction.", partial(_ask, "explain"), body=(DATA, VARIANT)),
    Verb("feedback", "What came of a prediction.", _feedback, body=(
        Field("requestId", "string", "The X-Request-Id of its answer.", required=True, limit=400),
        Field("outcome", "object", "Numbers by name, for example {clicked: 1}.", required=True, limit=100),
    )),
    Verb("replay", "Send logged requests to a variant and compare the answers.", _replay, body=(
        Field("variant", "string", "Name of the variant.", required=True, limit=63),
        Field("limit", "integer", "So many of the newest requests.", default=200, limit=10_000),
        Field("against", "string", "Compare with this variant's answers now, not with those of the log.", limit=63),
        Field("ids", "array", "Only these requests.", limit=10_000),
    )),
)  # fmt: skip


def _graph(name: str) -> Any:
    from jupyter_ext.serving.graph import graph

    return graph(name)


def _ask_graph(name: str, body: Body) -> object:
    return _told(_graph(name).predict(body["data"], raw=True))


def _delete_graph(name: str) -> None:
    _graph(name).delete()


KINDS = (
    Kind(
        "InferenceService",
        "inferenceservices",
        create=_create,
        create_body=CREATE,
        draft=_draft,
        delete=_delete,
        verbs=(*_CHANGING, *_READING, *_ASKING),
    ),
    Kind(
        "InferenceGraph",
        "inferencegraphs",
        delete=_delete_graph,
        verbs=(Verb("predict", "Send a request through the graph.", _ask_graph, body=(DATA,)),),
        logs=False,
    ),
)
