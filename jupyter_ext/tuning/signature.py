"""A space from a function's signature, for the form and for functions that say it themselves."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable
from typing import Any, Final, Literal, get_args, get_origin

from jupyter_ext.errors import Invalid
from jupyter_ext.tuning.space import Parameter, Space, categorical, double, int_

_WIDTH: Final = 10
"""A number without a range is searched from a tenth of its default to ten times it."""
_FACTOR: Final = 4


def space_of(function: Callable[..., Any]) -> Space:
    """What the signature says of each parameter's space, and a guess from the default where it says none.

    ``Annotated[float, double(1e-4, 1e-1)]``, a default of ``double(…)``, ``Literal["a", "b"]``, an ``Enum`` and
    ``bool`` say it; ``lr=0.01`` becomes ``double(0.001, 0.1, log)``. Parameters of which nothing is known are left out.
    """
    space: Space = {}
    try:
        parameters = inspect.signature(function, eval_str=True).parameters
    except (NameError, SyntaxError, TypeError, AttributeError):
        parameters = inspect.signature(function).parameters
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            continue
        found = _said(parameter) or _guessed(parameter)
        if found is not None:
            space[name] = found
    return space


def _said(parameter: inspect.Parameter) -> Parameter | None:
    if isinstance(parameter.default, Parameter):
        return parameter.default
    annotation = parameter.annotation
    for item in getattr(annotation, "__metadata__", ()):
        if isinstance(item, Parameter):
            return item
        if isinstance(item, str):
            from jupyter_ext.tuning.grammar import parse

            try:
                return parse(item, parameter.name)
            except Invalid:
                continue
    annotation = (
        getattr(annotation, "__origin__", annotation) if hasattr(annotation, "__metadata__") else annotation
    )
    if get_origin(annotation) is Literal:
        return categorical(*get_args(annotation))
    if annotation is bool or isinstance(parameter.default, bool):
        return categorical(True, False)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return categorical(*(member.value for member in annotation))
    return None


def _guessed(parameter: inspect.Parameter) -> Parameter | None:
    default = parameter.default
    if isinstance(default, int):
        return int_(max(default // _FACTOR, 1), default * _FACTOR) if default > 0 else None
    if isinstance(default, float) and default == default and abs(default) != float("inf"):  # noqa: PLR0124 - not NaN
        if default > 0:
            rounded = float(f"{default / _WIDTH:.6g}"), float(f"{default * _WIDTH:.6g}")
            most = 1.0 if 0.1 <= default < 1 else rounded[1]  # a probability, more likely than not
            return double(0.0, most) if most == 1.0 else double(rounded[0], most, log=True)
        return None
    return None
