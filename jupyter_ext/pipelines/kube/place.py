"""Where a run's steps go: this machine, or Jobs of the chosen cluster; and all that a restarted run must know of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube import work
from jupyter_ext.cluster.kube.work import CLAIM, IMAGE, STEP
from jupyter_ext.cluster.local.processes import VARIABLE as INSIDE
from jupyter_ext.errors import Invalid, KubeflowError, Unavailable, Unfit, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.pipelines.model import Pipeline
    from jupyter_ext.store import Store

STORE: Final = "JUPYTER_KUBEFLOW_STORE"
_PASSED: Final = (
    CLAIM,
    "JUPYTER_KUBEFLOW_REGISTRY",
    "JUPYTER_KUBEFLOW_REGISTRY_STORAGE",
    "JUPYTER_KUBEFLOW_SPARK_IMAGE",
    "JUPYTER_KUBEFLOW_TUNING",
)
"""Choices that hold for what steps start, too."""
_OF_HERE: Final = re.compile(r"local$|file:|/|https?://(localhost|127\.)")
_HERE: Final = "To run it on this machine instead: kf.cluster.use('local')."
_IMAGE: Final = re.compile(r"[A-Za-z0-9][\w./:@-]{0,500}")


def chosen(pipeline: Pipeline) -> dict[str, Any] | None:
    """What the run's spec says of its place; None for this machine.

    Raises Unavailable for a chosen cluster whose pods could not be given their code, Unfit for what a Job cannot do.
    """
    from jupyter_ext.cluster import discover

    if os.environ.get(STEP) or os.environ.get(INSIDE):
        return None
    found = discover.place()
    if found.kind != "kubernetes":
        return None
    cluster = discover.remote()
    assert cluster is not None
    try:
        place = {
            "kind": "jobs",
            "context": found.context,
            "kubeconfig": found.kubeconfig or _kubeconfig(),
            "namespace": cluster.namespace,
            "cluster": cluster.access.name,
            **_store(cluster.name),
            "image": _image(pipeline, cluster.name),
            "variables": _variables(),
        }
        account = work.account(cluster)
        require_allowed(cluster, place | {"serviceAccount": account}, pipeline)
    except KubeflowError:
        if found.is_chosen:
            raise
        return None  # in a pod whose cluster cannot do it, this container does it
    return {key: value for key, value in {**place, "serviceAccount": account}.items() if value}


def require_allowed(cluster: KubeCluster, place: Mapping[str, Any], pipeline: Pipeline) -> None:
    """Ask the API server whether it would take the Jobs, without making any. Raises what it says."""
    from jupyter_ext.pipelines.kube import manifest

    told = manifest.Told("dry-run", "dry-run", "dry-run", 1, "dry-run")
    for step in pipeline.steps:
        body = manifest.job(place, step, told, {})
        path = f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs"
        try:
            cluster.transport.ask(
                "POST", path, body, query={"dryRun": "All", "fieldValidation": "Strict"}, repeat=True
            )
        except KubeflowError as error:
            where = Where(object=f"step {step.name}", field=error.where.field if error.where else None)
            raise type(error)(error.what, where=where, hint=f"{error.hint or ''} {_HERE}".strip()) from error
        if not (step.resources or step.image or step.labels or step.annotations or step.env):
            return  # the others are alike, or ask for more than this one: their Jobs say so


def opened(place: Mapping[str, Any]) -> tuple[KubeCluster, Store]:
    """The cluster and the store of a run, whatever this process uses. Raises Unavailable for what is not there any more."""
    cluster = cluster_of(place)
    return cluster, store_of(place, cluster)


def cluster_of(place: Mapping[str, Any]) -> KubeCluster:
    """The cluster of a run."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.access import of_kubeconfig, of_pod

    if not place.get("context"):
        return KubeCluster(of_pod(discover.SERVICE_ACCOUNT.parent, place["namespace"]))
    return KubeCluster(of_kubeconfig(place["context"], place["namespace"], place.get("kubeconfig") or None))


def store_of(place: Mapping[str, Any], cluster: KubeCluster | None = None) -> Store:
    """The store of a run, with the credentials of the namespace that it runs in."""
    from jupyter_ext import store

    settings = place.get("settings") or {}
    if place["store"].startswith("file:"):
        return store.at(place["store"])
    return store.at(
        place["store"], secret=place.get("secret"), settings=settings, cluster=cluster or cluster_of(place)
    )


def _kubeconfig() -> str:
    told = os.environ.get("KUBECONFIG", "")
    return "" if os.pathsep in told else told


def _store(cluster: str) -> dict[str, Any]:
    from jupyter_ext import store

    found = store.default()
    if found is None:
        raise Unavailable(
            f"Steps on {cluster} need a store of artifacts that their pods can reach",
            where=Where(field=STORE),
            hint=f"Set {STORE}=s3://BUCKET/PREFIX (or gs://, abfs://, a mounted claim's file:///FOLDER). {_HERE}",
        )
    if found.url.startswith("file:"):
        if not (claim := work.claim()):
            raise Unavailable(
                f"The store {found.url} is a folder, and pods on {cluster} have no such folder",
                where=Where(field=CLAIM),
                hint=f"Name the claim that is mounted there: {CLAIM}=NAME. {_HERE}",
            )
        return {"store": found.url, "claim": claim}
    found.pod_environment()  # raises for credentials that only this machine has
    return {"store": found.url, "secret": found.secret, "settings": dict(found.settings)}


def _image(pipeline: Pipeline, cluster: str) -> str:
    told = work.image(str(pipeline.metadata.get("image") or ""))
    lacking = [step.name for step in pipeline.steps if not step.image]
    if lacking and not told:
        raise Unfit(
            f"Step {lacking[0]} needs an image to run on {cluster}",
            where=Where(field=IMAGE, object=f"step {lacking[0]}"),
            hint=f"Set {IMAGE} to one that has jupyter-kubeflow and the notebook's libraries. {_HERE}",
        )
    for each in (told, *(step.image or "" for step in pipeline.steps)):
        if each and not _IMAGE.fullmatch(each):
            raise Invalid(f"{each[:80]!r} is no name of an image", where=Where(field="image"))
    return told


def _variables() -> dict[str, str]:
    """What was chosen here and means the same in a pod: not this machine's own registry, nor its files."""
    found = {name: os.environ.get(name, "").strip() for name in _PASSED}
    return {name: value for name, value in found.items() if value and not _OF_HERE.match(value)}
