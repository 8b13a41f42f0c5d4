"""How long a client tries again: as pyspark does while its server lives, and not at all when that is gone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster


class SessionLost(KubeflowError):
    """The server of a session is gone, and with it what was only there."""

    status = 503


def import_client() -> None:
    """Import pyspark's client in the way that it needs, once."""
    import warnings

    # As its own builder does: texts that name types are read by the session, and there is no other.
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    # It asks the main module for this; an IPython that is embedded with names of its own has none.
    vars(sys.modules["__main__"]).setdefault("__spec__", None)
    with warnings.catch_warnings():
        # It warns of the newest pandas at every import.
        warnings.simplefilter("ignore", FutureWarning)
        import pyspark.sql.connect.session  # noqa: F401


def policies(cluster: LocalCluster, name: str, uid: str) -> list[Any]:
    """The retry policies of a client of this machine's server ``uid``."""
    return while_it_lives(name, lambda: gone(cluster, name, uid))


def while_it_lives(name: str, why_gone: Callable[[], str | None]) -> list[Any]:
    """The retry policies of a client; they raise SessionLost where pyspark would try for ten minutes."""
    import_client()
    import grpc
    from pyspark.sql.connect.client.retries import DefaultPolicy

    class WhileItLives(DefaultPolicy):  # type: ignore[misc]
        """Pyspark's own policy, unless the server is gone."""

        def can_retry(self, exception: BaseException) -> bool:
            code = exception.code() if isinstance(exception, grpc.Call) else None
            if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
                reason = why_gone()
                if reason is not None:
                    raise lost(name, reason)
            return bool(super().can_retry(exception))

    return [WhileItLives()]


def gone(cluster: LocalCluster, name: str, uid: str) -> str | None:
    """Why a server is not there any more; None while it lives."""
    from jupyter_ext.cluster.local import workload

    found = cluster.store.find("SparkConnect", name)
    if found is None:
        return "It was deleted."
    if found.uid != uid:
        return "Another one has its name."
    workload.sweep(cluster)
    found = cluster.store.find("SparkConnect", name) or found
    if found.resting or found.phase == "CANCELING":
        return found.reason or "It has ended."
    return None


def lost(name: str, reason: str) -> SessionLost:
    """The error, with what to do."""
    call = "kf.spark.session()" if name == "spark" else f"kf.spark.session({name!r})"
    hint = (
        f"Open it again: spark = {call}. Views are made again where they can be; frames are to be read again."
    )
    return SessionLost(f"The Spark session {name} was lost: {reason.rstrip('.')}", hint=hint)
