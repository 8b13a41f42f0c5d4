"""Values of parameters: as somebody gives them, as the document has them, as a component wants them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.pipelines.compiled.placeholders import as_text
from jupyter_ext.pipelines.compiled.spec import MISSING, Parameter

_WORDS: Final = {
    "STRING": "text",
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "a mapping",
}
_TRUTH: Final = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def bind(
    parameters: Mapping[str, Parameter], given: Mapping[str, object], known: Collection[str]
) -> dict[str, Any]:
    """The values of a pipeline's parameters for a run; ``known`` are the names that may be given.

    Raises Invalid for a missing, unknown or unfitting one.
    """
    for name in given:
        if name not in parameters:
            raise Invalid(
                f"The pipeline has no parameter {name}",
                where=Where(field=name),
                hint=f"It has {', '.join(known)}." if known else "It has none.",
            )
    found: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in given:
            found[name] = _given(name, given[name], parameter)
        elif parameter.default is not MISSING:
            found[name] = _default(name, parameter)
        elif parameter.optional:
            found[name] = None
        else:
            raise Invalid(
                f"The parameter {name} is required ({_WORDS.get(parameter.type, parameter.type)}), and none was given",
                where=Where(field=name),
                hint=f"Give it: -p {name}=VALUE, or {name}=… in Python.",
            )
    return found


def _default(name: str, parameter: Parameter) -> Any:
    return None if parameter.default is None else typed(name, parameter.default, parameter)


def _given(name: str, value: object, parameter: Parameter) -> Any:
    if value is None and parameter.optional:
        return None
    if isinstance(value, str) and parameter.type != "STRING":
        value = _from_text(name, value, parameter.type)
    if parameter.type == "STRING" and not isinstance(value, str):
        raise _unfit(name, value, parameter)
    found = typed(name, value, parameter)
    if parameter.literals and found not in parameter.literals:
        allowed = ", ".join(repr(item) for item in parameter.literals)
        raise Invalid(
            f"{found!r} is not a value of {name}", where=Where(field=name), hint=f"Give one of {allowed}."
        )
    return found


def _from_text(name: str, text: str, kind: str) -> object:
    """What somebody typed, in the parameter's type; text that is not of it is left to the check that follows."""
    if kind == "BOOLEAN":
        return _TRUTH.get(text.strip().lower(), text)
    try:
        return json.loads(text)
    except ValueError as error:
        if kind in ("LIST", "STRUCT"):
            raise Invalid(
                f"{name} must be {_WORDS[kind]} in JSON ({error})",
                where=Where(field=name),
                hint="Write for example " + ("[1, 2]" if kind == "LIST" else '{"a": 1}') + ".",
            ) from None
        return text


def _unfit(name: str, value: object, parameter: Parameter) -> Invalid:
    shown = repr(value)[:60]
    return Invalid(
        f"{name} must be {_WORDS.get(parameter.type, parameter.type)}, not {shown}", where=Where(field=name)
    )


def typed(name: str, value: Any, parameter: Parameter) -> Any:
    """The value as a component of this type gets it; text stands for anything, else raises Invalid."""
    kind = parameter.type
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "STRING":
        return as_text(value)
    if kind == "NUMBER_INTEGER" and number and float(value).is_integer():
        return int(value)
    if kind == "NUMBER_DOUBLE" and number:
        return float(value)
    fits = {"BOOLEAN": bool, "LIST": list, "STRUCT": dict, "TASK_FINAL_STATUS": dict, "TASK_CONFIG": dict}
    if kind in fits and isinstance(value, fits[kind]):
        return value
    raise _unfit(name, value, parameter)


def from_file(name: str, text: str, parameter: Parameter) -> Any:
    """The value of an output that a component wrote as text into a file. Raises Invalid."""
    if parameter.type == "STRING":
        return text
    try:
        return typed(name, json.loads(text.lower() if parameter.type == "BOOLEAN" else text), parameter)
    except ValueError:
        raise _unfit(name, text[:60], parameter) from None
