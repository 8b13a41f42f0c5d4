"""Transformers, explainers and foreign runtimes: commands that exist on this machine, or classes that are registered."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.serving import finding
from jupyter_ext.serving import spec as names

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.serving.programs import Program
    from jupyter_ext.serving.spec import Predictor, Service

ROLE: Final = "role"
RUNTIMES: Final = {
    "kserve-sklearnserver": "sklearnserver",
    "kserve-xgbserver": "xgbserver",
    "kserve-lgbserver": "lgbserver",
    "kserve-huggingfaceserver": "huggingfaceserver",
    "kserve-predictiveserver": "predictiveserver",
}
"""KServe's runtimes that are Python modules, and the modules."""


def predictors(target: Service) -> dict[str, Predictor]:
    """The processes beside the variants, in the form of theirs, by ``transformer`` and ``explainer``."""
    found = {}
    for name, part in (("transformer", target.transformer), ("explainer", target.explainer)):
        if part:
            body = {key: value for key, value in part.items() if key != "facts"}
            if "model" in body and any(each.grpc for each in target.variants):
                body["model"] = {**body["model"], "protocolVersion": "grpc-v2"}
            found[name] = names.Predictor(name, 0, body, {**part.get("facts", {}), ROLE: name})
    return found


def read(annotations: Mapping[str, str]) -> dict[str, Any] | None:
    """The transformer that is a registered class, as the annotation has it. Raises Invalid."""
    noted = names.note(annotations, names.TRANSFORMER, dict)
    if not noted:
        return None
    if not all(isinstance(noted.get(key), str) for key in ("model", "version", "format", "uri")):
        where = Where(field=f"metadata.annotations.{names.TRANSFORMER}")
        raise Invalid("The annotation of the transformer names no model", where=where)
    model = {"modelFormat": {"name": noted["format"]}, "storageUri": noted["uri"]}
    return {"model": model, "facts": noted}


def taken(cluster: LocalCluster, transformer: Any, name: str, *, trust: bool, dry: bool) -> str:
    """The note of a transformer that is a class with ``preprocess`` or ``postprocess``: a registered version of it.

    An object is registered first, as a version of ``<endpoint>-transformer``. Raises as ``finding.taken`` does.
    """
    version = finding.taken(transformer, f"{name}-transformer", dry=dry)
    source = finding.of_version(version)
    if not trust:
        finding.require_trust(cluster, source, version.name)
    elif not dry:
        finding.trust(cluster, source)
    return json.dumps(
        {**finding.facts_of(version), "format": version.format, "uri": version.uri}, sort_keys=True
    )


def predictor_host(cluster: LocalCluster, name: str) -> str:
    """Where a transformer reaches the variants, as ``host:port/path``; it holds a secret, so it goes into no argument."""
    from jupyter_ext.serving import gateway

    return str(gateway.predictor_host(cluster, name))


def check_runtime(name: str) -> str:
    """The module of a runtime of KServe's. Raises Unfit for one that is not installed here."""
    module = RUNTIMES.get(name)
    if module is not None and importlib.util.find_spec(module) is not None:
        return module
    here = [each for each, module in RUNTIMES.items() if importlib.util.find_spec(module) is not None]
    hint = (
        f"Here are {', '.join(here)}."
        if here
        else "Leave runtime out: the model server of this machine is used."
    )
    raise Unfit(
        f"The runtime {name!r} is not on this machine",
        where=Where(field="spec.predictor.model.runtime"),
        hint=hint,
    )


def runtime_program(cluster: LocalCluster, name: str, predictor: Predictor, mark: Path) -> Program:
    """The process of a runtime of KServe's: on a socket of ours, for it would listen to the whole network."""
    from jupyter_ext.serving.programs import Program

    module = check_runtime(str(predictor.model["runtime"]))
    source = finding.fetch(cluster, predictor.model, predictor.facts)
    finding.require_trust(cluster, source, predictor.name)
    folder = source.path if source.path.is_dir() else source.path.parent
    socket = f"{mark}.sock"
    words = [f"--model_name={name}", f"--model_dir={folder}", "--enable_grpc=false"]
    more = [str(word) for word in predictor.model.get("args") or []]
    command = [sys.executable, "-P", "-m", "jupyter_ext.serving.foreign", module, socket, *words, *more]
    return Program(command, socket)
