"""Where an experiment goes when a Kubernetes cluster is used: to Katib, or to our own controller with TrainJobs there.

Katib's experiments live on the cluster. Our own controller runs in this container, as for experiments of this machine:
the Experiment and its Trials are in the embedded store, and only what computes is a resource of the cluster.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from jupyter_ext.cluster.kube.handle import INSIDE, refused
from jupyter_ext.cluster.kube.handle import place as place_of
from jupyter_ext.cluster.resource import KINDS, Resource
from jupyter_ext.errors import Invalid, Unavailable, Unfit, Where
from jupyter_ext.training.spec import DEPOT, PREFIX

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.training.kube_depot import Depot
    from jupyter_ext.tuning.spec import Plan

CHOICE: Final = "JUPYTER_KUBEFLOW_TUNING"
"""``katib`` or ``trainjobs``: who looks after trials on a cluster. Without it Katib, where it is installed."""
How: TypeAlias = Literal["katib", "trainjobs"]
OPTIMIZATION: Final = "optimizationjob"
"""Upstream's next: its kind is published, and no controller for it is released. Known, to be refused with that."""
KATIB: Final = "katib"
TRAINJOBS: Final = "trainjobs"
PLACE: Final = PREFIX + "cluster"
"""The cluster that the trials of an experiment of the embedded store run on, as JSON."""
_CHECKPOINTS: Final = frozenset({"pbt"})


class There(NamedTuple):
    """A cluster, and who looks after trials there."""

    cluster: KubeCluster
    how: How


def place() -> There | None:
    """Where experiments go; None for this machine.

    Raises Unavailable for a cluster that was chosen and can neither, Invalid for a choice that there is not.
    """
    from jupyter_ext.cluster import discover

    wanted = os.environ.get(CHOICE, "").strip().lower()
    if wanted == OPTIMIZATION:
        raise _unreleased()
    if wanted not in ("", KATIB, TRAINJOBS):
        what = f"{CHOICE} is {wanted[:40]!r}"
        raise Invalid(what, where=Where(field=CHOICE), hint=f"It may be {KATIB} or {TRAINJOBS}.")
    if os.environ.get(INSIDE) or discover.place().kind != "kubernetes":
        return None
    lacking: Unavailable | None = None
    if wanted != TRAINJOBS:
        try:
            cluster = place_of("tuning")
        except Unavailable as error:
            cluster, lacking = None, error
        if cluster is not None and has_katib(cluster):
            return There(cluster, KATIB)
        if wanted == KATIB:
            raise lacking or Unavailable(f"{CHOICE} is {KATIB}, and this pod's cluster has none")
    try:
        cluster = place_of("training")
    except Unavailable as error:
        raise lacking or error from None
    return None if cluster is None else There(cluster, TRAINJOBS)


def _unreleased() -> Unavailable:
    """The error for who asks for an OptimizationJob."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.cluster.kube.capabilities import OPTIMIZATION_JOBS, UNUSED

    cluster = discover.remote()
    if cluster is None:
        what = "There is no OptimizationJob on this machine"
    elif cluster.kinds.versions(*OPTIMIZATION_JOBS):
        what = f"{cluster.access.name}: {UNUSED.rstrip('.')}"
    else:
        what = f"{cluster.access.name} has no OptimizationJob, and no controller for it is released"
    return Unavailable(what, where=Where(field=CHOICE), hint=f"Take {KATIB} or {TRAINJOBS}.")


def katib() -> KubeCluster | None:
    """The cluster whose Katib is used; None where there is none. Never raises for one that cannot."""
    try:
        found = place()
    except Unavailable:
        return None
    return found.cluster if found is not None and found.how == KATIB else None


def has_katib(cluster: KubeCluster) -> bool:
    """Whether it has Katib's kinds in the version that we speak."""
    for kind in ("Experiment", "Trial"):
        group, _, version = KINDS[kind].api_version.rpartition("/")
        if version not in {each.version for each in cluster.kinds.versions(group, KINDS[kind].plural)}:
            return False
    return True


def noted(cluster: KubeCluster) -> dict[str, str]:
    """The annotation by which another process finds the cluster again."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.training import kube_v1

    found = discover.place()
    said = {"context": found.context, "namespace": cluster.namespace, "kubeconfig": found.kubeconfig}
    return {PLACE: json.dumps({**said, **({"older": True} if kube_v1.is_used(cluster) else {})})}


def is_older(annotations: Mapping[str, str]) -> bool:
    """Whether trials are jobs of the training operator's v1 kinds; nothing is asked of anybody."""
    return "older" in json.loads(annotations.get(PLACE, "{}"))


def opened(annotations: Mapping[str, str]) -> KubeCluster | None:
    """The cluster that an experiment's trials run on; None for this machine. Raises Unavailable, Invalid."""
    text = annotations.get(PLACE)
    return _opened(text, os.environ.get("KUBECONFIG", "")) if text else None


@lru_cache(maxsize=8)
def _opened(text: str, _: str) -> KubeCluster:
    from jupyter_ext.cluster.discover import SERVICE_ACCOUNT
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.access import of_kubeconfig, of_pod

    try:
        said = json.loads(text)
        context, namespace, file = (str(said[key]) for key in ("context", "namespace", "kubeconfig"))
    except (ValueError, KeyError, TypeError):
        raise Invalid(
            "The annotation names no cluster", where=Where(field=f"metadata.annotations.{PLACE}")
        ) from None
    if not context:
        return KubeCluster(of_pod(SERVICE_ACCOUNT.parent, namespace))
    return KubeCluster(of_kubeconfig(context, namespace, file or None))


# What goes there


def require(what: Any, *, algorithm: str, register: Any, job: Mapping[str, Any], there: There | None) -> None:
    """Raise Unfit, naming the option, for what only this machine can do."""
    if there is None:
        return
    where = "Katib" if there.how == KATIB else "a cluster"
    if _is_notebook(what):
        title = "A trial that is a run of a notebook runs on this machine"
        raise refused("what", title, "Tune a function of it, or a .py file.")
    if register is not None:
        raise refused("register", f"{where} cannot register a trial's model", "Register it yourself.")
    if algorithm in _CHECKPOINTS and not isinstance(what, Mapping | Resource):
        title = f"{algorithm} goes on from other trials' checkpoints, which are on this machine"
        raise refused("algorithm", title, "Choose another algorithm.")
    if job.get("checkpoint"):
        raise refused("checkpoint", "checkpoint is for trials on this machine", "Save to a bucket.")


def _is_notebook(what: Any) -> bool:
    return isinstance(what, str | Path) and str(what).strip().endswith(".ipynb") and "\n" not in str(what)


def framework(what: Any, asked: str | None, there: There | None) -> str | None:
    """A trial on a cluster without Katib is a TrainJob, whatever is tuned."""
    if asked is None and there is not None and there.how == TRAINJOBS:
        return None if isinstance(what, Mapping | Resource) else "plain"
    return asked


def check(plan: Plan, here: Any, depot: Depot | None, there: KubeCluster | None = None) -> Resource:
    """A first trial's TrainJob; raises what creating it would raise, as far as it is known here: its code, its options.

    ``there`` is a cluster with the training operator's v1 kinds: what they have no word for is refused too.
    """
    from jupyter_ext.training import kube_v1
    from jupyter_ext.tuning.kube_trials import described

    if plan.template.kind != "job" or plan.template.manifest.get("kind") != "TrainJob":
        kind = str(plan.template.manifest.get("kind"))
        what = f"A trial that is a {kind} needs Katib, which this cluster does not have"
        raise Unfit(
            what,
            where=Where(field="spec.trialTemplate.trialSpec.kind"),
            hint="Make it a TrainJob. Or run it here: kf.cluster.use('local').",
        )
    values = {name: parameter.at(0.5) for name, parameter in plan.space.items()}
    first = described(plan, here, f"{plan.name}-0", values, depot)
    if there is not None:
        kube_v1.made(there, first)
    return first


def deposited(resource: Resource, plan: Plan, here: Any, depot: Depot) -> Resource:
    """The experiment, once the code of its trials is in the store where it has to be; it notes how they reach it."""
    first = check(plan, here, depot)
    depot.keep(here.blobs, first)
    own = depot.for_trials(here.blobs, first)
    return resource.with_(annotations={**resource.annotations, DEPOT: own.noted()})
