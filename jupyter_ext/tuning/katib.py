"""The space as Katib writes it: ``spec.parameters`` of an Experiment (``kubeflow.org/v1beta1``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.tuning.space import (
    KINDS,
    Parameter,
    Space,
    Value,
    categorical,
    discrete,
    number_text,
    ranged,
)


def to_katib(space: Space) -> list[dict[str, Any]]:
    """The ``spec.parameters`` of an Experiment."""
    listed = []
    for name, parameter in space.items():
        feasible: dict[str, Any] = {}
        if parameter.numeric:
            feasible = {"min": number_text(parameter.low), "max": number_text(parameter.high)}
            if parameter.step is not None:
                feasible["step"] = number_text(parameter.step)
            feasible["distribution"] = (
                parameter.distribution
            )  # without it the Kubeflow SDK reads none of the others
        else:
            feasible["list"] = [parameter.text(choice) for choice in parameter.choices]
        listed.append({"name": name, "parameterType": parameter.kind, "feasibleSpace": feasible})
    return listed


def typed_choices(space: Space) -> dict[str, list[Value]]:
    """The choices that Katib's lists of strings cannot tell from text: for an annotation beside the spec."""
    return {
        name: list(parameter.choices)
        for name, parameter in space.items()
        if parameter.kind == "categorical" and not all(isinstance(c, str) for c in parameter.choices)
    }


def from_katib(
    listed: Sequence[Mapping[str, Any]], choices: Mapping[str, list[Value]] | None = None
) -> Space:
    """Read ``spec.parameters``. Raises Invalid naming the field."""
    space: Space = {}
    for index, item in enumerate(listed):
        where = f"spec.parameters[{index}]"
        name = str(item.get("name") or "")
        if not name:
            raise Invalid("A parameter has no name", where=Where(field=f"{where}.name"))
        if name in space:
            raise Invalid(f"There are two parameters {name!r}", where=Where(field=f"{where}.name"))
        try:
            space[name] = _one_from_katib(item, (choices or {}).get(name))
        except Invalid as error:
            field = error.where.field if error.where else None
            place = (
                f"{where}.feasibleSpace.{field}"
                if field in _FEASIBLE
                else f"{where}.{field or 'feasibleSpace'}"
            )
            raise Invalid(
                f"Parameter {name}: {error.what}", where=Where(field=place), hint=error.hint
            ) from None
    return space


_FEASIBLE: Final = frozenset({"min", "max", "step", "list", "distribution"})


def _one_from_katib(item: Mapping[str, Any], typed: list[Value] | None) -> Parameter:
    kind = item.get("parameterType")
    feasible = item.get("feasibleSpace") or {}
    if kind not in KINDS:
        raise Invalid(
            f"{kind!r} is not a type of parameter",
            where=Where(field="parameterType"),
            hint=f"There are: {', '.join(KINDS)}.",
        )
    if kind in ("double", "int"):
        if feasible.get("list"):
            raise Invalid(
                f"list is not for {kind}", where=Where(field="list"), hint="Use discrete, or min and max."
            )
        ends = [_read_number(kind, feasible, end) for end in ("min", "max")]
        step = _read_number(kind, feasible, "step") if feasible.get("step") not in (None, "") else None
        return ranged(kind, ends[0], ends[1], step, feasible.get("distribution") or "uniform")
    extra = next((key for key in ("min", "max", "step") if feasible.get(key) not in (None, "")), None)
    if extra:
        raise Invalid(f"{extra} is not for {kind}", where=Where(field=extra), hint="Use list.")
    texts = [str(text) for text in feasible.get("list") or ()]
    if kind == "discrete":
        return discrete(*(_read_discrete(text) for text in texts))
    if typed is not None and [str(Parameter("categorical").text(c)) for c in typed] == texts:
        return categorical(*typed)
    return categorical(*texts)


def _read_number(kind: str, feasible: Mapping[str, Any], field: str) -> float | int:
    text = feasible.get(field)
    if text in (None, ""):
        raise Invalid(f"{field} is missing", where=Where(field=field), hint=f"{kind} needs min and max.")
    try:
        number = float(str(text))
    except ValueError:
        raise Invalid(f"{field} {text!r} is not a number", where=Where(field=field)) from None
    return int(number) if kind == "int" and math.isfinite(number) and number == int(number) else number


def _read_discrete(text: str) -> float | int:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    raise Invalid(
        f"{text!r} is not a number", where=Where(field="list"), hint="Use categorical for other values."
    )
