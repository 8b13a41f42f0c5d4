"""What the analysis of a notebook found, kept with its run: the run's own process need not find it again.

It saves that process the analysis and loading the code that does it. Another version of this package finds
it anew, for it may find something else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_ext import __version__
from jupyter_ext.errors import NotFound
from jupyter_ext.pipelines.model import Pipeline

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster


class Plan(NamedTuple):
    """The pipeline as the notebook has it, with the resources asked for, and with the run's parameters in it."""

    plain: Pipeline
    bound: Pipeline


def keep(cluster: LocalCluster, plan: Plan) -> str:
    """The digest of the plan, which lies among the blobs from now on."""
    bound = None if plan.bound is plan.plain else plan.bound.to_dict()
    kept = {"version": __version__, "plain": plan.plain.to_dict(), "bound": bound}
    return cluster.blobs.put_bytes(json.dumps(kept).encode())


def plan_of(cluster: LocalCluster, spec: Mapping[str, Any], notebook: dict[str, Any]) -> Plan:
    """The plan of a run: the kept one, or found again where there is none that this version wrote."""
    return _kept(cluster, spec["pipeline"].get("plan")) or _found(spec, notebook)


def _kept(cluster: LocalCluster, digest: str | None) -> Plan | None:
    if digest is None:
        return None
    try:
        kept = json.loads(cluster.blobs.read(digest))
    except NotFound:
        return None
    if kept["version"] != __version__:
        return None
    plain = Pipeline.from_dict(kept["plain"])
    return Plan(plain, plain if kept["bound"] is None else Pipeline.from_dict(kept["bound"]))


def _found(spec: Mapping[str, Any], notebook: dict[str, Any]) -> Plan:
    from jupyter_ext.pipelines import graph, parameters
    from jupyter_ext.pipelines import notebook as notebooks
    from jupyter_ext.pipelines.submit import with_resources

    found = graph.analyse(notebooks.read(notebook, path=spec["pipeline"]["path"]))
    found.require_valid()
    plain = with_resources(found, spec.get("options", {}).get("resources") or {})
    return Plan(plain, parameters.bind(plain, spec.get("parameters", {})))
