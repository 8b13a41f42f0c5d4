"""Manifests against the published models of Kubeflow Trainer; errors name the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from jupyter_ext.cluster.resource import KINDS, Resource
from jupyter_ext.errors import Invalid, Unavailable, Where


def validate(resource: Resource) -> None:
    """Raise Invalid, naming the first field that is wrong or unknown; Unavailable where the models are missing.

    The v1 kinds have no published models; ``legacy`` reads them strictly.
    """
    known = KINDS.get(resource.kind)
    if known is not None and resource.api_version != known.api_version:
        what = f"{resource.kind} of {resource.api_version} is not known here"
        raise Invalid(what, where=Where(field="apiVersion"), hint=f"Use {known.api_version}.")
    if resource.kind == "TrainJob":
        _trainjob(resource)
    elif resource.kind not in {"TFJob", "PyTorchJob", "XGBoostJob"}:
        raise Invalid(f"A {resource.kind} is no training job", where=Where(field="kind"))


def _trainjob(resource: Resource) -> None:
    try:
        from kubeflow_trainer_api.models.trainer_v1alpha1_train_job import (  # type: ignore[import-untyped]
            TrainerV1alpha1TrainJob,
        )
    except ImportError:
        hint = "pip install kubeflow-trainer-api"
        raise Unavailable("The models of Kubeflow Trainer are not installed", hint=hint) from None
    against(TrainerV1alpha1TrainJob, resource)


def against(model: Any, resource: Resource) -> None:
    """Raise Invalid, naming the first field of the resource that its published model does not have or take."""
    document = resource.manifest()
    try:
        spec = _prepared(model.model_fields["spec"].annotation, document["spec"], "spec")
        model.model_validate({**document, "spec": spec})
    except ValueError as error:  # pydantic's own kind, which has the places
        listed = getattr(error, "errors", None)
        if listed is None:
            raise Invalid(str(error), where=Where(field="spec")) from error
        first = listed()[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise Invalid(str(first["msg"]), where=Where(field=place.lstrip("."))) from error


def _prepared(annotation: Any, value: Any, path: str) -> Any:
    """The value with every quantity as its model wants it. Raises Invalid for a field that the model would ignore."""
    kind, inside = _inner(annotation)
    if kind is list and isinstance(value, list):
        return [_prepared(inside, item, f"{path}[{number}]") for number, item in enumerate(value)]
    if kind is dict and isinstance(value, Mapping):
        return {key: _prepared(inside, item, f"{path}.{key}") for key, item in value.items()}
    if not hasattr(kind, "model_fields"):
        return value
    if "actual_instance" in kind.model_fields:  # a text or a number, which pydantic does not see in a model
        good = isinstance(value, str | int | float) and not isinstance(value, bool)
        return kind(value) if good else value
    if not isinstance(value, Mapping):
        return value
    fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    for key in value:
        if key not in fields:
            import difflib

            near = difflib.get_close_matches(str(key), fields, 1)
            hint = f"Did you mean {near[0]!r}?" if near else None
            raise Invalid(f"There is no field {key!r}", where=Where(field=f"{path}.{key}"), hint=hint)
    return {key: _prepared(fields[key], item, f"{path}.{key}") for key, item in value.items()}


def _inner(annotation: Any) -> tuple[Any, Any]:
    """``Optional[List[X]]`` as (list, X), ``Dict[str, X]`` as (dict, X), a model as (model, None)."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {list, dict}:
        return origin, arguments[-1]
    if origin is None:
        return annotation, None
    for argument in arguments:
        found = _inner(argument)
        if found[0] in {list, dict} or hasattr(found[0], "model_fields"):
            return found
    return None, None
