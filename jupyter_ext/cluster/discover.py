"""Which cluster is this? The embedded one, unless another was chosen.

There always is an embedded one: it keeps values, logs and what runs in this container. `remote` is the Kubernetes
cluster beside it, and `target` says where the work of one capability goes.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, overload

from jupyter_ext.cluster import choice
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.cluster.local.home import home_folder, profile_name
from jupyter_ext.cluster.local.processes import VARIABLE as INSIDE
from jupyter_ext.errors import Conflict, Invalid, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube_doctor.findings import ClusterReport
    from jupyter_ext.cluster.machine_doctor import Report

VARIABLE: Final = "JUPYTER_KUBEFLOW_CLUSTER"
"""``local``, ``auto``, ``in-cluster``, or the name of a kubeconfig's context."""
NAMESPACE: Final = "JUPYTER_KUBEFLOW_NAMESPACE"
TUNING: Final = "JUPYTER_KUBEFLOW_TUNING"
LOCAL: Final = "local"
AUTO: Final = "auto"
IN_CLUSTER: Final = "in-cluster"
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class Place(NamedTuple):
    """Which cluster is used, and why that one. ``context`` is of the kubeconfig; empty for a pod's own cluster."""

    kind: str
    reason: str
    context: str = ""
    namespace: str = ""
    is_chosen: bool = False
    kubeconfig: str = ""


CAPABILITY: Final = {
    "TrainJob": "training",
    "PyTorchJob": "training",
    "TFJob": "training",
    "XGBoostJob": "training",
    "Experiment": "tuning",
    "Trial": "tuning",
    "InferenceService": "serving",
    "InferenceGraph": "serving",
    "SparkApplication": "spark",
    "ScheduledSparkApplication": "spark",
    "SparkConnect": "spark",
}
"""Kinds that a Kubernetes cluster keeps, and what makes them there. All others are this machine's."""

_choice: Place | None = None
_clusters: Final[dict[tuple[Path, str], LocalCluster]] = {}
_remotes: Final[dict[tuple[str, str, str, str], KubeCluster]] = {}
_guard = threading.Lock()


def place(account: Path = SERVICE_ACCOUNT) -> Place:
    """Decide between the embedded cluster and another: what ``use`` said, the environment, what the profile keeps, a pod.

    Raises Unavailable where one of them names what there is not. Nothing is asked of the cluster.
    """
    if _choice is not None:
        return _choice
    wanted = os.environ.get(VARIABLE, "").strip()
    namespace = os.environ.get(NAMESPACE, "").strip()
    if wanted == LOCAL:
        return Place(LOCAL, f"Set by {VARIABLE}.", is_chosen=True)
    if wanted and wanted != AUTO:
        return _named(wanted, namespace, f"Set by {VARIABLE}.", VARIABLE, account=account)
    if (kept := choice.kept()) is not None:
        return _kept(kept, account)
    if os.environ.get("KUBERNETES_SERVICE_HOST") and account.exists():
        if wanted == AUTO:
            return _of_pod(namespace, f"Set by {VARIABLE}.")
        reason = "This is a pod of a Kubernetes cluster; everything runs inside this pod"
        return Place(LOCAL, f"{reason}. To let that cluster do what it can: {VARIABLE}={AUTO}.")
    return Place(LOCAL, "No Kubernetes cluster is configured; everything runs on this machine.")


def _kept(kept: choice.Kept, account: Path) -> Place:
    """What was chosen for the profile, in the sidebar or by ``use(…, keep=True)``."""
    reason = "Chosen for this profile."
    if kept.context == LOCAL:
        return Place(LOCAL, reason, is_chosen=True)
    return _named(kept.context, kept.namespace, reason, choice.FILE, account=account)


def _of_pod(namespace: str, reason: str) -> Place:
    """The pod's own cluster, for what it can do."""
    return Place(
        "kubernetes", f"{reason} What this pod's cluster cannot do runs inside this pod.", "", namespace
    )


def _named(
    name: str, namespace: str, reason: str, field: str, kubeconfig: str = "", account: Path = SERVICE_ACCOUNT
) -> Place:
    """The place of that name. Raises Unavailable where there is none."""
    from jupyter_ext.cluster.kube.access import contexts, in_cluster

    if name == IN_CLUSTER:
        if not in_cluster(account.parent):
            raise Unavailable("This is not a pod with a service account", where=Where(field=field))
        return Place("kubernetes", reason, "", namespace, is_chosen=True)
    known, _ = contexts(kubeconfig or None)
    if name not in known:
        there = f"The kubeconfig has: {', '.join(known[:20])}." if known else "There is no kubeconfig."
        raise Unavailable(
            f"There is no Kubernetes cluster {name!r}",
            where=Where(field=field),
            hint=f"{there} Name one of its contexts, or 'local'; {VARIABLE} says which is used from the start.",
        )
    return Place("kubernetes", reason, name, namespace, is_chosen=True, kubeconfig=kubeconfig)


def use(
    context: str | None = None,
    namespace: str = "",
    kubeconfig: str | os.PathLike[str] | None = None,
    *,
    keep: bool = False,
) -> LocalCluster | KubeCluster:
    """Choose for this process: ``local``, a context of the kubeconfig, ``in-cluster``; None undoes it.

    With ``keep`` for the whole profile: sidebar, other kernels and the command line use it too, until another is kept.

    ``auto``: the cluster of this pod for what that can do, and this container or machine for the rest. Gives what was chosen. Raises Unavailable for what there is not, Invalid for what cannot be a namespace.
    """
    global _choice  # noqa: PLW0603 - one choice for the process, as a current directory is
    if keep:
        _keepable(context, kubeconfig)
    if context in {LOCAL, None} and (namespace or kubeconfig):
        hint = "Name a context of the kubeconfig, or 'in-cluster'."
        raise Invalid("This machine has no namespaces", where=Where(field="namespace"), hint=hint)
    if context is None:
        _choice = None
    elif context == AUTO:
        here = "No Kubernetes cluster is around; everything runs on this machine."
        is_pod = os.environ.get("KUBERNETES_SERVICE_HOST") and SERVICE_ACCOUNT.exists()
        _choice = _of_pod(namespace, "Chosen in this session.") if is_pod else Place(LOCAL, here)
    elif context == LOCAL:
        _choice = Place(LOCAL, "Chosen in this session.", is_chosen=True)
    else:
        file = str(Path(kubeconfig).expanduser()) if kubeconfig else ""
        chosen = _named(context, namespace, "Chosen in this session.", "context", file)
        _opened(chosen)
        _choice = chosen
    if keep:
        choice.keep(choice.Kept(context, namespace) if context else None)
        _choice = None
    return remote() or current()


def _keepable(context: str | None, kubeconfig: str | os.PathLike[str] | None) -> None:
    """Raises Invalid for what other processes would not find, Conflict where the environment has the last word."""
    if kubeconfig or context == AUTO:
        what = "Only a context of the own kubeconfig, 'in-cluster' or 'local' can be kept"
        raise Invalid(
            what, where=Where(field="keep"), hint="Point KUBECONFIG to the file, and name its context."
        )
    if (wanted := os.environ.get(VARIABLE, "").strip()) not in {"", AUTO}:
        what = f"{VARIABLE} says that {wanted} is used"
        raise Conflict(what, hint="Start the server without it, then the choice is yours.")


def current() -> LocalCluster:
    """The embedded cluster of this process: one object for each home and profile."""
    if os.environ.get(VARIABLE, "").strip() not in {"", LOCAL, AUTO}:
        place()
    key = (home_folder(), profile_name())
    with _guard:
        if key not in _clusters:
            _clusters[key] = LocalCluster(*key)
        return _clusters[key]


def remote() -> KubeCluster | None:
    """The Kubernetes cluster that is used, or None; one object for each context and namespace."""
    found = place()
    return _opened(found) if found.kind == "kubernetes" else None


def _opened(found: Place) -> KubeCluster:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.access import of_kubeconfig, of_pod

    key = (found.kubeconfig, os.environ.get("KUBECONFIG", ""), found.context, found.namespace)
    with _guard:
        if key not in _remotes:
            made = (
                of_kubeconfig(found.context, found.namespace, found.kubeconfig or None)
                if found.context
                else of_pod(SERVICE_ACCOUNT.parent, found.namespace)
            )
            _remotes[key] = KubeCluster(made)
        return _remotes[key]


def arrived(context: str, namespace: str) -> KubeCluster:
    """The cluster of a handle that was made in another process, such as an earlier step's.

    That of the context where it is known here, else the one that is used, else this pod's. Raises Unavailable for none.
    """
    from jupyter_ext.cluster.kube.access import contexts, in_cluster

    if context in contexts()[0]:
        return _opened(Place("kubernetes", "", context, namespace))
    found = place()
    if found.kind == "kubernetes":
        return _opened(found._replace(namespace=namespace))
    if in_cluster(SERVICE_ACCOUNT.parent):
        return _opened(Place("kubernetes", "", "", namespace))
    raise Unavailable(
        f"{context}, where this was made, is not known here",
        hint="Choose its cluster: kf.cluster.use(CONTEXT).",
    )


def target(capability: str) -> LocalCluster | KubeCluster:
    """Where the work of a capability goes.

    In a pod whose cluster cannot do it, this container does it. A cluster that was chosen is never passed over:
    raises Unavailable with the reason, and what to do.
    """
    found = place()
    if found.kind != "kubernetes":
        return current()
    try:
        cluster = _opened(found)
        can = cluster.capability(capability)
    except Unavailable:
        if found.is_chosen:
            raise
        return current()
    if can is not None and can.available:
        return cluster
    if not found.is_chosen:
        return current()
    reason = can.reason if can else f"{cluster.name} cannot do this."
    raise Unavailable(reason, hint="To run it in this container instead: kf.cluster.use('local').")


def holder(kind: str) -> LocalCluster | KubeCluster:
    """Which cluster has the resources of a kind: the one that its work goes to, where that has the kind.

    What the embedded cluster runs sees the embedded one. Raises Unavailable for a chosen one that does not answer.
    """
    capability = CAPABILITY.get(kind)
    if capability is None or os.environ.get(INSIDE) or (there := remote()) is None:
        return current()
    if not place().is_chosen:
        found = target(capability)
        return found if isinstance(found, LocalCluster) or found.has(kind) else current()
    return there if there.has(kind) and not _steered_here(kind) else current()


def _steered_here(kind: str) -> bool:
    """Whether experiments are kept here although the cluster has Katib, because somebody wants it so."""
    return CAPABILITY[kind] == "tuning" and os.environ.get(TUNING) == "trainjobs"


@overload
def doctor(*, cluster: Literal[False] = False) -> Report: ...
@overload
def doctor(
    *,
    cluster: Literal[True],
    kubeconfig: str | None = None,
    context: str | None = None,
    namespace: str = "",
    hub: str = "",
) -> ClusterReport: ...


def doctor(
    *,
    cluster: bool = False,
    kubeconfig: str | None = None,
    context: str | None = None,
    namespace: str = "",
    hub: str = "",
) -> Report | ClusterReport:
    """Check everything that the embedded cluster needs, with a fix for each problem; see `machine_doctor`.

    With ``cluster`` a Kubernetes cluster is looked at instead, and nothing is written: see `kube_doctor`.
    """
    if cluster:
        from jupyter_ext.cluster.kube_doctor.examining import examine as examine_cluster

        return examine_cluster(kubeconfig=kubeconfig, context=context, namespace=namespace, hub=hub)
    from jupyter_ext.cluster.machine_doctor import examine

    return examine()
