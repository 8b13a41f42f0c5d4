"""One profile on one page: what there is to use and who uses it, what runs, what failed and why, what answers, what is missing.

    from jupyter_ext import home
    home.summary()
    home.summary()["capacity"]["gpus"]

Only what applies is in it: a laptop has no quota and no contributors, so it says nothing of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.home.page import Summary, summary
    from jupyter_ext.home.people import add_contributor, contributors, remove_contributor

__all__ = ["Summary", "add_contributor", "contributors", "remove_contributor", "summary"]
_HOME: Final = {
    "Summary": "page",
    "add_contributor": "people",
    "contributors": "people",
    "remove_contributor": "people",
    "summary": "page",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
