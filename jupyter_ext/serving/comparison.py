"""How variants do on live traffic: what was measured, what differs from the stable variant, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.serving import outcomes, sequential, verdict
from jupyter_ext.serving.gateway.histogram import LEAST as FIRST
from jupyter_ext.serving.gateway.histogram import STEPS
from jupyter_ext.serving.sequential import ALPHA, LEAST, Interval, Sample

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.histogram import Histogram
    from jupyter_ext.serving.traffic import Traffic, Window

COUNTS: Final = ("errors", "rejected")
QUANTILES: Final = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Row:
    """What was measured of one variant. ``errors`` are requests that failed, ``rejected`` those that were wrong."""

    variant: str
    requests: int
    errors: int
    rejected: int
    latency: Histogram
    outcomes: dict[str, Sample]
    mirrored: tuple[int, int] = (0, 0)
    """Mirrored requests that were answered as the user was, and differently."""

    @property
    def error_rate(self) -> float | None:
        """The share of requests that failed."""
        return self.errors / self.requests if self.requests else None

    def quantile(self, name: str) -> float | None:
        """``p50`` … in seconds."""
        return self.latency.quantile(QUANTILES[name]) if self.latency.count else None

    @property
    def p50(self) -> float | None:
        """Half of the requests took at most so many seconds."""
        return self.quantile("p50")

    @property
    def p95(self) -> float | None:
        """95 of 100 took at most so many seconds."""
        return self.quantile("p95")

    @property
    def p99(self) -> float | None:
        """99 of 100 took at most so many seconds."""
        return self.quantile("p99")


@dataclass(frozen=True)
class Difference:
    """A variant minus the stable one. The interval holds the truth in 95 of 100 comparisons, however often one looks.

    ``more``: how many times the evidence there is would decide, if the difference stayed as it is; None if it is too
    small for that. ``unit``: ``share`` (0 to 1), ``s`` or nothing.
    """

    variant: str
    against: str
    metric: str
    unit: str
    goal: outcomes.Goal
    interval: Interval
    counts: tuple[int, int]
    more: float | None = None

    @property
    def estimate(self) -> float | None:
        """The difference that was seen; None without values."""
        return None if math.isnan(self.interval.estimate) else self.interval.estimate

    @property
    def significant(self) -> bool:
        """Whether there is enough evidence that there is a difference at all."""
        return self.interval.excludes_zero

    @property
    def better(self) -> bool | None:
        """Whether it is an improvement; None while that is not known."""
        return (self.interval.estimate < 0) == (self.goal == "minimize") if self.significant else None

    @property
    def bounded(self) -> bool:
        """Whether the interval has two ends."""
        return math.isfinite(self.interval.low) and math.isfinite(self.interval.high)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "variant": self.variant,
            "against": self.against,
            "metric": self.metric,
            "estimate": self.estimate,
            "interval": [self.interval.low, self.interval.high] if self.bounded else None,
            "significant": self.significant,
            "unit": self.unit,
            "better": self.better,
            "text": verdict.difference(self),
        }


@dataclass(frozen=True)
class Comparison:
    """The rows of the variants, the stable one first, and how the others differ from it."""

    metric: str
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    verdict: str
    enough: bool

    @property
    def metrics(self) -> list[str]:
        """The names that can be compared by."""
        return [*COUNTS[:1], *QUANTILES, *dict.fromkeys(name for row in self.rows for name in row.outcomes)]

    def of(self, variant: str, metric: str | None = None) -> Difference | None:
        """The difference of a variant; without a metric, in the one that the verdict is about."""
        wanted = metric or self.metric
        return next((d for d in self.differences if d.variant == variant and d.metric == wanted), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON form; shares from 0 to 1, times in seconds."""
        return {
            "metric": self.metric,
            "metrics": self.metrics,
            "rows": [_json(row, self.metric) for row in self.rows],
            "differences": [each.to_dict() for each in self.differences],
            "verdict": self.verdict,
            "enough": self.enough,
        }

    def __str__(self) -> str:
        return verdict.text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return verdict.html(self)


def compare(
    traffic: Traffic,
    uid: str,
    variants: Iterable[Any],
    metric: str | None = None,
    since: float | None = None,
    *,
    goal: str | None = None,
    alpha: float = ALPHA,
) -> Comparison:
    """Compare variants, names or objects with one, the stable one first, by what went through since a moment.

    ``metric`` is what the verdict is about: ``errors``, ``rejected``, ``p50``, ``p95``, ``p99`` or an outcome; without,
    the outcome with most values, else the errors. Users are not told apart in errors and times, so let ``since`` be
    when the split or a model last changed. Raises Invalid for a metric that nobody knows.
    """
    names = [str(getattr(each, "name", each)) for each in variants]
    if not names:
        raise Invalid("There is no variant to compare")
    found = outcomes.samples(traffic.outcomes(uid, None, since))
    rows = tuple(_row(traffic.total(uid, name, since), name, found) for name in names)
    chosen = _metric(metric, names, found)
    level = alpha / max(len(names) - 1, 1)
    differences = tuple(
        each for row in rows[1:] for each in _differences(row, rows[0], chosen, goal, level, list(found))
    )
    said, enough = verdict.verdict(chosen, rows, differences)
    return Comparison(chosen, rows, differences, said, enough)


def since(found: Comparison, moment: str) -> Comparison:
    """The same, saying that nothing before ``moment`` is in it."""
    words = (
        f"Counted since {moment.replace('T', ' ').removesuffix('+00:00')} UTC only: what was before is lost."
    )
    return replace(found, verdict=f"{found.verdict} {words}")


def _row(window: Window, name: str, found: dict[str, dict[str, Sample]]) -> Row:
    mine = {metric: by_variant[name] for metric, by_variant in found.items() if name in by_variant}
    mirrored = (window.same, window.different)
    return Row(name, window.requests, window.errors, window.rejected, window.latency, mine, mirrored)


def _metric(given: str | None, names: Sequence[str], found: dict[str, dict[str, Sample]]) -> str:
    if given is None:
        known = {
            name: min(
                by.get(names[0], _NONE).count,
                max((by.get(other, _NONE).count for other in names[1:]), default=0),
            )
            for name, by in found.items()
        }
        best = max(known, key=lambda name: known[name], default=None)
        return best if best is not None and known[best] else "errors"
    if given in (*COUNTS, *QUANTILES, *found):
        return given
    raise Invalid(
        f"Nothing is known of {given!r}",
        where=Where(field="metric"),
        hint=f"There is: {', '.join([*COUNTS, *QUANTILES, *found])}. An outcome appears with its first feedback.",
    )


_NONE: Final = Sample(0, math.nan, math.nan)


def _differences(
    row: Row, stable: Row, chosen: str, goal: str | None, alpha: float, names: list[str]
) -> Iterable[Difference]:
    for name in COUNTS:
        if name in {chosen, "errors"}:
            yield _of_counts(row, stable, name, alpha)
    for name in QUANTILES:
        yield _of_times(row, stable, name, alpha)
    for name in names:
        mine, theirs = row.outcomes.get(name, _NONE), stable.outcomes.get(name, _NONE)
        yield _of_outcome(
            row.variant, stable.variant, name, (mine, theirs), alpha, goal if name == chosen else None
        )


def _of_counts(row: Row, stable: Row, name: str, alpha: float) -> Difference:
    hits, other = getattr(row, name), getattr(stable, name)
    n, m = row.requests, stable.requests
    interval = sequential.difference_of_proportions(hits, n, other, m, alpha)

    def decided(scale: float) -> bool:
        return sequential.proportions_differ(hits * scale, n * scale, other * scale, m * scale, alpha)

    more = sequential.factor(decided) if n and m else None
    return Difference(row.variant, stable.variant, name, "share", "minimize", interval, (n, m), more)


def _of_times(row: Row, stable: Row, name: str, alpha: float) -> Difference:
    def interval(scale: float) -> Interval:
        low, high = _times(row.latency, QUANTILES[name], alpha / 2, scale)
        other_low, other_high = _times(stable.latency, QUANTILES[name], alpha / 2, scale)
        mine, theirs = row.quantile(name), stable.quantile(name)
        estimate = math.nan if mine is None or theirs is None else mine - theirs
        return Interval(estimate, low - other_high, high - other_low)

    counts = (row.latency.count, stable.latency.count)
    more = sequential.factor(lambda scale: interval(scale).excludes_zero) if min(counts) else None
    return Difference(row.variant, stable.variant, name, "s", "minimize", interval(1.0), counts, more)


def _times(latency: Histogram, q: float, alpha: float, scale: float) -> tuple[float, float]:
    """Between which times the true quantile lies: edges of buckets, below which the numbers are exact."""
    if not latency.count:
        return 0.0, math.inf
    low, high = sequential.quantile_ranks(int(latency.count * scale), q, alpha)
    return _edge(latency, low * latency.count), _edge(latency, high * latency.count, upper=True)


def _edge(latency: Histogram, rank: float, *, upper: bool = False) -> float:
    """The edge of the bucket below (above) which so many values surely are."""
    if rank >= latency.count:
        return math.inf
    seen = 0.0
    for place in sorted(latency.counts):
        seen += latency.counts[place]
        if seen > rank:
            return FIRST * 2 ** ((place + upper) / STEPS) if place or upper else 0.0
    return math.inf


def _of_outcome(
    variant: str, against: str, name: str, both: tuple[Sample, Sample], alpha: float, goal: str | None
) -> Difference:
    mine, theirs = both
    interval = sequential.difference_of_means(mine, theirs, alpha)
    unit = "share" if mine.share and theirs.share else ""
    more = _more(interval, mine, theirs, alpha)
    counts = (mine.count, theirs.count)
    return Difference(variant, against, name, unit, outcomes.goal(name, goal), interval, counts, more)


def _more(interval: Interval, mine: Sample, theirs: Sample, alpha: float) -> float | None:
    if not math.isfinite(interval.high):
        return LEAST / min(mine.count, theirs.count) if 0 < min(mine.count, theirs.count) < LEAST else None
    if interval.excludes_zero:
        return 1.0
    return sequential.factor(lambda scale: interval.half_at(scale, alpha) < abs(interval.estimate))


def _json(row: Row, metric: str) -> dict[str, Any]:
    found = {
        name: {"n": each.count, "mean": each.mean, "share": each.share} for name, each in row.outcomes.items()
    }
    chosen = {"name": metric, **found[metric]} if metric in found else None
    return {
        "variant": row.variant,
        "requests": row.requests,
        "errors": row.errors,
        "errorRate": row.error_rate,
        "rejected": row.rejected,
        "p50": row.p50,
        "p95": row.p95,
        "p99": row.p99,
        "mirrored": {"same": row.mirrored[0], "different": row.mirrored[1]} if any(row.mirrored) else None,
        "outcome": chosen,
        "outcomes": found,
    }
