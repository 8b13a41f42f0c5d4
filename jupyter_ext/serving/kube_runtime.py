"""The runtime with our model server: the one that the chart installs, or the same from here where one may not see it.

A `ClusterServingRuntime (serving.kserve.io/v1alpha1)` is of the whole cluster, and who works in one profile has rights in
that alone: the server's own role cannot show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube import work
from jupyter_ext.errors import Forbidden, NotFound, Unavailable
from jupyter_ext.serving.fields import CONTAINER

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

SERVER: Final = "jupyter-kubeflow.org/model-server"
"""Label of the runtime that has our model server."""
NAME: Final = "{{.Name}}"
"""In a runtime, the InferenceService's name. KServe fills it in for models, not for containers."""
_CHARTS: Final = "jupyter-kubeflow"
"""The chart's name for its runtime, where nobody chose another."""

Json = dict[str, Any]


def found(remote: KubeCluster) -> Json:
    """The runtime of the namespace, else of the cluster. Raises Unavailable where there is none."""
    is_hidden = False
    for plural, is_shared in (("servingruntimes", False), ("clusterservingruntimes", True)):
        served = remote.kinds.versions("serving.kserve.io", plural)
        if not served:
            continue
        path = served[0].path("" if is_shared else remote.namespace)
        try:
            listed = remote.transport.ask("GET", path, query={"labelSelector": f"{SERVER}=true"})
        except NotFound:
            continue
        except Forbidden:
            is_hidden |= is_shared
            continue
        for each in sorted(listed.get("items") or (), key=lambda each: str(each["metadata"]["name"])):
            if (each.get("spec") or {}).get("containers"):
                return dict(each)
    if is_hidden and (own := work.image()):
        return built_in(own)
    more = f" Or name an image that has it: {work.IMAGE}=IMAGE." if is_hidden else ""
    raise Unavailable(
        f"{remote.access.name} has no runtime with our model server, or you may not see it",
        hint=f"An administrator installs it: the chart with serving.enabled=true.{more}"
        " To serve on this machine instead: kf.cluster.use('local').",
    )


def built_in(own: str) -> Json:
    """What `spawner/chart/templates/serving.yaml` makes of its defaults, with this image."""
    container = {
        "name": CONTAINER,
        "image": own,
        "imagePullPolicy": "IfNotPresent",
        "command": ["tini", "--", "python", "-P", "-m", "jupyter_ext.serving.server"],
        "args": [f"--model_name={NAME}", "--model_dir=/mnt/models", "--host=0.0.0.0", "--http_port=8080"],
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 - of the pod
        "ports": [{"name": "http1", "containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"path": "/v2/health/ready", "port": 8080},
            "periodSeconds": 2,
            "failureThreshold": 3,
        },
        "livenessProbe": {
            "httpGet": {"path": "/v2/health/live", "port": 8080},
            "periodSeconds": 15,
            "timeoutSeconds": 10,
            "failureThreshold": 8,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"memory": "2Gi"},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108 - of the pod
    }
    return {
        "metadata": {"name": _CHARTS},
        "spec": {"containers": [container], "volumes": [{"name": "scratch", "emptyDir": {}}]},
    }
