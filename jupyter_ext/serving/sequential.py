"""Intervals that hold at every look: whoever looks after each request is fooled as seldom as who looks once.

A *confidence sequence* at level ``1 - alpha`` holds the truth at all times at once with that probability (Robbins,
1970; Howard, Ramdas, McAuliffe & Sekhon, 2021, *Time-uniform, nonparametric, nonasymptotic confidence sequences*).

- ``proportion`` and ``quantile_ranks``: exact, by the beta-binomial mixture martingale and Ville's inequality.
- ``difference_of_proportions``: the same mixture, for the part of all hits that fell upon the variant, as of two counted streams
  (Lindon & Malek, 2022, *Anytime-valid inference for multinomial count data*).
- ``difference_of_means``: asymptotic (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, 2021, *Time-uniform central limit
  theory and asymptotic confidence sequences*), in blocks of time, so that neither an unequal split nor one that
  was changed meanwhile biases it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

ALPHA: Final = 0.05
LEAST: Final = 20
"""Values a variant must have before an asymptotic interval is given: earlier, a variance is not known."""
_PRIOR: Final = 0.5
_OF_HITS: Final = 0.8
"""The part of the chance of error for where hits fell; the rest is for how many there are."""
_RANK_PRIOR: Final = 100.0
_TUNED: Final = 57.0
"""The mixture's variance: narrowest where each of two equal variants has about a thousand values."""
_BLOCK: Final = 10
_STEPS: Final = 44


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of what the evidence does not exclude."""

    estimate: float
    low: float
    high: float
    time: float = 0.0
    """What is known, in values; the width of a mean's interval depends on it alone."""

    @property
    def excludes_zero(self) -> bool:
        """Whether there is a difference, by the evidence."""
        return self.low > 0 or self.high < 0

    @property
    def half(self) -> float:
        """Half of the width."""
        return (self.high - self.low) / 2

    def half_at(self, scale: float, alpha: float) -> float:
        """Half of the width that a mean's interval would have with so many times the values."""
        time = self.time * scale
        return self.half * boundary(time, alpha) / boundary(self.time, alpha) / scale


def proportion(hits: float, count: float, alpha: float = ALPHA) -> Interval:
    """The share that ``hits`` of ``count`` came from. Without any: all of 0 to 1."""
    if count <= 0:
        return Interval(math.nan, 0.0, 1.0)
    mixture = _log_mixture(hits, count)
    limit = math.log(1 / alpha)

    def inside(share: float) -> bool:
        return mixture - _log_likelihood(hits, count, share) < limit

    middle = hits / count
    return Interval(middle, _edge(inside, middle, 0.0), _edge(inside, middle, 1.0))


def quantile_ranks(count: int, q: float, alpha: float = ALPHA) -> tuple[float, float]:
    """The two levels between whose sample quantiles the true quantile ``q`` lies, of ``count`` values.

    The number of values below the true quantile is binomial with ``q``: all numbers are kept that ``q`` could have led
    to (Howard & Ramdas, 2022, *Sequential estimation of quantiles*, with a mixture in place of their closed form).
    """
    if count <= 0:
        return 0.0, 1.0
    a, b = _RANK_PRIOR * q, _RANK_PRIOR * (1 - q)
    prior, limit = _log_beta(a, b), math.log(1 / alpha)

    def inside(share: float) -> bool:
        hits = share * count
        log_mixture = _log_beta(hits + a, count - hits + b) - prior
        return log_mixture - _log_likelihood(hits, count, q) < limit

    return _edge(inside, q, 0.0), _edge(inside, q, 1.0)


def difference_of_proportions(
    hits: float, count: float, stable_hits: float, stable_count: float, alpha: float = ALPHA
) -> Interval:
    """The share of a variant minus that of the stable one.

    Were the shares the same, each hit would fall upon the variant with the variant's part of the traffic, whether hits
    are rare or come in bursts that meet both. So the part of the hits that fell upon it is all that has to be known,
    and one interval for it, with one for the share of all, gives one for the difference.
    """
    if count <= 0 or stable_count <= 0:
        return Interval(math.nan, -1.0, 1.0)
    part = count / (count + stable_count)
    all_hits = hits + stable_hits
    of_hits = proportion(hits, all_hits, alpha * _OF_HITS)
    share = proportion(all_hits, count + stable_count, alpha * (1 - _OF_HITS))
    low, high = ((fallen - part) / (part * (1 - part)) for fallen in (of_hits.low, of_hits.high))
    return Interval(
        hits / count - stable_hits / stable_count,
        max(low * (share.high if low < 0 else share.low), -1.0),
        min(high * (share.high if high > 0 else share.low), 1.0),
    )


def proportions_differ(
    hits: float, count: float, stable_hits: float, stable_count: float, alpha: float = ALPHA
) -> bool:
    """Whether the interval of their difference excludes 0, without looking for its ends."""
    all_hits = hits + stable_hits
    if count <= 0 or stable_count <= 0 or all_hits <= 0:
        return False
    part = count / (count + stable_count)
    return _log_mixture(hits, all_hits) - _log_likelihood(hits, all_hits, part) >= -math.log(alpha * _OF_HITS)


def _log_mixture(hits: float, count: float) -> float:
    return _log_beta(hits + _PRIOR, count - hits + _PRIOR) - _log_beta(_PRIOR, _PRIOR)


@dataclass(frozen=True)
class Sample:
    """Values of one variant: how many, their mean, the variance of one, and each as (time, value)."""

    count: int
    mean: float
    variance: float
    points: tuple[tuple[float, float], ...] = ()
    binary: bool = False
    """All are 0 or 1."""
    share: bool = False
    """All were yes or no, so that the mean is a share, also where a unit's several were made one."""


def sample(points: Iterable[tuple[float, float]], *, share: bool | None = None) -> Sample:
    """Count values, each with its time; ``share``: whether they are of yes and no, without: whether all are 0 or 1."""
    kept = tuple(sorted(points))
    if not kept:
        return Sample(0, math.nan, math.nan)
    mean = math.fsum(value for _, value in kept) / len(kept)
    squares = math.fsum((value - mean) ** 2 for _, value in kept)
    binary = all(value in {0.0, 1.0} for _, value in kept)
    return Sample(
        len(kept), mean, squares / max(len(kept) - 1, 1), kept, binary, binary if share is None else share
    )


def difference_of_means(one: Sample, stable: Sample, alpha: float = ALPHA) -> Interval:
    """The mean of a variant minus that of the stable one; ends are infinite while either has too few values.

    In each block of time the difference counts by what it knows, ``n1 n0 / (n1 + n0)``; the weighted sum is a
    martingale whatever the split is.
    """
    if min(one.count, stable.count) == 0:
        return Interval(math.nan, -math.inf, math.inf)
    spread, other = _spread(one), _spread(stable)
    weight = total = variance = 0.0
    for mine, theirs in _blocks(one.points, stable.points):
        n, m = len(mine), len(theirs)
        w = n * m / (n + m)
        weight += w
        total += w * (math.fsum(mine) / n - math.fsum(theirs) / m)
        variance += w * w * (spread / n + other / m)
    estimate = total / weight
    if not _told_apart(one, stable):
        return Interval(estimate, -math.inf, math.inf)
    width = math.sqrt(variance / weight) * boundary(weight, alpha) / weight
    return Interval(estimate, estimate - width, estimate + width, weight)


def boundary(time: float, alpha: float = ALPHA, tuned: float = _TUNED) -> float:
    """What a sum of ``time`` steps of variance 1 and mean 0 does not exceed at any time (normal mixture)."""
    return math.sqrt((time + tuned) * math.log((time + tuned) / (tuned * alpha * alpha)))


def _spread(one: Sample) -> float:
    """The variance, of shares that of two more hits and misses: rare events come late (Agresti & Coull, 1998)."""
    if not one.binary:
        return one.variance
    share = (one.mean * one.count + 2) / (one.count + 4)
    return share * (1 - share)


def _told_apart(one: Sample, stable: Sample) -> bool:
    if min(one.count, stable.count) < LEAST:
        return False
    if not (one.binary and stable.binary):
        return one.variance + stable.variance > 0
    hits = one.mean * one.count + stable.mean * stable.count
    return min(hits, one.count + stable.count - hits) >= _BLOCK


def _blocks(
    one: Sequence[tuple[float, float]], stable: Sequence[tuple[float, float]]
) -> list[tuple[list[float], list[float]]]:
    """Cut both at the same times, as often as each part has enough of both; what is left joins the last."""
    found: list[tuple[list[float], list[float]]] = []
    mine: list[float] = []
    theirs: list[float] = []
    i = j = 0
    while i < len(one) or j < len(stable):
        if j >= len(stable) or (i < len(one) and one[i][0] <= stable[j][0]):
            mine.append(one[i][1])
            i += 1
        else:
            theirs.append(stable[j][1])
            j += 1
        if len(mine) >= _BLOCK and len(theirs) >= _BLOCK:
            found.append((mine, theirs))
            mine, theirs = [], []
    if found:
        found[-1][0].extend(mine)
        found[-1][1].extend(theirs)
    elif mine and theirs:
        found.append((mine, theirs))
    return found


def factor(decided: Callable[[float], bool], most: float = 1000.0) -> float | None:
    """How many times the evidence there is would decide; None if not even ``most`` times would."""
    if decided(1.0):
        return 1.0
    if not decided(most):
        return None
    low, high = 1.0, most
    for _ in range(24):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high


def _edge(inside: Callable[[float], bool], middle: float, end: float) -> float:
    """Where ``inside`` stops between the middle, which is inside, and the end."""
    if inside(end):
        return end
    near, far = middle, end
    for _ in range(_STEPS):
        half = (near + far) / 2
        near, far = (half, far) if inside(half) else (near, half)
    return far


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_likelihood(hits: float, count: float, share: float) -> float:
    """Of the order they came in: no binomial coefficient, which the mixture has not either."""
    misses = count - hits
    if (hits > 0 and share <= 0) or (misses > 0 and share >= 1):
        return -math.inf
    return (hits * math.log(share) if hits > 0 else 0.0) + (
        misses * math.log1p(-share) if misses > 0 else 0.0
    )
