"""``session()``: a live SparkSession of a server that stays up between cells and kernels.

The server is a workload of its own (a ``SparkConnect``); what is in the kernel is its client. Who lost it is told so, and
gets a new one with the views that could be made again.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube import of_step
from jupyter_ext.cluster.local.devices import UNIT
from jupyter_ext.cluster.local.processes import VARIABLE
from jupyter_ext.cluster.resource import make_plain, valid_name
from jupyter_ext.errors import Conflict, Unavailable, Where
from jupyter_ext.spark import views
from jupyter_ext.spark.handle import READY_SECONDS, Session, place, remove_ended
from jupyter_ext.spark.launch import Connection
from jupyter_ext.spark.patience import import_client, policies
from jupyter_ext.spark.spec import SESSION
from jupyter_ext.spark.ui import is_ours

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster


@dataclass
class Held:
    """A client of this process, and the UID of its server."""

    uid: str
    client: Any


held: Final[dict[str, Held]] = {}


def session(
    name: str | None = None,
    *,
    cores: int | None = None,
    executors: int = 1,
    memory: str = "1g",
    driver_memory: str = "1g",
    conf: Mapping[str, Any] | None = None,
    idle: str | float | None = "12h",
    timeout: float = READY_SECONDS,
) -> Any:
    """Give the SparkSession of that name, started when there is none, with the tables and views it has.

    It stays up when the cell, or the kernel, ends; ``kf.spark.session_of(name).stop()`` ends it. In a step of a run it
    is the step's own, and ends with it. ``cores`` (half of the machine's by default) and ``memory`` are those of each
    executor; they count for a session that is started, not for one that is there, and so does ``idle``: it ends when
    nobody has used it for so long, 0 for never. Raises Unfit and Unavailable for what cannot be, TimeoutError when it
    is not ready after ``timeout`` seconds.
    """
    cluster = discover.current()
    chosen = valid_name(name) if name else _default()
    how: dict[str, Any] = {
        "cores": cores,
        "executors": executors,
        "memory": memory,
        "conf": conf,
        "idle": idle,
    }
    if (there := place()) is not None:
        from jupyter_ext.spark import kube_session

        return kube_session.session(there, chosen, timeout, driver_memory=driver_memory, **how)
    known = held.get(chosen)
    if known is not None and _lives(cluster, chosen, known):
        return known.client
    server = _running(cluster, chosen)
    if server is None:
        server = _started(cluster, chosen, driver_memory=driver_memory, **how)
    connection = _ready(server, timeout)
    uid = server.resource.uid
    # The token goes to the loopback interface only, to a port that a process of this user listens on.
    url = f"sc://localhost:{connection.port}/;token={connection.token};user_id={user()};session_id={uid}"
    return taken_up(
        cluster, chosen, chosen, uid, opened(cluster, chosen, uid, url, policies(cluster, chosen, uid))
    )


def taken_up(cluster: LocalCluster, key: str, name: str, uid: str, client: Any) -> Any:
    """The client, held under ``key`` from now on; what was named in a session before it is made again."""
    known = views.read(cluster, key)
    again = views.rebuild(client, known) if known.uid not in {"", uid} else None
    held[key] = Held(uid, client)
    if again is not None:
        views.write(cluster, key, uid, again.commands)
        sys.stderr.write(f"The Spark session {name} was lost, and a new one is open. {again.sentence}\n")
    return client


def _default() -> str:
    """A name of the profile's; in a step of a run, of the step's."""
    if named := of_step.name(SESSION):
        return named
    uid, unit = os.environ.get(VARIABLE, ""), os.environ.get(UNIT, "")
    return make_plain(f"{SESSION}-{uid[:8]}-{unit}") if uid else SESSION


def _lives(cluster: LocalCluster, name: str, held: Held) -> bool:
    """Whether the client's server is the one that runs; costs one look into the store."""
    found = cluster.store.find("SparkConnect", name)
    if found is None or found.uid != held.uid or found.phase != "RUNNING":
        return False
    from jupyter_ext.cluster.local import workload

    return workload.alive(cluster, held.uid)


def _running(cluster: LocalCluster, name: str) -> Session | None:
    """The server of that name if it runs or is about to; one that has ended is removed."""
    return Session(name, cluster) if remove_ended(cluster, name) else None


def _started(cluster: LocalCluster, name: str, **how: Any) -> Session:
    from jupyter_ext.spark.submission import start

    try:
        return start(name, **how)
    except Conflict:
        return Session(name, cluster)  # another kernel was faster


def _ready(server: Session, timeout: float) -> Connection:
    """Wait until it listens. Raises as ``await_ready`` does, and Unavailable when it has ended at once."""
    resource = server.await_ready(timeout)
    folder = discover.current().work_folder(resource.uid)
    connection = Connection.read(folder)
    if connection is None or not is_ours(connection.port):
        what = f"The Spark session {server.name} has just ended"
        raise Unavailable(what, where=Where(object=server.name), hint="Ask for it again.")
    return connection


def opened(cluster: LocalCluster, key: str, uid: str, url: str, patience: list[Any]) -> Any:
    """A client of the server at ``url``, which is ``uid``; what it names is kept under ``key``.

    All kernels have the same session of the server, so what one names the others see.
    """
    import_client()
    from pyspark.sql.connect.session import SparkSession

    builder = SparkSession.builder.remote(url)
    builder._registerHook(lambda client: views.hook(cluster, key, uid, client))  # noqa: SLF001 - it has no public name
    client = builder.create()
    client.client.set_retry_policies(patience)
    # What pyspark does when a kernel ends empties the session's cache of models, which other kernels use.
    atexit.unregister(client.client._on_exit)  # noqa: SLF001 - as above
    return client


def user() -> str:
    """Who asks, as Spark shows it."""
    import getpass

    try:
        return make_plain(getpass.getuser()) or "user"
    except (OSError, KeyError):
        return "user"
