"""Each kind of resource, for what is the same for all of them: the words that mean it, and where its functions are.

A capability adds a row to ``ROWS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from jupyter_ext.cluster.resource import KINDS, Resource
from jupyter_ext.errors import Invalid, Where


@dataclass(frozen=True)
class Row:
    """Where the functions of one kind are, as ``module:function``.

    ``get(name)`` gives a handle, whose methods are the verbs. ``check(resource)`` raises what ``submit(resource)``
    would refuse; ``update(resource, dry=…)`` changes what may change of one that is there, and raises Conflict
    naming the field that may not; ``dry`` only looks.
    ``instead`` is what to say where a kind cannot be applied; ``shared``: the functions serve several kinds;
    ``serves``: it is as it should be while it runs, and does not end; ``hidden``: lists of all kinds leave it out;
    ``parted``: ``logs`` of its handle knows the names of its parts;
    ``seen(resource)``: what a cluster has, with what views ask of it beside what upstream writes;
    ``over``: the kind it stands on: its functions are told in ``among`` which of those the same file makes.
    """

    kind: str
    get: str
    check: str = ""
    submit: str = ""
    update: str = ""
    short: tuple[str, ...] = ()
    instead: str = ""
    shared: bool = False
    serves: bool = False
    hidden: bool = False
    over: str = ""
    parted: bool = False
    seen: str = ""


def _job(kind: str, *short: str) -> Row:
    home = "jupyter_ext.training"
    return Row(kind, f"{home}:get", f"{home}:check", f"{home}:submit", f"{home}:update", short, shared=True)


_SERVING = "jupyter_ext.serving"
ROWS: tuple[Row, ...] = (
    Row("Run", "jupyter_ext.pipelines:get", instead="Start one with: jupyter kf run NOTEBOOK.ipynb"),
    Row(
        "RecurringRun",
        "jupyter_ext.resources:Schedule",
        short=("schedule", "schedules"),
        instead="Make one with: jupyter kf schedule add NOTEBOOK.ipynb --cron …",
    ),
    _job("TrainJob", "tj", "job", "jobs"),
    _job("TFJob"),
    _job("PyTorchJob"),
    _job("XGBoostJob"),
    Row(
        "Experiment",
        "jupyter_ext.tuning:get",
        "jupyter_ext.tuning:check",
        "jupyter_ext.tuning:submit",
        "jupyter_ext.tuning:update",
        ("exp", "sweep"),
        seen="jupyter_ext.tuning.kube_rows:told",
    ),
    Row("Trial", "jupyter_ext.tuning:trial", instead="An Experiment makes its trials.", hidden=True),
    Row(
        "InferenceService",
        f"{_SERVING}:get",
        f"{_SERVING}:check",
        f"{_SERVING}:submit",
        f"{_SERVING}:update",
        ("isvc", "endpoint", "endpoints"),
        serves=True,
    ),
    Row(
        "InferenceGraph",
        f"{_SERVING}.graph:graph",
        f"{_SERVING}.graph:check_graph",
        f"{_SERVING}.graph:submit_graph",
        f"{_SERVING}.graph:update_graph",
        ("ig", "graph", "graphs"),
        serves=True,
        over="InferenceService",
    ),
    Row(
        "SparkApplication",
        "jupyter_ext.spark:get",
        "jupyter_ext.spark:check",
        "jupyter_ext.spark:submit_resource",
        short=("sparkapp", "sparkapps"),
        parted=True,
    ),
    Row(
        "ScheduledSparkApplication",
        "jupyter_ext.spark:schedule_of",
        "jupyter_ext.spark:check_schedule",
        "jupyter_ext.spark:submit_schedule",
        "jupyter_ext.spark:update_schedule",
        ("scheduledsparkapp", "scheduledsparkapps"),
    ),
    Row(
        "SparkConnect",
        "jupyter_ext.spark:session_of",
        "jupyter_ext.spark:check_session",
        "jupyter_ext.spark:start_session",
        short=("sparkconn", "session", "sessions"),
        parted=True,
    ),
    Row("Gateway", "jupyter_ext.resources:Gateway", instead="The first endpoint starts it.", hidden=True),
)


def row(kind: str) -> Row:
    """Give the row of a kind; raises Invalid."""
    for found in ROWS:
        if found.kind == kind:
            return found
    raise Invalid(f"there is no kind {kind!r}", where=Where(field="kind"), hint=f"Known: {', '.join(KINDS)}.")


def kind_of(word: str) -> str | None:
    """Give the kind that a word means: its name, plural or short form in any case; None for another word."""
    wanted = word.lower()
    for found in ROWS:
        if wanted in {found.kind.lower(), KINDS[found.kind].plural, *found.short}:
            return found.kind
    return None


def function(place: str) -> Callable[..., Any]:
    """Give what a row names as ``module:function``; its module is loaded now."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)  # type: ignore[no-any-return]


def title(resource: Resource) -> str:
    """Give ``trainjob/mnist``, as ``resources.find`` reads it."""
    return f"{resource.kind.lower()}/{resource.name}"
