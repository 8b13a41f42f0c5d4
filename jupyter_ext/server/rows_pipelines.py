"""Runs and schedules, as the server serves them: each verb is a library function."""

from __future__ import annotations

from typing import Any

from . import access
from .fields import Field
from .kind import Body, Kind, Verb
from .registering import REGISTER, asked

PATH = Field(
    "path", "string", "Notebook (.py file, or compiled pipeline) relative to the server's root.", limit=4096
)
NOTEBOOK = Field("notebook", "object", "Content as in the editor; the path then only names it.", limit=1000)
CONTENT = Field("content", "object", "Content as in the editor; the path then only names it.", limit=1000)
PARAMETERS = Field(
    "parameters", "object", "Values for the notebook's parameters, by name.", default={}, limit=1000
)
STEP = Field("step", "string", "Name of a step.", limit=400)
OPTIONS = Field(
    "options",
    "object",
    "What to run.",
    default={},
    fields=(
        Field("from", "string", "Run from this step on; earlier values come from the cache.", limit=400),
        Field("only", "string", "Run this step alone.", limit=400),
        Field("cache", "boolean", "Whether results of earlier runs may be taken.", default=True),
        Field(
            "resources", "object", "What steps ask for, this time: {step: {cpu, memory, gpu}}.", limit=1000
        ),
    ),
)


def _run(name: str) -> Any:
    return access.run(name)


def _create_run(body: Body) -> object:
    from jupyter_ext import pipelines

    options = body["options"]
    return pipelines.run(
        body["path"],
        notebook=body["notebook"],
        parameters=body["parameters"],
        from_=options.get("from"),
        only=options.get("only"),
        cache=options.get("cache", True),
        resources=options.get("resources"),
        register=asked(body),
    ).resource


def _delete_run(name: str) -> None:
    _run(name).delete()


def _stop(name: str, _: Body) -> object:
    run = _run(name)
    run.stop()
    return run.resource


def _export(name: str, _: Body) -> object:
    from jupyter_ext.pipelines.kfp.absent import Absent

    run = _run(name)
    if isinstance(run, Absent) or run.compiled:  # what cells showed at a server is in their logs
        return {"name": f"{name}.yaml", "yaml": run.yaml()}
    return {"name": f"{name}.ipynb", "notebook": run.executed()}


RUN_VERBS = (
    Verb("stop", "Ask the run to stop.", _stop, action="write"),
    Verb("resume", "Go on from the failed step.", lambda name, _: _run(name).resume().resource),
    Verb(
        "rerun",
        "Run the same notebook and parameters again.",
        lambda name, body: _run(name).rerun(from_=body["from"]).resource,
        body=(Field("from", "string", "Run from this step on.", limit=400),),
    ),
    Verb(
        "reproduce",
        "Run again exactly as recorded, to compare every output.",
        lambda name, _: _run(name).reproduce(wait=False).resource,
    ),
    Verb(
        "report",
        "Of a run that reproduced another: whether each output is identical.",
        lambda name, _: _run(name).report().to_dict(),
        action="read",
    ),
    Verb("executed", "The notebook as executed.", lambda name, _: _run(name).executed(), action="read"),
    Verb(
        "export",
        "The notebook as executed, or the compiled pipeline, with a file name.",
        _export,
        action="read",
    ),
)


def _create_schedule(body: Body) -> object:
    from jupyter_ext import pipelines

    return pipelines.schedule(
        body["path"],
        body["cron"],
        name=body["name"],
        parameters=body["parameters"],
        timezone=body["timezone"],
        enabled=body["enabled"],
        max_concurrency=body["maxConcurrency"],
        catchup=body["catchup"],
    )


def _set_schedule(name: str, *, enabled: bool) -> object:
    from jupyter_ext import pipelines

    return pipelines.schedule_set(name, enabled=enabled)


def _trigger_schedule(name: str, _: Body) -> object:
    from jupyter_ext import pipelines

    started: Any = pipelines.schedule_run(name)
    return getattr(started, "resource", started)


def _delete_schedule(name: str) -> None:
    from jupyter_ext import pipelines

    pipelines.schedule_delete(name)


KINDS = (
    Kind(
        "Run",
        "runs",
        create=_create_run,
        create_body=(PATH, NOTEBOOK, PARAMETERS, OPTIONS, REGISTER),
        delete=_delete_run,
        verbs=RUN_VERBS,
        beside=True,
    ),
    Kind(
        "RecurringRun",
        "recurringruns",
        logs=False,
        create=_create_schedule,
        create_body=(
            Field("path", "string", PATH.about, required=True, limit=4096),
            Field("cron", "string", "Five fields, for example 0 6 * * 1-5.", required=True, limit=200),
            Field("name", "string", "Name of the schedule; one is made up without it.", limit=63),
            PARAMETERS,
            Field("timezone", "string", "For example Europe/Berlin; the server's own without it.", limit=64),
            Field("enabled", "boolean", "Whether it starts runs.", default=True),
            Field("maxConcurrency", "integer", "Runs of it at the same time.", default=1, limit=100),
            Field(
                "catchup",
                "boolean",
                "Whether times missed while the machine was off are made up.",
                default=False,
            ),
        ),
        delete=_delete_schedule,
        verbs=(
            Verb("pause", "Start no more runs.", lambda name, _: _set_schedule(name, enabled=False), "write"),
            Verb("resume", "Start runs again.", lambda name, _: _set_schedule(name, enabled=True), "write"),
            Verb("run", "Start a run of it now.", _trigger_schedule),
        ),
        beside=True,
    ),
)
