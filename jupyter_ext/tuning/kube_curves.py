"""Learning curves of Katib's trials: the numbers in what their pods have printed, with the times at which they did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import KubeflowError
from jupyter_ext.tuning import commands
from jupyter_ext.tuning.curves import MOST
from jupyter_ext.tuning.kube_rows import state_of

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.pods import Pod
    from jupyter_ext.cluster.local.metrics import Point

_AT_ONCE: Final = 8
_LARGEST: Final = 4 << 20
"""Bytes of one trial's log that are read, from its start."""


def points(remote: KubeCluster, trial: Resource, pods: Sequence[Pod]) -> list[Point]:
    """What the trial's first pod has printed, as points; none where it has gone."""
    from jupyter_ext.training import kube_metrics
    from jupyter_ext.training.lines import Parser

    first = next((pod for pod in pods if not pod.rank), None)
    if first is None:
        return []
    lines, _ = kube_metrics.printed(remote, first, container=_container(trial, first), largest=_LARGEST)
    parser = Parser(0, commands.filters(trial.spec.get("metricsCollector")))
    return [point for line in lines for point in parser.feed(f"{line.text}\n", line.time / 10**9)]


def _container(trial: Resource, pod: Pod) -> str:
    """The container that trains: Katib puts another one beside it."""
    named = str(trial.spec.get("primaryContainerName") or "")
    there = {str(each.get("name")) for each in (pod.thing.get("spec") or {}).get("containers") or ()}
    return named if named in there else pod.container


def series(
    remote: KubeCluster,
    ordered: Sequence[Resource],
    names: Iterable[str | int] | None,
    metric: str,
    limit: int,
) -> list[dict[str, Any]]:
    """As `curves.series`: trial, number, state and points (step, time, value) of each trial that reported."""
    from jupyter_ext.tuning.kube_experiment import pods_of

    wanted = None if names is None else {str(name) for name in names}
    chosen = [
        (place, trial)
        for place, trial in enumerate(ordered)
        if wanted is None or trial.name in wanted or str(place) in wanted
    ]

    def one(trial: Resource) -> list[list[float | None]]:
        try:
            found = points(remote, trial, pods_of(remote, trial))
        except KubeflowError:
            return []
        rows = [point for point in found if point.name == metric]
        rows = rows[:: max(-(-len(rows) // max(limit, 1)), 1)]
        return [
            [place if point.step is None else point.step, point.time, point.value]
            for place, point in enumerate(rows, 1)
        ]

    chosen = chosen[-MOST:]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="kubeflow-curves") as threads:
        found = threads.map(one, [trial for _, trial in chosen])
        states = {"UNAVAILABLE": "FAILED"}
        return [
            {
                "trial": trial.name,
                "number": place,
                "state": states.get(state_of(trial), state_of(trial)),
                "points": rows,
            }
            for (place, trial), rows in zip(chosen, found, strict=True)
            if rows
        ]
