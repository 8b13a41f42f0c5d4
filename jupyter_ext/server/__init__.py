"""The server extension: resources over REST, changes of state on the server's event bus, logs on a websocket.

It knows resources, not features, and holds no logic: each verb is the library function of that name.
"""

from __future__ import annotations

from typing import Any


def _points() -> list[dict[str, Any]]:
    """Give what ``_jupyter_server_extension_points`` of the package returns."""
    from .app import KubeflowServer

    return [{"module": "jupyter_ext.server", "app": KubeflowServer}]
