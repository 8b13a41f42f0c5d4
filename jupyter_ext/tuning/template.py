"""What one trial is: a function, a command, a job, or a pipeline; read from ``spec.trialTemplate``.

A template that was written for a cluster runs here if its command exists on this machine. Its ``${trialParameters.x}``
are replaced within the strings of the manifest; nothing is ever given to a shell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.training.spec import CODE, PREFIX

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.devices import Request
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.tuning.space import Space

TRIAL: Final = PREFIX + "trial"
"""Says ``function`` where a trial is Python code of ours, whatever its manifest would run on a cluster."""
NOTEBOOK: Final = PREFIX + "notebook"
Kind: TypeAlias = Literal["function", "command", "job", "run"]
JOBS: Final = frozenset({"TrainJob", "PyTorchJob", "TFJob", "XGBoostJob"})
CONTAINER: Final = "training-container"
FIELD: Final = "spec.trialTemplate"
_PLACEHOLDER: Final = re.compile(r"\$\{trialParameters\.(.+?)\}")
_META: Final = re.compile(r"\$\{trialSpec\.(.+?)\}")
_META_KEYS: Final = ("Name", "Namespace", "Kind", "APIVersion")
_META_ITEM: Final = re.compile(r"(Annotations|Labels)\[(.+)\]")


@dataclass(frozen=True)
class Template:
    """How a trial is made. ``parameters`` maps the template's own names to parameters or facts of the trial."""

    kind: Kind
    manifest: Mapping[str, Any]
    parameters: Mapping[str, str]
    container: str = CONTAINER
    code: str | None = None
    request: Request | None = None
    """What one worker leases; None where the trials are jobs or runs, which lease for themselves."""
    collector: Mapping[str, Any] | None = None

    def filled(self, values: Mapping[str, str], name: str, namespace: str) -> dict[str, Any]:
        """The manifest of one trial. ``values`` are the parameters as text."""
        texts = {
            own: values[reference] if reference in values else self._fact(reference, name, namespace)
            for own, reference in self.parameters.items()
        }
        filled: dict[str, Any] = _replaced(self.manifest, texts)
        return filled

    def _fact(self, reference: str, name: str, namespace: str) -> str:
        found = _META.fullmatch(reference)
        key = found[1] if found else ""
        metadata = self.manifest.get("metadata") or {}
        item = _META_ITEM.fullmatch(key)
        if item is not None:
            return str((metadata.get(item[1].lower()) or {}).get(item[2], ""))
        facts = {
            "Name": name,
            "Namespace": namespace,
            "Kind": self.manifest.get("kind"),
            "APIVersion": self.manifest.get("apiVersion"),
        }
        return str(facts.get(key, ""))


def _replaced(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: texts.get(found[1], found[0]), value)
    if isinstance(value, Mapping):
        return {key: _replaced(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, texts) for item in value]
    return value


def placeholders(value: Any) -> set[str]:
    """The names of all ``${trialParameters.NAME}`` in a manifest."""
    if isinstance(value, str):
        return set(_PLACEHOLDER.findall(value))
    if isinstance(value, Mapping):
        return {name for item in value.values() for name in placeholders(item)}
    if isinstance(value, list):
        return {name for item in value for name in placeholders(item)}
    return set()


def read(resource: Resource, space: Space) -> Template:
    """Read the template. Raises Invalid naming the field, or Unfit for what cannot run on this machine."""
    from jupyter_ext.tuning import commands

    spec = resource.spec.get("trialTemplate")
    if not isinstance(spec, Mapping):
        raise Invalid("There is no trial template", where=Where(field=FIELD))
    if spec.get("configMap"):
        raise Unfit(
            "A trial template in a ConfigMap cannot be read on this machine",
            where=Where(field=f"{FIELD}.configMap"),
            hint="Put the template into trialSpec.",
        )
    manifest = spec.get("trialSpec")
    if not isinstance(manifest, Mapping) or not manifest.get("kind"):
        raise Invalid("trialSpec is missing", where=Where(field=f"{FIELD}.trialSpec"))
    parameters = _parameters(spec, manifest, space)
    code = resource.annotations.get(CODE)
    container = str(spec.get("primaryContainerName") or "")
    common: dict[str, Any] = {"manifest": manifest, "parameters": parameters, "code": code}
    collector = resource.spec.get("metricsCollectorSpec")
    kind = str(manifest["kind"])
    if resource.annotations.get(TRIAL) == "function" and code:
        process = commands.process_of(manifest, container)
        return Template("function", **common, request=commands.request(process))
    commands.check_collector(collector, job=kind != "Job")
    if kind == "Job":
        request = commands.request(commands.check(manifest, container, collector))
        return Template("command", **common, container=container, request=request, collector=collector)
    if kind in JOBS:
        return Template("job", **common, container=container, collector=collector)
    if kind == "Run":
        return Template("run", **common)
    raise Unfit(
        f"A trial that is a {kind} cannot run on this machine",
        where=Where(field=f"{FIELD}.trialSpec.kind"),
        hint=f"It may be a Job, a {', a '.join(sorted(JOBS))} or a Run of a pipeline.",
    )


def _parameters(spec: Mapping[str, Any], manifest: Mapping[str, Any], space: Space) -> dict[str, str]:
    found: dict[str, str] = {}
    for index, item in enumerate(spec.get("trialParameters") or ()):
        where = Where(field=f"{FIELD}.trialParameters[{index}]")
        name, reference = str(item.get("name") or ""), str(item.get("reference") or "")
        if not name or not reference:
            raise Invalid("name and reference must both be given", where=where)
        if name in found:
            raise Invalid(f"There are two trial parameters {name!r}", where=where)
        if reference not in space and not _is_fact(reference):
            raise Invalid(
                f"{name} refers to {reference!r}, which is no parameter",
                where=where,
                hint=f"There are: {', '.join(space)}.",
            )
        found[name] = reference
    used = placeholders(manifest)
    unknown = sorted(used - found.keys())
    if unknown:
        raise Invalid(
            f"${{trialParameters.{unknown[0]}}} is not among the trial parameters",
            where=Where(field=f"{FIELD}.trialSpec"),
            hint=f"Add it to trialParameters, or use one of: {', '.join(found) or 'none'}.",
        )
    idle = sorted(found.keys() - used)
    if idle:
        raise Invalid(
            f"The trial parameter {idle[0]!r} is not used in trialSpec",
            where=Where(field=f"{FIELD}.trialParameters"),
            hint=f"Write ${{trialParameters.{idle[0]}}} where its value is to stand.",
        )
    return found


def _is_fact(reference: str) -> bool:
    found = _META.fullmatch(reference)
    return found is not None and (found[1] in _META_KEYS or _META_ITEM.fullmatch(found[1]) is not None)
