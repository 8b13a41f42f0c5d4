"""Whether a variant breaks a rule, by the traffic of the time that the rule looks at."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from jupyter_ext.serving import outcomes
from jupyter_ext.serving.rule import EXAMPLE, Bound, Condition, Group, Misread, Rule, duration, plain
from jupyter_ext.serving.rule import parse as _parse
from jupyter_ext.serving.verdict import percent, seconds

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.histogram import Histogram
    from jupyter_ext.serving.traffic import Traffic

__all__ = ["EXAMPLE", "Breach", "Misread", "Reading", "Rule", "check", "look", "parse"]

State = Literal["ok", "waiting", "breached"]
parse = lru_cache(maxsize=256)(_parse)
_MORE: Final = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}


@dataclass(frozen=True)
class Breach:
    """A rule was broken: by which variant, and a sentence that says with which numbers."""

    variant: str
    rule: str
    sentence: str
    time: float

    def __str__(self) -> str:
        return self.sentence

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"variant": self.variant, "rule": self.rule, "sentence": self.sentence, "time": self.time}


@dataclass(frozen=True)
class Reading:
    """How a rule stands for a variant; ``value`` has the numbers, ``reason`` what is waited for or broken."""

    text: str
    state: State
    value: str
    reason: str = ""
    breach: Breach | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON form, as it stands in ``status.rules``."""
        return {"text": self.text, "state": self.state, "value": self.value, "reason": self.reason}


def check(
    rule: Rule,
    traffic: Traffic,
    uid: str,
    variant: str,
    now: float,
    stable: str | None = None,
    since: float | None = None,
) -> Breach | None:
    """The breach of a rule by a variant; None while there is none, or too few requests to say."""
    return look(rule, traffic, uid, variant, now, stable, since).breach


def look(
    rule: Rule,
    traffic: Traffic,
    uid: str,
    variant: str,
    now: float,
    stable: str | None = None,
    since: float | None = None,
) -> Reading:
    """How a rule stands now. ``since``: when the variant began to get traffic; what was before is not its fault.

    ``stable`` is whom ``x stable`` compares with, over the same time.
    """
    if rule.variant is not None and rule.variant != variant:
        return Reading(str(rule), "ok", "", f"Only for {rule.variant}.")
    begin = max(now - rule.seconds, since or 0.0)
    seen = _Seen(rule, traffic, uid, variant, stable, begin, now)
    found = seen.truth(rule.condition)
    value = ", ".join(dict.fromkeys(seen.values))
    if found is None:
        return Reading(str(rule), "waiting", value, "; ".join(dict.fromkeys(seen.missing)))
    if not found:
        return Reading(str(rule), "ok", value)
    sentence = f"{variant}: {' and '.join(dict.fromkeys(seen.broken))} (within {duration(rule.seconds)})"
    return Reading(str(rule), "breached", value, sentence, Breach(variant, str(rule), sentence, now))


@dataclass
class _Counted:
    """What went through one variant, in the time that is looked at."""

    requests: int
    errors: int
    rejected: int
    latency: Histogram
    outcomes: dict[str, tuple[int, float]]


@dataclass
class _Seen:
    """Evaluates tests to true, false or not known, and notes the numbers in words."""

    rule: Rule
    traffic: Traffic
    uid: str
    variant: str
    stable: str | None
    begin: float
    now: float
    values: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _known: dict[str, _Counted] = field(default_factory=dict)

    def truth(self, condition: Condition) -> bool | None:
        """Of all terms (not only as many as decide), so that each is in the words."""
        if isinstance(condition, Bound):
            return self._test(condition)
        found = [self.truth(term) for term in condition.terms]
        return _joined(condition, found)

    def _test(self, test: Bound) -> bool | None:
        mine = self._measured(test, self.variant)
        if mine is None:
            return None
        value, of = mine
        self.values.append(f"{test.metric} {_shown(test, value)}")
        limit, about = test.limit.value, f"{_MORE[test.sign]} {test.limit}"
        if test.limit.unit == "x stable":
            theirs = self._stable(test)
            if theirs is None:
                return None
            limit = theirs * test.limit.number
            factor = "" if test.limit.number == 1 else f"{plain(test.limit.number)} times "
            about = f"{_MORE[test.sign]} {factor}the {_shown(test, theirs)} of {self.stable}"
        if not test.holds(value, limit):
            return False
        self.broken.append(f"{_sentence(test, value, of)}, {about}")
        return True

    def _stable(self, test: Bound) -> float | None:
        if self.stable is None or self.stable == self.variant:
            self.missing.append("There is no other variant to compare with.")
            return None
        found = self._measured(test, self.stable)
        return None if found is None else found[0]

    def _measured(self, test: Bound, variant: str) -> tuple[float, int] | None:
        """The value, and of how many; None, with the reason noted, of fewer than it takes."""
        counted = self._counted(variant)
        if test.metric == "rate":
            return counted.requests / max(self.now - self.begin, 1.0), counted.requests
        if test.outcome:
            number, mean = counted.outcomes.get(test.metric, (0, math.nan))
            return (mean, number) if self._enough(number, variant, f"values of {test.metric}") else None
        absolute = test.quantile is None and test.limit.unit == ""
        if absolute:
            return float(getattr(counted, test.metric)), counted.requests
        if not self._enough(counted.requests, variant, "requests"):
            return None
        if test.quantile is not None:
            if not counted.latency.count:
                return None
            return counted.latency.quantile(test.quantile), counted.requests
        return getattr(counted, test.metric) / counted.requests, counted.requests

    def _enough(self, number: int, variant: str, what: str) -> bool:
        if number >= self.rule.minimum:
            return True
        self.missing.append(f"{variant} has {number} of at least {self.rule.minimum} {what}.")
        return False

    def _counted(self, variant: str) -> _Counted:
        if variant not in self._known:
            self._known[variant] = self._count(variant)
        return self._known[variant]

    def _count(self, variant: str) -> _Counted:
        all_ = self.traffic.total(self.uid, variant, self.begin)
        found: dict[str, tuple[int, float]] = {}
        for name in self.rule.outcomes:
            rows = (
                row for row in self.traffic.outcomes(self.uid, name, self.begin) if row.variant == variant
            )
            for sample in outcomes.samples(rows).get(name, {}).values():
                found[name] = (sample.count, sample.mean)
        return _Counted(all_.requests, all_.errors, all_.rejected, all_.latency, found)


def _joined(group: Group, found: Iterable[bool | None]) -> bool | None:
    """Not known only if what is not known could decide."""
    every = list(found)
    decisive = group.word == "or"
    if decisive in every:
        return decisive
    return None if None in every else not decisive


def _shown(test: Bound, value: float) -> str:
    if test.quantile is not None:
        return seconds(value)
    if test.metric == "rate":
        return f"{value:.3g}/s"
    share = test.limit.unit == "%" or (test.limit.unit == "x stable" and not test.outcome)
    return percent(value) if share else f"{value:.4g}"


def _sentence(test: Bound, value: float, of: int) -> str:
    shown = _shown(test, value)
    if test.metric == "rate":
        return f"{shown} came"
    if test.quantile is not None or test.outcome:
        what = "requests" if test.quantile is not None else "values"
        return f"{test.metric} was {shown} over {of} {what}"
    verb = "failed" if test.metric == "errors" else "were rejected"
    return f"{shown} of {of} requests {verb}"
