"""What is to become better: the metric, its direction, the goal, and how a trial's value follows from its reports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from jupyter_ext.errors import Invalid, Where

Direction: TypeAlias = Literal["minimize", "maximize"]
UNAVAILABLE: Final = "unavailable"
"""What Katib writes for a metric that was not reported."""
_WORDS: Final[dict[str, Direction]] = {
    "min": "minimize", "minimize": "minimize", "minimise": "minimize",
    "max": "maximize", "maximize": "maximize", "maximise": "maximize",
}  # fmt: skip
_STRATEGIES: Final = ("min", "max", "latest")


@dataclass(frozen=True)
class Objective:
    """One metric and the direction in which it is better."""

    name: str
    direction: Direction = "minimize"
    goal: float | None = None
    additional: tuple[str, ...] = ()
    strategies: Mapping[str, str] | None = None

    @property
    def sign(self) -> int:
        """What a value is multiplied by so that less is better."""
        return 1 if self.direction == "minimize" else -1

    @property
    def metrics(self) -> tuple[str, ...]:
        """The objective's metric and the additional ones."""
        return (self.name, *self.additional)

    def strategy(self, name: str) -> str:
        """Which of several reports of a metric counts: the best one, unless the spec says otherwise."""
        return (self.strategies or {}).get(name) or self.direction[:3]

    def better(self, one: float, other: float | None) -> bool:
        """Whether one value is better than the other."""
        return other is None or one * self.sign < other * self.sign

    def reached(self, value: float | None) -> bool:
        """Whether the goal is met."""
        return self.goal is not None and value is not None and value * self.sign <= self.goal * self.sign

    def to_katib(self) -> dict[str, Any]:
        """The ``spec.objective``."""
        found: dict[str, Any] = {"type": self.direction, "objectiveMetricName": self.name}
        if self.goal is not None:
            found["goal"] = self.goal
        if self.additional:
            found["additionalMetricNames"] = list(self.additional)
        if self.strategies:
            found["metricStrategies"] = [
                {"name": name, "value": value} for name, value in self.strategies.items()
            ]
        return found

    def __str__(self) -> str:
        goal = "" if self.goal is None else f":{self.goal:g}"
        return f"{self.name}:{self.direction[:3]}{goal}"


def parse(text: str, additional: Iterable[str] = ()) -> Objective:
    """Read ``loss:min``, ``accuracy:max:0.99``. Raises Invalid."""
    if not isinstance(text, str):
        raise Invalid(f"{text!r} is not an objective", where=Where(field="objective"), hint=_HINT)
    name, colon, rest = text.strip().partition(":")
    word, goal_colon, goal = rest.partition(":")
    direction = _WORDS.get(word.strip().lower())
    if not name.strip() or not colon:
        raise Invalid(f"{text!r} is not an objective", where=Where(field="objective"), hint=_HINT)
    if direction is None:
        raise Invalid(
            f"{word!r} is not a direction", where=Where(field="objective"), hint="Write min or max: loss:min."
        )
    return _checked(
        Objective(name.strip(), direction, _goal(goal) if goal_colon else None, tuple(additional))
    )


_HINT: Final = (
    "Write the metric's name and min or max, and a goal if there is one: loss:min, accuracy:max:0.99."
)


def from_katib(spec: Mapping[str, Any]) -> Objective:
    """Read ``spec.objective``. Raises Invalid naming the field."""
    if not spec:
        raise Invalid("There is no objective", where=Where(field="spec.objective"), hint=_HINT)
    kind, name = spec.get("type"), spec.get("objectiveMetricName")
    if kind not in ("minimize", "maximize"):
        raise Invalid(
            f"{kind!r} is not a direction",
            where=Where(field="spec.objective.type"),
            hint="Write minimize or maximize.",
        )
    if not name:
        raise Invalid("The metric has no name", where=Where(field="spec.objective.objectiveMetricName"))
    strategies = {}
    for index, item in enumerate(spec.get("metricStrategies") or ()):
        if item.get("value") not in _STRATEGIES:
            raise Invalid(
                f"{item.get('value')!r} is not a metric strategy",
                where=Where(field=f"spec.objective.metricStrategies[{index}].value"),
                hint="Write min, max or latest.",
            )
        strategies[str(item.get("name"))] = str(item["value"])
    goal = spec.get("goal")
    return _checked(
        Objective(
            str(name),
            kind,
            None if goal is None else _goal(goal, "spec.objective.goal"),
            tuple(map(str, spec.get("additionalMetricNames") or ())),
            strategies or None,
        ),
        "spec.objective.additionalMetricNames",
    )


def _goal(value: object, field: str = "objective") -> float:
    try:
        goal = float(str(value))
    except ValueError:
        goal = math.nan
    if math.isnan(goal):
        raise Invalid(f"The goal {value!r} is not a number", where=Where(field=field))
    return goal


def _checked(objective: Objective, field: str = "additional") -> Objective:
    if objective.name in objective.additional:
        raise Invalid(
            f"{objective.name} is the objective, so it is not an additional metric",
            where=Where(field=field),
            hint="Leave it out there.",
        )
    return objective


class Observed:
    """What a trial has reported: the latest, least and greatest value of each metric, and the objective's curve."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.values: dict[str, list[float]] = {}
        self.returned: float | None = None
        self.reports = 0

    def add(self, name: str, value: float) -> None:
        """One report."""
        self.reports += 1
        if not math.isfinite(value):
            found = self.values.setdefault(name, [value, value, value])
            found[0] = value
            return
        found = self.values.setdefault(name, [value, value, value])
        found[0] = value
        found[1] = value if not found[1] <= value else found[1]
        found[2] = value if not found[2] >= value else found[2]

    def result(self, metrics: Mapping[str, float]) -> None:
        """What the trial returned; of the objective, this is what counts."""
        for name, value in metrics.items():
            self.add(name, value)
        if self.objective.name in metrics:
            self.returned = metrics[self.objective.name]

    @property
    def value(self) -> float | None:
        """The trial's value of the objective, None if it was never reported."""
        if self.returned is not None:
            return self.returned
        found = self.values.get(self.objective.name)
        if found is None:
            return None
        latest, least, greatest = found
        return {"min": least, "max": greatest}.get(self.objective.strategy(self.objective.name), latest)

    def to_katib(self) -> list[dict[str, str]]:
        """The ``status.observation.metrics``: the objective, the additional metrics, and what else was reported."""
        names = [
            *self.objective.metrics,
            *(name for name in self.values if name not in self.objective.metrics),
        ]
        rows = []
        for name in names[:_MOST]:
            found = self.values.get(name)
            texts = [UNAVAILABLE] * 3 if found is None else [repr(value) for value in found]
            rows.append(dict(zip(("name", "latest", "min", "max"), (name, *texts), strict=True)))
        return rows

    def missing(self, verb: str = "printed") -> str:
        """The sentence for an objective that was never reported."""
        seen = [name for name in self.values if not name.startswith("system/")]
        what = f"the trial {verb} no `{self.objective.name}`"
        if not seen:
            return f"{what}, and no other metric"
        listed = ", ".join(seen[:_SHOWN]) + (", …" if len(seen) > _SHOWN else "")
        return f"{what}; seen: {listed}"


_SHOWN: Final = 10
_MOST: Final = 64
