"""Kueue as a profile sees it: its LocalQueues, and the quota of the ClusterQueues behind them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from spawner.access import unanswered
from spawner.api import ApiError, Asking, Json
from spawner.form.kueue import quotas_of

if TYPE_CHECKING:
    from spawner.form.kueue import Quota

GROUP: Final = "/apis/kueue.x-k8s.io"
_KNOWN: Final = ("v1beta2", "v1beta1")
"""Versions that are read, the best first."""
_REMEMBERED: Final = 60.0
"""Seconds for which it is believed that Kueue is there, or is not."""

Listing = Callable[[str, str], Awaitable[list[Json]]]


class Queues:
    """Asks through ``listing`` (a path, and the namespace for which it is remembered), which caches."""

    def __init__(self, api: Asking, listing: Listing) -> None:
        self._api = api
        self._listing = listing
        self._version: tuple[float, str] | None = None

    async def of(self, namespace: str) -> list[Json]:
        """The LocalQueues of a profile; none where Kueue is not installed."""
        version = await self._served()
        return (
            await self._listing(f"{GROUP}/{version}/namespaces/{namespace}/localqueues", namespace)
            if version
            else []
        )

    async def quotas(self) -> Mapping[str, Quota]:
        """What every ClusterQueue has left, by name; nothing where they may not be read."""
        version = await self._served()
        if not version:
            return {}
        queues, cohorts, flavors = [
            await self._listing(f"{GROUP}/{version}/{kind}", "")
            for kind in ("clusterqueues", "cohorts", "resourceflavors")
        ]
        return quotas_of(queues, cohorts, flavors)

    async def _served(self) -> str:
        """The version to ask for; empty where the kind is not installed."""
        now = time.monotonic()
        if self._version is None or now - self._version[0] > _REMEMBERED:
            try:
                found = await self._api.get(GROUP)
            except ApiError as error:
                if error.status != 404:
                    raise unanswered("whether it has queues", error) from error
                found = {}
            served = {str(each.get("version")) for each in found.get("versions") or ()}
            self._version = (now, next((each for each in _KNOWN if each in served), ""))
        return self._version[1]
