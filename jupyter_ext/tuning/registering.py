"""An experiment that registers the best model it found: ``tuning.tune(…, register="churn")``.

A trial that is a function returns it as ``model`` beside its metrics, or saves it in its checkpoint folder; a trial that
is a job or a run gives what a job or a run gives.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.registry.made import Made

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

MODEL: Final = "model"
RETURNED: Final = "returned"
"""The part of a trial's checkpoint folder that holds the model it returned."""


def keep(model: Any) -> None:
    """Save what a trial returned as its model, in its own process. Raises Invalid where it cannot be saved."""
    from jupyter_ext.registry import formats
    from jupyter_ext.training.reporting import checkpoint_dir

    folder = checkpoint_dir()
    if folder is None:
        return
    place = folder / RETURNED
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    if isinstance(model, (str, Path)):
        source = Path(model)
        if not source.exists():
            raise Invalid(f"the trial returned {str(model)[:200]!r} as its model, and there is no such file")
        if source.is_dir():
            shutil.copytree(source, place / source.name)
        else:
            shutil.copyfile(source, place / source.name)
        return
    formats.of_object(model).save(model, place)


def drop(checkpoint: Path) -> None:
    """Forget the model that a trial returned which is not the best one."""
    shutil.rmtree(checkpoint / RETURNED, ignore_errors=True)


def made(source: Mapping[str, Any]) -> Made:
    """The model of a trial, or of an experiment's best. Raises NotFound where it left none."""
    from jupyter_ext.cluster.discover import current

    cluster = current()
    trial, experiment = _trial(cluster, str(source["kind"]), str(source["name"]))
    status = trial.status
    numbers = {one["name"]: float(one["latest"]) for one in (status.get("observation") or {}).get("metrics") or []
               if _is_number(one.get("latest"))}  # fmt: skip
    origin = {"uid": experiment.uid, "kind": "Experiment", "run": experiment.name, "experiment": experiment.name,
              "trial": trial.name}  # fmt: skip
    parameters = dict(status.get("parameters") or {})
    child = status.get("job")
    if child:
        found = _of_child(child, source)
        return Made(found.model, origin, {**found.metrics, **numbers}, {**found.parameters, **parameters})
    return Made(_files(cluster, trial, experiment), origin, numbers, parameters)


def _is_number(text: Any) -> bool:
    try:
        return float(text) - float(text) == 0  # finite
    except (TypeError, ValueError):
        return False


def _trial(cluster: LocalCluster, kind: str, name: str) -> tuple[Resource, Resource]:
    """The trial and its experiment."""
    if kind == "Trial":
        trial = cluster.get("Trial", name)
        experiment = cluster.store.by_uid(str(trial.owner))
        if experiment is None:
            raise NotFound(f"the experiment of trial {name} is not there any more")
        return trial, experiment
    experiment = cluster.get("Experiment", name)
    best = (experiment.status.get("currentOptimalTrial") or {}).get("bestTrialName")
    if not best:
        raise NotFound(f"experiment {name} has no best trial", where=Where(object=name))
    return cluster.get("Trial", str(best)), experiment


def _of_child(child: Mapping[str, Any], source: Mapping[str, Any]) -> Made:
    if child["kind"] == "Run":
        from jupyter_ext.pipelines import registering

        return registering.made({**source, "name": child["name"]})
    from jupyter_ext.training import registering as jobs

    return jobs.made({"name": child["name"]})


def _files(cluster: LocalCluster, trial: Resource, experiment: Resource) -> Path:
    from jupyter_ext.training.registering import checkpoint_of

    folder = cluster.home / "work" / experiment.uid / "checkpoints" / trial.name
    found = checkpoint_of(folder / RETURNED) or checkpoint_of(folder)
    if found is None:
        raise NotFound(
            f"trial {trial.name} left no model",
            where=Where(object=trial.name),
            hint='Return {"model": model, "accuracy": …}, or save it in kf.training.checkpoint_dir().',
        )
    return found
