"""Which files this user registered: those may run code when they are read, without asking.

The profile's own store remembers it. In the pod of a pipeline's step that goes with the pod, so steps also tell each
other in the store through which they hand their values on: who can write there decides anyway what they run.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.kube.work import STEP
from jupyter_ext.errors import KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.registry.store import Store

_FOLDER: Final = "produced"


def note(own: Store, digest: str) -> None:
    """Remember that files with this digest were registered from here."""
    own.note_produced(digest)
    if os.environ.get(STEP):
        from jupyter_ext import store

        if (shared := store.default()) is not None:
            shared.write(_name(digest), b"")


def is_noted(own: Store, digest: str) -> bool:
    """Whether they were; in the pod of a step, also by another step of the profile's runs."""
    if own.is_produced(digest):
        return True
    if os.environ.get(STEP):
        from jupyter_ext import store

        with suppress(KubeflowError):
            shared = store.default()
            return shared is not None and shared.exists(_name(digest))
    return False


def _name(digest: str) -> str:
    return f"{_FOLDER}/{digest.replace(':', '-')}"
