"""Learning curves of many trials, thinned to what a picture can show."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.tuning import trials as questions

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

MOST: Final = 200
"""Trials in one picture where nobody chose them."""


def series(
    cluster: LocalCluster,
    experiment: Resource,
    names: Iterable[str | int] | None,
    metric: str | None,
    limit: int,
) -> list[dict[str, Any]]:
    """One series for each trial that reported: trial, number, state and points (step, time, value).

    ``limit`` is the most points of one series. Steps that nobody said count from 1.
    """
    wanted = metric or str((experiment.spec.get("objective") or {}).get("objectiveMetricName"))
    chosen = None if names is None else [str(name) for name in names]
    listed = questions.latest(cluster, experiment.uid, MOST if chosen is None else None, chosen)
    children = _children(cluster, experiment)
    found = []
    for name, number, state, uid in listed:
        page = cluster.metrics.read(children.get(uid, uid), names=[wanted], limit=limit)
        ranks = {point.rank for point in page.points}
        first = min(ranks, default=0)
        points = [
            [point.step if point.step is not None else place, point.time, _shown(point.value)]
            for place, point in enumerate((p for p in page.points if p.rank == first), 1)
        ]
        if points:
            found.append({"trial": name, "number": number, "state": state, "points": points})
    return found


def _shown(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _children(cluster: LocalCluster, experiment: Resource) -> dict[str, str]:
    """Where trials are jobs, their curves are kept under the jobs' UIDs."""
    kind = ((experiment.spec.get("trialTemplate") or {}).get("trialSpec") or {}).get("kind")
    if kind in (None, "Job"):
        return {}
    with cluster.store.reading() as connection:
        rows = connection.execute(
            "SELECT job.owner, job.uid FROM resources AS trial JOIN resources AS job ON job.owner = trial.uid"
            " WHERE trial.owner = ? AND trial.kind = 'Trial'",
            (experiment.uid,),
        ).fetchall()
    return dict(rows)
