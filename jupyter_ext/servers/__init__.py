"""The servers of this user under a JupyterHub: list, start, stop, choose other options, keep an idle one.

    from jupyter_ext import servers
    servers.panel()
    servers.start("gpu", {"size": "large"})

There are none without a JupyterHub, and ``capability`` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from jupyter_ext.cluster.answers import Capability
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound, Unavailable, Where

__all__ = ["capability", "form", "keep", "panel", "resize", "start", "stop"]
_KINDS: dict[int, type[KubeflowError]] = {400: Invalid, 404: NotFound, 409: Conflict, 503: Unavailable}


def capability() -> Capability:
    """Whether there are servers to show, and why not."""
    from spawner.hub.servers import is_under_a_hub

    if is_under_a_hub():
        return Capability(True, "This server was started by a JupyterHub.")
    return Capability(
        False, "This is a server of its own. Under a JupyterHub (jupyter kf hub) there can be several."
    )


def panel(why: Collection[str] = ()) -> dict[str, Any]:
    """Every server of this user with its state, why it waits, when it is stopped for idleness; and what is left.

    ``why`` are servers that did not start: the Hub is asked for the reason.
    """
    return _ask(lambda hub: hub.panel(why))


def form(name: str = "", options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What can be chosen for a server, what of it fits now, and what becomes of these choices. Changes nothing."""
    return _ask(lambda hub: hub.form(name, options))


def start(name: str = "", options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Start a server; without options as it was last. Raises Invalid, Conflict or Unavailable with the Hub's reason."""
    return _ask(lambda hub: hub.start(name, options))


def stop(name: str = "") -> dict[str, Any]:
    """Stop a server. Its files stay."""
    return _ask(lambda hub: hub.stop(name))


def resize(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Choose other options for a stopped server. Raises Conflict while it runs."""
    return _ask(lambda hub: hub.resize(name, options))


def keep(name: str = "") -> dict[str, Any]:
    """Say that a server that is about to be stopped is needed."""
    return _ask(lambda hub: hub.keep(name))


def _ask(do: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Ask the Hub of this server; what it refuses is one of our errors."""
    from spawner.hub.servers import Hub
    from spawner.refused import Refused

    try:
        return do(Hub.of())
    except Refused as refused:
        where = Where(field=refused.field) if refused.field else None
        error = _KINDS.get(refused.status, KubeflowError)(
            refused.message, where=where, hint=refused.hint or None
        )
        error.status = refused.status
        raise error from None
