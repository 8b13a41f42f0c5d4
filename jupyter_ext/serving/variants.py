"""Variants: how they are named, and how specs with more, fewer or other variants are written."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import is_name
from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.fields import CONTAINER, nearest

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.spec import Predictor

_LONGEST: Final = 40
_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_OF_CANARY: Final = (
    "name",
    "model",
    "containers",
    "minReplicas",
    "timeout",
    "batcher",
    "containerConcurrency",
)
_OF_ENDPOINT: Final = ("minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "logger")
"""Fields of the stable predictor that are said of the endpoint as a whole."""


@dataclass(frozen=True)
class Variant:
    """One variant of an endpoint as it is now. ``mirror``: percent of the requests that it is shown besides."""

    name: str
    percent: int
    model: str
    version: str
    state: str
    reason: str
    replicas: int
    mirror: int = 0
    restarts: int = 0
    pids: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {**self.__dict__, "pids": list(self.pids)}


def name_for(version: str, taken: Mapping[str, str] | None = None) -> str:
    """The variant's name for a version: ``v2`` for "2". ``taken``: names in use, and the versions they stand for."""
    plain = "".join(letter if letter in _LETTERS else "-" for letter in version.lower())
    plain = "-".join(part for part in plain.split("-") if part)
    name = plain if plain[:1].isalpha() else f"v{plain}"
    same = name in {version, f"v{version}"}
    name = name[:_LONGEST].strip("-")
    if not same or not is_name(name) or (taken or {}).get(name, version) != version:
        name = f"{name[: _LONGEST - 7].strip('-')}-{hashlib.sha256(version.encode()).hexdigest()[:6]}"
    return name


def versions(resource: Resource) -> dict[str, str]:
    """The version of each variant that is of a registered model."""
    facts = names.note(resource.annotations, names.VARIANTS, dict)
    return {name: str(about.get("version", "")) for name, about in facts.items()}


class Draft:
    """A resource's spec and notes in the making; the rules of KServe are kept by what changes it."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.annotations = dict(resource.annotations)
        self.labels = dict(resource.labels)
        self.service = names.read(resource)
        self.facts: dict[str, Any] = names.note(resource.annotations, names.VARIANTS, dict)
        self.stable = copy.deepcopy(self.service.stable.body)
        self.stable.setdefault("name", self.service.stable.name)
        # Canaries in full, so that another stable predictor changes nothing of them.
        self.canaries = {each.name: (each.percent, _own(each)) for each in self.service.variants[1:]}

    @property
    def names(self) -> list[str]:
        """All variants, the stable one first."""
        return [str(self.stable["name"]), *self.canaries]

    def known(self, name: str) -> str:
        """The variant that a name or a version means. Raises NotFound with the nearest."""
        for candidate in (name, f"v{name}"):
            if candidate in self.names:
                return candidate
        for variant, about in self.facts.items():
            if variant in self.names and str(about.get("version")) == name:
                return variant
        raise NotFound(
            f"{self.resource.name} has no variant {name!r}",
            where=Where(field="variant"),
            hint=nearest(name, self.names),
        )

    def add(
        self, name: str, predictor: dict[str, Any], facts: Mapping[str, Any] | None, percent: int
    ) -> None:
        """Put a variant beside the stable one, or give the one of that name another predictor and share."""
        if name == self.stable["name"]:
            raise Conflict(
                f"{name} is the stable variant of {self.resource.name}",
                where=Where(field="variant"),
                hint="Without percent= it is replaced; with variant= the new one gets another name.",
            )
        self.canaries[name] = (percent, {**predictor, "name": name})
        self._note(name, facts)

    def replace(self, name: str, predictor: dict[str, Any], facts: Mapping[str, Any] | None) -> None:
        """Another stable predictor; what is not said anew stays as it was."""
        self.canaries.pop(name, None)
        before = copy.deepcopy(self.stable)
        if "model" in predictor:
            before.pop("containers", None)
            before.setdefault("model", {}).pop("modelFormat", None)
        self.stable = {**names.merge(before, predictor), "name": name}
        self._note(name, facts)

    def promote(self, name: str) -> None:
        """Make a canary the stable predictor: the same processes, now with what the others leave."""
        if name == self.stable["name"]:
            others = [percent for percent, _ in self.canaries.values()]
            if not any(others):
                raise Conflict(f"{name} is the stable variant already", where=Where(field="variant"))
            self.canaries = {each: (0, own) for each, (_, own) in self.canaries.items()}
            return
        _, own = self.canaries.pop(name)
        kept: dict[str, Any] = {key: self.stable[key] for key in _OF_ENDPOINT if key in self.stable}
        self.stable = {**own, **kept, "name": name}

    def remove(self, name: str) -> None:
        """Take a canary away; its share goes to the stable variant."""
        if name == self.stable["name"]:
            raise Conflict(
                f"{name} is the stable variant",
                where=Where(field="variant"),
                hint="Promote another one first, or stop or delete the endpoint.",
            )
        del self.canaries[name]

    def share(self, split: Mapping[str, int]) -> None:
        """Percent of each variant; those that are not named get none. The sum is 100."""
        total = sum(split.values())
        if total != 100:
            said = " + ".join(f"{name} {percent}" for name, percent in split.items())
            hint = "They have to add up to 100."
            raise Invalid(f"The percents add up to {total} ({said})", where=Where(field="split"), hint=hint)
        for name, (_, own) in self.canaries.items():
            self.canaries[name] = (split.get(name, 0), own)

    def _note(self, name: str, facts: Mapping[str, Any] | None) -> None:
        self.facts.pop(name, None)
        if facts:
            self.facts[name] = dict(facts)

    def done(self) -> Resource:
        """The resource with this spec and these notes; checked."""
        least = self.stable.get("minReplicas", 1)
        canaries = []
        for percent, own in self.canaries.values():
            fewer = {"minReplicas": least} if own.get("minReplicas", 0) > least else {}
            named = {"model": {"name": CONTAINER, **own["model"]}} if own.get("model") else {}
            canaries.append({"trafficPercent": percent, "predictor": {**own, **named, **fewer}})
        spec = {**self.resource.spec, "predictor": self.stable}
        spec.pop("canary", None)
        if canaries:
            spec["canary"] = canaries
        facts = {name: self.facts[name] for name in self.names if name in self.facts}
        self._set(names.VARIANTS, json.dumps(facts, sort_keys=True) if facts else None)
        mirror = names.note(self.annotations, names.MIRROR, dict)
        if mirror and mirror.get("variant") not in self.canaries:
            self._set(names.MIRROR, None)
        about = facts.get(str(self.stable["name"])) or {}
        for label, key in ((names.MODEL_ID, "model_id"), (names.VERSION_ID, "id")):
            self.labels.pop(label, None)
            if about.get(key):
                self.labels[label] = str(about[key])
        made = self.resource.with_(spec=spec, annotations=self.annotations, labels=self.labels)
        names.read(made)
        return made

    def set(self, name: str, value: str | None) -> None:
        """Set an annotation, or with None remove it."""
        self._set(name, value)

    def _set(self, name: str, value: str | None) -> None:
        if value is None:
            self.annotations.pop(name, None)
        else:
            self.annotations[name] = value


def _own(predictor: Predictor) -> dict[str, Any]:
    """All that a canary may say of itself."""
    return {key: copy.deepcopy(predictor.body[key]) for key in _OF_CANARY if key in predictor.body}
