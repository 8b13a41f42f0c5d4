"""Runs an InferenceGraph: each step is a request to an endpoint, as if a user had sent it.

What a step's answer means follows upstream's router (KServe, ``cmd/router``). One difference: where the condition of
a Sequence's step does not hold, the answer of the step before is given with its own status, not with 500.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import orjson

from jupyter_ext.serving import conditions
from jupyter_ext.serving.gateway.targets import Asked
from jupyter_ext.serving.http.client import Late, Pool
from jupyter_ext.serving.http.message import Headers, Request, Response, failure

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.router import Router
    from jupyter_ext.serving.graph import Node, Plan, Step

_DROPPED: Final = frozenset([b"authorization", b"x-gateway-token", b"x-variant", b"content-length", b"host"])
_PLAIN: Final = _DROPPED | {b"inference-header-content-length"}
_NOT_JSON: Final = "a graph takes JSON"


class _Answer(NamedTuple):
    status: int
    body: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


class _Broken(Exception):
    """The graph cannot go on."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


async def run(router: Router, plan: Plan, request: Request, id: str) -> Response:  # noqa: A002
    """Send a request through a graph."""
    marks = [(b"x-request-id", id.encode())]
    try:
        orjson.loads(request.body)
    except ValueError:
        return failure(400, f"{plan.name} is a graph, and {_NOT_JSON}.", marks)
    journey = _Journey(router, plan, request)
    try:
        async with asyncio.timeout(plan.timeout):
            found = await journey.node("root", request.body)
    except TimeoutError:
        return failure(504, f"The graph {plan.name} did not answer within {plan.timeout:g} s.", marks)
    except _Broken as error:
        return failure(error.status, f"The graph {plan.name} failed: {error}.", marks)
    finally:
        journey.close()
    return Response(found.status, found.body, headers=marks)


class _Journey:
    """One request on its way through a graph."""

    def __init__(self, router: Router, plan: Plan, request: Request) -> None:
        self.router = router
        self.plan = plan
        self.headers: Headers = [field for field in request.headers if field[0] not in _PLAIN]
        self.pools: list[Pool] = []

    def close(self) -> None:
        for pool in self.pools:
            pool.close()

    async def node(self, name: str, body: bytes) -> _Answer:
        """What the node makes of a request."""
        node = self.plan.nodes[name]
        match node.kind:
            case "Sequence":
                return await self._sequence(node, body)
            case "Ensemble":
                return await self._ensemble(node, body)
            case "Splitter":
                weights = [step.weight for step in node.steps]
                return await self._step(random.choices(node.steps, weights)[0], body)  # noqa: S311
            case _:
                return await self._switch(name, node, body)

    async def _switch(self, name: str, node: Node, body: bytes) -> _Answer:
        value = _read(body)
        for step in node.steps:
            if conditions.holds(step.condition, value):
                return await self._step(step, body)
        raise _Broken(404, f"no condition of the Switch {name!r} holds for this request")

    async def _sequence(self, node: Node, body: bytes) -> _Answer:
        last: _Answer | None = None
        for step in node.steps:
            asked = body
            if last is not None and step.uses == "$response":
                asked = _renamed(last.body) if step.renames else last.body
            if step.condition and not conditions.holds(step.condition, _read(last.body if last else body)):
                return last or _Answer(200, body)
            last = await self._step(step, asked)
            if step.hard and not last.good:
                return last
        assert last is not None
        return last

    async def _ensemble(self, node: Node, body: bytes) -> _Answer:
        """All at once; the first hard one that fails decides, else the answers side by side by name."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._kept(step, body)) for step in node.steps]
        together: dict[str, Any] = {}
        for place, (step, task) in enumerate(zip(node.steps, tasks, strict=True)):
            answer = task.result()
            if step.hard and not answer.good:
                return answer
            together[step.name or str(place)] = _read(answer.body)
        return _Answer(200, orjson.dumps(together))

    async def _kept(self, step: Step, body: bytes) -> _Answer:
        """A step whose failure is an answer too, so that the others are not given up for it."""
        try:
            return await self._step(step, body)
        except _Broken as error:
            return _Answer(error.status, orjson.dumps({"error": str(error)}))

    async def _step(self, step: Step, body: bytes) -> _Answer:
        if step.node:
            return await self.node(step.node, body)
        return await (self._service(step.service, body) if step.service else self._address(step.url, body))

    async def _service(self, name: str, body: bytes) -> _Answer:
        """Ask an endpoint, in the protocol that the body is of."""
        route = self.router.table.routes.get(name)
        if route is None:
            raise _Broken(503, f"the endpoint {name!r} is not there")
        said = _read(body)
        newer = isinstance(said, dict) and "inputs" in said
        path = f"/v2/models/{name}/infer" if newer else f"/v1/models/{name}:predict"
        asked = Asked("endpoint", name, path.encode())
        inner = Request("POST", path.encode(), list(self.headers), body)
        answer = self.router.send(route, inner, asked, dict(self.headers))
        response = answer if isinstance(answer, Response) else await answer
        return _Answer(response.status, response.body if isinstance(response.body, bytes) else b"")

    async def _address(self, url: str, body: bytes) -> _Answer:
        parts = urlsplit(url)
        pool = Pool(
            f"{parts.hostname if ':' not in (parts.hostname or '') else f'[{parts.hostname}]'}:{parts.port or 80}"
        )
        self.pools.append(pool)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = [(b"content-type", b"application/json"), (b"host", parts.netloc.encode())]
        try:
            reply = await pool.send(b"POST", target.encode(), headers, body, self.plan.timeout)
        except Late:
            raise _Broken(504, f"{url} did not answer in time") from None
        except (OSError, ValueError) as error:
            raise _Broken(502, f"{url} did not answer ({error})") from None
        return _Answer(reply.status, reply.body)


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        raise _Broken(502, "a step answered what is not JSON") from None


def _renamed(body: bytes) -> bytes:
    """Predictions as instances, outputs as inputs."""
    said = _read(body)
    if isinstance(said, Mapping):
        names = {"predictions": "instances", "outputs": "inputs"}
        return orjson.dumps({names.get(name, name): value for name, value in said.items()})
    return body
