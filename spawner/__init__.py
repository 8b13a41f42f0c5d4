"""What runs beside JupyterHub: servers in Kubeflow profiles, with or without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spawner.hub.local import ProfileProcessSpawner
    from spawner.spawner import ProfileSpawner

__all__ = ["ProfileProcessSpawner", "ProfileSpawner"]


def __getattr__(name: str) -> Any:
    """Load a spawner when it is asked for: KubeSpawner alone takes half a second."""
    if name == "ProfileSpawner":
        from spawner.spawner import ProfileSpawner

        return ProfileSpawner
    if name == "ProfileProcessSpawner":
        from spawner.hub.local import ProfileProcessSpawner

        return ProfileProcessSpawner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
