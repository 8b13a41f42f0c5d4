"""A plan as the Python that does the same, so that nobody has to trust a tool to know what it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Given = Mapping[str, Any]

_HANDLES: Final = {
    "Run": ("pipelines", "pipelines.get({name})"),
    "RecurringRun": ("resources", "resources.Schedule({name})"),
    "TrainJob": ("training", "training.get({name})"),
    "Experiment": ("tuning", "tuning.get({name})"),
    "Trial": ("tuning", "tuning.trial({name})"),
    "InferenceService": ("serving", "serving.get({name})"),
    "SparkApplication": ("spark", "spark.get({name})"),
    "SparkConnect": ("spark", "spark.session_of({name})"),
}
"""Where the handle of a kind is: what to import from jupyter_ext, and how to get it."""


def of_verb(kind: str, verb: str, name: str, given: Given) -> str:
    """Give the lines that carry out a verb."""
    found, place = _handle(kind, name)
    write = _SPECIAL.get((kind, verb))
    return f"{found}\n{write(place, name, given) if write else f'{place}.{verb}({_arguments(given)})'}"


def of_deletion(kind: str, name: str) -> str:
    """Give the lines that delete a resource."""
    if kind == "RegisteredModel":
        return f"from jupyter_ext.registry import place\nplace.default().model({name!r}).purge()"
    return f"from jupyter_ext import resources\nresources.delete({f'{kind.lower()}/{name}'!r})"


def of_run(path: str, body: Given) -> str:
    """Give the lines that run a notebook."""
    from jupyter_ext.pipelines.snippets import python
    from jupyter_ext.server.registering import asked

    return python(
        path, body.get("parameters") or {}, {**(body.get("options") or {}), "register": asked(dict(body))}
    )


def of_creation(kind: str, given: Given) -> str:
    """Give the lines that create what has no form: a schedule."""
    assert kind == "RecurringRun", kind
    rest = {key: value for key, value in given.items() if key not in {"path", "cron"}}
    more = _arguments(_renamed(rest, maxConcurrency="max_concurrency"), lead=", ")
    return (
        f"from jupyter_ext import pipelines\npipelines.schedule({given['path']!r}, {given['cron']!r}{more})"
    )


def _handle(kind: str, name: str) -> tuple[str, str]:
    if kind == "RegisteredModel":
        return "from jupyter_ext.registry import place", f"place.default().model({name!r})"
    part, place = _HANDLES.get(kind, ("resources", f"resources.handle({f'{kind.lower()}/{name}'!r})"))
    return f"from jupyter_ext import {part}", place.replace("{name}", repr(name))


def _arguments(given: Given, lead: str = "") -> str:
    text = ", ".join(f"{key}={value!r}" for key, value in given.items())
    return f"{lead}{text}" if text else ""


def _renamed(given: Given, **names: str) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in given.items()}


def _positional(verb: str, *first: str) -> Callable[[str, str, Given], str]:
    """A method that takes some of its arguments by position."""

    def write(place: str, name: str, given: Given) -> str:
        del name
        values = ", ".join(repr(given[key]) for key in first if key in given)
        rest = {key: value for key, value in given.items() if key not in first}
        return f"{place}.{verb}({values}{_arguments(rest, lead=', ' if values else '')})"

    return write


def _of_version(text: str) -> Callable[[str, str, Given], str]:
    """A line about a model: ``MODEL``, one of its versions (``VERSION``), or which of them is meant (``IT``).

    ``{field}`` stands for a value; it is put in once, so that no value can bring braces of its own.
    """

    def write(place: str, name: str, given: Given) -> str:
        del name
        version = f"{place}.version({given.get('version')!r})"
        words = {"MODEL": place, "VERSION": version, "IT": version if given.get("version") else place}
        return re.sub(
            r"MODEL|VERSION|IT|\{(\w+)\}",
            lambda found: repr(given.get(found[1])) if found[1] else words[found[0]],
            text,
        )

    return write


_SPECIAL: Final[dict[tuple[str, str], Callable[[str, str, Given], str]]] = {
    ("Run", "rerun"): lambda place, _, given: (
        f"{place}.rerun({_arguments(_renamed(given, **{'from': 'from_'}))})"
    ),
    ("Run", "reproduce"): lambda place, *_: f"{place}.reproduce(wait=False)",
    ("RecurringRun", "pause"): lambda place, *_: f"{place}.stop()",
    ("RecurringRun", "run"): lambda _, name, __: (
        f"from jupyter_ext import pipelines\npipelines.schedule_run({name!r})"
    ),
    ("InferenceService", "traffic"): _positional("traffic", "split"),
    ("InferenceService", "mirror"): lambda place, _, given: (
        f"{place}.mirror({given.get('variant')!r}, {given.get('percent', 100)!r})"
    ),
    ("InferenceService", "rules"): lambda place, _, given: (
        f"{place}.rules({', '.join(map(repr, given.get('rules') or ['']))})"
    ),
    ("InferenceService", "log"): _positional("log", "log"),
    ("InferenceService", "predict"): _positional("predict", "data"),
    ("InferenceService", "explain"): _positional("explain", "data"),
    ("InferenceGraph", "predict"): _positional("predict", "data"),
    ("InferenceService", "replay"): _positional("replay", "variant"),
    ("InferenceService", "feedback"): lambda place, _, given: (
        f"{place}.feedback({given.get('requestId')!r}, **{given.get('outcome')!r})"
    ),
    ("RegisteredModel", "alias"): _of_version("MODEL.alias({alias}, {version})"),
    ("RegisteredModel", "archive"): _of_version("IT.archive()"),
    ("RegisteredModel", "restore"): _of_version("IT.restore()"),
    ("RegisteredModel", "describe"): _of_version(
        "IT.update(description={description}, properties={properties})"
    ),
    ("RegisteredModel", "card"): _of_version("MODEL.readme = {readme}"),
    ("RegisteredModel", "remove"): _of_version("VERSION.purge()"),
    ("RegisteredModel", "copy"): _of_version("VERSION.copy({to}, {as}, alias={alias})"),
    ("RegisteredModel", "promote"): lambda _, name, given: (
        f"place.default().promote({_version_of(name, given)!r}, {given.get('alias', 'champion')!r}{_arguments({'to': given['to']} if given.get('to') else {}, lead=', ')})"
    ),
}
"""Verbs whose method has other words than the REST interface."""


def _version_of(name: str, given: Given) -> str:
    return f"{name}:{given['version']}" if given.get("version") else name
