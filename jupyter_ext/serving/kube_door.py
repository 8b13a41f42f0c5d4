"""What the gateway of an endpoint on a Kubernetes cluster is asked besides predictions: how all is, and what went through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Forbidden, Invalid, NotFound, Unavailable
from jupyter_ext.serving import kube_asking, outcomes, predicting
from jupyter_ext.serving.gateway import telling

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.local.metrics import Page

_SECONDS: Final = 10.0
"""For how all is: the pod waits five of them for a change that it has not heard of yet."""
_PATIENCE: Final = 1.0
"""Where that is asked; without an answer the API server knows as much."""
_LONG: Final = 60.0
_ERRORS: Final = {400: Invalid, 401: Forbidden, 404: NotFound}


class Door:
    """The gateway, for those who have the record's token; ``quick`` is for how all is, ``patient`` for the rest."""

    def __init__(self, quick: predicting.Target, patient: predicting.Target, token: str) -> None:
        self._quick, self._patient, self._token = quick, patient, token

    @classmethod
    def of(cls, remote: KubeCluster, gateway: Resource, endpoint: str, token: str) -> Self:
        """That of an InferenceService. Raises Unavailable while that has no address."""
        quick = kube_asking.target(remote, gateway, _SECONDS, model=endpoint, patience=_PATIENCE)
        return cls(quick, kube_asking.target(remote, gateway, _LONG, model=endpoint), token)

    def __repr__(self) -> str:
        return f"Door({self._quick.url!r})"

    def resource(self, version: int) -> Resource | None:
        """The endpoint as the gateway knows it; None while that has not heard of this version of the record."""
        told = self._asked(self._quick, f"state?version={version}")
        if not isinstance(told, dict) or int(told.get("version") or 0) < version:
            return None
        return Resource.from_dict(told["endpoint"])

    def feedback(self, request_id: str, values: Mapping[str, float]) -> None:
        """Say what came of a request. Raises NotFound for an id that none had."""
        self._asked(self._patient, "feedback", {"request_id": request_id, "values": values})

    def call(self, call: str, **more: Any) -> Any:
        """Ask what went through. Raises as the store of this machine."""
        told = self._asked(self._patient, "traffic", {"call": call, "with": more})
        return telling.read(told.get("found") if isinstance(told, dict) else None)

    def _asked(self, at: predicting.Target, what: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else orjson.dumps(body)
        try:
            answer = predicting.ask(at, f"{telling.ROOT}/{what}", data, {telling.HEADER: self._token})
        except predicting.Refused as error:
            raise _ERRORS.get(error.status, Unavailable)(error.what) from None
        return answer.body


class Told:
    """The traffic of one endpoint that went through a gateway elsewhere: what ``Traffic`` is asked on this machine."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def total(self, _uid: str, variant: str | None = None, since: float | None = None) -> Any:
        """All there was of a variant."""
        return self._door.call("total", variant=variant, since=since)

    def outcomes(self, _uid: str, name: str | None = None, since: float | None = None) -> Any:
        """What came of requests, oldest first."""
        return self._door.call("outcomes", name=name, since=since)

    def requests(self, _uid: str, limit: int = 100, **more: Any) -> Any:
        """Logged requests, newest first."""
        return self._door.call("requests", limit=limit, **more)

    def request(self, _uid: str, id: str) -> Any:  # noqa: A002
        """One logged request. Raises NotFound."""
        return self._door.call("request", id=id)

    def feedback(self, request_id: str, outcome: Mapping[str, Any]) -> None:
        """As ``outcomes.give``."""
        self._door.feedback(request_id, outcomes.checked(outcome))

    def curves(self, since: int = 0, *, limit: int = 2000, names: list[str] | None = None) -> Page:
        """Points after the cursor."""
        found: Page = self._door.call("curves", since=since, limit=limit, names=names)
        return found
