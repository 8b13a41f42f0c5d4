"""What a cell's tags mean: Kale's language old and new, papermill's ``parameters``, and our own additions.

Kale's: ``imports functions pipeline-parameters pipeline-metrics skip step:NAME block:NAME prev:NAME
limit:RESOURCE:AMOUNT image:IMAGE cache:enabled annotation:KEY:VALUE label:KEY:VALUE
secret:NAME:KEY:VARIABLE report:enabled notebook:NAME``. Ours: ``if:EXPR for:VAR in EXPR collect:a,b retry:N
timeout:10m env:KEY=VALUE``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines import settings as words
from jupyter_ext.pipelines.model import Cell, Problem
from jupyter_ext.pipelines.settings import Settings

_ROLES = {
    "skip": "skip",
    "imports": "imports",
    "functions": "functions",
    "pipeline-parameters": "parameters",
    "pipeline-metrics": "metrics",
}
_PREFIXES = (
    *("step", "block", "prev", "limit", "image", "cache", "annotation", "label", "secret", "report"),
    *("notebook", "if", "for", "collect", "retry", "timeout", "env"),
)
_KEY = re.compile(r"^(?:[A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$")
# Tags of other tools that are known and mean nothing here.
_ELSEWHERE = re.compile(
    r"^(?:hide|remove|full-width|margin|popout|raises-exception|output_|injected-parameters|slide|nbsphinx|"
    r"nb-|solution|exercise|answer|graded|scroll-output|thebe|active-|export|test|todo|note|wip|draft|"
    r"collapsed|export_|no-|keep|interactive|exclude|include|tags?$)",
)


@dataclass
class Marks:
    """What a cell's tags, or its first line, say about it."""

    role: str = ""
    name: str = ""
    settings: Settings = field(default_factory=Settings)
    problems: list[Problem] = field(default_factory=list)
    parameters: bool = False


def read(cell: Cell) -> Marks:
    """Read all tags of a cell; what cannot be understood becomes a problem naming the tag."""
    marks = Marks()
    for tag in cell.tags:
        if tag in _ROLES:
            _take_role(marks, _ROLES[tag])
        elif tag == "parameters":
            marks.parameters = True
        elif ":" in tag and tag.split(":", 1)[0] in _PREFIXES:
            _read_one(cell, tag, marks)
        else:
            problem = _unknown(cell, tag)
            if problem:
                marks.problems.append(problem)
    return marks


def _take_role(marks: Marks, role: str) -> None:
    # Kale lets the first of these decide alone; skip must win wherever it stands.
    if role == "skip" or not marks.role:
        marks.role = role


def _read_one(cell: Cell, tag: str, marks: Marks) -> None:
    prefix, _, value = tag.partition(":")
    try:
        problem = _APPLY[prefix](cell, value.strip(), marks)
    except Invalid as error:
        problem = Problem(
            "error",
            "invalid-tag",
            f"the tag {tag!r} cannot be understood: {error.what}",
            cell.index,
            cell.id,
            1,
            remedy=error.hint or "Correct the tag or remove it.",
            fix={"action": "remove-tag", "tag": tag},
        )
    if problem:
        marks.problems.append(problem)


def _step(cell: Cell, value: str, marks: Marks) -> Problem | None:
    if not value:  # Kale's own editor leaves an empty `block:` behind
        return None
    if value in _ROLES:
        _take_role(marks, _ROLES[value])
        return None
    words.step_name(value)
    if marks.role == "step" and marks.name != value:
        return Problem(
            "error",
            "two-steps",
            f"the cell is tagged as two steps, {marks.name!r} and {value!r}",
            cell.index,
            cell.id,
            1,
            remedy="Keep one of the tags, or split the cell.",
            fix={"action": "remove-tag", "tag": f"step:{value}"},
        )
    marks.name = value
    _take_role(marks, "step")
    return None


def _previous(_cell: Cell, value: str, marks: Marks) -> None:
    marks.settings.after = list(dict.fromkeys([*(marks.settings.after or ()), *words.names(value)]))


def _limit(_cell: Cell, value: str, marks: Marks) -> None:
    name, found, amount = value.rpartition(":")
    if not found:
        raise Invalid("it lacks the amount", hint="Write for example limit:memory:4Gi.")
    name, amount = words.resource(name, amount)
    marks.settings.resources[name] = amount


def _image(_cell: Cell, value: str, marks: Marks) -> None:
    if not value or re.search(r"\s", value):
        raise Invalid("it names no image", hint="Write for example image:python:3.12-slim.")
    marks.settings.image = value


def _pair(kind: str) -> Callable[[Cell, str, Marks], None]:
    def read_pair(_cell: Cell, value: str, marks: Marks) -> None:
        key, content = words.key_value(value, ":")
        if not _KEY.match(key):
            raise Invalid(f"{key!r} is no key", hint=f"Write {kind}:KEY:VALUE.")
        getattr(marks.settings, f"{kind}s")[key] = content

    return read_pair


def _secret(_cell: Cell, value: str, marks: Marks) -> None:
    parts = value.split(":")
    if len(parts) != 3 or not all(parts) or not parts[2].isidentifier():
        raise Invalid("it does not name secret, key and variable", hint="Write secret:NAME:KEY:VARIABLE.")
    marks.settings.secrets[parts[2]] = f"{parts[0]}/{parts[1]}"


def _report(cell: Cell, value: str, _marks: Marks) -> Problem | None:
    words.switch(value)
    return Problem(
        "info",
        "report-always",
        f"the tag 'report:{value}' changes nothing: every run keeps all outputs",
        cell.index,
        cell.id,
        1,
        remedy="Remove the tag.",
        fix={"action": "remove-tag", "tag": f"report:{value}"},
    )


def _notebook(_cell: Cell, value: str, _marks: Marks) -> None:
    raise Invalid(
        f"a step cannot be another notebook ({value!r})",
        hint="Copy its cells into this notebook, or run it as a pipeline of its own.",
    )


def _when(_cell: Cell, value: str, marks: Marks) -> None:
    marks.settings.when = words.expression(value)


def _foreach(_cell: Cell, value: str, marks: Marks) -> None:
    marks.settings.foreach = words.loop(value)


def _collect(_cell: Cell, value: str, marks: Marks) -> None:
    marks.settings.collect += words.variables(value)


def _retry(_cell: Cell, value: str, marks: Marks) -> None:
    marks.settings.retry = words.retry(value)


def _timeout(_cell: Cell, value: str, marks: Marks) -> None:
    marks.settings.timeout = words.timeout(value)


def _cache(_cell: Cell, value: str, marks: Marks) -> None:
    marks.settings.cache = words.switch(value)


def _env(_cell: Cell, value: str, marks: Marks) -> None:
    key, content = words.key_value(value)
    marks.settings.env[key] = content


_APPLY: dict[str, Callable[[Cell, str, Marks], Problem | None]] = {
    "step": _step,
    "block": _step,
    "prev": _previous,
    "limit": _limit,
    "image": _image,
    "cache": _cache,
    "annotation": _pair("annotation"),
    "label": _pair("label"),
    "secret": _secret,
    "report": _report,
    "notebook": _notebook,
    "if": _when,
    "for": _foreach,
    "collect": _collect,
    "retry": _retry,
    "timeout": _timeout,
    "env": _env,
}


def read_defaults(texts: object) -> tuple[Settings, list[Problem]]:
    """Kale's ``steps_defaults``: settings for every step, as a list of tags or as the mapping it once was."""
    if isinstance(texts, dict):
        texts = _flat_defaults(texts)
    if not isinstance(texts, list):
        return Settings(), []
    marks = read(Cell(0, "", "", tuple(str(text) for text in texts)))
    problems = [
        Problem(
            problem.severity,
            problem.code,
            f"in the notebook's steps_defaults {problem.message}",
            remedy=problem.remedy,
        )
        for problem in marks.problems
    ]
    return marks.settings, problems


def _flat_defaults(defaults: dict[str, object]) -> list[str]:
    flat = []
    for plural, prefix in (("labels", "label"), ("annotations", "annotation"), ("limits", "limit")):
        group = defaults.get(plural)
        if isinstance(group, dict):
            flat += [f"{prefix}:{key}:{value}" for key, value in group.items()]
    return flat


def _unknown(cell: Cell, tag: str) -> Problem | None:
    if _ELSEWHERE.match(tag):
        return None
    known = [*_ROLES, "parameters"]
    head, separator, rest = tag.partition(":")
    near = words.nearest(head, _PREFIXES) if separator else words.nearest(tag, known)
    if near:
        proposal = f"{near[0]}:{rest}" if separator else near[0]
        return Problem(
            "warning",
            "unknown-tag",
            f"the tag {tag!r} is not known",
            cell.index,
            cell.id,
            1,
            remedy=f"Did you mean {proposal!r}?",
            fix={"action": "replace-tag", "tag": tag, "with": proposal},
        )
    return Problem(
        "info",
        "unknown-tag",
        f"the tag {tag!r} is not known here and is ignored",
        cell.index,
        cell.id,
        1,
        remedy="It does no harm.",
    )
