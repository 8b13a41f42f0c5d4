"""Spark's applications, schedules and sessions, as the server serves them: each verb is a library function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .fields import Field
from .kind import Body, Kind, Verb
from .rows_training import DRY, FILE, FUNCTION, SOURCE, what

NAME = Field("name", "string", "Name; one is made up without it.", limit=63)
SIZES = (
    Field("cores", "integer", "Cores of each executor.", limit=10_000),
    Field("executors", "integer", "Executors; several are processes of their own.", limit=10_000),
    Field("memory", "string", "Memory of each executor, as 2g.", limit=40),
    Field("driverMemory", "string", "Memory of the driver, as 1g.", limit=40),
    Field("conf", "object", "Settings of Spark.", limit=1000),
)
BATCH = (
    FILE,
    SOURCE,
    FUNCTION,
    NAME,
    *SIZES,
    Field("args", "object", "Arguments of the function.", limit=1000),
    Field("arguments", "array", "The command line of a file.", limit=1000),
    Field("mainClass", "string", "Main class of a .jar.", limit=1000),
    Field("env", "object", "Environment variables.", limit=1000),
    Field("packages", "array", "Packages of Maven, as GROUP:NAME:VERSION.", limit=1000),
    Field("jars", "array", "Paths of .jar files that go along.", limit=1000),
    Field("pyFiles", "array", "Paths of .py and .zip files that go along.", limit=1000),
    Field("retries", "integer", "Times that it is started again when it fails.", limit=1000),
    DRY,
)
SCHEDULE = (
    Field(
        "schedule", "string", "Five fields as 0 6 * * 1-5, @daily, or @every 1h30m.", required=True, limit=200
    ),
    Field("timeZone", "string", "For example Europe/Berlin; the server's own without it.", limit=64),
    Field(
        "concurrencyPolicy",
        "string",
        "What happens when the one before still runs.",
        choices=("Allow", "Forbid", "Replace"),
    ),
    Field("suspend", "boolean", "Whether it begins suspended."),
    Field(
        "successfulRunHistoryLimit", "integer", "Applications that succeeded are kept so many.", limit=10_000
    ),
    Field("failedRunHistoryLimit", "integer", "Applications that failed are kept so many.", limit=10_000),
    *BATCH,
)
SESSION = (
    Field("name", "string", "Name; spark without it.", limit=63),
    *SIZES,
    Field("idle", "string", "It ends after so long without use, as 30m; 0 for never.", limit=40),
    DRY,
)
_KEYWORDS = {
    "driverMemory": "driver_memory",
    "mainClass": "main_class",
    "pyFiles": "py_files",
    "schedule": "cron",
    "timeZone": "timezone",
    "concurrencyPolicy": "concurrency",
    "successfulRunHistoryLimit": "keep",
    "failedRunHistoryLimit": "keep_failed",
}
"""Words of the library where those of REST are upstream's."""


def words(body: Body) -> dict[str, Any]:
    """Give what was said as keywords of the library's functions."""
    left = {"path", "source", "function", "dryRun"}
    return {
        _KEYWORDS.get(name, name): value
        for name, value in body.items()
        if name not in left and value not in (None, {}, [])
    }


def subject(body: Body) -> dict[str, Any]:
    """Give what is to be run; raises Invalid where there is nothing."""
    return {"what": what(body), "function": body["function"]}


def _spoken(error: Any, body: Mapping[str, Any]) -> Any:
    """Give the error with the field of the request in the place of the library's keyword."""
    from jupyter_ext.training.containers import renamed

    back = {keyword: name for name, keyword in _KEYWORDS.items()}
    return renamed(error, {**back, "what": "path" if body.get("path") else "source"})


def _begin(subject: Mapping[str, Any], body: Body) -> object:
    from jupyter_ext.errors import KubeflowError
    from jupyter_ext.spark import forms

    try:
        return forms.begin(subject, words(body)).resource
    except KubeflowError as error:
        raise _spoken(error, body) from error


def _drafted(subject: Mapping[str, Any], body: Body) -> object:
    from jupyter_ext.spark import forms

    found = forms.draft(subject, words(body))
    back = {keyword: name for name, keyword in _KEYWORDS.items()} | {"what": "path"}
    problems = [{**each, "field": back.get(each["field"], each["field"])} for each in found["problems"]]
    return {**found, "problems": problems}


def _draft(body: Body) -> object:
    from jupyter_ext.errors import Invalid

    try:
        return _drafted(subject(body), body)
    except Invalid:  # nothing is chosen yet
        return _drafted({"what": None, "function": body["function"]}, body)


def _handle(kind: str, name: str) -> Any:
    from jupyter_ext import resources

    return resources.handle(f"{kind}/{name}")


def _do(kind: str, verb: str) -> Any:
    def call(name: str, _: Body) -> object:
        found = _handle(kind, name)
        made = getattr(found, verb)()
        return found.resource if made is None else made.resource

    return call


def _delete(kind: str) -> Any:
    return lambda name: _handle(kind, name).delete()


def _code(kind: str) -> Any:
    def call(name: str, _: Body) -> object:
        from jupyter_ext.spark import snippets

        return snippets.of(_handle(kind, name).resource)

    return call


def _events(kind: str) -> Any:
    def call(name: str, _: Body) -> object:
        from . import access

        found = access.cluster().events(kind, access.resource(kind, name).name)
        return {"items": [event.to_dict() for event in found][::-1]}

    return call


def _verbs(kind: str, *own: Verb) -> tuple[Verb, ...]:
    return (
        *own,
        Verb("code", "The same as Python, magic, command and YAML.", _code(kind), "read"),
        Verb("events", "What happened to it, the newest first.", _events(kind), "read"),
    )


_APPLICATION, _SCHEDULE, _SESSION = "SparkApplication", "ScheduledSparkApplication", "SparkConnect"
KINDS = (
    Kind(
        _APPLICATION,
        "sparkapplications",
        create=lambda body: _begin(subject(body), body),
        create_body=BATCH,
        draft=_draft,
        delete=_delete(_APPLICATION),
        ui=True,
        verbs=_verbs(
            _APPLICATION,
            Verb("stop", "Stop the application.", _do(_APPLICATION, "stop"), action="write"),
        ),
    ),
    Kind(
        _SCHEDULE,
        "scheduledsparkapplications",
        create=lambda body: _begin(subject(body), body),
        create_body=SCHEDULE,
        draft=_draft,
        delete=_delete(_SCHEDULE),
        logs=False,
        verbs=_verbs(
            _SCHEDULE,
            Verb("suspend", "Start no more applications.", _do(_SCHEDULE, "suspend"), action="write"),
            Verb("resume", "Start applications again.", _do(_SCHEDULE, "resume")),
            Verb("run", "Start one now.", _do(_SCHEDULE, "run")),
        ),
    ),
    Kind(
        _SESSION,
        "sparkconnects",
        create=lambda body: _begin({}, body),
        create_body=SESSION,
        draft=lambda body: _drafted({}, body),
        delete=_delete(_SESSION),
        ui=True,
        verbs=_verbs(
            _SESSION,
            Verb("stop", "End the session, and forget its views.", _do(_SESSION, "stop"), action="write"),
        ),
    ),
)
