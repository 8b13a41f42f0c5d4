"""What a registry holds, as one table: each kind with its fields, their types and defaults.

The names and rules are those of the Kubeflow Model Registry's REST API (``api/openapi/model-registry.yaml``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

Type = Literal["string", "uri", "id", "integer", "number", "strings", "millis"]
"""``id`` and ``millis`` are decimal strings on the wire; ``strings`` is a list of strings."""


@dataclass(frozen=True)
class Field:
    """One field of a kind. ``create`` fields cannot be changed later; ``output`` ones are only answered."""

    name: str
    type: Type = "string"
    choices: tuple[str, ...] = ()
    default: Any = None
    create: bool = False
    required: bool = False
    output: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    ``parent`` is the field that holds the id of the record it belongs to, ``parent_kind`` that one's kind.
    ``family`` separates what has an external id of its own (upstream's three tables).
    """

    name: str
    words: str
    fields: tuple[Field, ...]
    parent: str | None = None
    parent_kind: str | None = None
    family: int = 0
    named: bool = False
    artifact: str | None = None

    @property
    def by_name(self) -> dict[str, Field]:
        """Its own fields, without the four that all have."""
        return _by_name[self.name]


LIFE: Final = ("LIVE", "ARCHIVED")
_ARTIFACT_STATES = (
    "UNKNOWN",
    "PENDING",
    "LIVE",
    "MARKED_FOR_DELETION",
    "DELETED",
    "ABANDONED",
    "REFERENCE",
)
_EXECUTION_STATES = ("UNKNOWN", "NEW", "RUNNING", "COMPLETE", "FAILED", "CACHED", "CANCELED")
_RUN_STATES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")

_state = Field("state", choices=LIFE, default="LIVE")
_artifact_state = Field("state", choices=_ARTIFACT_STATES, default="UNKNOWN")
_origin = (Field("experimentId", "id", output=True), Field("experimentRunId", "id", output=True))


def _texts(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name) for name in names)


def _child(name: str) -> tuple[Field, ...]:
    return (Field(name, "id", create=True, required=True),)


def _artifact(name: str, tag: str, words: str, *fields: Field) -> Kind:
    return Kind(name, words, (*fields, _artifact_state, *_origin), family=1, artifact=tag)


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "RegisteredModel",
            "registered model",
            (
                *_texts("owner", "readme", "maturity", "provider", "license"),
                Field("libraryName"),
                Field("logo", "uri"),
                Field("licenseLink", "uri"),
                Field("language", "strings"),
                Field("tasks", "strings"),
                _state,
            ),
            named=True,
        ),
        Kind(
            "ModelVersion",
            "model version",
            (*_child("registeredModelId"), Field("author"), _state),
            parent="registeredModelId",
            parent_kind="RegisteredModel",
            named=True,
        ),
        Kind("ServingEnvironment", "serving environment", (), named=True),
        Kind(
            "InferenceService",
            "inference service",
            (
                *_child("servingEnvironmentId"),
                *_child("registeredModelId"),
                Field("modelVersionId", "id"),
                Field("runtime"),
                Field("desiredState", choices=("DEPLOYED", "UNDEPLOYED"), default="DEPLOYED"),
            ),
            parent="servingEnvironmentId",
            parent_kind="ServingEnvironment",
        ),
        Kind(
            "ServeModel",
            "serve model",
            (
                *_child("modelVersionId"),
                Field("lastKnownState", choices=_EXECUTION_STATES, default="UNKNOWN"),
            ),
            family=2,
        ),
        Kind("Experiment", "experiment", (Field("owner"), _state), named=True),
        Kind(
            "ExperimentRun",
            "experiment run",
            (
                *_child("experimentId"),
                Field("startTimeSinceEpoch", "millis", create=True),
                Field("endTimeSinceEpoch", "millis"),
                Field("status", choices=_RUN_STATES, default="RUNNING"),
                _state,
                Field("owner"),
            ),
            parent="experimentId",
            parent_kind="Experiment",
        ),
        _artifact(
            "ModelArtifact",
            "model-artifact",
            "model artifact",
            *_texts("uri", "modelFormatName", "modelFormatVersion", "storageKey", "storagePath"),
            *_texts("serviceAccountName", "modelSourceKind", "modelSourceClass", "modelSourceGroup"),
            *_texts("modelSourceId", "modelSourceName"),
        ),
        _artifact("DocArtifact", "doc-artifact", "doc artifact", Field("uri")),
        _artifact(
            "DataSet",
            "dataset-artifact",
            "dataset artifact",
            *_texts("uri", "digest", "sourceType", "source", "schema", "profile"),
        ),
        _artifact(
            "Metric",
            "metric",
            "metric",
            Field("value", "number"),
            Field("timestamp", "millis"),
            Field("step", "integer"),
        ),
        _artifact(
            "Parameter",
            "parameter",
            "parameter",
            Field("value"),
            Field("parameterType", choices=("string", "number", "boolean", "object"), default="string"),
        ),
        # Each value a metric of an experiment run ever had. Only read, as metrics.
        Kind(
            "MetricHistory",
            "metric history",
            (
                Field("value", "number"),
                Field("timestamp", "millis"),
                Field("step", "integer"),
                _artifact_state,
                *_origin,
            ),
            family=1,
            artifact="metric",
        ),
    )
}
_by_name: Final = {name: {field.name: field for field in kind.fields} for name, kind in KINDS.items()}

ARTIFACTS: Final = {
    kind.artifact: kind for kind in KINDS.values() if kind.artifact and kind.name != "MetricHistory"
}
"""``artifactType`` on the wire to its kind."""
ARTIFACT_KINDS: Final = tuple(kind.name for kind in ARTIFACTS.values())

COMMON: Final = ("id", "name", "externalId", "createTimeSinceEpoch", "lastUpdateTimeSinceEpoch")
"""What every record has and may be filtered by, beside its own fields; ``description`` is none of them."""
