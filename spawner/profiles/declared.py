"""Profiles as an administrator declares them: one YAML file, one schema for reading and for the documentation.

::

    defaults:
      quota: {cpu: 8, memory: 32Gi, requests.nvidia.com/gpu: 1}
    profiles:
      - owner: ada@example.com
      - name: team-vision
        owner: {kind: Group, name: vision}
        contributors: [{user: bob@example.com, role: edit}]
        quota: {cpu: 64, memory: 256Gi, requests.nvidia.com/gpu: 8}

What the file does not know is refused with its place; nothing is dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from spawner import quantities
from spawner.names import check_subject, is_label, is_reserved, namespace_name
from spawner.refused import Refused

_LARGEST: Final = 4 * 2**20
_MOST: Final = 20_000
_COUNTED: Final = frozenset(
    {"pods", "services", "secrets", "configmaps", "persistentvolumeclaims", "replicationcontrollers",
     "resourcequotas", "services.loadbalancers", "services.nodeports"}
)  # fmt: skip
_MEASURED: Final = frozenset(
    {
        f"{prefix}{name}"
        for prefix in ("", "requests.", "limits.")
        for name in ("cpu", "memory", "ephemeral-storage")
    }
) | {"requests.storage"}
_KEY: Final = re.compile(r"[a-z0-9A-Z](?:[-a-zA-Z0-9_./]{0,251}[a-zA-Z0-9])?")
_LABEL_VALUE: Final = re.compile(r"(?:[a-zA-Z0-9](?:[-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?)?")
_OURS: Final = (
    "app.kubernetes.io/",
    "jupyter-kubeflow.org/",
    "kubernetes.io/",
    "pod-security.kubernetes.io/",
    "istio",
)


def _quantity(value: object) -> str:
    quantities.typed(value)
    return str(value)


def _subject(value: str) -> str:
    try:
        return check_subject(value)
    except Refused as refused:
        raise ValueError(refused.message) from refused


Quantity = Annotated[str, BeforeValidator(_quantity, json_schema_input_type=str | int)]
Name = Annotated[str, AfterValidator(_subject), Field(min_length=1, max_length=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Owner(_Strict):
    """Whose the profile is; a plain text means the user of that name."""

    kind: Literal["User", "Group"] = "User"
    name: Name


def _owner(value: object) -> object:
    return {"kind": "User", "name": value} if isinstance(value, str) else value


class Contributor(_Strict):
    """A user or a group beside the owner: ``edit`` starts servers, ``view`` only looks."""

    user: Name | None = None
    group: Name | None = None
    role: Literal["edit", "view"] = "edit"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.user is None) == (self.group is None):
            raise ValueError("needs either user or group")
        return self

    @property
    def kind(self) -> Literal["User", "Group"]:
        """The kind of the subject."""
        return "User" if self.user is not None else "Group"

    @property
    def name(self) -> str:
        """The name of the subject."""
        return self.user or self.group or ""


class Limits(_Strict):
    """What a container gets that asks for nothing (``requests``, ``limits``), and the most that one may ask for."""

    requests: dict[Literal["cpu", "memory"], Quantity] = {"cpu": "100m", "memory": "256Mi"}
    limits: dict[Literal["cpu", "memory"], Quantity] = {"cpu": "2", "memory": "2Gi"}
    most: dict[Literal["cpu", "memory"], Quantity] = {}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for low, high in ((self.requests, self.limits), (self.limits, self.most), (self.requests, self.most)):
            for name in low.keys() & high.keys():
                if quantities.stored(low[name]) > quantities.stored(high[name]):
                    raise ValueError(
                        f"{name}: {low[name]} is more than {high[name]}, requests ≤ limits ≤ most"
                    )
        return self


class Network(_Strict):
    """Who reaches the profile's pods, and what they reach.

    ``from`` are namespaces whose pods may connect to it, beside its own and the Hub's. ``metadata`` opens the cloud's
    metadata address, which gives the node's own credentials to whoever asks.
    """

    isolated: bool = True
    sources: tuple[str, ...] = Field(default=(), alias="from", strict=False)
    metadata: bool = False

    @model_validator(mode="after")
    def _labels(self) -> Self:
        for name in self.sources:
            if not is_label(name):
                raise ValueError(f"from: {name!r} is not the name of a namespace")
        return self


class Wanted(_Strict):
    """What is the same for many profiles."""

    quota: dict[str, Quantity] = {}
    limits: Limits = Limits()
    network: Network = Network()
    pod_security: Literal["privileged", "baseline", "restricted"] = Field(
        default="baseline", alias="podSecurity"
    )
    labels: dict[str, str] = {}

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for key, amount in self.quota.items():
            fault = quota_fault(key, amount)
            if fault:
                raise ValueError(f"quota: {fault}")
        for key, value in self.labels.items():
            if not _KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
                raise ValueError(f"labels: {key!r}: {value!r} is not a label of Kubernetes")
            if key.startswith(_OURS):
                raise ValueError(f"labels: {key} is set by the provisioner itself")
        return self


class Wish(Wanted):
    """One profile. Without a name it gets the one of `names.namespace_name`."""

    name: str | None = None
    owner: Annotated[Owner, BeforeValidator(_owner, json_schema_input_type=str | Owner)]
    contributors: tuple[Contributor, ...] = Field(default=(), strict=False, max_length=500)

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.name is not None and not is_label(self.name):
            raise ValueError(f"name: {self.name!r} is not a DNS label (a-z, 0-9 and -, 63 at most)")
        if self.name is None and self.owner.kind == "Group":
            raise ValueError("name: a profile of a group needs one")
        return self

    @property
    def namespace(self) -> str:
        """The namespace, which is called as the profile."""
        return self.name or namespace_name(self.owner.name)


class Declaration(_Strict):
    """The whole file."""

    defaults: Wanted = Wanted()
    profiles: tuple[Wish, ...] = Field(default=(), strict=False, max_length=_MOST)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        seen: dict[str, int] = {}
        for number, wish in enumerate(self.profiles):
            name = wish.namespace
            if is_reserved(name):
                raise ValueError(f"profiles[{number}].name: {name} is a namespace of the cluster itself")
            if name in seen:
                raise ValueError(f"profiles[{number}].name: profiles[{seen[name]}] is called {name} too")
            seen[name] = number
        return self


def quota_fault(key: str, amount: str) -> str:
    """What is wrong with one entry of a quota, or nothing.

    Of extended resources only the key ``requests.<name>`` counts (Kubernetes, *Resource Quotas*); the bare one is
    accepted by the API server and limits nothing, which is the usual mistake.
    """
    if key in _MEASURED or key.endswith(".storageclass.storage.k8s.io/requests.storage"):
        return ""
    whole = quantities.stored(amount) == int(quantities.stored(amount))
    if key in _COUNTED or key.startswith("count/") or key.endswith(
        (".storageclass.storage.k8s.io/persistentvolumeclaims", ".deviceclass.resource.k8s.io/devices")
    ):  # fmt: skip
        return "" if whole else f"{key} counts things: {amount} is not a whole number"
    bare = key.removeprefix("requests.").removeprefix("limits.")
    if not _KEY.fullmatch(bare):
        return f"{key!r} is not the name of a resource"
    if bare.startswith("hugepages-") and key.startswith("requests."):
        return ""
    if "/" not in bare:
        return f"{key} is not a resource that a quota knows"
    if not key.startswith("requests."):
        return f"{key} would limit nothing: write requests.{bare}"
    return "" if whole else f"{key} counts devices: {amount} is not a whole number"


def read(text: str) -> Declaration:
    """The declaration in a YAML text; raises Refused 400 with the field and the reason."""
    if len(text) > _LARGEST:
        raise Refused(400, "The file of profiles is larger than 4 MiB", hint="Split it into several.")
    try:
        found = yaml.load(text, Loader=_OneOfEach)  # noqa: S506 — a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}" if place is not None else ""
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise Refused(400, f"The file of profiles cannot be read{where}: {problem}", hint=_HINT) from error
    return check(found if found is not None else {})


def check(found: object) -> Declaration:
    """The same from plain values; what a profile leaves open comes from the defaults."""
    if not isinstance(found, Mapping):
        raise Refused(400, "The file of profiles has no fields: it begins with `profiles:`", hint=_HINT)
    try:
        Declaration.model_validate(found)
        return Declaration.model_validate(_filled(found))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise Refused(400, _sentence(first), field=_place(first), hint=_HINT) from error


def schema() -> dict[str, Any]:
    """The JSON schema of the file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Declaration.model_json_schema(by_alias=True),
    }


def _filled(found: Mapping[Any, Any]) -> dict[Any, Any]:
    """Each profile with the defaults below what it says itself, field by field."""
    defaults = dict(found.get("defaults") or {})
    profiles = [{**defaults, **wish} for wish in found.get("profiles") or ()]
    return {**found, "profiles": profiles}


_HINT: Final = "The fields are those of: jupyter kf profiles schema."
_WORDS: Final = {
    "extra_forbidden": "there is no such field",
    "missing": "this field is needed",
}


def _sentence(fault: Any) -> str:
    text = _WORDS.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")
    return f"The declaration of profiles is not used: {text}"


def _place(fault: Any) -> str:
    place = ""
    for part in fault["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    return place[:200]


class _OneOfEach(yaml.SafeLoader):
    """Refuses a key that is there twice: YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} is there twice", key.start_mark
                    )
                seen.add(key.value)
        return dict(super().construct_mapping(node, deep))
