"""Jupyter for Kubeflow: the same words on a laptop with no cluster and on Kubernetes.

Nothing is imported until it is used: ``import jupyter_ext`` costs a few milliseconds, and every public name
below loads its part on first access (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_ext import (
        cluster,
        errors,
        home,
        pipelines,
        registry,
        resources,
        secrets,
        servers,
        serving,
        spark,
        store,
        training,
        tuning,
    )
    from jupyter_ext.training.reporting import report

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "cluster",
    "errors",
    "home",
    "pipelines",
    "registry",
    "report",
    "resources",
    "secrets",
    "servers",
    "serving",
    "spark",
    "store",
    "training",
    "tuning",
]

_PARTS = frozenset(
    {
        "cluster",
        "errors",
        "home",
        "pipelines",
        "registry",
        "resources",
        "secrets",
        "servers",
        "serving",
        "spark",
        "store",
        "training",
        "tuning",
    }
)


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return import_module(f"{__name__}.{name}")
    if name == "report":
        return import_module(f"{__name__}.training.reporting").report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where JupyterLab finds the front end."""
    return [{"src": "labextension", "dest": "@jupyter-kubeflow/labextension"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where Jupyter Server finds the server extension."""
    from jupyter_ext.server import _points

    return _points()


def load_ipython_extension(ip: InteractiveShell) -> None:
    """``%load_ext jupyter_ext``."""
    from jupyter_ext.magics import load

    load(ip)


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """``%unload_ext jupyter_ext``."""
    from jupyter_ext.magics import unload

    unload(ip)
