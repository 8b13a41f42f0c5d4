"""A session on a Kubernetes cluster: the operator's SparkConnect, and its client in the notebook.

The server is a pod, and its client talks to it at the pod's address: the notebook has to be in the cluster's network. The
server asks each call for a token, which is in a Secret that the session owns.
"""

from __future__ import annotations

import base64
import secrets
import socket
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube import handle, of_step
from jupyter_ext.cluster.kube.handle import refused
from jupyter_ext.cluster.resource import make_plain
from jupyter_ext.errors import Conflict, KubeflowError, NotFound, Unavailable, Where
from jupyter_ext.spark import connecting
from jupyter_ext.spark import spec as names
from jupyter_ext.spark.handle import READY_SECONDS, Session
from jupyter_ext.spark.kube import KubeDriven, account, keep
from jupyter_ext.spark.kube_manifest import PORT, secret_name
from jupyter_ext.spark.validation import validate

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.pods import Pod
    from jupyter_ext.cluster.resource import Resource

_IDLE: Final = ("12h", "0")
"""The usual one, and never: nobody ends a cluster's session but its user."""
_LOOK: Final = 3.0
_KNOCK_SECONDS: Final = 10.0


def session(there: KubeCluster, name: str, timeout: float, **how: Any) -> Any:
    """The SparkSession of that name there, as ``connecting.session``."""
    here, key = discover.current(), _key(there, name)
    known = connecting.held.get(key)
    if known is not None and gone(there, name, known.uid) is None:
        return known.client
    server = _running(there, name) or _started(there, name, **how)
    pod = server.await_server(timeout)
    uid = str(pod.thing["metadata"]["uid"])
    token = server.token()
    host = _reached(server.name, str(pod.thing["status"].get("podIP") or ""))
    # Without ``token=``, which pyspark sends to other machines by TLS only; the operator's servers speak none.
    words = f"authorization={quote(f'Bearer {token}', safe='')};user_id={connecting.user()};session_id={uid}"
    from jupyter_ext.spark.patience import while_it_lives

    patience = while_it_lives(name, lambda: gone(there, name, uid))
    client = connecting.opened(here, key, uid, f"sc://{host}:{PORT}/;{words}", patience)
    return connecting.taken_up(here, key, name, uid, client)


def _key(there: KubeCluster, name: str) -> str:
    """What a session's client and views are kept under: other clusters have sessions of the same name."""
    return f"{name}.{make_plain(there.namespace)}.{make_plain(there.name)}"[:200]


def _running(there: KubeCluster, name: str) -> KubeSession | None:
    """The server of that name if it runs or is about to; one that has ended is removed."""
    try:
        found = KubeSession.found(there, name)
    except NotFound:
        return None
    pod = found.server()
    if found.resource.deleted is None and (pod is None or not pod.is_over):
        return found
    found.delete()
    return None


def _started(there: KubeCluster, name: str, **how: Any) -> KubeSession:
    from jupyter_ext.spark.submission import start

    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            start(name, **how)
        except Conflict:
            if _is_going(there, name) and time.monotonic() < deadline:
                time.sleep(_LOOK / 10)  # its pod is ended first
                continue
        return KubeSession(name, there)  # made here, or by another kernel that was faster


def _is_going(there: KubeCluster, name: str) -> bool:
    try:
        return there.get("SparkConnect", name).deleted is not None
    except NotFound:
        return True


def start(there: KubeCluster, resource: Resource) -> Session:
    """Create the session there; comes back at once. Raises what the API server refuses, and Unfit."""
    asked = described(there, resource)
    made = there.create(asked)
    token = base64.b64encode(secrets.token_urlsafe(32).encode()).decode()
    keep(there, made, "Secret", secret_name(made.name), {"type": "Opaque", "data": {"token": token}})
    of_step.begun(there, made)
    return KubeSession(made.name, there)


def check(there: KubeCluster, resource: Resource) -> None:
    """Refuse what ``start`` would refuse, as far as the API server says it."""
    there.create(described(there, resource), dry=True)


def described(there: KubeCluster, resource: Resource) -> Resource:
    """The session as the operator takes it. Raises Unfit and Invalid."""
    from jupyter_ext.spark import java, kube_manifest

    if resource.annotations.get(names.IDLE, "0") not in _IDLE:
        what = "idle is for sessions on this machine: a cluster's stay up until they are stopped"
        raise refused("idle", what, "Leave it out.")
    version = str(resource.spec.get("sparkVersion") or "") or java.spark().version
    asked = kube_manifest.session(resource.with_(namespace="", uid=""), account(there), version)
    validate(asked)
    return asked


def get(there: KubeCluster, name: str) -> Session:
    """The session of that name. Raises NotFound."""
    return KubeSession.found(there, name)


def sessions(there: KubeCluster, limit: int, phase: str | None) -> list[tuple[str, Session]]:
    """The newest, each with the time of its creation."""
    return handle.listed(
        there, "SparkConnect", limit, phase, lambda resource: KubeSession(resource.name, there)
    )


def gone(there: KubeCluster, name: str, uid: str) -> str | None:
    """Why the server whose pod is ``uid`` is not there any more; None while it lives, or nobody can be asked."""
    try:
        resource = there.get("SparkConnect", name)
        pod = KubeSession(name, there).server()
    except NotFound:
        return "It was deleted."
    except KubeflowError:
        return None
    if resource.deleted:
        return "It is being deleted."
    if pod is None:
        return "Its server's pod was deleted."
    if str(pod.thing["metadata"]["uid"]) != uid:
        return "Its server's pod was made anew."
    return there.why(resource) or "Its server has ended." if pod.is_over else None


def _reached(name: str, address: str) -> str:
    """The server's address, as it stands in a URL. Raises Unavailable where it is not reached from here."""
    try:
        socket.create_connection((address, PORT), _KNOCK_SECONDS).close()
    except OSError as error:
        what = f"The Spark session {name} runs, and {address}:{PORT} is not reached from here ({error})"
        hint = "A session's client has to be in the cluster's network, as a notebook in a pod is. Batches do not: kf.spark.submit."
        raise Unavailable(what, where=Where(object=name), hint=hint) from None
    return f"[{address}]" if ":" in address else address


class KubeSession(KubeDriven, Session):
    """One session's server on a Kubernetes cluster."""

    _kind: ClassVar[str] = "SparkConnect"

    @property
    def _part(self) -> str:  # type: ignore[override]
        return f"{self.name}-server"

    def server(self) -> Pod | None:
        """The pod of the server; None before there is one. One of a deleted session of this name is none."""
        uid = self.resource.uid
        for pod in self._remote.pods(self.kind, self.name):
            owners = pod.thing["metadata"].get("ownerReferences") or ()
            if pod.part == self._part and any(owner.get("uid") == uid for owner in owners):
                return pod
        return None

    def token(self) -> str:
        """What the server asks every call for. Raises Forbidden for who may not read the session's Secret."""
        path = f"/api/v1/namespaces/{self._remote.namespace}/secrets/{secret_name(self.name)}"
        return base64.b64decode(self._remote.transport.ask("GET", path)["data"]["token"]).decode()

    def stop(self) -> None:
        """End it and forget its views; a cluster keeps nothing of a session that was stopped."""
        from jupyter_ext.spark import views

        views.forget(discover.current(), _key(self._remote, self.name))
        self.delete()

    def delete(self) -> None:
        """End it. It is there until its pods are gone: the next one of this name has pods of the same name."""
        self._remote.delete(self.kind, self.name, propagation="Foreground")

    def await_ready(self, timeout: float = READY_SECONDS) -> Resource:
        """Wait until it takes work. Raises Unavailable with what it said when it does not come to that, TimeoutError."""
        self.await_server(timeout)
        return self.resource

    def await_server(self, timeout: float) -> Pod:
        """The server's pod once it takes work. Raises as ``await_ready``."""
        deadline = time.monotonic() + timeout
        while True:
            resource, pod = self.resource, self.server()
            if pod is not None and pod.is_over:
                what = f"The Spark session {self.name} did not start: {self._why(resource)}"
                hint = f"See its log: jupyter kf logs sparkconnect/{self.name}"
                raise Unavailable(what, where=Where(object=self.name), hint=hint)
            if pod is not None and resource.phase == "RUNNING":
                return pod
            if (left := deadline - time.monotonic()) <= 0:
                said = f"session {self.name} is still {resource.phase} after {timeout} s."
                raise TimeoutError(f"{said} {self._why(resource)}".rstrip())
            self._changed(resource, min(left, _LOOK), lambda each: each.phase == "RUNNING")
