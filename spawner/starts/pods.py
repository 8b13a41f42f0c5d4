"""The pods of all servers of one Hub: one watch, and those who wait for a pod are woken.

KubeSpawner lists again every ten seconds and looks into the list every tenth of a second for each start; here a
start sleeps until its own pod changes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from spawner.api import Api, Json
from spawner.mirror import Key, Mirror

_METADATA: Final = (
    "name", "namespace", "uid", "labels", "creationTimestamp", "deletionTimestamp", "resourceVersion",
)  # fmt: skip
_SPEC: Final = ("nodeName", "schedulingGates", "nodeSelector", "affinity", "tolerations", "overhead")
_CONTAINER: Final = ("name", "image", "resources", "ports", "restartPolicy")
_STATUS: Final = (
    "phase", "podIP", "conditions", "reason", "message", "startTime", "containerStatuses", "initContainerStatuses",
)  # fmt: skip


_ENDED: Final = 500
"""Of so many pods that are gone the last state is kept, for the next poll of their servers to say why."""


def trimmed(pod: Json) -> Json:
    """What is read of a pod: without variables, volumes and the record of who set which field."""
    spec = pod.get("spec") or {}
    found: Json = {
        "metadata": _part(pod.get("metadata") or {}, _METADATA),
        "spec": _part(spec, _SPEC),
        "status": _part(pod.get("status") or {}, _STATUS),
    }
    for kind in ("containers", "initContainers"):
        if spec.get(kind):
            found["spec"][kind] = [_part(each, _CONTAINER) for each in spec[kind]]
    return found


def _part(of: Mapping[str, Any], keys: tuple[str, ...]) -> Json:
    return {key: of[key] for key in keys if key in of}


class Follower:
    """One pod, for one who waits."""

    def __init__(self, pods: Pods, key: Key) -> None:
        self._pods = pods
        self._key = key
        self._changed = asyncio.Event()

    @property
    def pod(self) -> Json | None:
        """As it is known now."""
        return self._pods.rows.get(self._key)

    def wake(self) -> None:
        """Tell that something changed."""
        self._changed.set()

    async def change(self, seconds: float) -> bool:
        """Sleep until something changed, at most ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Pods(Mirror[Json]):
    """Every pod with the selector's labels, in all namespaces; ``ended`` has those that are gone, by uid."""

    def __init__(self, api: Api, selector: str) -> None:
        self._followers: dict[Key, set[Follower]] = {}
        self.ended: dict[str, Json] = {}
        super().__init__(api, "/api/v1/pods", trimmed, query={"labelSelector": selector})

    @contextlib.contextmanager
    def following(self, key: Key) -> Iterator[Follower]:
        """Follow one pod."""
        found = Follower(self, key)
        self._followers.setdefault(key, set()).add(found)
        try:
            yield found
        finally:
            self._followers[key].discard(found)
            if not self._followers[key]:
                del self._followers[key]

    @property
    def is_current(self) -> bool:
        """Whether the list is there and its watch is not known to be broken."""
        return self._known and self._behind() == 0

    def put(self, pod: Json) -> None:
        """A pod that was just created or read, before the watch tells of it."""
        about = pod.get("metadata") or {}
        key = (str(about.get("namespace") or ""), str(about.get("name") or ""))
        old = self.rows.get(key)
        if not self.is_current or old is None or old["metadata"].get("uid") != about.get("uid"):
            self._put(key, trimmed(pod))

    def _ended(self, thing: Json) -> None:
        self.ended[str(thing["metadata"].get("uid"))] = trimmed(thing)
        while len(self.ended) > _ENDED:
            del self.ended[next(iter(self.ended))]

    def _put(self, key: Key, row: Json | None) -> None:
        super()._put(key, row)
        for each in self._followers.get(key, ()):
            each.wake()

    def _replace(self, rows: dict[Key, Json], version: str) -> None:
        super()._replace(rows, version)
        for followers in self._followers.values():
            for each in followers:
                each.wake()


_of_loops: Final[dict[tuple[int, str], tuple[asyncio.AbstractEventLoop, Pods]]] = {}


def shared(api: Api, selector: str) -> Pods:
    """The one of the running loop and the selector."""
    loop = asyncio.get_running_loop()
    key = (id(loop), selector)
    found = _of_loops.get(key)
    if found is None or found[0] is not loop:
        found = _of_loops[key] = (loop, Pods(api, selector))
    return found[1]


async def stop_shared() -> None:
    """End those of the running loop."""
    loop = asyncio.get_running_loop()
    for key, (known, pods) in list(_of_loops.items()):
        if known is loop:
            del _of_loops[key]
            await pods.stop()
