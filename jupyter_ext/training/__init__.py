"""Training jobs: one function, cell or command on several processes, followed, stopped and resumed.

    import jupyter_ext as kf
    job = kf.training.train(fit, framework="torch", nodes=2, args={"lr": 0.1})
    job.wait().result()

The names below load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.training.checkpoints import load_checkpoint, save_checkpoint
    from jupyter_ext.training.forms import form
    from jupyter_ext.training.handle import Job, JobFailed, delete, get, jobs
    from jupyter_ext.training.reporting import Pruned, World, checkpoint_dir, report, world
    from jupyter_ext.training.runtime import Runtime, runtimes
    from jupyter_ext.training.submission import check, submit, train, update

_HOME: Final = {
    "Job": "handle",
    "JobFailed": "handle",
    "Pruned": "reporting",
    "Runtime": "runtime",
    "World": "reporting",
    "check": "submission",
    "checkpoint_dir": "reporting",
    "delete": "handle",
    "form": "forms",
    "get": "handle",
    "jobs": "handle",
    "load_checkpoint": "checkpoints",
    "report": "reporting",
    "runtimes": "runtime",
    "save_checkpoint": "checkpoints",
    "submit": "submission",
    "train": "submission",
    "update": "submission",
    "world": "reporting",
}
__all__ = [  # noqa: RUF022 - in the order of use
    "train", "Job", "JobFailed", "get", "jobs", "delete", "submit", "check", "update", "runtimes", "Runtime",
    "report", "Pruned", "checkpoint_dir", "save_checkpoint", "load_checkpoint", "world", "World", "form",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
