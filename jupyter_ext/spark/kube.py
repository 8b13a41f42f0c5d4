"""Batches on a Kubernetes cluster: the same call makes a SparkApplication there, and the same handle follows it.

The Spark operator submits it; the driver and its executors are pods. The code is in a ConfigMap that the application owns.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from jupyter_ext.cluster.kube import handle
from jupyter_ext.cluster.phases import UNTAKEN
from jupyter_ext.errors import Conflict, Forbidden, KubeflowError, NotFound
from jupyter_ext.spark import outside
from jupyter_ext.spark import spec as names
from jupyter_ext.spark.handle import PART, Application, ApplicationFailed
from jupyter_ext.spark.validation import validate

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.spark.kube_manifest import Asked

ACCOUNT: Final = "JUPYTER_KUBEFLOW_SERVICE_ACCOUNT"
"""The service account of pods; a driver's makes the pods of its executors."""
_ACCOUNTS: Final = ("default-editor", "spark", "spark-operator-spark")
"""Those that may: a profile's own, and what the operator's manifests and its chart make."""
_UI: Final = 4040
_TAKEN_SECONDS: Final = 30.0
"""After which an operator that is there would have said something."""
_MESSAGE: Final = re.compile(r"\. Message: (.+?)(?:\. Received status: .*)?$", re.MULTILINE)
"""As the Kubernetes client of Spark tells what the API server has refused."""
_LONGEST: Final = 500
_WAITING: Final = ("PENDING", "RUNNING")


def submit(cluster: KubeCluster, here: LocalCluster, resource: Resource) -> Application:
    """Create the application there. Raises Unfit for what only this machine can do, and what the API server refuses."""
    asked = described(cluster, here, resource)
    made = cluster.create(asked.resource)
    keep_box(cluster, made, asked)
    return KubeApplication(made.name, cluster)


def keep_box(cluster: KubeCluster, owner: Resource, asked: Asked) -> None:
    """The code of an application, or of a schedule's, in its ConfigMap."""
    from jupyter_ext.spark.kube_manifest import box_name

    if asked.box:
        content = {key: base64.b64encode(data).decode() for key, data in asked.box.items()}
        keep(cluster, owner, "ConfigMap", box_name(owner.name), {"binaryData": content})


def check(cluster: KubeCluster, here: LocalCluster, resource: Resource) -> None:
    """Refuse what ``submit`` would refuse, as far as the API server and the operator's webhook say it."""
    cluster.create(described(cluster, here, resource).resource, dry=True)


def described(cluster: KubeCluster, here: LocalCluster, resource: Resource) -> Asked:
    """The application as the operator takes it, with its code. Raises Unfit, Invalid, NotFound."""
    from jupyter_ext.spark import java, kube_manifest
    from jupyter_ext.spark.describing import NOT_STORED

    digest = resource.annotations.get(names.CODE)
    code = here.blobs.read(digest) if digest and digest != NOT_STORED else _NO_CODE if digest else None
    version = str(resource.spec.get("sparkVersion") or "") or java.spark().version
    asked = kube_manifest.application(resource.with_(namespace="", uid=""), code, account(cluster), version)
    validate(asked.resource)
    return asked


# A zip without files: what is only looked at has not been packed.
_NO_CODE: Final = b"PK\x05\x06" + bytes(18)


def account(cluster: KubeCluster) -> str:
    """The service account of drivers: the one that is named, or a usual one; empty for the namespace's own."""
    if named := os.environ.get(ACCOUNT, "").strip():
        return named
    with suppress(Forbidden, NotFound):
        found = cluster.transport.ask("GET", f"/api/v1/namespaces/{cluster.namespace}/serviceaccounts")
        there = {str(each["metadata"]["name"]) for each in found.get("items") or ()}
        return next((name for name in _ACCOUNTS if name in there), "")
    return ""


def keep(cluster: KubeCluster, owner: Resource, kind: str, name: str, content: Mapping[str, Any]) -> None:
    """Something that goes with its owner. Where it cannot be made, the owner is removed: its pods would wait for ever."""
    about = {
        "name": name,
        "ownerReferences": [
            {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
        ],
    }
    body = {"apiVersion": "v1", "kind": kind, "metadata": about, **content}
    plural = f"{kind.lower()}s"
    query = {"fieldManager": cluster.manager, "force": "true"}
    try:
        # As it is applied, one that an application of this name has left is replaced.
        cluster.transport.ask(
            "PATCH", f"/api/v1/namespaces/{cluster.namespace}/{plural}/{name}", body, query=query,
            content_type="application/apply-patch+yaml", repeat=True,
        )  # fmt: skip
    except KubeflowError:
        with suppress(KubeflowError):
            cluster.delete(owner.kind, owner.name)
        raise


def own(annotations: Mapping[str, str]) -> dict[str, str]:
    """What we noted, without what others did."""
    return {key: text for key, text in annotations.items() if key.startswith(names.PREFIX)}


def get(cluster: KubeCluster, name: str) -> Application:
    """The application of that name. Raises NotFound."""
    return KubeApplication.found(cluster, name)


def applications(cluster: KubeCluster, limit: int, phase: str | None) -> list[tuple[str, Application]]:
    """The newest, each with the time of its creation."""
    return handle.listed(
        cluster, "SparkApplication", limit, phase, lambda resource: KubeApplication(resource.name, cluster)
    )


class KubeDriven(handle.KubeHandle):
    """What has a driver in a pod."""

    _part: ClassVar[str] = PART

    def logs(
        self,
        part: str | None = None,
        tail: int | None = None,
        *,
        follow: bool = False,
        stop: threading.Event | None = None,
    ) -> Iterator[str]:
        """What the driver has printed, or an executor that still has its pod (``executor-1``).

        With ``follow`` it goes on until it ends, or ``stop`` is set. Raises NotFound for a part there is not.
        """
        return self._printed(part or self._part, tail, follow=follow, stop=stop)

    @property
    def events(self) -> Path:
        """Raises Conflict: a cluster's event log is where ``spark.eventLog.dir`` says."""
        what = f"The event log of {self.name} is not on this machine"
        raise Conflict(what, hint="Set spark.eventLog.enabled and spark.eventLog.dir, and read it there.")

    @property
    def stages(self) -> list[dict[str, Any]]:
        """Stages as the driver tells them while it runs: id, name, state, tasks, done, failed."""
        return list(self._said_by_driver().get("stages") or ())

    @property
    def progress(self) -> float | None:
        """How many of the tasks known so far are done, from 0 to 1; None when the driver does not say."""
        found = self._said_by_driver().get("progress")
        return None if found is None else float(found)

    def told(self, resource: Resource) -> dict[str, Any]:
        """What a view shows beside the status: the reason, and stages and executors while the driver tells them."""
        return {**super().told(resource), **self._said_by_driver()}

    def _why(self, resource: Resource) -> str:
        said = super()._why(resource)
        if resource.phase != "PENDING" or said != UNTAKEN or _age(resource) < _TAKEN_SECONDS:
            return said
        where = f"{self._remote.namespace} of {self._remote.name}"
        return f"The Spark operator has not taken it up: does it run, and look at the namespace {where}?"

    def _said_by_driver(self) -> dict[str, Any]:
        """What the driver's own REST interface says, by way of the API server; nothing where it does not answer."""
        from jupyter_ext.spark.ui import summary

        if self.resource.phase not in _WAITING:
            return {}
        driver = next(
            (pod for pod in self._remote.pods(self.kind, self.name) if pod.part == self._part), None
        )
        if driver is None or driver.is_over:
            return {}
        path = (
            f"/api/v1/namespaces/{self._remote.namespace}/pods/{driver.name}:{_UI}/proxy/api/v1/applications"
        )
        with suppress(KubeflowError, LookupError, TypeError, ValueError):
            app = str(self._remote.transport.ask("GET", path)[0]["id"])
            stages = self._remote.transport.ask("GET", f"{path}/{app}/stages")
            executors = self._remote.transport.ask("GET", f"{path}/{app}/allexecutors")
            return summary(stages, executors, serves=self.kind == "SparkConnect")
        return {}


class KubeApplication(KubeDriven, handle.Suspending, Application):
    """One batch of a Kubernetes cluster. Every property asks the API server."""

    _kind: ClassVar[str] = "SparkApplication"

    def _why(self, resource: Resource) -> str:
        said = str((resource.status.get("applicationState") or {}).get("errorMessage") or "")
        if resource.phase == "FAILED" and said.startswith("failed to submit"):
            return f"The operator could not submit it: {_cause(said)}"
        return super()._why(resource)

    @property
    def progress(self) -> float | None:
        """How many of the tasks known so far are done, from 0 to 1; 1 once it has succeeded."""
        return 1.0 if self.resource.phase == "SUCCEEDED" else super().progress

    def result(self, timeout: float | None = None) -> Any:
        """Wait, and give what the function returned; a frame as an Arrow table. Raises ApplicationFailed.

        What travels is JSON, and frames of at most 500 kB. Raises Conflict for anything else, with the reason.
        """
        resource = self.wait(timeout).resource
        words = self._words()
        if resource.phase != "SUCCEEDED":
            what = f"Application {self.name} is {resource.phase}: {self._why(resource)}"
            raise ApplicationFailed(what.rstrip(), error=error_of(words))
        return self._value(words)

    def _words(self) -> str:
        """The last words of the driver's container; empty when its pod is gone."""
        pods = [pod for pod in self._remote.pods(self.kind, self.name) if pod.part == PART]
        for row in ((pods[-1].thing.get("status") or {}).get("containerStatuses") or ()) if pods else ():
            return str(((row.get("state") or {}).get("terminated") or {}).get("message") or "")
        return ""

    def _value(self, words: str) -> Any:
        from jupyter_ext.training.outside import RETURNED

        if words.startswith(RETURNED):
            return json.loads(words.removeprefix(RETURNED))
        if words.startswith(outside.LOST):
            found = _facts(words.removeprefix(outside.LOST))
            what = f"The value of {self.name}, a {found.get('type')}, could not be brought back ({found.get('why')})"
            raise Conflict(what, hint="Return JSON or a small frame, or write it to a bucket.")
        if not words.startswith(outside.KEPT):
            return None
        path = f"/api/v1/namespaces/{self._remote.namespace}/configmaps/{_box(self.resource)}"
        content = self._remote.transport.ask("GET", path).get("binaryData") or {}
        key, _, digest = words.removeprefix(outside.KEPT).strip().partition(" ")
        data = base64.b64decode(content.get(key, ""))
        if hashlib.sha256(data).hexdigest() != digest:  # the next application of its schedule left another
            raise Conflict(f"The value of {self.name} is no longer kept", hint="Submit it again.")
        if key != outside.FRAME:
            return json.loads(data)
        import pyarrow as pa

        return pa.ipc.open_stream(data).read_all()


def _cause(said: str) -> str:
    """What is wrong, of all that ``spark-submit`` has printed."""
    found = _MESSAGE.findall(said)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    wrong = [line for line in lines if line.startswith(("Exception in", "Error", "Caused by"))]
    return " ".join((found or wrong or lines or [said])[-1].split())[:_LONGEST].rstrip(".") + "."


def _age(resource: Resource) -> float:
    """Seconds since it was created."""
    if not resource.created:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(resource.created)).total_seconds()


def _box(resource: Resource) -> str:
    """The ConfigMap that its code came in: its own, or its schedule's."""
    spec = ((resource.spec.get("driver") or {}).get("template") or {}).get("spec") or {}
    volumes = [volume.get("configMap") or {} for volume in spec.get("volumes") or ()]
    return next((str(each["name"]) for each in volumes if each.get("name")), "")


def error_of(words: str) -> dict[str, Any]:
    """What failed in the user's code, as the driver left it."""
    return _facts(words.partition("\n")[2]) if words.startswith(outside.FAILED) else {}


def _facts(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
