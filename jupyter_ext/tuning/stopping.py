"""Early stopping by the median rule, as Katib describes it.

A trial is stopped at a report if its best value so far is worse than the median of the running averages, up to as many
reports, of the trials that have succeeded. Katib's service compares once, at ``start_step``; here every report from
there on is compared. What is stopped is compared with nobody.
"""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where

NAME: Final = "medianstop"
_DEFAULTS: Final = {"min_trials_required": 3, "start_step": 4}
DEEPEST: Final = 512
"""Reports beyond this one are compared as if they were this one."""


@dataclass(frozen=True)
class MedianStop:
    """The settings: succeeded trials and reports that are needed before anything is stopped."""

    min_trials_required: int = 3
    start_step: int = 4

    def to_katib(self) -> dict[str, Any]:
        """The ``spec.earlyStopping``."""
        settings = [
            {"name": "min_trials_required", "value": str(self.min_trials_required)},
            {"name": "start_step", "value": str(self.start_step)},
        ]
        return {"algorithmName": NAME, "algorithmSettings": settings}


def from_katib(spec: Mapping[str, Any] | None) -> MedianStop | None:
    """Read ``spec.earlyStopping``. Raises Invalid naming the field."""
    if not spec:
        return None
    name = spec.get("algorithmName")
    if name != NAME:
        raise Invalid(
            f"There is no early stopping {name!r}",
            where=Where(field="spec.earlyStopping.algorithmName"),
            hint=f"There is {NAME}.",
        )
    found = dict(_DEFAULTS)
    for index, item in enumerate(spec.get("algorithmSettings") or ()):
        key, text = str(item.get("name")), str(item.get("value"))
        field_name = f"spec.earlyStopping.algorithmSettings[{index}]"
        if key not in found:
            raise Invalid(
                f"{NAME} has no setting {key!r}",
                where=Where(field=f"{field_name}.name"),
                hint=f"It has: {', '.join(found)}.",
            )
        if not text.isdecimal() or int(text) < 1:
            raise Invalid(
                f"{key} {text!r} is not possible",
                where=Where(field=f"{field_name}.value"),
                hint="It must be a whole number, at least 1.",
            )
        found[key] = int(text)
    return MedianStop(**found)


def read(given: str | Mapping[str, Any] | None) -> MedianStop | None:
    """What ``tune`` is given: None, ``"medianstop"``, or its settings as a dictionary. Raises Invalid."""
    if given is None:
        return None
    if isinstance(given, str):
        return from_katib({"algorithmName": given})
    if not isinstance(given, Mapping):
        raise Invalid(
            f"{given!r} is not an early stopping",
            where=Where(field="early_stopping"),
            hint=f'Write "{NAME}".',
        )
    settings = [{"name": key, "value": value} for key, value in given.items() if key != "algorithm"]
    return from_katib({"algorithmName": given.get("algorithm", NAME), "algorithmSettings": settings})


@dataclass
class Medians:
    """Decides, and remembers of each succeeded trial what that needs. ``sign`` is 1 if less is better."""

    settings: MedianStop
    sign: int
    _averages: list[array[float]] = field(default_factory=list)
    _succeeded: int = 0

    def succeeded(self, curve: Iterable[float]) -> None:
        """A trial has succeeded with these reports of the objective."""
        total, count = 0.0, 0
        for value in curve:
            count += 1
            total += value
            if count > DEEPEST:
                break
            if len(self._averages) < count:
                self._averages.append(array("d"))
            bisect.insort(self._averages[count - 1], total / count)
        self._succeeded += count > 0

    def median(self, reports: int) -> float | None:
        """What a trial is compared with at this report; None while there is too little to compare with."""
        if reports < self.settings.start_step or self._succeeded < self.settings.min_trials_required:
            return None
        place = min(reports, DEEPEST, len(self._averages)) - 1
        known = self._averages[place] if place >= 0 else array("d")
        if len(known) < self.settings.min_trials_required:
            return None
        half = len(known) // 2
        return known[half] if len(known) % 2 else (known[half - 1] + known[half]) / 2

    def verdict(self, curve: Sequence[float]) -> str | None:
        """Why a trial with these reports is to be stopped; None if it may go on."""
        median = self.median(len(curve))
        if median is None:
            return None
        best = min(curve) if self.sign > 0 else max(curve)
        if best * self.sign <= median * self.sign:
            return None
        return f"Stopped early at report {len(curve)}: its best value {best:g} is worse than the median {median:g}."
