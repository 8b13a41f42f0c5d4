"""Endpoints: registered models served at a stable address, split between variants, promoted and rolled back.

    import jupyter_ext as kf
    endpoint = kf.serving.serve("iris@champion")
    endpoint.predict(frame)
    endpoint.traffic({"v1": 90, "v2": 10})

The names below load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.serving.forms import form, tester, traffic_form
    from jupyter_ext.serving.graph import check_graph, graphs, submit_graph, update_graph
    from jupyter_ext.serving.handle import Endpoint, delete, endpoints, get
    from jupyter_ext.serving.replay import Replay
    from jupyter_ext.serving.revisions import Revision
    from jupyter_ext.serving.submission import check, examine, serve, submit, update
    from jupyter_ext.serving.variants import Variant

_HOME: Final = {
    "Endpoint": "handle",
    "Replay": "replay",
    "Revision": "revisions",
    "Variant": "variants",
    "check": "submission",
    "delete": "handle",
    "endpoints": "handle",
    "get": "handle",
    "serve": "submission",
    "submit": "submission",
    "check_graph": "graph",
    "examine": "submission",
    "form": "forms",
    "graphs": "graph",
    "submit_graph": "graph",
    "tester": "forms",
    "traffic_form": "forms",
    "update": "submission",
    "update_graph": "graph",
}
__all__ = [  # noqa: RUF022 - in the order of use
    "serve", "Endpoint", "Variant", "Revision", "Replay", "get", "endpoints", "delete", "submit", "check", "update", "examine",
    "graphs", "submit_graph", "check_graph", "update_graph", "form", "traffic_form", "tester",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
