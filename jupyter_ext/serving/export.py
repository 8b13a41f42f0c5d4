"""An endpoint as YAML that KServe takes, and as it was written by whoever made it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_ext.errors import Unfit, Where
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.building import written
from jupyter_ext.serving.fields import CONTAINER

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

_LOCAL = frozenset({"", "file"})


def export(resource: Resource, *, strict: bool = True) -> str:
    """The YAML, without what only this machine knows. ``strict``: raise Unfit for files that only it has."""
    import yaml

    if strict:
        for variant, uri in local_files(resource):
            raise Unfit(
                f"{variant} is served from {uri}, which only this machine has",
                where=Where(field="storageUri"),
                hint='Register it where a cluster reads: registry.register(…, to="s3://bucket/models").',
            )
    document = yaml.safe_dump(manifest(resource), sort_keys=False, allow_unicode=True, width=110)
    return str(document)


def manifest(resource: Resource) -> dict[str, Any]:
    """What a user would have written."""
    found = copy.deepcopy(resource.manifest())
    notes = found["metadata"].get("annotations") or {}
    kept = {
        name: text for name, text in notes.items() if name not in {names.INSIDE, f"{names.PREFIX}applied"}
    }
    found["metadata"].pop("annotations", None)
    if found["spec"].get("canary"):
        kept.setdefault("serving.kserve.io/deploymentMode", "Standard")
    if kept:
        found["metadata"]["annotations"] = kept
    for place, component in _components(found["spec"]):
        _complete(component, is_canary=place == "canary")
    return found


def _components(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The predictors, the transformer and the explainer."""
    for place in ("predictor", "transformer", "explainer"):
        if isinstance(spec.get(place), dict):
            yield place, spec[place]
    for canary in spec.get("canary") or []:
        if isinstance(canary.get("predictor"), dict):
            yield "canary", canary["predictor"]


def _complete(component: dict[str, Any], *, is_canary: bool) -> None:
    """What KServe's schema wants and this machine does not: names of containers, quantities that are no fractions."""
    model = component.get("model")
    containers = [each for each in component.get("containers") or [] if isinstance(each, dict)]
    if is_canary and isinstance(model, dict):
        model.setdefault("name", CONTAINER)
    for container in containers:
        container.setdefault("name", CONTAINER)
    for each in (*containers, *([model] if isinstance(model, dict) else [])):
        for part in (each.get("resources") or {}).values():
            part.update({key: written(value) for key, value in part.items()})


def local_files(resource: Resource) -> Iterator[tuple[str, str]]:
    """The variants whose files are on this machine only."""
    for each in names.read(resource).variants:
        uri = str(each.model.get("storageUri") or "")
        if uri and urlsplit(uri).scheme in _LOCAL:
            yield each.name, uri
