"""Timing that can be believed on a shared machine: sides take turns, and the spread is shown with the middle.

A benchmark is a function ``quick -> Report``. Every figure of a report is a ``Sample``, a ratio is always between
medians of one run, and the aim stands beside it, met or not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

Side = Callable[[], float | None]
"""Does the work once; gives the seconds it took if only part of its time counts."""


@dataclass(frozen=True)
class Sample:
    """What was measured, several times."""

    name: str
    values: tuple[float, ...]
    unit: str = "s"

    @property
    def median(self) -> float:
        """The middle."""
        return statistics.median(self.values)

    def row(self) -> list[str]:
        """Name, least, middle, most, number of times."""
        numbers = [min(self.values), self.median, max(self.values)]
        return [self.name, *(f"{_short(number)} {self.unit}" for number in numbers), str(len(self.values))]


@dataclass(frozen=True)
class Ratio:
    """A comparison of two medians. ``aim`` is what it should be at least (``least``) or at most."""

    what: str
    value: float
    aim: float | None = None
    least: bool = True
    unit: str = "times"

    @property
    def met(self) -> bool | None:
        """Whether the aim is reached; None if there is none."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.least else self.value <= self.aim

    def row(self) -> list[str]:
        """The words of its line in the table."""
        bound = (
            ""
            if self.aim is None
            else f"{'at least' if self.least else 'at most'} {_short(self.aim)} {self.unit}"
        )
        return [
            self.what,
            f"{_short(self.value)} {self.unit}",
            bound,
            {True: "yes", False: "NO", None: ""}[self.met],
        ]


@dataclass
class Report:
    """Outcome of one benchmark; ``about`` says what is counted and what is not."""

    title: str
    about: str
    samples: list[Sample] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The report as Markdown."""
        parts = [f"## {self.title}", self.about]
        if self.samples:
            parts.append(table(["", "min", "median", "max", "n"], [sample.row() for sample in self.samples]))
        if self.ratios:
            parts.append(table(["", "measured", "aim", "met"], [ratio.row() for ratio in self.ratios]))
        return "\n\n".join([*parts, *self.notes]) + "\n"


def alternate(sides: Mapping[str, Side], rounds: int, warm: int = 1) -> dict[str, Sample]:
    """Let the sides take turns ``rounds`` times, after ``warm`` turns that do not count."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(warm + rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            own = side()
            seconds = time.perf_counter() - start if own is None else own
            if turn >= warm:
                found[name].append(seconds)
    return {name: Sample(name, tuple(values)) for name, values in found.items()}


def scaled(sample: Sample, factor: float, unit: str, name: str | None = None) -> Sample:
    """The sample in another unit, or per piece."""
    return Sample(name or sample.name, tuple(value * factor for value in sample.values), unit)


def ask(python: Path, script: str, *arguments: str, timeout: float = 900) -> dict[str, float]:
    """Run ``peers/SCRIPT`` in an environment; what it prints as its last line is JSON."""
    path = Path(__file__).parent / "peers" / script
    done = subprocess.run(
        [python, path, *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{script} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    answer: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table with aligned columns."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _short(number: float) -> str:
    if number == 0 or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def main(run: Callable[[bool], Report]) -> None:
    """The command line of a benchmark: ``--quick`` for fewer and smaller runs, ``--json FILE`` for the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    report = run(options.quick)
    print(report.text())
    if options.json:
        figures = asdict(report) | {"met": [ratio.met for ratio in report.ratios], "text": report.text()}
        options.json.write_text(json.dumps(figures), "utf-8")
