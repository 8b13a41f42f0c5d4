"""Tools that read and that no row of a kind describes: those of all kinds, of the machine, of notebooks and runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.mcp import files
from jupyter_ext.mcp.answers import Log
from jupyter_ext.server import about, access, listing, notebooks, runs
from jupyter_ext.server.fields import Field
from jupyter_ext.server.registry import KINDS
from jupyter_ext.server.resources import LIST_QUERY
from jupyter_ext.server.rows_pipelines import PATH

if TYPE_CHECKING:
    from jupyter_ext.server.kind import Body, Kind

LINES: Final = 2000
"""Lines of a log in one answer at most."""
TAIL: Final = 40
"""Lines of it that ``resource_why`` shows."""

_BY_NAME: Final = {kind.kind: kind for kind in KINDS}
_KIND: Final = Field("kind", "string", "Kind of the resource.", required=True, choices=tuple(_BY_NAME))
_NAME: Final = Field("name", "string", "Name of the resource.", required=True, limit=400)
_LOGS: Final = Field(
    "kind", "string", "Kind of the resource.", required=True,
    choices=tuple(kind.kind for kind in KINDS if kind.logs),
)  # fmt: skip


@dataclass(frozen=True)
class General:
    """A tool that reads; ``call`` gets the folder whose files may be meant."""

    name: str
    about: str
    fields: tuple[Field, ...]
    call: Callable[[Path, Body], object]


def _list(_: Path, body: Body) -> object:
    query: Any = {"limit": None, "before": None, "state": None, "q": None} | body
    if query["kind"] is None:
        from jupyter_ext import resources

        phase = query["state"].split(",") if query["state"] else None
        found = resources.list_(None, limit=query["limit"] or listing.PAGE, phase=phase, text=query["q"])
        return {"items": [listing.summary(item, None) for item in found]}
    kind = _BY_NAME[query["kind"]]
    if kind.elsewhere:
        return kind.elsewhere.page(query)
    return listing.page(access.listed(kind.kind), query, None)


def _get(_: Path, body: Body) -> object:
    return one(_BY_NAME[body["kind"]], body["name"])


def one(kind: Kind, name: str) -> object:
    """Give one resource, wherever its kind is kept; raises NotFound."""
    return kind.elsewhere.get(name) if kind.elsewhere else access.resource(kind.kind, name)


def _describe(_: Path, body: Body) -> object:
    from jupyter_ext import resources

    kind = _BY_NAME[body["kind"]]
    return kind.elsewhere.get(body["name"]) if kind.elsewhere else resources.describe(_reference(body))


def _reference(body: Body) -> str:
    return f"{body['kind']}/{body['name']}"


def _why(_: Path, body: Body) -> object:
    from jupyter_ext import why

    return why.why(_reference(body), tail=TAIL)


def _logs(_: Path, body: Body) -> object:
    from jupyter_ext import resources

    return Log("".join(resources.logs(_reference(body), body["part"], tail=body["lines"])))


def _status(_: Path, body: Body) -> object:
    del body
    return access.status()


def _home(_: Path, body: Body) -> object:
    from jupyter_ext import home

    del body
    return home.summary()


def _doctor(_: Path, body: Body) -> object:
    return about.DoctorHandler.report(**body)


def _check(root: Path, body: Body) -> object:
    return notebooks.CheckHandler.check(str(files.locate(root, body["path"])), None)


def _compile(root: Path, body: Body) -> object:
    return notebooks.CompileHandler.compile(str(files.locate(root, body["path"])), None)


def _compare(_: Path, body: Body) -> object:
    names = [name for name in body["names"].split(",") if name]
    if not 2 <= len(names) <= 10:
        raise Invalid("give two to ten runs to compare", where=Where(field="names"))
    return runs.CompareHandler.compare(names)


def _part(method: Callable[[Any, str], object]) -> Callable[[Path, Body], object]:
    """Ask a run about one of its steps."""

    def call(_: Path, body: Body) -> object:
        run = access.run(body["name"])
        if not any(step.get("name") == body["step"] for step in run.steps):
            known = ", ".join(str(step.get("name")) for step in run.steps[:20])
            raise NotFound(
                f"the run has no step {body['step']!r}", where=Where(field="step"), hint=f"It has: {known}."
            )
        return method(run, body["step"])

    return call


_FILE: Final = Field(
    "path",
    "string",
    PATH.about.replace("the server's root", "the folder of this server"),
    required=True,
    limit=4096,
)
_STEP: Final = (
    Field("name", "string", "Name of the run.", required=True, limit=100),
    Field("step", "string", "Name of the step.", required=True, limit=400),
)

GENERAL: Final = (
    General(
        "resource_list",
        "List resources of a kind, or of all kinds, newest first, each with its phase and reason.",
        (Field("kind", "string", "Kind of the resources; all without it.", choices=tuple(_BY_NAME)), *LIST_QUERY),
        _list,
    ),
    General("resource_get", "Give one resource whole: spec, status, conditions.", (_KIND, _NAME), _get),
    General("resource_describe", "Describe one resource for people, with its events.", (_KIND, _NAME), _describe),
    General(
        "resource_why",
        "Say why a resource is as it is: phase, reason, what failed and where, its last events and lines of its log.",
        (_LOGS, _NAME),
        _why,
    ),
    General(
        "resource_logs",
        "The last lines that a resource, or one part of it, has printed.",
        (
            _LOGS,
            _NAME,
            Field("part", "string", "Only this part: a step of a run, rank-0 of a job, a variant of an endpoint.", limit=400),
            Field("lines", "integer", "So many of the last lines.", default=200, limit=LINES),
        ),
        _logs,
    ),
    General(
        "cluster_home",
        "The profile on one page: capacity and who has it, what runs, failed and was done lately, endpoints, storage.",
        (),
        _home,
    ),
    General("cluster_status", "Version, profile, capabilities, machine, what is free, health.", (), _status),
    General("cluster_doctor", "Check everything that is needed, here or in a cluster; each finding has a fix.", about.EXAMINED, _doctor),
    General("notebook_check", "The notebook as a pipeline: its steps, parameters and problems. Runs nothing.", (_FILE,), _check),
    General("notebook_compile", "The notebook as a Kubeflow pipeline (IR YAML). Runs nothing.", (_FILE,), _compile),
    General("run_compare", "Compare runs: parameters, steps, metrics, code.", runs.NAMES, _compare),
    General("run_code", "The cells of a step as run, and as the notebook has them now.", _STEP, _part(lambda run, step: run.code(step))),
    General("run_outputs", "What the cells of a step printed and displayed.", _STEP, _part(lambda run, step: run.outputs(step))),
)  # fmt: skip
