"""Tuning: search for the parameters with which a function, a job or a notebook does best.

    import jupyter_ext as kf
    found = kf.tuning.tune(fit, {"lr": "double(1e-4,1e-1,log)"}, "loss:min", algorithm="tpe", trials=50)
    found.wait().best.parameters

The names below load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.tuning.catalogue import algorithms
    from jupyter_ext.tuning.forms import form
    from jupyter_ext.tuning.handle import Experiment, Trial, delete, experiments, get, trial
    from jupyter_ext.tuning.signature import space_of
    from jupyter_ext.tuning.space import categorical, discrete, double, int_
    from jupyter_ext.tuning.submission import check, submit, tune, update

_HOME: Final = {
    "Experiment": "handle",
    "Trial": "handle",
    "algorithms": "catalogue",
    "categorical": "space",
    "check": "submission",
    "delete": "handle",
    "discrete": "space",
    "double": "space",
    "experiments": "handle",
    "form": "forms",
    "get": "handle",
    "int_": "space",
    "space_of": "signature",
    "submit": "submission",
    "trial": "handle",
    "tune": "submission",
    "update": "submission",
}
__all__ = [  # noqa: RUF022 - in the order of use
    "tune", "double", "int_", "discrete", "categorical", "space_of", "algorithms", "Experiment", "Trial", "get",
    "experiments", "trial", "delete", "submit", "check", "update", "form",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
