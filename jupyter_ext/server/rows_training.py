"""Training jobs, as the server serves them: each verb is a library function."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.training.spec import FRAMEWORKS

from .fields import Field
from .kind import Body, Kind, Question, Verb
from .registering import REGISTER, asked

SOURCE = Field("source", "string", "Python code to run in each process.", limit=1 << 20)
FUNCTION = Field("function", "string", "Call this function of the file.", limit=200)
FILE = Field("path", "string", "Python file relative to the server's root.", limit=4096)
NODES = Field("nodes", ("integer", "string"), "Number of nodes, or MIN:MAX.", limit=10_000)
PROCS = Field("procs", "integer", "Processes on each node.", limit=10_000)
RESOURCES = Field(
    "resources", "object", "What each node asks for: cpu, memory, gpu, as 2, 4Gi, 1.", default={}, limit=20
)
FRAMEWORK = Field("framework", "string", "How its processes find each other.", choices=FRAMEWORKS)
NAME = Field("name", "string", "Name; one is made up without it.", limit=63)
DRY = Field("dryRun", "boolean", "Only say what would be refused, and the same as code.", default=False)
CREATE = (
    FILE,
    FUNCTION,
    SOURCE,
    FRAMEWORK,
    Field("runtime", "string", "Runtime by its upstream name.", limit=63),
    NAME,
    NODES,
    PROCS,
    RESOURCES,
    Field("packages", "array", "Packages that it needs.", default=[], limit=1000),
    Field("args", "object", "Arguments of the function, names in the cell, options of a script.", default={}, limit=1000),
    Field("env", "object", "Environment variables.", default={}, limit=1000),
    Field("data", "object", "Files and folders that it reads, by name.", default={}, limit=1000),
    Field("deadline", "integer", "Seconds after which it is stopped.", limit=10**9),
    Field("restarts", "integer", "Times that it is started again when it fails.", limit=10_000),
    Field("queue", "string", "Queue of Kueue, on a cluster that has it.", limit=63),
    Field("priority", "string", "Priority class in the queue.", limit=63),
    Field("checkpoint", ("boolean", "string"), "Keep a folder for checkpoints; true makes one.", limit=4096),
    REGISTER,
    DRY,
)  # fmt: skip
CURVES = (
    Field("since", "integer", "Only points after this cursor.", default=0, limit=2**53),
    Field("names", "array", "Only these metrics.", limit=1000),
    Field(
        "limit", "integer", "Points of each series at most; more are thinned.", default=2000, limit=100_000
    ),
)


def what(body: Body) -> str | Path:
    """Give what is to be run; raises Invalid where there is nothing, or two things."""
    if body.get("path") and body.get("source") is not None:
        raise Invalid("give path or source, not both", where=Where(field="source"))
    if body.get("path"):
        return Path(body["path"])
    if not body.get("source"):
        raise Invalid("there is nothing to run", where=Where(field="source"), hint="Give source or path.")
    return str(body["source"])


def words(body: Body) -> dict[str, Any]:
    """Give what was said as keywords of the library's function."""
    left = {"path", "source", "dryRun", "notebook"}
    said = {**body, "register": asked(body)}
    return {name: value for name, value in said.items() if name not in left and value not in (None, {}, [])}


def _create(body: Body) -> object:
    from jupyter_ext import training

    return training.train(what(body), **words(body)).resource


def _draft(body: Body) -> object:
    from jupyter_ext.training import forms

    return forms.draft({**body, "register": asked(body)})


def _job(kind: str, name: str) -> Any:
    from jupyter_ext import training

    return training.get(name, kind=kind)


def _do(verb: str, kind: str, name: str, _: Body) -> object:
    job = _job(kind, name)
    getattr(job, verb)()
    return job.resource


def _curves(kind: str, name: str, body: Body) -> object:
    from jupyter_ext.display.series import page

    return page(_job(kind, name).curves(since=body["since"], names=body["names"], limit=body["limit"]))


def _code(kind: str, name: str, _: Body) -> object:
    from jupyter_ext.training import snippets

    return snippets.of(_job(kind, name).resource)


def _delete(kind: str, name: str) -> None:
    _job(kind, name).delete()


def verbs(kind: str) -> tuple[Verb, ...]:
    """The verbs of a kind of job."""
    return (
        Verb("stop", "Stop the job and all its processes.", partial(_do, "stop", kind), action="write"),
        Verb(
            "suspend",
            "Stop its processes; it can go on later.",
            partial(_do, "suspend", kind),
            action="write",
        ),
        Verb("resume", "Go on from the last checkpoint.", partial(_do, "resume", kind)),
        Verb(
            "curves",
            "Metrics and utilisation over time, of each rank.",
            partial(_curves, kind),
            "read",
            CURVES,
        ),
        Verb("code", "The same job as Python, magic, command and YAML.", partial(_code, kind), "read"),
    )


def _runtimes(_: Body) -> object:
    from jupyter_ext import training

    fields = ("name", "framework", "available", "reason")
    return {
        "items": [{name: getattr(found, name) for name in fields} for found in training.runtimes()],
    }


KINDS = (
    Kind(
        "TrainJob",
        "trainjobs",
        create=_create,
        create_body=CREATE,
        draft=_draft,
        delete=partial(_delete, "TrainJob"),
        verbs=verbs("TrainJob"),
        questions=(Question("runtimes", "The runtimes, and why one is not available.", _runtimes),),
    ),
    *(
        Kind(kind, plural, delete=partial(_delete, kind), verbs=verbs(kind))
        for kind, plural in (
            ("TFJob", "tfjobs"),
            ("PyTorchJob", "pytorchjobs"),
            ("XGBoostJob", "xgboostjobs"),
        )
    ),
)
