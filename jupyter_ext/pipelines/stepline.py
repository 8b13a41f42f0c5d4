"""The ``%%step`` line: ``%%step NAME --after a,b --cpu 2 --memory 4Gi --gpu 1 --image X --retry 2 …``.

The line says what tags can say. In what is executed a comment stands in its place, so that line N of the cell
stays line N; where another cell magic follows (``%%time``), the line is left empty, because IPython accepts a
cell magic only after empty lines.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines import settings as words
from jupyter_ext.pipelines.model import Cell, Problem
from jupyter_ext.pipelines.settings import Settings
from jupyter_ext.pipelines.tags import Marks

_LINE = re.compile(r"^%%(step|parameters)(?:[ \t]+(.*?))?[ \t]*$")


def split(source: str) -> tuple[str, str, str] | None:
    """The magic's name, its arguments, and the source with the line replaced; None if there is none."""
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    match = _LINE.match(lines[first].rstrip()) if first is not None else None
    if first is None or not match:
        return None
    following = next((line for line in lines[first + 1 :] if line.strip()), "")
    lines[first] = "" if following.startswith("%%") else f"# {match.group(1)} {match.group(2) or ''}".rstrip()
    return match.group(1), match.group(2) or "", "\n".join(lines)


def line_of(source: str) -> int:
    """The number of the first line that is not blank, from 1."""
    for number, line in enumerate(source.split("\n"), 1):
        if line.strip():
            return number
    return 1


def read(cell: Cell, arguments: str) -> Marks:
    """Read the arguments; each one that cannot be understood becomes a problem."""
    marks = Marks(role="step")

    def report(what: str, hint: str | None) -> None:
        line = line_of(cell.source)
        message = f"the %%step line cannot be understood: {what}"
        marks.problems.append(
            Problem(
                "error",
                "invalid-step-line",
                message,
                cell.index,
                cell.id,
                line,
                1,
                remedy=hint or "Correct the line.",
            ),
        )

    try:
        parts = shlex.split(arguments, posix=True)
    except ValueError:
        report("a quotation mark is not closed", 'Write for example --if "n > 10".')
        return marks
    if not parts or parts[0].startswith("--"):
        report("it names no step", "Write %%step NAME, for example %%step train --after load.")
    else:
        try:
            marks.name = words.step_name(parts.pop(0))
        except Invalid as error:
            report(error.what, error.hint)
    _read_options(parts, marks, report)
    return marks


def _read_options(parts: list[str], marks: Marks, report: Callable[[str, str | None], None]) -> None:
    while parts:
        option, given, value = parts.pop(0).partition("=")
        if option in _FLAGS and not given:
            _FLAGS[option](marks.settings)
            continue
        if option not in _OPTIONS:
            near = words.nearest(option, _OPTIONS)
            hint = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(_OPTIONS)}."
            report(f"{option!r} is no option", hint)
            # What follows an unknown option may be its value.
            if not given and parts and not parts[0].startswith("--"):
                parts.pop(0)
            continue
        if not given:
            if not parts or parts[0].startswith("--"):
                report(f"{option} lacks its value", f"Write {option} {_EXAMPLES.get(option, 'VALUE')}.")
                continue
            value = parts.pop(0)
        try:
            _OPTIONS[option](marks.settings, value)
        except Invalid as error:
            report(error.what, error.hint)


def _after(settings: Settings, value: str) -> None:
    found = [] if value.strip() in {"", "-", "none"} else words.names(value)
    settings.after = list(dict.fromkeys([*(settings.after or ()), *found]))


def _resource(name: str) -> Callable[[Settings, str], None]:
    def read_amount(settings: Settings, value: str) -> None:
        key, amount = words.resource(name, value)
        settings.resources[key] = amount

    return read_amount


def _limit(settings: Settings, value: str) -> None:
    key, amount = words.resource(*words.key_value(value))
    settings.resources[key] = amount


def _image(settings: Settings, value: str) -> None:
    if not value or re.search(r"\s", value):
        raise Invalid(f"{value!r} is no image", hint="Write for example --image python:3.12-slim.")
    settings.image = value


def _set(name: str, convert: Callable[[str], object]) -> Callable[[Settings, str], None]:
    def read_value(settings: Settings, value: str) -> None:
        setattr(settings, name, convert(value))

    return read_value


def _collect(settings: Settings, value: str) -> None:
    settings.collect += words.variables(value)


def _pair(name: str) -> Callable[[Settings, str], None]:
    def read_pair(settings: Settings, value: str) -> None:
        key, content = words.key_value(value)
        getattr(settings, name)[key] = content

    return read_pair


def _no_cache(settings: Settings) -> None:
    settings.cache = False


_FLAGS: dict[str, Callable[[Settings], None]] = {"--no-cache": _no_cache}
_OPTIONS: dict[str, Callable[[Settings, str], None]] = {
    "--after": _after,
    "--cpu": _resource("cpu"),
    "--memory": _resource("memory"),
    "--gpu": _resource("gpu"),
    "--limit": _limit,
    "--image": _image,
    "--retry": _set("retry", words.retry),
    "--timeout": _set("timeout", words.timeout),
    "--cache": _set("cache", words.switch),
    "--if": _set("when", words.expression),
    "--for": _set("foreach", words.loop),
    "--collect": _collect,
    "--env": _pair("env"),
    "--label": _pair("labels"),
    "--annotation": _pair("annotations"),
}
_EXAMPLES = {
    "--after": "load,clean",
    "--cpu": "2",
    "--memory": "4Gi",
    "--gpu": "1",
    "--retry": "2",
    "--timeout": "10m",
    "--cache": "off",
    "--if": '"n > 10"',
    "--for": '"lr in rates"',
    "--collect": "scores",
}
