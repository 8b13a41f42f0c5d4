"""The one shape everything a user makes has: a Kubernetes resource, on a laptop as on a cluster."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from jupyter_ext.errors import Invalid, Where

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

TERMINAL: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"})
"""Phases that never change again by themselves."""
RESTING: Final = TERMINAL | {"PAUSED"}
"""Phases in which no process has anything to do."""


class Kind(NamedTuple):
    """A kind's API version and the plural under which REST serves it."""

    api_version: str
    plural: str


KINDS: Final[dict[str, Kind]] = {
    "Run": Kind("pipelines.kubeflow.org/v2beta1", "runs"),
    "RecurringRun": Kind("pipelines.kubeflow.org/v2beta1", "recurringruns"),
    "TrainJob": Kind("trainer.kubeflow.org/v1alpha1", "trainjobs"),
    "Experiment": Kind("kubeflow.org/v1beta1", "experiments"),
    "Trial": Kind("kubeflow.org/v1beta1", "trials"),
    "TFJob": Kind("kubeflow.org/v1", "tfjobs"),
    "PyTorchJob": Kind("kubeflow.org/v1", "pytorchjobs"),
    "XGBoostJob": Kind("kubeflow.org/v1", "xgboostjobs"),
    "InferenceService": Kind("serving.kserve.io/v1beta1", "inferenceservices"),
    "InferenceGraph": Kind("serving.kserve.io/v1alpha1", "inferencegraphs"),
    "SparkApplication": Kind("sparkoperator.k8s.io/v1beta2", "sparkapplications"),
    "ScheduledSparkApplication": Kind("sparkoperator.k8s.io/v1beta2", "scheduledsparkapplications"),
    "SparkConnect": Kind("sparkoperator.k8s.io/v1alpha1", "sparkconnects"),
    "Gateway": Kind("gateway.networking.k8s.io/v1", "gateways"),
}

_JOB_HEAVY: Final = ("status.ranks", "status.error.traceback", "status.result.text")

HEAVY: Final[dict[str, tuple[str, ...]]] = {
    "Run": (
        "spec.pipeline.graph",
        "status.steps.*.outputs",
        "status.steps.*.artifacts",
        "status.steps.*.error.traceback",
        "status.steps.*.error.locals",
        "status.error.traceback",
        "status.error.locals",
    ),
    "TrainJob": ("spec.trainer.command", "spec.trainer.args", "spec.runtimePatches", *_JOB_HEAVY),
    "TFJob": ("spec.tfReplicaSpecs", *_JOB_HEAVY),
    "PyTorchJob": ("spec.pytorchReplicaSpecs", *_JOB_HEAVY),
    "XGBoostJob": ("spec.xgbReplicaSpecs", *_JOB_HEAVY),
    "Experiment": ("spec.trialTemplate", "status.error.traceback"),
    "Trial": ("spec.runSpec", "status.error.traceback"),
    "InferenceService": ("status.revisions", "status.routing"),
    "SparkApplication": ("status.error.traceback", "status.result.text"),
}
"""What a summary of the kind leaves out, so that thousands of them list without parsing megabytes."""


@dataclass(frozen=True)
class Resource:
    """One object of the cluster. ``resource_version`` is 0 until a store has accepted it.

    The dictionaries belong to whoever holds the object: every read makes its own.
    """

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: int = 0
    generation: int = 1
    created: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    owner: str | None = None
    spec: dict[str, Any] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    deleted: str | None = None

    @classmethod
    def new(cls, kind: str, name: str, spec: Mapping[str, Any] | None = None, **fields: Any) -> Self:
        """A resource of a registered kind that no store has seen yet."""
        if kind not in KINDS:
            raise Invalid(
                f"There is no kind {kind!r}", where=Where(field="kind"), hint=f"Known: {', '.join(KINDS)}."
            )
        return cls(KINDS[kind].api_version, kind, name, spec=dict(spec or {}), **fields)

    def with_(self, **changes: Any) -> Self:
        """A copy with the given fields replaced."""
        return replace(self, **changes)

    @property
    def phase(self) -> str:
        """The state in one word; PENDING until a controller says otherwise."""
        return str(self.status.get("phase") or "PENDING")

    @property
    def reason(self) -> str:
        """Why it is in this phase, in plain words; empty when there is nothing to say."""
        return str(self.status.get("reason") or "")

    @property
    def finished(self) -> bool:
        """Whether the phase is one that never changes again by itself."""
        return self.phase in TERMINAL

    @property
    def resting(self) -> bool:
        """Whether it is finished or paused: no process has anything to do."""
        return self.phase in RESTING

    @property
    def title(self) -> str:
        """The name for people: ``spec.displayName``, else the name."""
        return str(self.spec.get("displayName") or self.name)

    def to_dict(self) -> dict[str, Any]:
        """The form of the Kubernetes API. As there, ``resourceVersion`` is an opaque string."""
        metadata: dict[str, Any] = {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": str(self.resource_version),
            "generation": self.generation,
            "creationTimestamp": self.created,
            "labels": self.labels,
            "annotations": self.annotations,
        }
        if self.owner:
            metadata["ownerReferences"] = [{"uid": self.owner}]
        if self.deleted:
            metadata["deletionTimestamp"] = self.deleted
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "metadata": metadata,
            "spec": self.spec,
            "status": self.status,
        }

    def manifest(self) -> dict[str, Any]:
        """What a user would have written: without status and everything that a cluster fills in."""
        metadata: dict[str, Any] = {"name": self.name}
        if self.labels:
            metadata["labels"] = self.labels
        if self.annotations:
            metadata["annotations"] = self.annotations
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata, "spec": self.spec}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the form of the Kubernetes API.

        Raises Invalid naming the field when a part is missing or of the wrong type.
        """
        metadata = _part(data, "metadata")
        owners = metadata.get("ownerReferences") or [{}]
        return cls(
            api_version=_text(data, "apiVersion"),
            kind=_text(data, "kind"),
            name=_text(metadata, "name", "metadata."),
            namespace=str(metadata.get("namespace") or ""),
            uid=str(metadata.get("uid") or ""),
            resource_version=_version(metadata.get("resourceVersion")),
            generation=int(metadata.get("generation") or 1),
            created=str(metadata.get("creationTimestamp") or ""),
            labels=dict(_part(metadata, "labels", "metadata.")),
            annotations=dict(_part(metadata, "annotations", "metadata.")),
            owner=owners[0].get("uid"),
            spec=dict(_part(data, "spec")),
            status=dict(_part(data, "status")),
            deleted=metadata.get("deletionTimestamp"),
        )


def _part(data: Mapping[str, Any], key: str, prefix: str = "") -> Mapping[str, Any]:
    value = data.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(
            f"{prefix}{key} must be a mapping, not {type(value).__name__}", where=Where(field=prefix + key)
        )
    return value


def _text(data: Mapping[str, Any], key: str, prefix: str = "") -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise Invalid(f"{prefix}{key} is missing", where=Where(field=prefix + key))
    return value


def _version(value: object) -> int:
    try:
        return int(str(value or 0))
    except ValueError:
        raise Invalid(
            f"{value!r} is not a resource version", where=Where(field="metadata.resourceVersion")
        ) from None


def now() -> str:
    """The time as RFC 3339 in UTC with microseconds; such times sort as text."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds // 1000:06d}Z"


def new_uid() -> str:
    """A random UUID (version 4), without the import of ``uuid``."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_LABEL_LENGTH: Final = 63
_NAME_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
# Kubernetes' own choice for generated names: nothing that spells words or can be misread.
_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH: Final = 5


def is_name(name: str) -> bool:
    """Whether this is an RFC 1123 label: 1 to 63 of a-z, 0-9 and "-", with no "-" at either end."""
    return (
        0 < len(name) <= _LABEL_LENGTH
        and _NAME_LETTERS.issuperset(name)
        and name[0] != "-"
        and name[-1] != "-"
    )


def valid_name(name: str, field: str = "name") -> str:
    """Return the name, or raise Invalid with the rule and a name that would do."""
    if is_name(name):
        return name
    rule = "A name is 1 to 63 letters a-z, digits or '-', and neither begins nor ends with '-'"
    instead = _plain(name)[:_LABEL_LENGTH].strip("-")
    raise Invalid(
        f"{name!r} is not a valid name",
        where=Where(field=field),
        hint=f"{rule}. Try {instead!r}." if instead else f"{rule}.",
    )


def make_name(prefix: str) -> str:
    """A fresh valid name that begins with what is usable of the prefix: ``flights-x7k2p``."""
    room = _LABEL_LENGTH - _SUFFIX_LENGTH - 1
    stem = (prefix if is_name(prefix) else _plain(prefix))[:room].strip("-") or "unnamed"
    suffix = "".join(_SUFFIX_LETTERS[byte % len(_SUFFIX_LETTERS)] for byte in os.urandom(_SUFFIX_LENGTH))
    return f"{stem}-{suffix}"


def make_plain(text: str) -> str:
    """What is left of a text when it is to be a name; empty where nothing is."""
    return _plain(text)[:_LABEL_LENGTH].strip("-")


def _plain(text: str) -> str:
    if not text.isascii():
        import unicodedata

        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    joined = "".join(letter if letter in _NAME_LETTERS else "-" for letter in text.lower())
    return "-".join(part for part in joined.split("-") if part)


_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_LONGEST_QUANTITY: Final = 40


def _scaled(value: object, field: str, scale: int) -> int:
    """A Kubernetes quantity times ``scale``, rounded up, in exact arithmetic."""
    numerator, denominator = _ratio(value, field)
    return -(-numerator * scale // denominator)


def _ratio(value: object, field: str) -> tuple[int, int]:
    text = str(value).strip()
    number = text.rstrip("".join({*"numkMGTPEKi"}))
    suffix = text[len(number) :]
    exponent = 0
    if suffix == "" and "e" in number.lower():
        number, _, power = number.lower().partition("e")
        exponent = int(power) if power.lstrip("+-").isdecimal() and len(power) <= 4 else -1000
    whole, _, fraction = number.partition(".")
    known = suffix in _DECIMAL or suffix in _BINARY
    digits = whole + fraction
    plain = digits.isdecimal() and digits.isascii() and len(text) <= _LONGEST_QUANTITY
    if isinstance(value, bool) or not known or not plain or abs(exponent) > 400:
        raise Invalid(
            f"{value!r} is not a quantity",
            where=Where(field=field),
            hint="Write a number with an optional unit, such as 2, 500m, 1.5, 4Gi or 512M.",
        )
    power10 = _DECIMAL.get(suffix, 0) + exponent - len(fraction)
    power2 = _BINARY.get(suffix, 0)
    return int(digits) * 10 ** max(power10, 0) * 2**power2, 10 ** max(-power10, 0)


def parse_quantity(value: str | float, field: str = "quantity") -> Fraction:
    """The exact value of a Kubernetes quantity such as ``1.5Gi`` or ``250m``. Raises Invalid."""
    from fractions import Fraction

    return Fraction(*_ratio(value, field))


def parse_cpu(value: str | float, field: str = "cpu") -> int:
    """CPU in thousandths of one: ``"500m"`` is 500, ``2`` is 2000. Raises Invalid."""
    return _scaled(value, field, 1000)


def parse_memory(value: str | float, field: str = "memory") -> int:
    """Memory in bytes: ``"4Gi"`` is 4294967296. Raises Invalid."""
    return _scaled(value, field, 1)


def format_cpu(milli: int) -> str:
    """The shortest quantity that parses back to the same: ``500m``, ``2``."""
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def format_memory(size: int) -> str:
    """The shortest quantity in binary units that parses back to the same number of bytes."""
    for suffix, power in reversed(_BINARY.items()):
        if size and size % (1 << power) == 0:
            return f"{size >> power}{suffix}"
    return str(size)


def say_memory(size: int) -> str:
    """Bytes for people, to one decimal: ``31.2Gi``."""
    for suffix, power in reversed(_BINARY.items()):
        if size >= 1 << power:
            return f"{size / (1 << power):.1f}{suffix}".replace(".0", "")
    return f"{size} bytes"
