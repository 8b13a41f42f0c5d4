"""The space of an experiment: what each parameter may be, how it is drawn, and its text form.

    double(1e-4, 1e-1, log=True)      double(1e-4,1e-1,log)
    int_(1, 64, step=8)               int(1,64,step=8)
    discrete(16, 32, 64)              discrete(16,32,64)
    categorical("sgd", "adam")        categorical(sgd,adam)

Katib's ``normal`` and ``logNormal`` are truncated here: the middle of the range is the mean, a sixth of it the standard
deviation, and nothing outside of the range is ever drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import NormalDist
from typing import Any, Final, Literal, TypeAlias

from jupyter_ext.errors import Invalid, Where

Kind: TypeAlias = Literal["double", "int", "discrete", "categorical"]
Distribution: TypeAlias = Literal["uniform", "logUniform", "normal", "logNormal"]
Value: TypeAlias = str | int | float | bool | None

KINDS: Final = ("double", "int", "discrete", "categorical")
DISTRIBUTIONS: Final = ("uniform", "logUniform", "normal", "logNormal")
LOGARITHMIC: Final = frozenset({"logUniform", "logNormal"})
_NORMAL: Final = NormalDist()
_SIGMAS: Final = 3.0
TAIL: Final = _NORMAL.cdf(-_SIGMAS)
"""What a truncated normal leaves out on either side, before it is scaled up again."""
_MANY: Final = 10_000


@dataclass(frozen=True)
class Parameter:
    """What one parameter may be. Made by ``double``, ``int_``, ``discrete`` and ``categorical``, which check it."""

    kind: Kind
    low: float | int = 0
    high: float | int = 0
    step: float | int | None = None
    distribution: Distribution = "uniform"
    choices: tuple[Value, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether it is a range of numbers."""
        return self.kind in ("double", "int")

    @property
    def logarithmic(self) -> bool:
        """Whether its magnitude counts rather than its value."""
        return self.distribution in LOGARITHMIC

    def values(self) -> list[Value] | None:
        """Everything it may be, in order; None for a continuous range."""
        if not self.numeric:
            return list(self.choices)
        step = self.step or (1 if self.kind == "int" else None)
        if step is None:
            return [self.low] if self.low == self.high else None
        return [self._at(number, step) for number in range(self._steps(step) + 1)]

    def size(self) -> int | None:
        """How many values there are; None for a continuous range."""
        if not self.numeric:
            return len(self.choices)
        step = self.step or (1 if self.kind == "int" else None)
        if step is None:
            return 1 if self.low == self.high else None
        return self._steps(step) + 1

    def at(self, unit: float) -> Value:
        """The value at a place between 0 and 1, so that evenly spread places give the distribution."""
        unit = min(max(unit, 0.0), 1.0)
        if not self.numeric:
            return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]
        if self.distribution in ("normal", "logNormal"):
            unit = self._bell(unit)
        step = self.step or (1 if self.kind == "int" else None)
        if step is not None and self.distribution == "uniform":
            return self._at(min(int(unit * (self._steps(step) + 1)), self._steps(step)), step)
        if self.logarithmic:
            low, high = self._edges()
            found = math.exp(low + unit * (high - low))
        else:
            found = self.low + unit * (self.high - self.low)
        return self.nearest(found)

    def place(self, value: Value) -> float:
        """The place between 0 and 1 of a value: ``at(place(value)) == value`` up to rounding."""
        if not self.numeric:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        number = float(value)  # type: ignore[arg-type]
        if self.low == self.high:
            return 0.5
        step = self.step or (1 if self.kind == "int" else None)
        if step is not None and self.distribution == "uniform":
            return (round((number - self.low) / step) + 0.5) / (self._steps(step) + 1)
        if self.logarithmic:
            low, high = self._edges()
            unit = (math.log(number) - low) / (high - low)
        else:
            unit = (number - self.low) / (self.high - self.low)
        unit = min(max(unit, 0.0), 1.0)
        if self.distribution in ("normal", "logNormal"):
            unit = (_NORMAL.cdf((2 * unit - 1) * _SIGMAS) - TAIL) / (1 - 2 * TAIL)
        return min(max(unit, 0.0), 1.0)

    def nearest(self, number: float) -> float | int:
        """The allowed number that is nearest."""
        number = min(max(number, float(self.low)), float(self.high))
        step = self.step or (1 if self.kind == "int" else None)
        if step is None:
            return number
        place = round((number - self.low) / step)
        return self._at(min(max(place, 0), self._steps(step)), step)

    def text(self, value: Value) -> str:
        """The value as Katib writes it into a trial."""
        return repr(value) if isinstance(value, float) else str(value)

    def read(self, text: str, name: str = "") -> Value:
        """The value, with its type, that ``text`` wrote. Raises Invalid for what the parameter cannot be."""
        if self.numeric:
            try:
                number = float(text)
                return int(number) if self.kind == "int" else number
            except ValueError:
                raise _invalid(f"{text!r} is not a number", name) from None
        for choice in self.choices:
            if self.text(choice) == text:
                return choice
        known = ", ".join(self.text(choice) for choice in self.choices)
        raise _invalid(f"{text!r} is not among the values", name, f"It may be: {known}.")

    def __str__(self) -> str:
        if not self.numeric:
            return f"{self.kind}({','.join(map(_literal, self.choices))})"
        parts = [number_text(self.low), number_text(self.high)]
        if self.distribution != "uniform":
            parts.append("log" if self.distribution == "logUniform" else self.distribution)
        if self.step is not None:
            parts.append(f"step={number_text(self.step)}")
        return f"{self.kind}({','.join(parts)})"

    def code(self) -> str:
        """The Python expression that makes it."""
        if not self.numeric:
            return f"{self.kind}({', '.join(map(repr, self.choices))})"
        parts = [repr(self.low), repr(self.high)]
        if self.distribution == "logUniform":
            parts.append("log=True")
        elif self.distribution != "uniform":
            parts.append(f"distribution={self.distribution!r}")
        if self.step is not None:
            parts.append(f"step={self.step!r}")
        return f"{'int_' if self.kind == 'int' else 'double'}({', '.join(parts)})"

    def _steps(self, step: float) -> int:
        return int((_exact(self.high) - _exact(self.low)) // _exact(step))

    def _at(self, number: int, step: float) -> float | int:
        if self.kind == "int":
            return int(self.low) + number * int(step)
        return float(_exact(self.low) + number * _exact(step))

    def _edges(self) -> tuple[float, float]:
        # An integer gets half a unit on either side, else the first and the last are drawn half as often.
        half = 0.5 if self.kind == "int" and self.distribution == "logUniform" else 0.0
        return math.log(self.low - half), math.log(self.high + half)

    def _bell(self, unit: float) -> float:
        quantile = _NORMAL.inv_cdf(TAIL + unit * (1 - 2 * TAIL))
        return min(max((quantile / _SIGMAS + 1) / 2, 0.0), 1.0)


Space: TypeAlias = dict[str, Parameter]


def double(
    low: float,
    high: float,
    *,
    log: bool = False,
    step: float | None = None,
    distribution: Distribution | None = None,
) -> Parameter:
    """A number between two others, both included."""
    return ranged("double", low, high, step, _distribution(log, distribution))


def int_(
    low: int,
    high: int,
    *,
    step: int | None = None,
    log: bool = False,
    distribution: Distribution | None = None,
) -> Parameter:
    """A whole number between two others, both included."""
    return ranged("int", low, high, step, _distribution(log, distribution))


def discrete(*values: float) -> Parameter:
    """One of some numbers, in their order."""
    for value in values:
        if not _is_number(value):
            raise Invalid(
                f"{value!r} is not a number",
                where=Where(field="list"),
                hint="Use categorical for other values.",
            )
    return Parameter("discrete", choices=_distinct(values))


def categorical(*values: Value) -> Parameter:
    """One of some values without an order: text, numbers, True, False, None."""
    for value in values:
        scalar = value is None or isinstance(value, str | int | float)
        if not scalar or (isinstance(value, float) and not math.isfinite(value)):
            raise Invalid(
                f"{value!r} cannot be a choice",
                where=Where(field="list"),
                hint="A choice is text, a number, True, False or None; name the others and look them up.",
            )
    return Parameter("categorical", choices=_distinct(values))


def _distribution(log: bool, distribution: Distribution | None) -> Distribution:
    return distribution or ("logUniform" if log else "uniform")


def _distinct(values: tuple[Any, ...]) -> tuple[Value, ...]:
    if not values:
        raise Invalid("There is nothing to choose from", where=Where(field="list"), hint="Name the values.")
    texts = [repr(value) if isinstance(value, float) else str(value) for value in values]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise Invalid(f"{twice} is there twice", where=Where(field="list"), hint="Name each value once.")
    return values


def ranged(kind: Kind, low: float, high: float, step: float | None, distribution: Distribution) -> Parameter:
    """A range of numbers, checked. Raises Invalid naming the field."""
    if distribution not in DISTRIBUTIONS:
        raise Invalid(
            f"There is no distribution {distribution!r}",
            where=Where(field="distribution"),
            hint=f"There are: {', '.join(DISTRIBUTIONS)}.",
        )
    low, high = _number(kind, low, "min"), _number(kind, high, "max")
    step = None if step is None else _number(kind, step, "step")
    if low > high:
        raise Invalid(
            f"min {number_text(low)} is greater than max {number_text(high)}",
            where=Where(field="min"),
            hint="Exchange them.",
        )
    if distribution in LOGARITHMIC and low <= 0:
        raise Invalid(
            f"min {number_text(low)} has no logarithm",
            where=Where(field="min"),
            hint="A logarithmic range begins above 0.",
        )
    if step is not None and step <= 0:
        raise Invalid(f"step {number_text(step)} is not above 0", where=Where(field="step"))
    if step is not None and step > high - low and low != high:
        raise Invalid(
            f"step {number_text(step)} is greater than the range",
            where=Where(field="step"),
            hint=f"The range is {number_text(high - low)} wide.",
        )
    return Parameter(kind, low, high, step, distribution)


def _number(kind: Kind, value: Any, field: str) -> float | int:
    if not _is_number(value):
        raise Invalid(f"{field} {value!r} is not a number", where=Where(field=field))
    if kind == "int":
        if value != int(value):
            raise Invalid(
                f"{field} {value!r} is not a whole number",
                where=Where(field=field),
                hint="Use double instead.",
            )
        return int(value)
    return float(value)


def _exact(number: float) -> Decimal:
    return Decimal(repr(number))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number_text(number: float) -> str:
    """The shortest text that reads back as the same number."""
    return repr(number).removesuffix(".0")


def _literal(value: Value) -> str:
    """A choice as the text grammar reads it back with the same type."""
    import json

    if not isinstance(value, str):
        return repr(value)
    from jupyter_ext.tuning.grammar import plain

    return value if plain(value) else json.dumps(value)


def _invalid(what: str, name: str, hint: str | None = None) -> Invalid:
    return Invalid(what, where=Where(field=name or None), hint=hint)


def space_from(given: Mapping[str, Parameter | str]) -> Space:
    """The space from parameters or their texts. Raises Invalid naming the parameter."""
    from jupyter_ext.tuning.grammar import parse

    if not given:
        raise Invalid(
            "The space is empty",
            where=Where(field="space"),
            hint='Name at least one parameter, such as {"lr": double(1e-4, 1e-1, log=True)}.',
        )
    found: Space = {}
    for name, item in given.items():
        if not name or any(letter in name for letter in "{}= \n"):
            raise Invalid(f"{name!r} cannot be the name of a parameter", where=Where(field="space"))
        if isinstance(item, Parameter):
            found[name] = item
        elif isinstance(item, str):
            found[name] = parse(item, name)
        else:
            raise Invalid(
                f"{item!r} says nothing about what {name} may be",
                where=Where(field=name),
                hint="Write double(low, high), int_(low, high), discrete(…) or categorical(…), or the same as text.",
            )
    return found


def combinations(space: Space) -> int | None:
    """How many points a grid over the space has; None if a parameter is continuous."""
    total = 1
    for parameter in space.values():
        size = parameter.size()
        if size is None:
            return None
        total *= size
    return total


def continuous(space: Space) -> str | None:
    """The first parameter that has no step, if there is one."""
    return next((name for name, parameter in space.items() if parameter.size() is None), None)
