"""Many trials: how well workers are kept busy, and whether ten thousand trials stay usable."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from benchmarks.measure import Ratio, Report, Sample, main
from benchmarks.notebooks import workplace

TRIALS, SECONDS = 200, 0.1
MANY = 10_000


def sleeps(x: float) -> float:
    import time

    time.sleep(0.1)
    return x


def trivial(x: float, n: int, opt: str) -> float:
    return x**2 + 0.1 * n + (opt == "a")


def busy(parallel: int) -> tuple[float, float]:
    """Efficiency from the first trial's start to the last one's end, and of the whole call."""
    from jupyter_ext import tuning

    start = time.perf_counter()
    resources = {"cpu": "100m"}  # it sleeps: two of them need no two cores
    found = tuning.tune(sleeps, {"x": "double(0,1)"}, trials=TRIALS, parallel=parallel, resources=resources)
    found.wait(timeout=600)
    whole = time.perf_counter() - start
    ideal = TRIALS * SECONDS / parallel
    trials = [found.trial(number).resource.status for number in range(TRIALS)]
    # The second round's start: the first one waits for the function to be loaded.
    begun = min(moment(status["startTime"]) for status in trials[parallel:])
    ended = max(moment(status["completionTime"]) for status in trials)
    found.delete()
    return (TRIALS - parallel) * SECONDS / parallel / (ended - begun), ideal / whole


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def timed(name: str, action: Callable[[], Any], times: int = 9) -> Sample:
    values = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        values.append((time.perf_counter() - start) * 1000)
    return Sample(name, tuple(values), "ms")


def many(count: int) -> tuple[list[Sample], float]:
    """Questions about an experiment with so many trials, and seconds for each of its trials."""
    from jupyter_ext import tuning

    space = {"x": "double(0,1)", "n": "int(1,9)", "opt": "categorical(a,b)"}
    start = time.perf_counter()
    found = tuning.tune(trivial, space, trials=count, parallel=2).wait(timeout=3600)
    each = (time.perf_counter() - start) / count
    if found.counts["succeeded"] != count:
        raise RuntimeError(found.reason)
    version = found.page(limit=1)["resourceVersion"] - 3
    samples = [
        timed("status", lambda: found.resource),
        timed("first 200 of the table", lambda: found.page(limit=200)),
        timed("200 in the middle", lambda: found.page(limit=200, after=count // 2)),
        timed("best 200", lambda: found.page(limit=200, sort="value")),
        timed("what changed", lambda: found.page(limit=200, since=version)),
        timed("importance", found.importance, 3),
    ]
    samples.append(timed("delete", found.delete, 1))
    return samples, each


def measure(quick: bool) -> Report:
    count = 2000 if quick else MANY
    rounds = 1 if quick else 3
    with workplace():
        one = [busy(1) for _ in range(rounds)]
        two = [busy(2) for _ in range(rounds)]
        samples, each = many(count)
    share = {
        "1 worker": Sample("busy, 1 worker", tuple(part for part, _ in one), "of 1"),
        "2 workers": Sample("busy, 2 workers", tuple(part for part, _ in two), "of 1"),
        "whole": Sample("whole call, 2 workers", tuple(whole for _, whole in two), "of 1"),
    }
    table = max(sample.median for sample in samples[:5])
    return Report(
        "Many trials",
        f"{TRIALS} trials of {SECONDS} s with 1 and 2 workers: the part of the time that a worker works, and that of the whole call, the "
        f"start of its processes included. Then {count:,} trials of a trivial function in one experiment, really run, and questions "
        "about them as the sidebar asks them.",
        [*share.values(), *samples],
        [
            Ratio("busy, 1 worker", share["1 worker"].median, 0.93, unit="of 1"),
            Ratio("busy, 2 workers", share["2 workers"].median, 0.9, unit="of 1"),
            Ratio(f"slowest page of {count:,} trials", table, 100, least=False, unit="ms"),
            Ratio(f"status of {count:,} trials", samples[0].median, 100, least=False, unit="ms"),
            Ratio(f"each of {count:,} trials, 2 at once", each * 1000, 10, least=False, unit="ms"),
        ],
    )


if __name__ == "__main__":
    main(measure)
