"""The library as a Model Context Protocol server: assistants in Jupyter use the same doors as people.

Which tools there are follows from the server extension's own tables of kinds, verbs and fields (``tools.py``). It only
reads unless it is allowed to write, and then everything that changes something takes two steps (``plans.py``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.mcp.server import serve

__all__ = ["serve"]
_HOME: Final = {"serve": "server"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
