"""What of a job lies in its profile's store, seen from who submits it: code is put there once, results are fetched.

Pods get references to the namespace's Secret, as those of steps. Code lies under its digest beside the profile's other content,
and is named in the resource with its SHA-256, which the pod checks; a result lies in a folder of its job's own.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from jupyter_ext.cluster.kube import work
from jupyter_ext.errors import Conflict, KubeflowError, NotFound, Where
from jupyter_ext.training import depot as pods
from jupyter_ext.training import spec as names

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.local.blobs import Blobs
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.store import Store

RESULTS: Final = "results"
MANAGER: Final = "jupyter-kubeflow.org/store"
"""Whose the patch is that mounts a claim (`spec.runtimePatches` of a TrainJob)."""
_NONE: Final = (
    "Or name a store that its pods reach: JUPYTER_KUBEFLOW_STORE=s3://BUCKET/PATH (or gs://, abfs://)."
)


@dataclass(frozen=True)
class Depot:
    """A store that a cluster's pods reach; ``why`` says what to do where there is none, and ``url`` is empty then."""

    url: str = ""
    env: tuple[Mapping[str, Any], ...] = ()
    """Variables of a container: references to the Secret's keys, under names of their own."""
    why: str = ""
    nonce: str = ""
    """Of the folder for the result; empty for none."""
    claim: str = ""
    """The claim that is the folder of a store, mounted where its address says."""
    known: Mapping[str, Any] | None = None
    """What is told of code that is there."""
    place: Store | None = field(default=None, compare=False, repr=False)

    def stored(self, blobs: Blobs, digest: str) -> dict[str, Any]:
        """What a job is told of its code; nothing is sent."""
        from jupyter_ext.store.artifacts import key_of

        if self.known is not None and self.known["digest"] == digest:
            return dict(self.known)
        path = blobs.path(digest)
        return {
            "url": self.url,
            "key": key_of(digest),
            "sha256": pods.digest_of(path),
            "bytes": path.stat().st_size,
            "digest": digest,
        }

    def told(self, name: str, stored: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What a job of this name is told of the store."""
        found: dict[str, Any] = {"stored": dict(stored)} if stored else {}
        if self.nonce:
            folder = {"url": self.url, "folder": f"{RESULTS}/{name}-{self.nonce}"}
            found["result"] = folder if self.url else {"hint": self.why}
        return found

    def variables(self, told: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What opens the store, for a job that has something there."""
        return [dict(each) for each in self.env] if _is_used(told) else []

    def mounts(self, told: Mapping[str, Any], jobs: Iterable[str]) -> list[dict[str, Any]]:
        """What mounts the claim in the pods of these jobs of the runtime, for a job that has something there."""
        if not self.claim or not _is_used(told):
            return []
        name = "artifact-store"
        pod = {
            "volumes": [{"name": name, "persistentVolumeClaim": {"claimName": self.claim}}],
            "containers": [
                {"name": "node", "volumeMounts": [{"name": name, "mountPath": _folder_of(self.url)}]}
            ],
        }
        patched = [{"name": job, "template": {"spec": {"template": {"spec": pod}}}} for job in jobs]
        spec = {"template": {"spec": {"replicatedJobs": patched}}}
        return [{"manager": MANAGER, "trainingRuntimeSpec": spec}]

    def keep(self, blobs: Blobs, asked: Resource) -> None:
        """Send the code and the data that a job names, once for all jobs that have the same."""
        if self.place is None:
            return
        noted = asked.annotations
        code = [noted[names.CODE]] if names.STORED in noted else []
        for digest in [*code, *json.loads(noted.get(names.BROUGHT, "{}")).values()]:
            self.place.keep(digest, blobs.path(digest))

    def for_trials(self, blobs: Blobs, first: Resource) -> Depot:
        """For trials like the first: what they return is their metrics, and their code's digest is taken once for all."""
        is_there = names.STORED in first.annotations
        known = self.stored(blobs, first.annotations[names.CODE]) if is_there else None
        return replace(self, nonce="", known=known)

    def noted(self) -> str:
        """The text of an annotation; nothing in it is secret."""
        found = {
            "url": self.url, "env": list(self.env), "why": self.why, "claim": self.claim, "known": self.known,
        }  # fmt: skip
        return json.dumps({key: value for key, value in found.items() if value})


def read(text: str | None) -> Depot | None:
    """The depot of an annotation; None for none."""
    if not text:
        return None
    found = json.loads(text)
    return Depot(
        found.get("url", ""), tuple(found.get("env", ())), found.get("why", ""), "", found.get("claim", ""),
        found.get("known"),
    )  # fmt: skip


def _is_used(told: Mapping[str, Any]) -> bool:
    return "stored" in told or "brought" in told or "url" in (told.get("result") or {})


def _folder_of(url: str) -> str:
    return unquote(urlsplit(url).path)


def of(cluster: KubeCluster) -> Depot:
    """The profile's store, for the pods of this cluster's namespace."""
    from jupyter_ext import store

    nonce = secrets.token_hex(8)
    try:
        place = store.default(cluster)
        if place is None:
            return Depot(why=_NONE, nonce=nonce)
        if place.url.startswith("file:"):
            return _of_folder(cluster, place, nonce)
        env = place.pod_environment()["env"]
    except KubeflowError as error:
        return Depot(why=f"The profile's store cannot be used by pods: {error}", nonce=nonce)
    # Under names of their own: what the user's code finds as AWS_ACCESS_KEY_ID stays what it was.
    own = tuple({**each, "name": f"{pods.VARIABLE}{each['name']}"} for each in env)
    return Depot(place.url, own, nonce=nonce, place=place)


def _of_folder(cluster: KubeCluster, place: Store, nonce: str) -> Depot:
    """A folder, which pods have where it is a claim of the namespace."""
    claim = work.claim()
    if not claim:
        why = f"The profile's store {place.url} is a folder: name the claim that it is ({work.CLAIM}=NAME), or a store of objects (s3://, gs://, abfs://)."
        return Depot(why=why, nonce=nonce)
    path = f"/api/v1/namespaces/{cluster.namespace}/persistentvolumeclaims/{claim}"
    try:
        cluster.transport.ask("GET", path)
    except NotFound:
        why = f"The profile's store is the claim {claim} ({work.CLAIM}), which {cluster.namespace} does not have."
        return Depot(why=why, nonce=nonce)
    except KubeflowError:
        pass  # one may not look, or nobody answers: the job's pods say what is wrong with it
    return Depot(place.url, nonce=nonce, claim=claim, place=place)


def code(stored: Mapping[str, Any]) -> bytes:
    """The code of an exported resource. Raises Conflict where it lies elsewhere, NotFound where it is gone."""
    from jupyter_ext import store
    from jupyter_ext.cluster import discover

    digest, url = str(stored["digest"]), str(stored["url"])
    blobs = discover.current().blobs
    if blobs.has(digest):
        return blobs.read(digest)
    place = store.default()
    if place is None or place.url != url:
        raise _elsewhere("The code of this job", url)
    return place.read(digest)


def result(cluster: KubeCluster, resource: Resource, words: str) -> Any:
    """What rank 0 left in the store, as its pod's status tells it. Raises Conflict, and what the store says."""
    # What is unpickled runs as whoever asks for it. The digest is from the pod's status, which the namespace's own pods and
    # its kubelets write; the folder is from the resource, and must lie in the caller's own store. So it was left by who may
    # run work in this namespace: the owner of the profile and whom they let in, whose code this process runs anyway. Who may
    # write into the bucket alone changes nothing that is not noticed; who may only look at the namespace makes no pods.
    import pickle

    facts = json.loads(words.removeprefix(pods.STORED))
    digest, size = str(facts["sha256"]), int(facts["bytes"])
    address = resource.annotations.get(names.RESULT, "")
    found = _opened(cluster, address, f"What {resource.name} returned")
    with tempfile.TemporaryDirectory(prefix="jupyter-kubeflow-") as folder:
        path = Path(folder, "result")
        key = f"{found[1]}/{digest}{pods.ENDING}"
        if found[0].about(key).bytes == size:  # so much and no more is brought here
            found[0].bring(key, path)
        if not path.exists() or pods.digest_of(path) != digest:
            what = f"What {resource.name} returned is not what it left in the store: somebody changed it"
            raise Conflict(what, where=Where(object=f"{address}/{digest}{pods.ENDING}"))
        try:
            with path.open("rb") as file:
                return pickle.load(file)
        except Exception as error:
            made = ".".join(map(str, facts.get("python") or ()))
            what = f"What {resource.name} returned cannot be read here ({type(error).__name__}: {error})"
            hint = f"It was made by Python {made}, with the libraries of the job's image: use the same here."
            raise Conflict(what, hint=hint) from error


def lost(words: str, name: str) -> Conflict:
    """The error for a result that could not come back."""
    facts = json.loads(words.removeprefix(pods.LOST))
    return Conflict(f"What {name} returned cannot come back: {facts['what']}", hint=facts.get("hint") or None)


def remove(cluster: KubeCluster, resource: Resource) -> None:
    """Remove what a job has left there. Raises what the store says."""
    place, folder = _opened(cluster, resource.annotations[names.RESULT], resource.name)
    place.remove_all(folder)


def _opened(cluster: KubeCluster, address: str, what: str) -> tuple[Store, str]:
    """The caller's own store, and the folder in it that an address is. Raises Conflict for an address elsewhere."""
    from jupyter_ext import store

    place = store.default(cluster)
    head, found, tail = address.rpartition(f"/{RESULTS}/")
    if place is None or not found or head != place.url:
        raise _elsewhere(what, head or address)
    return place, f"{RESULTS}/{tail}"


def _elsewhere(what: str, url: str) -> Conflict:
    return Conflict(
        f"{what} lies in {url[:200] or 'no store'}, which is not this profile's store",
        hint=f"Name it, if you trust it: JUPYTER_KUBEFLOW_STORE={url[:200]}" if url else None,
    )
