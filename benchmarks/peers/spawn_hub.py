"""Configuration of the Hubs that `benchmarks.spawn` drives: the same for all, but for the spawner.

Their proxy keeps routes in a dict, their pods are on paper (KWOK), and one small server answers for all of them.
"""

import json
import os
import time
from pathlib import Path
from typing import Any, ClassVar

from jupyterhub.spawner import Spawner

from benchmarks.peers.spawn_watch import LoopWatch, count_requests
from tests.spawner.bare_hub import RoutesOnly, configure

SETTINGS = json.loads(os.environ["SPAWN_HUB"])


class Watching(RoutesOnly):
    """It is made where the loop runs, once: with it the watch begins."""

    watch: ClassVar[LoopWatch]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        type(self).watch = LoopWatch(Path(SETTINGS["folder"]))
        count_requests(type(self).watch)


class Nothing(Spawner):  # type: ignore[misc]
    """Starts nothing: what is left is what the Hub itself does for a start."""

    async def start(self) -> str:
        """The address of the small server."""
        return f"http://127.0.0.1:{SETTINGS['port'] + 2}"

    async def poll(self) -> None:
        """It runs."""

    async def stop(self, now: bool = False) -> None:
        """It does not."""


def address(_spawner: Any, pod: dict[str, Any]) -> str:
    """Both spawners ask for it when they have seen that the pod is ready, last of all."""
    Watching.watch.returned.setdefault(pod["metadata"]["uid"], time.time())
    return f"http://127.0.0.1:{SETTINGS['port'] + 2}"


c = get_config()  # noqa: F821
configure(c, SETTINGS)
c.JupyterHub.proxy_class = Watching
if SETTINGS["spawner"] == "nothing":
    c.JupyterHub.spawner_class = Nothing
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.log_level = "WARN"
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
c.JupyterHub.init_spawners_timeout = 60
c.JupyterHub.load_groups = {"class": {"users": SETTINGS["users"]}}
c.DummyAuthenticator.password = SETTINGS["token"]
c.KubeSpawner.get_pod_url = address
c.Spawner.start_timeout = SETTINGS["timeout"]
c.Spawner.http_timeout = SETTINGS["timeout"]
for name, value in SETTINGS["traits"].items():
    setattr(c.KubeSpawner, name, value)
