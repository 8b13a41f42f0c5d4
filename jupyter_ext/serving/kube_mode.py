"""In which of KServe's modes endpoints run: Standard, whatever the installation makes of one that says nothing.

In its Knative mode a Service is Knative's, with revisions instead of variants, and our gateway could not tell which pods
have which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, KubeflowError
from jupyter_ext.serving.fields import CONTAINER
from jupyter_ext.serving.places import KIND

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

MODE: Final = "serving.kserve.io/deploymentMode"
STANDARD: Final = "Standard"
OLDER: Final = "RawDeployment"
"""The same before KServe 0.16, which takes a word that it does not know for none."""
_SINCE: Final = "storageUris"
"""A field of predictors that came with the newer word."""
_known: Final[dict[str, str]] = {}
"""The word, by server: an installation that is made newer still takes the one that its endpoints have."""


def asked(remote: KubeCluster, endpoint: str) -> dict[str, str]:
    """The annotation that asks for it, in the word of this KServe: a request that stores nothing tells which that is."""
    return {MODE: _word(remote) or _of(remote, endpoint) or STANDARD}


def _of(remote: KubeCluster, endpoint: str) -> str:
    """The word that an endpoint has already."""
    try:
        return str(remote.get(KIND, endpoint).annotations.get(MODE) or "")
    except KubeflowError:
        return ""


def _word(remote: KubeCluster) -> str:
    """Empty where it cannot be asked for: without the right to make one, or where a policy refuses it."""
    server = remote.access.server
    if server not in _known:
        served = remote.kinds.served(KIND)
        container = {"name": CONTAINER, "image": "none"}
        body: dict[str, Any] = {
            "apiVersion": f"{served.group}/{served.version}",
            "kind": KIND,
            "metadata": {"name": "which-mode"},
            "spec": {"predictor": {"containers": [container], _SINCE: [{"uri": "pvc://none/none"}]}},
        }
        query = {"dryRun": "All", "fieldValidation": "Strict", "fieldManager": remote.manager}
        try:
            remote.transport.ask("POST", served.path(remote.namespace), body, query=query, repeat=True)
        except Invalid as error:
            if error.where is None or error.where.field != f"spec.predictor.{_SINCE}":
                return ""
            _known[server] = OLDER
        except KubeflowError:
            return ""
        else:
            _known[server] = STANDARD
    return _known[server]
