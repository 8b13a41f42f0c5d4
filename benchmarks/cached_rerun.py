"""Running again what has not changed: twenty steps, all from the cache."""

from __future__ import annotations

from benchmarks.measure import Ratio, Report, Sample, main
from benchmarks.notebooks import chain, run, workplace, written

STEPS = 20


def measure(quick: bool) -> Report:
    from jupyter_ext import pipelines

    with workplace() as folder:
        path = written(chain(STEPS), folder)
        first = run(path, cache=True)
        again = tuple(run(path, cache=True) for _ in range(3 if quick else 9))
        statuses = pipelines.runs(limit=1)[0].steps
    hits = sum(bool(status.get("cached")) for status in statuses)
    ours = Sample("all from the cache", again)
    return Report(
        "A rerun from the cache",
        f"A chain of {STEPS} steps, from the call to the state SUCCEEDED: the notebook is analysed, every key is computed "
        "and looked up, the run is recorded with all outputs.",
        [Sample("first run", (first,)), ours],
        [
            Ratio("rerun, seconds", ours.median, 0.2, least=False, unit="s"),
            Ratio("first run / rerun", first / ours.median),
        ],
        [f"{hits} of {len(statuses)} steps came from the cache."],
    )


if __name__ == "__main__":
    main(measure)
