"""The home page's summary of a profile with 2,000 resources, against reading each resource of it once."""

from __future__ import annotations

import time

from benchmarks.measure import Ratio, Report, alternate, main
from benchmarks.notebooks import workplace

NUMBER = 2000
KINDS = ("Run", "TrainJob", "Experiment", "SparkApplication")
PHASES = ("SUCCEEDED", "FAILED", "SUCCEEDED", "CANCELED")


def fill(number: int) -> None:
    """Put finished work of four kinds into the store, with steps as a run has them."""
    from jupyter_ext.cluster import current
    from jupyter_ext.cluster.resource import Resource

    cluster = current()
    steps = [
        {"name": f"step-{at}", "state": "SUCCEEDED", "seconds": 1.5, "outputs": [{"names": ["df"]}]}
        for at in range(20)
    ]
    for at in range(number):
        made = Resource.new(
            KINDS[at % len(KINDS)], f"work-{at}", {"displayName": f"Work {at}"}, namespace=cluster.namespace
        )
        status = {"phase": PHASES[at // 4 % len(PHASES)], "reason": "", "seconds": 30.0, "steps": steps}
        cluster.store.create(made.with_(status=status))


def ours() -> float:
    """Seconds of one summary."""
    from jupyter_ext import home

    begun = time.perf_counter()
    home.summary()
    return time.perf_counter() - begun


def each() -> float:
    """Seconds of reading every resource once, as a page that counts by itself does."""
    from jupyter_ext.cluster import current

    begun = time.perf_counter()
    cluster = current()
    assert sum(len(cluster.list(kind)) for kind in KINDS) == NUMBER
    return time.perf_counter() - begun


def measure(quick: bool) -> Report:
    with workplace():
        fill(NUMBER)
        found = alternate({"the summary": ours, "every resource once": each}, 3 if quick else 15)
    summary, whole = found["the summary"].median, found["every resource once"].median
    return Report(
        "Home: one profile on one page",
        f"{NUMBER:,} resources of four kinds in the store; capacity, work, endpoints, components and storage as one value.",
        list(found.values()),
        [
            Ratio("the summary, seconds", summary, 0.15, least=False, unit="s"),
            Ratio("every resource once / the summary", whole / summary, 1),
        ],
    )


if __name__ == "__main__":
    main(measure)
