"""What came of an answer: numbers, or yes and no, that a user posts later under the id of the request."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.serving.sequential import Sample, sample

if TYPE_CHECKING:
    from jupyter_ext.serving.traffic import Traffic

Goal = Literal["maximize", "minimize"]
MOST: Final = 20
"""Outcomes of one request."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_MEASURED: Final = re.compile(
    r"errors?|rejected|rate|requests|latency|stable|and|or|if|over|for|with|at|p\d+", re.IGNORECASE
)
_LESS_IS_BETTER: Final = re.compile(
    r"error|loss|cost|mae|mse|rmse|mape|latency|seconds|time|churn|complain|refund|return|fraud|wrong|miss|abandon"
    r"|unsubscri|distance|bounce",
    re.IGNORECASE,
)


class Row(Protocol):
    """One outcome, as ``Traffic.outcomes`` gives it."""

    @property
    def variant(self) -> str:
        """The variant that answered."""

    @property
    def unit(self) -> str:
        """Whom the split follows: a user, else the request."""

    @property
    def value(self) -> float:
        """The number; yes is 1."""

    @property
    def time(self) -> float:
        """When it was posted."""

    @property
    def name(self) -> str:
        """What it is about."""


def check(name: Any, value: Any) -> float:
    """The value as a number, yes and no as 1 and 0. Raises Invalid for another type and for a name that is taken."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Invalid(
            f"{str(name)[:40]!r} is no name of an outcome",
            where=Where(field="outcome"),
            hint="Letters, digits, '_', '-' and '.', a letter first, at most 63, such as clicked.",
        )
    if _MEASURED.fullmatch(name):
        raise Invalid(
            f"{name!r} is measured by the gateway, or a word of the rules",
            where=Where(field=name),
            hint="Choose another name for the outcome.",
        )
    if hasattr(value, "item") and not isinstance(value, (int, float)):
        value = value.item()
    if not isinstance(value, (bool, int, float)) or not math.isfinite(value):
        raise Invalid(
            f"The outcome {name!r} must be a number, or true or false, not {str(value)[:40]!r}",
            where=Where(field=name),
        )
    return float(value)


def give(traffic: Traffic, uid: str, request_id: str, outcome: Mapping[str, Any]) -> dict[str, float]:
    """Say what came of a request; said again for the same name, the last word counts, however late.

    Returns what was written. Raises Invalid for a value that is none (nothing is written then), NotFound for an id
    that no request had.
    """
    given = checked(outcome)
    for name, value in given.items():
        traffic.feedback(uid, request_id, name, value)
    return given


def checked(outcome: Mapping[str, Any]) -> dict[str, float]:
    """The outcomes of one request, as numbers. Raises Invalid."""
    if not outcome:
        raise Invalid("There is no outcome", where=Where(field="outcome"), hint="For example clicked=True.")
    if len(outcome) > MOST:
        raise Invalid(
            f"{len(outcome)} outcomes of one request", where=Where(field="outcome"), hint=f"At most {MOST}."
        )
    return {name: check(name, value) for name, value in outcome.items()}


def samples(rows: Iterable[Row]) -> dict[str, dict[str, Sample]]:
    """By name and variant, the outcomes of one unit counted once, by their mean, at the time of the first.

    Who clicks a hundred times is one user: a hundred values that say the same are not the evidence of a hundred.
    """
    units: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        units.setdefault((row.name, row.variant), {}).setdefault(row.unit, []).append((row.time, row.value))
    found: dict[str, dict[str, Sample]] = {}
    for (name, variant), each in units.items():
        points = [
            (min(time for time, _ in all_), math.fsum(value for _, value in all_) / len(all_))
            for all_ in each.values()
        ]
        share = all(value in {0.0, 1.0} for all_ in each.values() for _, value in all_)
        found.setdefault(name, {})[variant] = sample(points, share=share)
    return found


def goal(name: str, given: str | None = None) -> Goal:
    """Whether more of it is better: what is said, else what the name suggests."""
    if given in ("maximize", "minimize"):
        return given  # type: ignore[return-value]
    if given:
        raise Invalid(
            f"There is no goal {given!r}", where=Where(field="goal"), hint='"maximize" or "minimize".'
        )
    return "minimize" if _LESS_IS_BETTER.search(name) else "maximize"
