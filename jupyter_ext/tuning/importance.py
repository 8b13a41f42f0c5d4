"""How much each parameter explains of how well trials did."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Unavailable
from jupyter_ext.tuning import trials as questions

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.tuning.space import Space, Value

MOST: Final = 300
"""Trials that are looked at: as many, spread evenly, tell what ten thousand do, in less than a second."""
FEWEST: Final = 3
_TREES: Final = 16
_DEPTH: Final = 8


def importance(cluster: LocalCluster, experiment: Resource) -> dict[str, float]:
    """Parts of the variance of the objective that each parameter explains, the greatest first; they add up to 1.

    Functional ANOVA over random trees (Hutter et al., 2014), by Optuna. Empty with fewer than three trials.
    Raises Unavailable if optuna is not installed.
    """
    from jupyter_ext.tuning import spec

    space = spec.read(experiment).space if experiment.spec.get("parameters") else {}
    return shares(space, questions.values(cluster, experiment.uid, MOST))


def shares(space: Space, rows: list[tuple[dict[str, Value], float]]) -> dict[str, float]:
    """The same of trials in the hand: parameters and value of each. Raises Unavailable."""
    if len(rows) < FEWEST or not space:
        return {}
    if len(space) == 1:
        return dict.fromkeys(space, 1.0)
    found = _fanova(space, rows)
    total = sum(found.values())
    if not total > 0:
        return dict.fromkeys(space, 1 / len(space))
    parts = {name: float(found.get(name, 0.0) / total) for name in space}
    return dict(sorted(parts.items(), key=lambda item: -item[1]))


def _fanova(space: Space, rows: list[tuple[dict[str, Value], float]]) -> dict[str, float]:
    try:
        import optuna
    except ImportError:
        raise Unavailable("The importance of parameters needs optuna", hint="pip install optuna") from None
    from jupyter_ext.tuning.studies import frozen_study

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = frozen_study(space, rows)
        try:
            how: Any = optuna.importance.FanovaImportanceEvaluator(n_trees=_TREES, max_depth=_DEPTH, seed=0)
            names = [name for name in space if len({repr(values[name]) for values, _ in rows}) > 1]
            if len({value for _, value in rows}) < 2 or not names:
                return {}
            return dict(optuna.importance.get_param_importances(study, evaluator=how, params=names))
        except (ImportError, RuntimeError, ValueError):
            return {}
