"""A comparison in words, as text and as HTML: what is known, how well, and what is still missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from jupyter_ext.display.look import block, table
from jupyter_ext.serving.sequential import LEAST

if TYPE_CHECKING:
    from jupyter_ext.serving.comparison import Comparison, Difference, Row

_GUARDS: Final = {"errors": "fails more often", "p99": "has a longer p99", "p50": "is slower"}
_HOPELESS: Final = 200
"""So many times the evidence there is: it is not worth waiting for."""


def seconds(value: float | None) -> str:
    """A time in three digits with its unit."""
    if value is None or math.isnan(value):
        return "-"
    if abs(value) < 0.9995:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g} s" if abs(value) < 1000 else f"{value:.0f} s"


def percent(share: float | None) -> str:
    """A share in percent."""
    return "-" if share is None or math.isnan(share) else f"{share * 100:.3g} %"


def count(number: float) -> str:
    """A number of requests that is only about right."""
    digits = 2 if number >= 100 else 1
    rounded = round(number, digits - len(str(int(max(number, 1)))))
    return f"{max(int(rounded), 1):,}".replace(",", " ")


def amount(value: float, unit: str) -> str:
    """A difference with its unit: points for shares."""
    if unit == "share":
        return f"{abs(value) * 100:.2g} points"
    return seconds(abs(value)) if unit == "s" else f"{abs(value):.3g}"


def _sure(one: Difference) -> str:
    """``1.8 ± 0.6 points``, or with both ends where they are not as far away."""
    interval = one.interval
    low, high = sorted((abs(interval.low), abs(interval.high)))
    up, down = interval.high - interval.estimate, interval.estimate - interval.low
    if not one.bounded:
        return f"at least {amount(low, one.unit)}"
    if abs(up - down) > 0.1 * (up + down):
        return f"{amount(interval.estimate, one.unit)} (between {amount(low, one.unit)} and {amount(high, one.unit)})"
    if one.unit == "share":
        return f"{abs(interval.estimate) * 100:.2g} ± {interval.half * 100:.2g} points"
    if one.unit == "s":
        return f"{abs(interval.estimate) * 1000:.3g} ± {interval.half * 1000:.2g} ms"
    return f"{abs(interval.estimate):.3g} ± {interval.half:.2g}"


def difference(one: Difference) -> str:
    """What is known of one metric of one variant."""
    if one.estimate is None:
        return "nothing to compare yet"
    if one.significant:
        return f"{'higher' if one.interval.estimate > 0 else 'lower'} by {_sure(one)}"
    seen = (
        f"{'+' if one.estimate > 0 else '-' if one.estimate < 0 else ''}{amount(one.estimate, one.unit)} seen"
    )
    if not one.bounded:
        return f"{seen}, too little evidence"
    low, high = (
        f"{'-' if end < 0 else '+'}{amount(end, one.unit)}" for end in (one.interval.low, one.interval.high)
    )
    return f"{seen}, could be {low} to {high}"


def verdict(metric: str, rows: Sequence[Row], differences: Sequence[Difference]) -> tuple[str, bool]:
    """The sentences, and whether all that was asked is answered."""
    if len(rows) < 2:
        return f"There is only {rows[0].variant}: put another variant beside it to compare them.", False
    if not any(row.requests or row.outcomes for row in rows):
        return "No requests yet, so there is nothing to compare.", False
    said, enough = [], True
    for row in rows[1:]:
        mine = [each for each in differences if each.variant == row.variant]
        chosen = next(each for each in mine if each.metric == metric)
        said.append(_of(chosen, row, rows[0]))
        enough = enough and chosen.significant
        guards = [_GUARDS[each.metric] for each in mine if each.metric in _GUARDS and each.better is False]
        others = [text for text in guards if _GUARDS.get(metric) != text]
        if others:
            said.append(f"But {row.variant} {' and '.join(others)}: {_guards(mine, metric)}.")
    return " ".join(said), enough


def _guards(mine: Sequence[Difference], metric: str) -> str:
    worse = [
        each for each in mine if each.metric in _GUARDS and each.better is False and each.metric != metric
    ]
    return "; ".join(f"{each.metric} {difference(each)}" for each in worse)


def _of(one: Difference, row: Row, stable: Row) -> str:
    mine, theirs = one.counts
    missing = [each.variant for each, n in ((row, mine), (stable, theirs)) if not n]
    thing = "requests" if one.metric not in row.outcomes and one.metric not in stable.outcomes else "feedback"
    if missing:
        where = "" if thing == "requests" else f" on {one.metric}"
        what = "had no requests" if thing == "requests" else "got no feedback"
        return f"Nothing can be said of {row.variant}: {' and '.join(missing)} {what}{where} yet."
    about = _about(one, thing)
    if one.significant:
        better = "better" if one.better else "worse"
        return f"{row.variant} is {better} by {_sure(one)}{about}; enough evidence."
    missing_text = _missing(one, row, stable, thing)
    seen = "" if one.estimate is None else f" ({difference(one)})"
    return (
        f"Not enough evidence that {row.variant} differs from {stable.variant}{about}{seen}. {missing_text}"
    )


def _about(one: Difference, thing: str) -> str:
    return f" in {one.metric}" if thing == "feedback" or one.metric != "errors" else " in errors"


def _missing(one: Difference, row: Row, stable: Row, thing: str) -> str:
    mine, theirs = one.counts
    words = "requests" if thing == "requests" else "answers with feedback"
    if thing == "feedback" and min(mine, theirs) < LEAST:
        few = row.variant if mine < theirs else stable.variant
        number = min(mine, theirs)
        have = f"{number} answer{'' if number == 1 else 's'} with feedback"
        return f"{few} has {have}; it takes at least {LEAST}."
    if one.more is None or one.more > _HOPELESS:
        if one.bounded:
            most = max(abs(one.interval.low), abs(one.interval.high))
            return f"If there is a difference, it is less than {amount(most, one.unit)}."
        return f"There are {count(mine)} {words} of {row.variant} and {count(theirs)} of {stable.variant}."
    first, second = (max((one.more - 1) * number, 1) for number in (mine, theirs))
    if max(first, second) < 1.3 * min(first, second):
        return f"About {count((first + second) / 2)} more {words} per variant, if it stays like this."
    return (
        f"About {count(first)} more {words} of {row.variant} and {count(second)} of {stable.variant}, "
        "if it stays like this."
    )


def _head(found: Comparison) -> list[str]:
    names = list(dict.fromkeys(name for row in found.rows for name in row.outcomes))
    return ["variant", "requests", "errors", "p50", "p95", "p99", *names]


def _cells(found: Comparison, row: Row) -> list[str]:
    cells = [
        row.variant,
        str(row.requests),
        _errors(row),
        *(seconds(each) for each in (row.p50, row.p95, row.p99)),
    ]
    for name in _head(found)[6:]:
        sample = row.outcomes.get(name)
        if sample is None:
            cells.append("-")
        else:
            mean = percent(sample.mean) if sample.share else f"{sample.mean:.4g}"
            cells.append(f"{mean} of {sample.count}")
    return cells


def _errors(row: Row) -> str:
    return f"{row.errors} ({(row.error_rate or 0) * 100:.2g} %)" if row.errors else str(row.errors)


def text(found: Comparison) -> str:
    """The table and the verdict, as plain text."""
    lines = [_head(found), *(_cells(found, row) for row in found.rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    said = []
    for line in lines:
        padded = (
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        said.append("  ".join(padded).rstrip())
    said.extend(
        f"{each.variant} against {each.against}, {each.metric}: {difference(each)}"
        for each in found.differences
        if each.estimate is not None
    )
    return "\n".join([*said, "", found.verdict])


def html(found: Comparison) -> str:
    """The same for a notebook; colours are the theme's."""
    rows = [[escape(cell) for cell in _cells(found, row)] for row in found.rows]
    differences = [
        [escape(each.variant), escape(each.metric), escape(difference(each)), _mark(each)]
        for each in found.differences
        if each.estimate is not None
    ]
    against = found.rows[0].variant
    return block(
        f'<p role="status" style="margin:0 0 8px"><b>{escape(found.verdict)}</b></p>',
        table("Variants", _head(found), rows),
        table(f"Differences from {against}", ("variant", "metric", f"against {against}", ""), differences),
    )


def _mark(one: Difference) -> str:
    if one.better is None:
        return '<span style="color:var(--jp-ui-font-color2, #757575)">not known yet</span>'
    variable, colour, mark = (
        ("--jp-success-color1", "#388e3c", "✓ better")
        if one.better
        else ("--jp-error-color1", "#d32f2f", "✗ worse")
    )
    return f'<span style="color:var({variable}, {colour})">{mark}</span>'
