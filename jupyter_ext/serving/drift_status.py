"""How far what is asked has moved from the training data, for the status of an endpoint: measured now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import now
from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving.watching import began

if TYPE_CHECKING:
    from concurrent.futures import Future

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.crew import Crew
    from jupyter_ext.serving.drift import Drift
    from jupyter_ext.serving.spec import Service

LOOK_SECONDS: Final = 5.0
"""Between two looks at whether something new was logged."""
EVERY: Final = 60.0
"""Between two measurements, however much is asked."""
LIMIT: Final = 500
"""The newest logged requests that are measured."""
_NAMED: Final = 5


def summary(drift: Drift) -> dict[str, Any]:
    """What a list shows: the worst level, in words, and which features moved most."""
    moved = [each.name for each in drift.features if each.level in {"some", "much"}]
    return {
        "level": drift.level,
        "words": drift.words[:500],
        "requests": drift.requests,
        "moved": len(moved),
        "features": moved[:_NAMED],
    }


class DriftStatus:
    """Measures the requests of what serves, in a thread of the crew's."""

    def __init__(self, cluster: LocalCluster, crew: Crew, name: str, uid: str, traffic: Any) -> None:
        self.cluster, self.crew, self.name, self.uid, self.traffic = cluster, crew, name, uid, traffic
        self.summary: dict[str, Any] | None = None
        """None where nothing is logged, or nothing is known of the training data."""
        self._work: Future[dict[str, Any] | None] | None = None
        self._looked = self._measured = float("-inf")
        self._wait = 0.0
        self._newest = ""
        self._of = ""

    def tick(self, resource: Resource, serving: Service | None) -> None:
        """Begin a measurement when there is something new to measure; take the result of the last."""
        self._take()
        log = serving.log if serving else None
        if serving is None or not log or not log.get("bodies", True) or not log.get("sample", 1):
            self.summary = None
            return
        if self._of != serving.stable.digest:
            self._of, self._newest, self.summary = serving.stable.digest, "", None
            self._measured = float("-inf")
        moment = time.monotonic()
        early = moment - self._looked < LOOK_SECONDS or moment - self._measured < self._wait
        if self._work is not None or early:
            return
        self._looked = moment
        since = began(resource, serving.stable) or 0.0
        self._work = self.crew.aside(self._measure, since)

    def _take(self) -> None:
        if self._work is None or not self._work.done():
            return
        work, self._work = self._work, None
        try:
            found = work.result()
        except KubeflowError:
            return  # a busy store, or a registry that is down: what was known stays
        if found is not None and found.pop("of") == self._of:
            self._measured = time.monotonic()
            self._wait = LOOK_SECONDS if found.get("level") == "unknown" else EVERY
            self.summary = found or None

    def _measure(self, since: float) -> dict[str, Any] | None:
        """The summary; None when nothing new was logged."""
        from jupyter_ext.serving import evidence
        from jupyter_ext.serving.handle import Endpoint

        of = self._of
        newest = self.traffic.requests(self.uid, 1)
        if not newest or newest[0].id == self._newest or newest[0].time < since:
            return None
        self._newest = newest[0].id
        endpoint = Endpoint(self.name, self.cluster)
        found = evidence.drift_or_none(endpoint, LIMIT, since)
        return {"of": of} if found is None else {"of": of, **summary(found), "time": now()}
