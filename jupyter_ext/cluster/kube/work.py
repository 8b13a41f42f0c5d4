"""What the pods of a notebook's work are told, and by which it is known that one is in such a pod."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from jupyter_ext.errors import Invalid, KubeflowError, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.cluster import KubeCluster

ACCOUNT: Final = "JUPYTER_KUBEFLOW_SERVICE_ACCOUNT"
PROFILES_ACCOUNT: Final = "default-editor"
"""The service account that Kubeflow's profiles have for work."""
IMAGE: Final = "JUPYTER_KUBEFLOW_JOB_IMAGE"
"""The image of work that names none; it must have jupyter_ext and what the notebook imports."""
CLAIM: Final = "JUPYTER_KUBEFLOW_STORE_CLAIM"
"""The PersistentVolumeClaim that pods mount where the store is a folder (``file://``)."""
STEP: Final = "JUPYTER_KUBEFLOW_STEP"
"""Set in the pod of a pipeline's step: what it starts runs in that pod, or asks for a place of its own."""
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_OF_THE_SERVER: Final = ("JUPYTER_IMAGE_SPEC", "JUPYTER_IMAGE")
"""Where KubeSpawner and Kubeflow say which image this server is."""


def image(wanted: str = "") -> str:
    """The image that the environment names, else ``wanted``, else this server's own; empty where none is known."""
    return os.environ.get(IMAGE, "").strip() or wanted.strip() or servers_image()


def servers_image() -> str:
    """The image that this notebook server runs in; empty where nobody said."""
    return next((told for name in _OF_THE_SERVER if (told := os.environ.get(name, "").strip())), "")


def claim() -> str:
    """The claim that is the store's folder; empty where none is named. Raises Invalid for what cannot be the name of one."""
    told = os.environ.get(CLAIM, "").strip()
    if told and not _NAME.fullmatch(told):
        raise Invalid(f"{told[:80]!r} cannot be a claim's name", where=Where(field=CLAIM))
    return told


def account(cluster: KubeCluster) -> str:
    """The service account of the pods: the one that is named, else that of Kubeflow's profiles; empty where it is not there.

    Raises Invalid for what cannot be the name of one.
    """
    told = os.environ.get(ACCOUNT, "").strip()
    if told:
        if not _NAME.fullmatch(told):
            raise Invalid(f"{told[:80]!r} cannot be a service account's name", where=Where(field=ACCOUNT))
        return told
    path = f"/api/v1/namespaces/{cluster.namespace}/serviceaccounts/{PROFILES_ACCOUNT}"
    try:
        cluster.transport.ask("GET", path)
    except KubeflowError:
        return ""
    return PROFILES_ACCOUNT
