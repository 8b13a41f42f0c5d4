"""Models, their versions, and all that is known of them: on this machine, or in a Kubeflow Model Registry.

    from jupyter_ext import registry

    registry.register(model, "iris", metrics={"accuracy": 0.97}, alias="champion")
    registry.get("iris@champion").load()
    registry.find("accuracy > 0.9")

The names below load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Model, Version
    from jupyter_ext.registry.place import connect, local
    from jupyter_ext.registry.registry import Registry
    from jupyter_ext.registry.verbs import compare, find, get, models, promote, register, search

__all__ = [
    "Model",
    "Registry",
    "Version",
    "compare",
    "connect",
    "find",
    "get",
    "local",
    "models",
    "promote",
    "register",
    "search",
]

_HOME: Final = {
    "Model": "handles",
    "Registry": "registry",
    "Version": "handles",
    "compare": "verbs",
    "connect": "place",
    "find": "verbs",
    "get": "verbs",
    "local": "place",
    "models": "verbs",
    "promote": "verbs",
    "register": "verbs",
    "search": "verbs",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
