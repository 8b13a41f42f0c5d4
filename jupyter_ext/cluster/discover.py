"""Which cluster is this? The embedded one, unless the environment says otherwise."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.cluster.local.home import home_folder, profile_name
from jupyter_ext.errors import Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.doctor import Report

VARIABLE: Final = "JUPYTER_KUBEFLOW_CLUSTER"
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class Place(NamedTuple):
    """Which cluster is used, and why that one."""

    kind: str
    reason: str


def place(account: Path = SERVICE_ACCOUNT) -> Place:
    """Decide between the embedded cluster and another.

    Raises Unavailable when one is asked for that this version cannot speak to.
    """
    wanted = os.environ.get(VARIABLE, "").strip()
    if wanted == "local":
        return Place("local", f"Set by {VARIABLE}.")
    if wanted and wanted != "auto":
        raise Unavailable(
            f"This version cannot use the Kubernetes cluster {wanted!r}, only this machine",
            where=Where(field=VARIABLE),
            hint=f"Unset {VARIABLE}, or set it to 'local'.",
        )
    if os.environ.get("KUBERNETES_SERVICE_HOST") and account.exists():
        return Place("local", "This is a pod of a Kubernetes cluster; everything runs inside this pod.")
    return Place("local", "No Kubernetes cluster is configured; everything runs on this machine.")


_clusters: Final[dict[tuple[Path, str], LocalCluster]] = {}
_guard = threading.Lock()


def current() -> LocalCluster:
    """The cluster this process uses: one object for each home and profile."""
    place()
    key = (home_folder(), profile_name())
    with _guard:
        if key not in _clusters:
            _clusters[key] = LocalCluster(*key)
        return _clusters[key]


def doctor() -> Report:
    """Check everything that the embedded cluster needs, with a fix for each problem; see the doctor module."""
    from jupyter_ext.cluster.doctor import examine

    return examine()
