"""Manifests against the published models of Kubeflow Trainer; errors name the field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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
        from pydantic import ValidationError
    except ImportError:
        hint = "pip install kubeflow-trainer-api"
        raise Unavailable("The models of Kubeflow Trainer are not installed", hint=hint) from None
    document = resource.manifest()
    for field in _unknown(TrainerV1alpha1TrainJob, {"spec": document["spec"]}, ""):
        raise Invalid(f"There is no field {field.rpartition('.')[2]!r}", where=Where(field=field))
    try:
        TrainerV1alpha1TrainJob.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if not str(part).startswith("function-")]
        raise Invalid(str(first["msg"]), where=Where(field=".".join(place))) from error


def _unknown(model: Any, document: object, path: str) -> Iterator[str]:
    """Fields of the document that the model, which would ignore them, does not have."""
    if not isinstance(document, Mapping):
        return
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    for key, value in document.items():
        place = f"{path}.{key}" if path else str(key)
        if key not in fields:
            yield place
            continue
        inner = next(_models(fields[key]), None)
        if inner is not None:
            for number, item in enumerate(value if isinstance(value, list) else [value]):
                yield from _unknown(inner, item, f"{place}[{number}]" if isinstance(value, list) else place)


def _models(annotation: Any) -> Iterator[Any]:
    if hasattr(annotation, "model_fields"):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)
