"""A run that registers the model it made: ``pipelines.run(…, register={"model": "churn", "alias": "candidate"})``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.registry.made import Made, wanted

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.model import Pipeline

USUAL: Final = (
    "model",
    "best_model",
    "clf",
    "classifier",
    "regressor",
    "estimator",
    "pipe",
    "net",
    "booster",
)
"""Names under which people keep a model, the likeliest first."""


def checked(pipeline: Pipeline, given: str | Mapping[str, Any]) -> dict[str, Any]:
    """What ``register=`` says, with the value that is meant. Raises Invalid where no step makes it."""
    asked = wanted(given)
    step = asked.get("step")
    steps = [pipeline.step(str(step))] if step else list(pipeline.steps)
    made = {name for one in steps for name in one.writes}
    value = asked.get("value")
    if value is None:
        value = next((name for name in USUAL if name in made), None)
        if value is None:
            raise Invalid(
                "it is not clear which value of the notebook is the model",
                where=Where(field="register"),
                hint=f"Say value=, one of {', '.join(sorted(made)[:20])}."
                if made
                else "No step makes a value.",
            )
    elif value not in made and "*" not in made:
        whose = f"step {step}" if step else "a step"
        raise Invalid(
            f"{value} is not made by {whose}",
            where=Where(field="register"),
            hint=f"There is {', '.join(sorted(made)[:20])}." if made else None,
        )
    return {**asked, "value": str(value)}


def made(source: Mapping[str, Any]) -> Made:
    """The model that a run made, with what the run knows of it. Raises NotFound."""
    from jupyter_ext.pipelines.handle import get

    run = get(str(source["name"]))
    resource = run.resource
    folder = str(Path(resource.spec["pipeline"]["path"] or ".").parent)
    if folder not in sys.path:
        sys.path.append(folder)  # for classes of the notebook's own modules
    name, step = str(source.get("value") or ""), source.get("step")
    if not name:
        name = _usual(resource, step)
    model = run.value(name, step)
    return Made(
        model,
        source={**_origin(resource), "step": step or _maker(resource, name)},
        metrics=dict(run.metrics),
        parameters=dict(run.parameters),
    )


def _origin(resource: Resource) -> dict[str, str]:
    path = resource.spec["pipeline"]["path"]
    found = {"uid": resource.uid, "kind": "Run", "run": resource.name}
    return {**found, "notebook": Path(path).name} if path else found


def _outputs(resource: Resource) -> list[tuple[str, str]]:
    """Names of stored values with the steps that left them, the last first."""
    found: list[tuple[str, str]] = []
    for step in reversed(resource.status.get("steps", ())):
        if not step.get("parent"):
            found += [(name, str(step["name"])) for ref in step.get("outputs", ()) for name in ref["names"]]
    return found


def _maker(resource: Resource, name: str) -> str:
    return next((step for value, step in _outputs(resource) if value == name), "")


def _usual(resource: Resource, step: str | None) -> str:
    names = {name for name, made_by in _outputs(resource) if not step or step == made_by}
    found = next((name for name in USUAL if name in names), None)
    if found is None:
        raise NotFound(
            f"Run {resource.name} has no value that is called like a model",
            hint=f"Say which value: {', '.join(sorted(names)[:20])}." if names else None,
        )
    return found
