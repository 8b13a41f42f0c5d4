"""Whether what a model is asked, and what it answers, still looks like what it was trained on.

For each feature the population stability index (PSI) and the Kolmogorov-Smirnov distance at the bins of the training
profile. Both are above 0 by chance: PSI by about ``(bins - 1) (1/n + 1/m)``, times a chi-squared variable (Yurdakul,
2018, *Statistical properties of the population stability index*). A feature has moved only if it is both more than
chance makes it, in one of a hundred checks of all features, and large.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Literal

from jupyter_ext.display.look import block, table
from jupyter_ext.errors import Invalid, Where
from jupyter_ext.registry.profile import number
from jupyter_ext.serving.requests import REDACTED, Side, decode

Level = Literal["none", "some", "much", "unknown"]
FEWEST: Final = 50
"""Values below which nothing is said."""
KNOWN: Final = 30
"""Values in training below which a profile says nothing."""
SOME: Final = 0.1
MUCH: Final = 0.25
CHANCE: Final = 0.01
WORTH_SAYING: Final = 0.01
LISTED: Final = 3


@dataclass(frozen=True)
class Feature:
    """One feature: how far it has moved, in numbers and in words."""

    name: str
    side: Side
    level: Level
    words: str
    psi: float | None = None
    ks: float | None = None
    count: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "feature": self.name,
            "kind": self.side.removesuffix("s"),
            "psi": self.psi,
            "ks": self.ks,
            "level": self.level,
            "count": self.count,
            "words": self.words,
        }


@dataclass(frozen=True)
class Drift:
    """All features, those that moved most first."""

    features: tuple[Feature, ...]
    requests: int
    unread: int = 0

    @property
    def level(self) -> Level:
        """The worst one; unknown if nothing is known of any."""
        found = {each.level for each in self.features}
        worst: tuple[Level, ...] = ("much", "some", "none")
        return next((level for level in worst if level in found), "unknown")

    @property
    def words(self) -> str:
        """One sentence or two."""
        if not self.features:
            return "Nothing is known of the training data: register the model with data={'train': X}."
        moved = [each for each in self.features if each.level in {"much", "some"}]
        judged = sum(each.level != "unknown" for each in self.features)
        if not judged:
            return f"Too little to say yet, of {self.requests} requests. {self.features[0].words}"
        if not moved:
            return f"None of {judged} features has moved, in {self.requests} requests."
        more = f" And {len(moved) - LISTED} more." if len(moved) > LISTED else ""
        said = " ".join(f"{each.words}." for each in moved[:LISTED])
        return f"{len(moved)} of {judged} features {'has' if len(moved) == 1 else 'have'} moved. {said}{more}"

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "items": [each.to_dict() for each in self.features],
            "requests": self.requests,
            "unread": self.unread,
            "level": self.level,
            "words": self.words,
        }

    def __str__(self) -> str:
        lines = [f"{each.level:<8} {each.words}" for each in self.features]
        return "\n".join([self.words, *lines])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = [
            [
                escape(each.name),
                escape(each.side),
                each.level,
                _digits(each.psi),
                _digits(each.ks),
                escape(each.words),
            ]
            for each in self.features
        ]
        head = ("feature", "of", "moved", "PSI", "KS", "")
        return block(f'<p role="status"><b>{escape(self.words)}</b></p>', table("Drift", head, rows))


def _digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def measure(
    profile: Mapping[str, Any] | None,
    requests: Iterable[Any] | Mapping[str, Sequence[Any]],
    *,
    outputs: Mapping[str, Sequence[Any]] | None = None,
    names: Sequence[str] | None = None,
) -> Drift:
    """Compare logged requests (with ``request`` and ``response`` bodies), or columns, with a training profile.

    ``names`` are those of the model's inputs, for bodies without; else the profile's are taken. What cannot be
    decoded is counted as ``unread``.
    """
    known = profile or {}
    features = list(known.get("features") or ())
    answers = list(known.get("outputs") or ())
    if isinstance(requests, Mapping):
        columns: dict[str, list[Any]] = {name: list(values) for name, values in requests.items()}
        given = {name: list(values) for name, values in (outputs or {}).items()}
        count, unread = max((len(values) for values in columns.values()), default=0), 0
    else:
        said = [str(each["name"]) for each in features]
        said = list(names) if names and not set(said).isdisjoint(names) else said
        columns, given, count, unread = _collected(requests, said, [str(each["name"]) for each in answers])
    chance = CHANCE / max(len(features) + len(answers), 1)
    found = [_feature(each, "inputs", columns.get(str(each["name"])), chance) for each in features]
    found += [_feature(each, "outputs", given.get(str(each["name"])), chance) for each in answers]
    strangers = [
        name for name in columns if features and name not in {str(each["name"]) for each in features}
    ]
    found += [
        Feature(name, "inputs", "unknown", f"`{name}` is not in the training data") for name in strangers[:20]
    ]
    order = {"much": 0, "some": 1, "none": 2, "unknown": 3}
    found.sort(key=lambda each: (order[each.level], -(each.psi or 0.0)))
    return Drift(tuple(found), count, unread)


def _collected(
    requests: Iterable[Any], names: list[str], answers: list[str]
) -> tuple[dict[str, list[Any]], dict[str, list[Any]], int, int]:
    columns: dict[str, list[Any]] = {}
    given: dict[str, list[Any]] = {}
    count = unread = 0
    for each in requests:
        if each.request is None:
            continue
        count += 1
        try:
            _extend(columns, decode(each.request, names))
            if each.response is not None and each.status < 400:
                _extend(given, decode(each.response, answers, "outputs"))
        except Invalid:
            unread += 1
    return columns, given, count, unread


def _extend(columns: dict[str, list[Any]], more: Mapping[str, list[Any]]) -> None:
    for name, values in more.items():
        columns.setdefault(name, []).extend(value for value in values if value != REDACTED)


def _feature(known: Mapping[str, Any], side: Side, values: Sequence[Any] | None, chance: float) -> Feature:
    name, kind = str(known.get("name")), known.get("kind")
    if kind in {"hidden", "text", "empty"}:
        return Feature(name, side, "unknown", f"`{name}` was {_NOT_PROFILED[str(kind)]}")
    if not values:
        where = "requests" if side == "inputs" else "answers"
        return Feature(name, side, "unknown", f"`{name}` is in no {where}")
    if int(known.get("count", 0)) < KNOWN:
        return Feature(
            name, side, "unknown", f"`{name}`: only {known.get('count', 0)} values of training are known"
        )
    try:
        return _compared(known, name, side, values, chance)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Invalid(f"The profile of {name[:60]!r} cannot be read", where=Where(field="profile")) from None


_NOT_PROFILED: Final = {
    "hidden": "left out of the profile, for its name sounds like a secret",
    "text": "left out of the profile, for nearly every row has another value",
    "empty": "empty in training",
}


def _compared(
    known: Mapping[str, Any], name: str, side: Side, values: Sequence[Any], chance: float
) -> Feature:
    numeric = known["kind"] in {"number", "time"}
    present: list[Any]
    if numeric:
        present = [found for found in map(number, values) if found is not None]
    else:
        present = [str(value)[:64] for value in values if value is not None]
    missing = 1 - len(present) / len(values)
    lost = _missing(float(known.get("missing", 0.0)), missing, len(values))
    if len(present) < FEWEST:
        if lost and len(values) >= FEWEST:
            return Feature(name, side, "much", f"`{name}`: {lost}", count=len(values))
        about = f"`{name}`: {len(present)} of at least {FEWEST} values"
        return Feature(name, side, "unknown", about, count=len(present))
    shares, live = _binned(known, present) if numeric else _valued(known, present)
    psi, ks, level = _moved(shares, live, int(known["count"]), len(present), chance, ordered=numeric)
    said = [*(_numbers if numeric else _values)(known, present, level), *([lost] if lost else [])]
    if lost and level == "none":
        level = "some"
    verb = "has moved" if level in {"much", "some"} else "is as in training"
    words = f"`{name}` {verb}{': ' if said else ''}{'; '.join(said)}"
    return Feature(name, side, level, words, round(psi, 4), round(ks, 4) if numeric else None, len(present))


def _missing(before: float, now: float, count: int) -> str:
    """Told if it is more than five standard errors, and a twentieth."""
    error = math.sqrt(max(before * (1 - before), 1 / count) / count)
    if now - before <= max(5 * error, 0.05):
        return ""
    return f"missing {_percent(before)} → {_percent(now)}"


def _binned(known: Mapping[str, Any], present: Sequence[float]) -> tuple[list[float], list[float]]:
    edges = [float(edge) for edge in known["edges"]]
    counts = [0] * (len(edges) + 1)
    for value in present:
        counts[bisect.bisect_left(edges, float(f"{value:.7g}"))] += 1
    return [float(share) for share in known["shares"]], [count / len(present) for count in counts]


def _valued(known: Mapping[str, Any], present: Sequence[str]) -> tuple[list[float], list[float]]:
    counts = Counter(present)
    names = list(known["values"])
    live = [counts.get(name, 0) / len(present) for name in names]
    return [*map(float, known["values"].values()), float(known["other"])], [*live, max(1 - sum(live), 0.0)]


def _moved(
    shares: list[float], live: list[float], n: int, m: int, chance: float, *, ordered: bool
) -> tuple[float, float, Level]:
    """PSI, KS (of ordered bins) and how much that is; half a value in each bin keeps the logarithms finite."""
    bins = len(shares)
    psi = below = ks = 0.0
    for before, now in zip(shares, live, strict=True):
        p, q = (before * n + 0.5) / (n + 0.5 * bins), (now * m + 0.5) / (m + 0.5 * bins)
        psi += (q - p) * math.log(q / p)
        below += now - before
        ks = max(ks, abs(below))
    noise = 1 / n + 1 / m
    beyond = psi > noise * chi_squared(max(bins - 1, 1), chance)
    far = ordered and ks > math.sqrt(-math.log(chance / 2) / 2 * noise)
    size = max(psi - (bins - 1) * noise, 0.0)
    if (beyond and size >= MUCH) or (far and ks >= 0.3):
        return psi, ks, "much"
    if (beyond and size >= SOME) or (far and ks >= 0.15):
        return psi, ks, "some"
    return psi, ks, "none"


def chi_squared(freedom: int, chance: float) -> float:
    """What a chi-squared variable exceeds with that chance (Wilson & Hilferty, 1931)."""
    from statistics import NormalDist

    part = 2 / (9 * freedom)
    z = NormalDist().inv_cdf(1 - chance)
    return float(freedom * (1 - part + z * math.sqrt(part)) ** 3)


def _numbers(known: Mapping[str, Any], present: Sequence[float], level: Level) -> list[str]:
    from statistics import median

    said = []
    if level in {"much", "some"}:
        said.append(f"median {_plain(known['median'])} → {_plain(median(present))}")
    for word, share in (
        ("above", sum(value > float(known["max"]) * (1 + 1e-6) for value in present) / len(present)),
        ("below", sum(value < float(known["min"]) * (1 - 1e-6) for value in present) / len(present)),
    ):
        if share >= WORTH_SAYING:
            said.append(f"{_percent(share)} of values {word} anything seen in training")
    return said


def _values(known: Mapping[str, Any], present: Sequence[str], level: Level) -> list[str]:
    counts = Counter(present)
    said = []
    if level in {"much", "some"}:
        moves = {name: counts.get(name, 0) / len(present) - share for name, share in known["values"].items()}
        for name in sorted(moves, key=lambda each: -abs(moves[each]))[:2]:
            if abs(moves[name]) >= WORTH_SAYING:
                now = counts.get(name, 0) / len(present)
                said.append(f"{name} {_percent(known['values'][name])} → {_percent(now)}")
    unseen = sum(count for name, count in counts.items() if name not in known["values"]) / len(present)
    if not known["other"] and unseen >= WORTH_SAYING:
        said.append(f"{_percent(unseen)} of values were never seen in training")
    return said


def _plain(value: Any) -> str:
    return f"{float(value):.4g}"


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.995 else "100 %"
