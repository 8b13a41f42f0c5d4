"""Changes of registered models become events on the server's bus, as those of resources do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .watch import Watcher


class RegistryWatcher(Watcher):
    """Follows the file of this profile's registry. A registry elsewhere is not followed: it has no events."""

    def _follow(self) -> None:
        from jupyter_ext.registry import place

        self.ready.set()
        file = Path(place.home()) / place.FILE
        is_new = False
        while not file.exists():  # nobody registered anything yet, and looking must not make the file
            is_new = True
            if self._stopped.wait(1.0):
                return
        from jupyter_ext.registry import following

        store = place.service().store
        if self._since is None:
            self._since = 0 if is_new else store.version()
        for change in following.follow(store, self._since, self._stopped):
            self._since = max(self._since, change.version)
            self._put(_event(change))

    def _catch_up(self) -> None:
        """Nothing: the history of the registry is never cut off."""


def _event(change: Any) -> dict[str, Any]:
    return {
        "type": change.type,
        "kind": "RegisteredModel",
        "name": change.name,
        "uid": str(change.id),
        "resourceVersion": change.version,
        "phase": None,
        "reason": change.reason or None,
        "steps": None,
        "progress": None,
    }
