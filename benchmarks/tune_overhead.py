"""What a trial costs beside its own work: a trivial function, against Optuna in one process and on its own SQLite.

Ours is an experiment in the store: a process for each trial, each trial's record, one transaction a change. Optuna in
memory calls the function in its own process and keeps nothing.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.measure import Ratio, Report, Sample, alternate, ask, main, scaled
from benchmarks.notebooks import workplace

SHORT, LONG = 20, 220
SQLITE = 60


def trivial(x: float, y: float) -> float:
    return (x - 0.3) ** 2 + y


def ours(trials: int, algorithm: str, parallel: int) -> float:
    """Seconds from the call until it is over."""
    from jupyter_ext import tuning

    space = {"x": "double(0,1)", "y": "double(0,1)"}
    start = time.perf_counter()
    found = tuning.tune(trivial, space, algorithm=algorithm, trials=trials, parallel=parallel).wait(
        timeout=600
    )
    seconds = time.perf_counter() - start
    if found.counts["succeeded"] != trials:
        raise RuntimeError(found.reason)
    found.delete()
    return seconds


def measure(quick: bool) -> Report:
    python = Path(sys.executable)
    rounds = 2 if quick else 5
    found: dict[str, Sample] = {}
    with workplace() as folder:
        files = iter(range(1000))
        for algorithm in ("random", "tpe"):
            sides = {
                f"ours, {algorithm}, {SHORT} trials": lambda a=algorithm: ours(SHORT, a, 1),
                f"ours, {algorithm}, {LONG} trials": lambda a=algorithm: ours(LONG, a, 1),
                f"Optuna in memory, {algorithm}": lambda a=algorithm: ask(
                    python, "optuna_trials.py", a, str(LONG), "1"
                )["seconds"],
            }
            found |= alternate(sides, rounds)
        sides = {
            f"ours, 2 at once, {SHORT} trials": lambda: ours(SHORT, "tpe", 2),
            f"ours, 2 at once, {LONG} trials": lambda: ours(LONG, "tpe", 2),
            "Optuna on SQLite, 2 processes": lambda: ask(
                python, "optuna_trials.py", "tpe", str(SQLITE), "2", str(folder / f"{next(files)}.db")
            )["seconds"],
        }
        found |= alternate(sides, rounds)
    each = {name: further(found, name) for name in ("ours, random", "ours, tpe", "ours, 2 at once")}
    memory = {a: scaled(found[f"Optuna in memory, {a}"], 1000 / LONG, "ms") for a in ("random", "tpe")}
    sqlite = scaled(found["Optuna on SQLite, 2 processes"], 1000 / SQLITE, "ms")
    first = scaled(found[f"ours, random, {SHORT} trials"], 1, "s", f"ours, all of {SHORT} trials")
    return Report(
        "Overhead of a trial",
        f"A trivial function. *Each further trial* is the difference between {LONG} and {SHORT} trials: asking the sampler, a process "
        "for the trial, its record in the store. Optuna in memory calls the function in its own process, with no record; on SQLite it "
        "has two processes, as ours has with 2 at once. Starting processes and importing Optuna are not counted for Optuna.",
        [first, *each.values(), *memory.values(), sqlite],
        [
            Ratio("ours, each further trial", each["ours, random"].median, 10, least=False, unit="ms"),
            Ratio("ours, each further trial, tpe", each["ours, tpe"].median, 20, least=False, unit="ms"),
            Ratio("ours beyond Optuna in memory, tpe", each["ours, tpe"].median - memory["tpe"].median, 10, least=False, unit="ms"),
            Ratio("Optuna on SQLite / ours, 2 at once, tpe", sqlite.median / each["ours, 2 at once"].median, 5),
        ],
    )  # fmt: skip


def further(found: dict[str, Sample], name: str) -> Sample:
    """Milliseconds of each trial beyond the first ones."""
    pairs = zip(found[f"{name}, {LONG} trials"].values, found[f"{name}, {SHORT} trials"].values, strict=True)
    values = tuple((more - few) * 1000 / (LONG - SHORT) for more, few in pairs)
    return Sample(f"{name}, each further trial", values, "ms")


if __name__ == "__main__":
    main(measure)
