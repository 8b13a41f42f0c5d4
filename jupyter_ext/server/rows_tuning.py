"""Experiments and their trials, as the server serves them: each verb is a library function."""

from __future__ import annotations

from typing import Any

from .fields import Field
from .kind import Body, Kind, Question, Verb
from .registering import REGISTER, asked
from .rows_training import DRY, FILE, FRAMEWORK, FUNCTION, NAME, NODES, PROCS, RESOURCES, SOURCE, what, words

CREATE = (
    FILE,
    FUNCTION,
    SOURCE,
    Field("space", "object", "Parameters: {lr: double(1e-4,1e-1,log)}.", required=True, limit=1000),
    Field("objective", "string", "METRIC:min or METRIC:max, :GOAL behind it.", default="loss:min", limit=400),
    Field("algorithm", "string", "By its name in Katib.", limit=100),
    Field("settings", "object", "Settings of the algorithm.", default={}, limit=100),
    Field("trials", "integer", "Trials at most.", limit=10**6),
    Field("parallel", "integer", "Trials at the same time.", limit=10_000),
    Field("early_stopping", ("string", "object"), "medianstop, or its settings.", limit=100),
    Field("max_failed", "integer", "Failed trials after which it gives up.", limit=10**6),
    Field("additional", "array", "Other metrics to keep.", default=[], limit=1000),
    NAME,
    FRAMEWORK,
    NODES,
    PROCS,
    RESOURCES,
    Field("resume", "string", "Resume policy.", choices=("LongRunning", "Never", "FromVolume")),
    REGISTER,
    DRY,
)
COLUMNS = ("number", "value", "seconds", "state", "startTime")
SORTS = (*COLUMNS, *(f"-{column}" for column in COLUMNS))
TRIALS = (
    Field("limit", "integer", "Trials at most.", default=200, limit=10_000),
    Field(
        "after",
        "integer",
        "Only those behind this number (of another column: so many were read).",
        limit=10**9,
    ),
    Field("since", "integer", "Only those changed since this resourceVersion.", limit=2**53),
    Field("sort", "string", "A column, with - in front the greatest first.", default="number", choices=SORTS),
    Field("states", "array", "Only those in these states; PRUNED is one of them.", limit=20),
)
CURVES = (
    Field("trials", "array", "Names of trials; all without it.", limit=10_000),
    Field("metric", "string", "Which metric; the objective without it.", limit=400),
    Field("limit", "integer", "Points of each curve at most; more are thinned.", default=200, limit=100_000),
)


def _create(body: Body) -> object:
    from jupyter_ext import tuning

    said = words(body)
    space, objective = said.pop("space"), said.pop("objective")
    return tuning.tune(what(body), space, objective, **said).resource


def _draft(body: Body) -> object:
    from jupyter_ext.tuning import forms

    return forms.draft({**body, "register": asked(body)})


def _experiment(name: str) -> Any:
    from jupyter_ext import tuning

    return tuning.get(name)


def _trial(name: str) -> Any:
    from jupyter_ext import tuning

    return tuning.trial(name)


def _stop(name: str, _: Body) -> object:
    experiment = _experiment(name)
    experiment.stop()
    return experiment.resource


def _resume(name: str, body: Body) -> object:
    experiment = _experiment(name)
    experiment.resume(**({"trials": body["trials"]} if body["trials"] else {}))
    return experiment.resource


def _trials(name: str, body: Body) -> object:
    return _experiment(name).page(
        limit=body["limit"],
        after=body["after"],
        since=body["since"],
        sort=body["sort"],
        states=body["states"],
    )


def _curves(name: str, body: Body) -> object:
    return _experiment(name).curves(trials=body["trials"], metric=body["metric"], limit=body["limit"])


def _algorithms(_: Body) -> object:
    from jupyter_ext import tuning

    return {"items": list(tuning.algorithms())}


def _delete(name: str) -> None:
    _experiment(name).delete()


KINDS = (
    Kind(
        "Experiment",
        "experiments",
        create=_create,
        create_body=CREATE,
        draft=_draft,
        delete=_delete,
        verbs=(
            Verb("stop", "Stop the experiment and its running trials.", _stop, action="write"),
            Verb(
                "resume",
                "Go on, with more trials where a number is given.",
                _resume,
                body=(Field("trials", "integer", "So many more.", limit=10**6),),
            ),
            Verb("trials", "The trials as rows of a table.", _trials, "read", TRIALS),
            Verb("importance", "How much each parameter matters, from 0 to 1.",
                 lambda name, _: _experiment(name).importance(), "read"),
            Verb("curves", "Learning curves of the trials.", _curves, "read", CURVES),
            Verb("code", "The same experiment as Python, magic, command and YAML.",
                 lambda name, _: _experiment(name).code(), "read"),
        ),
        questions=(Question("algorithms", "The algorithms, and why one is not available.", _algorithms),),
    ),
    Kind("Trial", "trials"),
)  # fmt: skip
