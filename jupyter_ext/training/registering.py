"""A job that registers the model it made: ``training.train(…, register="churn")``.

What rank 0 returned is the model: an object, a path, or a mapping with ``model`` and metrics. A job that returned
nothing, or only numbers, has its last checkpoint registered.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import NotFound, Where
from jupyter_ext.registry.made import Made
from jupyter_ext.training.spec import ARGS

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource


def made(source: Mapping[str, Any]) -> Made:
    """The model that a job made, with what the job knows of it. Raises NotFound."""
    from jupyter_ext.cluster.discover import current

    cluster = current()
    resource = cluster.get("TrainJob", str(source["name"]))
    digest = source.get("digest") or (resource.status.get("result") or {}).get("digest")
    found, metrics = taken(_value(cluster, resource, digest))
    if found is None:
        found = checkpoint_of(cluster.work_folder(resource.uid) / "checkpoint")
    if found is None:
        raise NotFound(
            f"job {resource.name} returned no model and left no checkpoint",
            where=Where(object=resource.name),
            hint="Return the model from the function, or save it with kf.training.save_checkpoint.",
        )
    status = resource.status.get("metrics") or {}
    numbers = {name: float(value) for name, value in status.items() if isinstance(value, (int, float))}
    return Made(
        found, source=origin(resource), metrics={**numbers, **metrics}, parameters=arguments(resource)
    )


def _value(cluster: LocalCluster, resource: Resource, digest: str | None) -> Any:
    if not digest:
        return None
    import pickle

    # The job's own modules, as its ranks had them.
    sys.path.append(str(cluster.work_folder(resource.uid) / "code"))
    return pickle.loads(cluster.blobs.read(digest))


def taken(value: Any) -> tuple[Any, dict[str, float]]:
    """The model in what a function returned, if there is one, and the numbers beside it."""
    if value is None or isinstance(value, (bool, int, float, complex, bytes)):
        return None, {}
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        numbers = {name: float(part) for name, part in value.items() if _is_number(part)}
        if "model" in value:
            return value["model"], numbers
        if len(numbers) == len(value):
            return None, numbers
    if isinstance(value, str) and not Path(value).exists():
        return None, {}
    return value, {}


def _is_number(value: object) -> bool:
    return (isinstance(value, (int, float)) and not isinstance(value, bool)) or (
        hasattr(value, "item") and getattr(value, "shape", None) == () and not isinstance(value, complex)
    )


def checkpoint_of(folder: Path) -> Path | None:
    """The newest checkpoint of ours in a folder, else the whole folder if there is anything in it."""
    if not folder.is_dir():
        return None
    ours = sorted(folder.glob("step-*.ckpt"), key=lambda file: int(file.stem.removeprefix("step-")))
    if ours:
        return ours[-1]
    files = [file for file in folder.iterdir() if not file.name.startswith(".")]
    return files[0] if len(files) == 1 else folder if files else None


def origin(resource: Resource) -> dict[str, str]:
    """Where it comes from, as lineage."""
    return {"uid": resource.uid, "kind": resource.kind, "run": resource.name}


def arguments(resource: Resource) -> dict[str, Any]:
    """What the function was called with."""
    found = json.loads(resource.annotations.get(ARGS) or "{}")
    return found if isinstance(found, dict) else {}
