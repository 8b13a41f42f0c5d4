"""An Experiment read and checked: from Katib's resource to what the controller needs. Nothing is started here."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.training.spec import PREFIX
from jupyter_ext.tuning import catalogue, katib, objective, stopping, template
from jupyter_ext.tuning.objective import Objective
from jupyter_ext.tuning.space import Space
from jupyter_ext.tuning.stopping import MedianStop
from jupyter_ext.tuning.template import Template

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.tuning.sampling import Sampler

CHOICES: Final = PREFIX + "choices"
"""Choices that are not text, with their types: JSON by parameter."""
SEED: Final = PREFIX + "seed"
POLICIES: Final = ("Never", "LongRunning", "FromVolume")
LONGEST_NAME: Final = 40
"""Katib's limit: a trial's name is the experiment's with a number behind it."""
UPSTREAM_PARALLEL: Final = 3
_FIELDS: Final = (
    "parameters", "objective", "algorithm", "earlyStopping", "trialTemplate", "parallelTrialCount",
    "maxTrialCount", "maxFailedTrialCount", "metricsCollectorSpec", "resumePolicy", "nasConfig",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """An experiment after all checks and defaults. ``max_failed`` None: no limit."""

    name: str
    objective: Objective
    space: Space
    algorithm: catalogue.Algorithm
    settings: Mapping[str, Any]
    seed: int
    stopping: MedianStop | None
    parallel: int
    max_trials: int | None
    max_failed: int | None
    resume: str
    template: Template

    def sampler(self) -> Sampler:
        """Its sampler, with nothing learned yet."""
        return catalogue.sampler(self.algorithm, self.settings, self.space, self.objective, self.seed)


def read(resource: Resource) -> Plan:
    """Read and check an Experiment. Raises Invalid naming the field, Unfit or Unavailable for what is not possible here."""
    spec = resource.spec
    _known_fields(spec)
    if len(resource.name) > LONGEST_NAME:
        raise Invalid(
            f"The name has {len(resource.name)} letters, the most are {LONGEST_NAME}",
            where=Where(field="metadata.name"),
            hint="Its trials get a number behind it.",
        )
    if spec.get("nasConfig"):
        raise Invalid(
            "A search for network architectures cannot run on this machine",
            where=Where(field="spec.nasConfig"),
            hint="Name spec.parameters instead.",
        )
    goal = objective.from_katib(spec.get("objective") or {})
    algorithm = catalogue.find((spec.get("algorithm") or {}).get("algorithmName"))
    space = _space(resource)
    settings = catalogue.read_settings(
        algorithm, (spec.get("algorithm") or {}).get("algorithmSettings") or ()
    )
    catalogue.check(algorithm, settings, space)
    most = _count(spec, "maxTrialCount", least=1)
    parallel = _count(spec, "parallelTrialCount", least=1) or min(
        UPSTREAM_PARALLEL, most or UPSTREAM_PARALLEL
    )
    failures = _count(spec, "maxFailedTrialCount", least=0)
    _ordered(most, parallel, failures)
    policy = spec.get("resumePolicy") or "Never"
    if policy not in POLICIES:
        raise Invalid(
            f"There is no resume policy {policy!r}",
            where=Where(field="spec.resumePolicy"),
            hint=f"There are: {', '.join(POLICIES)}.",
        )
    plan = Plan(
        resource.name, goal, space, algorithm, settings, int(resource.annotations.get(SEED) or 0),
        stopping.from_katib(spec.get("earlyStopping")), parallel, most, failures, policy,
        template.read(resource, space),
    )  # fmt: skip
    if most is None and algorithm.name not in ("grid", "hyperband") and goal.goal is None:
        raise Invalid(
            "The experiment would never end: it has neither maxTrialCount nor a goal",
            where=Where(field="spec.maxTrialCount"),
            hint="Set maxTrialCount.",
        )
    return plan


def _known_fields(spec: Mapping[str, Any]) -> None:
    for name in spec:
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, _FIELDS, n=1)
            raise Invalid(
                f"An Experiment has no field {name}",
                where=Where(field=f"spec.{name}"),
                hint=f"Did you mean {near[0]}?" if near else f"It has: {', '.join(_FIELDS)}.",
            )


def _space(resource: Resource) -> Space:
    listed = resource.spec.get("parameters")
    if not isinstance(listed, list) or not listed:
        raise Invalid(
            "There are no parameters to search",
            where=Where(field="spec.parameters"),
            hint="Name at least one, with parameterType and feasibleSpace.",
        )
    return katib.from_katib(listed, choices_of(resource))


def choices_of(resource: Resource) -> dict[str, list[Any]] | None:
    """The choices that are not text, by parameter; None without them. Raises Invalid."""
    typed = resource.annotations.get(CHOICES)
    try:
        found: dict[str, list[Any]] | None = json.loads(typed) if typed else None
    except ValueError:
        raise Invalid(
            "The annotation is not JSON", where=Where(field=f"metadata.annotations.{CHOICES}")
        ) from None
    return found


def _count(spec: Mapping[str, Any], name: str, least: int) -> int | None:
    value = spec.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(f"{name} {value!r} is not a whole number", where=Where(field=f"spec.{name}"))
    if value < least:
        raise Invalid(
            f"{name} is {value}", where=Where(field=f"spec.{name}"), hint=f"It must be at least {least}."
        )
    return value


def _ordered(most: int | None, parallel: int, failures: int | None) -> None:
    for value, name in ((parallel, "parallelTrialCount"), (failures, "maxFailedTrialCount")):
        if most is not None and value is not None and value > most:
            raise Invalid(
                f"{name} {value} is greater than maxTrialCount {most}",
                where=Where(field=f"spec.{name}"),
                hint=f"At most {most} make sense.",
            )


def check_model(resource: Resource) -> None:
    """Check a resource that was not made here against the published model. Raises Invalid naming the field."""
    from kubeflow_katib_api.models.v1beta1_experiment import (  # type: ignore[import-untyped]
        V1beta1Experiment,
    )
    from pydantic import ValidationError

    manifest = resource.manifest()
    manifest["metadata"] = {"name": resource.name}
    try:
        V1beta1Experiment.from_dict(manifest)
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(
            f"{error.title}: {first['msg']}",
            where=Where(field=_place(resource.spec, error.title, tuple(first["loc"]))),
        ) from None
    except (TypeError, AttributeError, ValueError) as error:
        raise Invalid(f"The spec is not an Experiment's ({error})", where=Where(field="spec")) from None


_PARTS: Final = {
    "V1beta1ParameterSpec": ("parameters", "*"),
    "V1beta1FeasibleSpace": ("parameters", "*", "feasibleSpace"),
    "V1beta1ObjectiveSpec": ("objective",),
    "V1beta1MetricStrategy": ("objective", "metricStrategies", "*"),
    "V1beta1AlgorithmSpec": ("algorithm",),
    "V1beta1AlgorithmSetting": ("algorithm", "algorithmSettings", "*"),
    "V1beta1EarlyStoppingSpec": ("earlyStopping",),
    "V1beta1EarlyStoppingSetting": ("earlyStopping", "algorithmSettings", "*"),
    "V1beta1TrialTemplate": ("trialTemplate",),
    "V1beta1TrialParameterSpec": ("trialTemplate", "trialParameters", "*"),
    "V1beta1MetricsCollectorSpec": ("metricsCollectorSpec",),
}


def _place(spec: Mapping[str, Any], model: str, where: tuple[Any, ...]) -> str:
    """The path of a field, from the model that refused it; which item of a list is looked up."""
    name = str(where[0]) if where else ""
    path, found = "spec", list[Any]([spec])
    for part in _PARTS.get(model, ()):
        if part == "*":
            items = [item for one in found if isinstance(one, list) for item in enumerate(one)]
            wrong = [(index, item) for index, item in items if _wrong(item, name)]
            index, item = wrong[0] if wrong else (0, {})
            path, found = f"{path}[{index}]", [item]
        else:
            path = f"{path}.{part}"
            found = [one.get(part) for one in found if isinstance(one, dict)]
    return f"{path}.{name}" if name else path


def _wrong(item: Any, name: str) -> bool:
    return not isinstance(item, dict) or not isinstance(item.get(name), str | dict | None)
