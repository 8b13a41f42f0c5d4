"""Resources against the published models of the Spark operator; errors name the field."""

from __future__ import annotations

from typing import Any, Final

from jupyter_ext.cluster.resource import KINDS, Resource
from jupyter_ext.errors import Invalid, Unavailable, Where
from jupyter_ext.training.validation import against

_MODELS: Final = {
    "SparkApplication": "SparkV1beta2SparkApplication",
    "ScheduledSparkApplication": "SparkV1beta2ScheduledSparkApplication",
    "SparkConnect": "SparkV1alpha1SparkConnect",
}


def validate(resource: Resource) -> None:
    """Raise Invalid, naming the first field that is wrong or unknown; Unavailable where the models are missing."""
    known = KINDS[resource.kind].api_version
    if resource.api_version != known:
        what = f"{resource.kind} of {resource.api_version} is not known here"
        raise Invalid(what, where=Where(field="apiVersion"), hint=f"Use {known}.")
    against(_model(resource.kind), resource)


def _model(kind: str) -> Any:
    try:
        from kubeflow_spark_api import models
    except ImportError:
        hint = "pip install kubeflow-spark-api"
        raise Unavailable("The models of the Spark operator are not installed", hint=hint) from None
    return getattr(models, _MODELS[kind])
