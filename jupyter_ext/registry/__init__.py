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
    from jupyter_ext.registry.forms import form
    from jupyter_ext.registry.handles import Model, Version
    from jupyter_ext.registry.place import connect, local, services
    from jupyter_ext.registry.registry import Registry
    from jupyter_ext.registry.verbs import (
        better,
        compare,
        find,
        get,
        made_by,
        made_from,
        models,
        note_served,
        promote,
        register,
        search,
        serving,
    )

__all__ = [
    "Model",
    "Registry",
    "Version",
    "better",
    "compare",
    "connect",
    "find",
    "form",
    "get",
    "local",
    "made_by",
    "made_from",
    "models",
    "note_served",
    "promote",
    "register",
    "search",
    "services",
    "serving",
]

_HOME: Final = {
    "Model": "handles",
    "Registry": "registry",
    "Version": "handles",
    "better": "verbs",
    "compare": "verbs",
    "connect": "place",
    "find": "verbs",
    "form": "forms",
    "get": "verbs",
    "local": "place",
    "made_by": "verbs",
    "made_from": "verbs",
    "models": "verbs",
    "note_served": "verbs",
    "promote": "verbs",
    "register": "verbs",
    "search": "verbs",
    "services": "place",
    "serving": "verbs",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
