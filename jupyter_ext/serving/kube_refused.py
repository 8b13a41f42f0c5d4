"""What an endpoint of a Kubernetes cluster can do only with our gateway before it: without one each says so by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from jupyter_ext.cluster.kube.handle import refused
from jupyter_ext.serving.handle import Endpoint

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.metrics import Page
    from jupyter_ext.serving.kube_door import Told

_WHY: Final = "needs our gateway before the endpoint, and there is none"
_HOW: Final = "It comes with sticky=, log=, rules= or a second variant's share, where the namespace has an account for work."


class ThroughGateway(Endpoint):
    """The calls that need the gateway's records. All raise Unfit where there is no gateway."""

    def _told(self) -> Told | None:
        """What the gateway tells; None where there is none."""
        raise NotImplementedError

    def _needed(self, field: str) -> Told:
        if (told := self._told()) is None:
            raise refused(field, f"{field} {_WHY}", _HOW)
        return told

    @property
    def _traffic(self) -> Any:
        return self._needed("requests")

    def explain(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        what = "explain is for endpoints on this machine: on a cluster no explainer is made"
        raise refused("explain", what, "Explain with the model itself.")

    def feedback(self, request_id: str, **outcome: float) -> None:
        """What became of a prediction: ``feedback(id, clicked=1)``; ``compare("clicked")`` weighs it."""
        self._needed("feedback").feedback(request_id, outcome)

    def compare(
        self,
        metric: str | None = None,
        against: str | None = None,
        since: float | None = None,
        *,
        goal: str | None = None,
    ) -> Any:
        """As on this machine; what the gateway has lost of that time is said."""
        from jupyter_ext.serving import comparison, evidence
        from jupyter_ext.serving.watching import seconds

        self._needed("compare")
        found = super().compare(metric, against, since, goal=goal)
        resource = self.resource
        counted = str((resource.status.get("gateway") or {}).get("since") or "")
        begin = evidence.since(resource) if since is None else since
        lost = counted and seconds(counted) > (begin or 0.0)
        return comparison.since(found, counted) if lost else found

    def requests(self, *said: Any, **more: Any) -> list[Any]:
        """The log of requests, newest first."""
        self._needed("requests")
        return super().requests(*said, **more)

    def request(self, request_id: str) -> Any:
        """One request of the log. Raises NotFound."""
        self._needed("request")
        return super().request(request_id)

    def replay(self, *said: Any, **more: Any) -> Any:
        """Send logged requests to a variant that nobody meets yet, and say what it answers otherwise."""
        self._needed("replay")
        return super().replay(*said, **more)

    def drift(self, *said: Any, **more: Any) -> Any:
        """How far what is asked has moved from what the model was trained on."""
        self._needed("drift")
        return super().drift(*said, **more)

    def curves(self, since: int = 0, *, limit: int = 2000, **more: Any) -> Page:
        """Rate, errors, latencies and requests in flight of each variant, after the cursor ``since``."""
        return self._needed("curves").curves(since, limit=limit, **more)
