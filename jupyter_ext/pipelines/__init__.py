"""Pipelines from notebooks: check, run, follow, compare, schedule, export.

    import jupyter_ext as kf
    run = kf.pipelines.run("train.ipynb", lr=0.1)
    run.wait()
    run.metrics

The names below load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.pipelines.checked import check
    from jupyter_ext.pipelines.components.calling import component
    from jupyter_ext.pipelines.display import artifact, confusion_matrix, metrics, roc
    from jupyter_ext.pipelines.elyra.converting import convert
    from jupyter_ext.pipelines.forms import form
    from jupyter_ext.pipelines.handle import Run, compare, delete, gc, get, run, runs
    from jupyter_ext.pipelines.ir import compile  # noqa: A004 - the field's word
    from jupyter_ext.pipelines.kfp.uploading import server, upload
    from jupyter_ext.pipelines.recurring import (
        schedule,
        schedule_delete,
        schedule_run,
        schedule_set,
        schedules,
    )

_HOME = {
    "artifact": "display",
    "check": "checked",
    "compare": "handle",
    "compile": "ir",
    "component": "components.calling",
    "convert": "elyra.converting",
    "confusion_matrix": "display",
    "delete": "handle",
    "gc": "handle",
    "form": "forms",
    "get": "handle",
    "metrics": "display",
    "roc": "display",
    "Run": "handle",
    "run": "handle",
    "runs": "handle",
    "schedule": "recurring",
    "schedule_delete": "recurring",
    "schedule_run": "recurring",
    "schedule_set": "recurring",
    "schedules": "recurring",
    "server": "kfp.uploading",
    "upload": "kfp.uploading",
}
__all__ = [  # noqa: RUF022 - in the order of use
    "check", "compile", "run", "Run", "get", "runs", "compare", "delete", "gc",
    "component", "convert",
    "schedule", "schedules", "schedule_set", "schedule_run", "schedule_delete",
    "metrics", "artifact", "confusion_matrix", "roc", "form",
    "server", "upload",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
