"""How many replicas a variant needs: as many as the requests in flight ask for, and none when nobody asks."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.serving.spec import Predictor, Service

WINDOW: Final = 10.0
"""Seconds over which requests in flight are looked at."""
LOWER_AFTER: Final = 60.0
"""Seconds that fewer replicas must have been enough before some are given back."""
LOOK_SECONDS: Final = 1.0


class Scaler:
    """What the traffic of one endpoint asks for; looked at once a second, asked at every turn."""

    def __init__(self, traffic: Any, uid: str) -> None:
        self.traffic, self.uid = traffic, uid
        self._looked = 0.0
        self._last: float | None = None
        self._flight: dict[str, float] = {}
        self._enough: dict[str, list[tuple[float, int]]] = {}
        self._woken: dict[str, float] = {}
        self.wanted: set[str] = set()

    def look(self, service: Service, *, listen: bool) -> None:
        """Read what has changed. ``listen``: somebody may be waiting for a variant that is not there."""
        self.wanted = set(self.traffic.wanted(self.uid)) if listen else set()
        moment = time.time()
        for name in self.wanted:
            self._woken[name] = moment
        if moment - self._looked < LOOK_SECONDS:
            return
        self._looked = moment
        if any(each.least == 0 for each in service.variants):
            self._last = self.traffic.last_request(self.uid)
        if any(each.most > max(each.least, 1) for each in service.variants):
            self._flight = {}
            for window in self.traffic.windows(self.uid, moment - WINDOW):
                now = float(getattr(window, "in_flight", 0) or 0)
                self._flight[window.variant] = max(self._flight.get(window.variant, 0.0), now)

    def answered(self, name: str) -> None:
        """The variant that was wanted is there."""
        self.traffic.cleared(self.uid, name)

    def count(self, predictor: Predictor, idle: float, *, needed: bool) -> int:
        """How many replicas; ``needed``: at least one, whoever asks."""
        if predictor.least == 0 and not needed and not self._awake(predictor.name, idle):
            return 0
        asked = math.ceil(self._flight.get(predictor.name, 0.0) / predictor.target)
        count = min(max(asked, predictor.least, 1), predictor.most)
        return self._steady(predictor.digest, count)

    def _awake(self, name: str, idle: float) -> bool:
        latest = max(self._last or 0.0, self._woken.get(name, 0.0))
        return time.time() - latest < idle

    def _steady(self, digest: str, count: int) -> int:
        """The most that was needed lately: replicas come at once and go late."""
        moment = time.monotonic()
        recent = [
            (at, was) for at, was in self._enough.get(digest, []) if moment - at < LOWER_AFTER and was > count
        ]
        recent.append((moment, count))
        self._enough[digest] = recent
        return max(was for _, was in recent)

    def forget(self, digests: set[str]) -> None:
        """Keep what is known of these only."""
        self._enough = {digest: found for digest, found in self._enough.items() if digest in digests}
