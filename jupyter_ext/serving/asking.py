"""What can be asked of an endpoint and of what went through it; ``handle`` has what changes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.handle import Handle
from jupyter_ext.errors import Unavailable
from jupyter_ext.serving import door, verbs
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.places import KIND

if TYPE_CHECKING:
    from jupyter_ext.serving.predicting import Target


class Asking(Handle):
    """One endpoint, by name: requests, and what is known of them."""

    _kind = KIND

    @property
    def url(self) -> str:
        """Its address: V1 and V2 are below it. Raises Unavailable while there is no gateway."""
        return f"{self._door().url.rstrip('/')}/{self.name}"

    @property
    def grpc_url(self) -> str | None:
        """Where it answers V2 by gRPC, if it was asked to."""
        found = self._door().grpc_url
        return str(found) if found and any(each.grpc for each in names.read(self.resource).variants) else None

    @property
    def token(self) -> str:
        """What requests show as ``Authorization: Bearer …``; the same for all endpoints of the profile."""
        return str(self._door().token)

    def _door(self) -> Any:
        found = door.address(self._cluster) or door.ensure(self._cluster)
        if found is None:
            raise Unavailable("The gateway is not there yet", hint="Wait a second, or see: jupyter kf doctor")
        return found

    def _target(self, variant: str | None) -> Any:
        from jupyter_ext.serving.predicting import Target

        resource = self.resource
        chosen = verbs.variant_of(resource, variant) if variant else None
        timeout = max(each.timeout for each in names.read(resource).variants)
        found = self._door()
        return Target(f"{found.url.rstrip('/')}/{self.name}", found.token, self.name, chosen, timeout)

    def predict(
        self,
        data: Any,
        variant: str | None = None,
        *,
        raw: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """What the model says to an array, a frame, a list of rows, or a V1 or V2 body.

        ``variant``: ask this one. ``raw``: the whole answer, with status, time and request id.
        """
        return self._asked(data, self._target(variant), raw=raw, headers=headers)

    def _asked(self, data: Any, at: Target, *, raw: bool, headers: Mapping[str, str] | None) -> Any:
        """What is answered there."""
        from jupyter_ext.serving import predicting

        return predicting.predict(data, at, raw=raw, headers=headers)

    def explain(
        self,
        data: Any,
        variant: str | None = None,
        *,
        raw: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """How much each feature contributed."""
        from jupyter_ext.serving import predicting

        return predicting.explain(data, self._target(variant), raw=raw, headers=headers)

    def signature(self, variant: str | None = None) -> dict[str, Any] | None:
        """Names, types and shapes of what a variant takes and gives."""
        version = self.version(variant)
        return None if version is None else version.signature

    def example(self, variant: str | None = None) -> Any:
        """The example that was registered with a variant's model, or None."""
        version = self.version(variant)
        return None if version is None else version.example

    def version(self, variant: str | None = None) -> Any:
        """The registered version behind a variant, by default the stable one that serves; None for no version."""
        from jupyter_ext.serving import finding, revisions

        resource = self.resource
        if variant:
            chosen = names.read(resource).variant(verbs.variant_of(resource, variant))
        else:
            chosen = revisions.serving(resource).stable
        facts = chosen.facts if chosen else {}
        if not facts.get("model") or not facts.get("version"):
            return None
        return finding.version_of(f"{facts['model']}:{facts['version']}")

    # What came of it

    @property
    def _traffic(self) -> Any:
        from jupyter_ext.serving import watching

        return watching.traffic(self._cluster)

    def feedback(self, request_id: str, **outcome: float) -> None:
        """What became of a prediction: ``feedback(id, clicked=1)``; ``compare("clicked")`` weighs it."""
        from jupyter_ext.serving import outcomes

        outcomes.give(self._traffic, self.resource.uid, request_id, outcome)

    def compare(
        self,
        metric: str | None = None,
        against: str | None = None,
        since: float | None = None,
        *,
        goal: str | None = None,
    ) -> Any:
        """The variants on live traffic, with intervals that hold however often one looks.

        ``goal``: "maximize" or "minimize", where the name of an outcome does not say it.
        """
        from jupyter_ext.serving import comparison, evidence

        resource = self.resource
        chosen = evidence.compared(resource, against)
        begin = evidence.since(resource) if since is None else since
        return comparison.compare(self._traffic, resource.uid, chosen, metric, begin, goal=goal)

    def requests(self, limit: int = 100, **more: Any) -> list[Any]:
        """The log of requests, newest first: ``before``, ``variant``, ``failed``, ``search``."""
        return list(self._traffic.requests(self.resource.uid, limit, **more))

    def request(self, request_id: str) -> Any:
        """One request of the log. Raises NotFound."""
        return self._traffic.request(self.resource.uid, request_id)

    def replay(
        self, variant: str, limit: int = 200, against: str | None = None, *, ids: list[str] | None = None
    ) -> Any:
        """Send logged requests to a variant that nobody meets yet, and say what it answers otherwise."""
        from jupyter_ext.serving import replay

        chosen = verbs.variant_of(self.resource, variant)
        logged = [self.request(each) for each in ids] if ids else self.requests(limit)
        return replay.replay(
            self, logged, chosen, verbs.variant_of(self.resource, against) if against else None
        )

    def drift(self, variant: str | None = None, limit: int = 2000) -> Any:
        """How far what is asked has moved from what the model was trained on."""
        from jupyter_ext.serving import evidence

        return evidence.drift(self, variant, limit)
