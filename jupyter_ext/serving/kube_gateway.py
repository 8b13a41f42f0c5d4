"""The gateway of an endpoint on a Kubernetes cluster: one pod of ours that KServe runs, as it runs the model servers.

It needs a service account that may read the endpoint's record and change it: where the namespace has none, requests are
split by KServe's own router, and what needs the gateway is refused with that reason.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube import work
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Forbidden, KubeflowError, NotFound, Unavailable, Where
from jupyter_ext.serving import kube_mode, kube_runtime
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.fields import CONTAINER
from jupyter_ext.serving.kube_record import reference
from jupyter_ext.serving.places import ENDPOINT, KIND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.serving.kube_record import Records
    from jupyter_ext.serving.spec import Service

PART: Final = "jupyter-kubeflow.org/part"
"""Label of what belongs to an endpoint and is no variant."""
GATEWAY: Final = "gateway"
PORT: Final = 8080
LONGEST: Final = 50
"""Letters of an InferenceService's name, from which KServe makes others."""
_FOLDER: Final = "/gateway"
STORE: Final = "JUPYTER_KUBEFLOW_STORE"
_GRACE: Final = 60
"""Seconds for what is on its way, and for writing down what was counted."""
_OF_PODS: Final = ("imagePullSecrets", "nodeSelector", "tolerations", "affinity")
_OF_CONTAINERS: Final = ("image", "imagePullPolicy", "securityContext")
_RIGHTS: Final = (
    ("", "configmaps", "patch"),
    ("", "pods", "list"),
    ("serving.kserve.io", "inferenceservices", "patch"),
)
"""What the account needs, as far as it tells one that has the rights of an editor from one that has not."""

Json = dict[str, Any]


def name_of(endpoint: str) -> str:
    """The name of the gateway's InferenceService."""
    return f"{endpoint}-{GATEWAY}"


def needs(service: Service) -> list[str]:
    """What of an endpoint only the gateway does, by name."""
    asked = {
        "sticky": service.sticky,
        "mirror": service.mirror,
        "rules": service.rules,
        "log": service.log,
    }
    return [name for name, text in asked.items() if text]


def lacks(remote: KubeCluster, endpoint: str) -> str:
    """Why this endpoint can have no gateway; empty where it can."""
    if len(name_of(endpoint)) > LONGEST:
        return f"{name_of(endpoint)!r} is too long a name for its InferenceService"
    there = _of_that_name(remote, endpoint)
    if there is not None and not is_gateway(there, endpoint):
        return f"another InferenceService is named {there.name}"
    account = work.account(remote)
    if not account:
        return f"the namespace {remote.namespace} has no service account {work.PROFILES_ACCOUNT}"
    missing = _missing(remote, account)
    return f"the service account {account} may not {missing}" if missing else ""


def lost(remote: KubeCluster, gateway: Resource) -> str:
    """Why a gateway that is there can no longer do its work; empty while it can, or where that cannot be told."""
    account = str((gateway.spec.get("predictor") or {}).get("serviceAccountName") or "")
    if not account:
        return ""
    try:
        remote.transport.ask("GET", f"/api/v1/namespaces/{remote.namespace}/serviceaccounts/{account}")
    except NotFound:
        return f"the namespace {remote.namespace} has no service account {account} any more"
    except KubeflowError:
        return ""
    missing = _missing(remote, account)
    return f"the service account {account} may no longer {missing}" if missing else ""


def require_able(remote: KubeCluster, gateway: Resource) -> None:
    """Raise Unavailable where the one that is there can no longer do its work."""
    if why := lost(remote, gateway):
        hint = "Give the account back, or do without: no sticky, mirror, rules and log."
        what = f"The gateway cannot take up a change: {why}"
        raise Unavailable(what, where=Where(object=gateway.name), hint=hint)


def require_rights(remote: KubeCluster) -> None:
    """Raise Forbidden where this pod's own account may not do what the gateway does."""
    if missing := _missing(remote, ""):
        hint = f"An administrator gives it the rights of an editor of {remote.namespace}."
        raise Forbidden(f"The gateway's service account may not {missing}", hint=hint)


def _missing(remote: KubeCluster, account: str) -> str:
    """What an account may not, or without one who asks: `SubjectAccessReview (authorization.k8s.io/v1)`.

    Who may not ask about others assumes that all is well: the pod says so if it is not.
    """
    space, root = remote.namespace, "/apis/authorization.k8s.io/v1"
    who: Json = {}
    kind, path = "SelfSubjectAccessReview", f"{root}/selfsubjectaccessreviews"
    if account:
        kind, path = "LocalSubjectAccessReview", f"{root}/namespaces/{space}/localsubjectaccessreviews"
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{space}", "system:authenticated"]
        who = {"user": f"system:serviceaccount:{space}:{account}", "groups": groups}
    for group, plural, verb in _RIGHTS:
        about = {"namespace": space, "group": group, "resource": plural, "verb": verb}
        body: Json = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": kind,
            "spec": {**who, "resourceAttributes": about},
        }
        if account:
            body["metadata"] = {"namespace": space}
        try:
            answer = remote.transport.ask("POST", path, body, repeat=True)
        except (Forbidden, NotFound, Unavailable):
            return ""
        if not (answer.get("status") or {}).get("allowed"):
            return f"{verb} {plural}"
    return ""


def found(remote: KubeCluster, endpoint: str) -> Resource | None:
    """The one that is there, and stays."""
    there = _of_that_name(remote, endpoint)
    return there if there is not None and is_gateway(there, endpoint) and not there.deleted else None


def is_gateway(resource: Resource, endpoint: str) -> bool:
    """Whether an InferenceService is the gateway of an endpoint, and not only named like one."""
    labels = resource.labels
    return labels.get(PART) == GATEWAY and labels.get(ENDPOINT) == endpoint


def _of_that_name(remote: KubeCluster, endpoint: str) -> Resource | None:
    try:
        return remote.get(KIND, name_of(endpoint))
    except NotFound:
        return None


def realize(records: Records, resource: Resource, service: Service, owner: str) -> None:
    """See to it that it is there where it is wanted, and rests with the endpoint."""
    remote = records.remote
    there = found(remote, resource.name)
    if there is None:
        if not _is_wanted(remote, resource.name, service):
            return
        records.open(resource.name)
        _apply(remote, resource.name, service, owner)
    elif not needs(service) and lost(remote, there):
        with suppress(NotFound):  # what is left for it to do KServe's own router does
            remote.delete(KIND, there.name)
    elif service.stopped != (names.STOP in there.annotations):
        # While it rests it may be made anew: its image may be another by now.
        if service.stopped:
            remote.patch(KIND, there.name, {"metadata": {"annotations": {names.STOP: "true"}}})
        else:
            _apply(remote, resource.name, service, owner)
            remote.patch(KIND, there.name, {"metadata": {"annotations": {names.STOP: None}}})


def _is_wanted(remote: KubeCluster, endpoint: str, service: Service) -> bool:
    if needs(service):
        return True  # it was found out before that there can be one
    if not any(each.percent for each in service.variants[1:]):
        return False
    from jupyter_ext.serving.kube_objects import GRAPH, graph_name

    with suppress(NotFound, Unavailable, Forbidden):
        remote.get(GRAPH, graph_name(endpoint))
        return False  # an endpoint that has this address keeps it
    return not lacks(remote, endpoint)


def _apply(remote: KubeCluster, endpoint: str, service: Service, owner: str) -> None:
    made = made_of(kube_runtime.found(remote), endpoint, work.account(remote), _store(remote))
    notes = {**kube_mode.asked(remote, endpoint), **({names.STOP: "true"} if service.stopped else {})}
    made = made.with_(annotations={**made.annotations, **notes})
    applied = remote.apply(made)
    if applied.owner != owner:
        remote.patch(KIND, made.name, {"metadata": {"ownerReferences": [reference(endpoint, owner)]}})


def _store(remote: KubeCluster) -> list[Json]:
    """Variables by which its pod reaches the profile's store, where that has one that pods reach."""
    from jupyter_ext import store

    with suppress(KubeflowError):  # without one it counts anew in each pod, and says so
        place = store.default(remote)
        if place is not None and not place.url.startswith("file:"):
            return [{"name": STORE, "value": place.url}, *place.pod_environment()["env"]]
    return []


def made_of(runtime: Mapping[str, Any], endpoint: str, account: str, store: Sequence[Json] = ()) -> Resource:
    """The InferenceService, from the runtime that has our model server: its image has the gateway, too."""
    spec = runtime["spec"]
    first = next(
        (each for each in spec["containers"] if each.get("name") == CONTAINER), spec["containers"][0]
    )
    probe = {"httpGet": {"path": "/healthz", "port": PORT}}
    container: Json = {
        "name": CONTAINER,
        **{name: first[name] for name in _OF_CONTAINERS if first.get(name)},
        "command": ["tini", "--", "python", "-P", "-m", "jupyter_ext.serving.gateway.pod"],
        "args": [f"--endpoint={endpoint}", f"--port={PORT}"],
        "env": [
            {"name": "HOME", "value": _FOLDER},
            {"name": "TMPDIR", "value": _FOLDER},
            {"name": "JUPYTER_KUBEFLOW_HOME", "value": f"{_FOLDER}/kubeflow"},
            {"name": "JUPYTER_KUBEFLOW_CLUSTER", "value": "local"},
            *store,
        ],
        "ports": [{"name": "http1", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {**probe, "periodSeconds": 2, "failureThreshold": 3},
        "livenessProbe": {**probe, "periodSeconds": 15, "timeoutSeconds": 10, "failureThreshold": 8},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [{"name": GATEWAY, "mountPath": _FOLDER}],
    }
    body = {
        "minReplicas": 1,
        "maxReplicas": 1,
        "serviceAccountName": account,
        "terminationGracePeriodSeconds": _GRACE,
        "containers": [container],
        "volumes": [{"name": GATEWAY, "emptyDir": {"sizeLimit": "2Gi"}}],
        **{name: spec[name] for name in _OF_PODS if spec.get(name)},
    }
    return Resource.new(
        KIND,
        name_of(endpoint),
        {"predictor": body},
        labels={ENDPOINT: endpoint, PART: GATEWAY},
        annotations={"serving.kserve.io/autoscalerClass": "none"},
    )
