"""What the gateway answers itself: health, models, metrics, feedback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from jupyter_ext import __version__
from jupyter_ext.errors import KubeflowError, NotFound
from jupyter_ext.serving.http.message import Request, Response, failure

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.router import Answer, Router
    from jupyter_ext.serving.gateway.table import Route
    from jupyter_ext.serving.gateway.targets import Asked

BOUNDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Seconds; the buckets of the exported histograms."""
_TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"


def answer(router: Router, request: Request, asked: Asked, found: Mapping[bytes, bytes]) -> Answer:
    """The answer to what goes to no model server."""
    if asked.name and asked.name not in router.table.routes:
        if asked.name in router.table.graphs and asked.kind in {"about", "healthz"}:
            return router.elsewhere(request, asked, found)
        return failure(404, router.nothing(asked.name))
    if asked.kind == "feedback":
        if request.method != "POST":
            return failure(405, "Feedback is posted.", ((b"allow", b"POST"),))
        return asyncio.ensure_future(feedback(router, router.table.routes[asked.name], request.body))
    if asked.kind == "about" and request.method == "POST":
        return failure(404, f"Predictions are at /{asked.name}/v1/models/{asked.name}:predict.")
    if asked.kind == "index":
        return _json(list(_index(router)))
    if request.method not in {"GET", "HEAD"}:
        return failure(405, f"{request.method} is not for this path.", ((b"allow", b"GET"),))
    if asked.kind in {"about", "healthz"}:
        return _health(router.table.routes[asked.name])
    if asked.kind == "metrics":
        text = "\n".join(metrics(router, asked.name)) + "\n"
        return Response(200, text.encode(), _TEXT)
    if asked.kind == "models":
        return _json({"models": sorted([*router.table.routes, *router.table.graphs])})
    if asked.kind == "server":
        return _json(
            {"name": "jupyter-kubeflow", "version": __version__, "extensions": ["binary_tensor_data"]}
        )
    if asked.kind == "server-live":
        return _json({"live": True, "ready": True})
    if asked.kind in {"alive", "root"}:
        return _json({"status": "alive"})
    return failure(404, "There is nothing at this path. An endpoint is at /NAME/v1/models/NAME:predict.")


def of_graph(name: str) -> Response:
    """A graph is ready as soon as it is there."""
    return _json({"name": name, "status": "ready", "ready": True, "graph": True})


def _json(content: Any, status: int = 200) -> Response:
    return Response(status, orjson.dumps(content))


def ready(route: Route) -> Response:
    """The model is ready."""
    return _json({"name": route.name, "ready": True})


def _health(route: Route) -> Response:
    ready = [target.name for target in route.targets.values() if target.ready]
    if ready or (route.asleep and not route.resting):
        state = "ready" if ready else "asleep"
        return _json({"name": route.name, "status": state, "ready": True, "variants": ready})
    text = f"{route.name} is {'stopped' if route.resting else 'not ready'}. {route.reason}".rstrip()
    return _json({"name": route.name, "status": "not ready", "ready": False, "error": text}, 503)


def _index(router: Router) -> Iterator[dict[str, str]]:
    """The repository index of the Open Inference Protocol."""
    for route in router.table.routes.values():
        for target in route.targets.values():
            state = "READY" if target.ready or route.asleep else "UNAVAILABLE"
            yield {
                "name": route.name,
                "version": target.version,
                "state": state,
                "reason": "" if target.ready else route.reason,
            }


async def feedback(router: Router, route: Route, body: bytes) -> Response:
    """``{"request_id": "…", "values": {"clicked": true}}``."""
    from jupyter_ext.serving import outcomes

    try:
        given = orjson.loads(body)
        request_id, values = given["request_id"], given["values"]
        good = isinstance(request_id, str) and isinstance(values, dict) and 0 < len(values) <= outcomes.MOST
    except (ValueError, TypeError, KeyError):
        good = False
    if not good:
        text = 'Feedback is {"request_id": "…", "values": {"name": number}}, with at most %d names.'
        return failure(400, text % outcomes.MOST)

    def give() -> None:
        checked = {name: outcomes.check(name, value) for name, value in values.items()}
        for name, value in checked.items():
            router.traffic.feedback(route.uid, request_id, name, value, patient=False)

    try:
        try:
            await router.loop.run_in_executor(router.threads, give)
        except NotFound:
            await router.recorder.flush()  # it may have been answered a moment ago
            await router.loop.run_in_executor(router.threads, give)
    except KubeflowError as error:
        return failure(error.status, str(error))
    return _json({"request_id": request_id, "values": len(values)})


def metrics(router: Router, name: str = "") -> Iterator[str]:
    """Prometheus' text format, for one endpoint or all."""
    routes = [route for route in router.table.routes.values() if name in {"", route.name}]
    rows = [
        (f'endpoint="{route.name}",variant="{variant}"', lane, router.recorder.latency(route.uid, variant))
        for route in routes
        for variant, lane in router.lanes_of(route.uid)
    ]
    yield "# HELP gateway_requests_total Requests that were answered, by status."
    yield "# TYPE gateway_requests_total counter"
    for labels, lane, _ in rows:
        for status, count in sorted(lane.statuses.items()):
            yield f'gateway_requests_total{{{labels},code="{status}"}} {count}'
    yield "# HELP gateway_request_seconds From the arrival of a request to its answer."
    yield "# TYPE gateway_request_seconds histogram"
    for labels, _, latency in rows:
        for bound, count in zip(BOUNDS, latency.cumulated(BOUNDS), strict=True):
            yield f'gateway_request_seconds_bucket{{{labels},le="{bound:g}"}} {count}'
        yield f'gateway_request_seconds_bucket{{{labels},le="+Inf"}} {latency.count}'
        yield f"gateway_request_seconds_sum{{{labels}}} {latency.total:.6f}"
        yield f"gateway_request_seconds_count{{{labels}}} {latency.count}"
    gauges = {
        "gateway_requests_in_flight": ("Requests on their way.", "in_flight"),
        "gateway_requests_waiting": ("Requests that wait for a server.", "waiting"),
    }
    for metric, (words, field) in gauges.items():
        yield f"# HELP {metric} {words}"
        yield f"# TYPE {metric} gauge"
        for labels, lane, _ in rows:
            value = len(lane.waiting) if field == "waiting" else lane.in_flight
            yield f"{metric}{{{labels}}} {value}"
    yield "# HELP gateway_percent The share of an endpoint's requests that a variant gets."
    yield "# TYPE gateway_percent gauge"
    for route in routes:
        for target in route.targets.values():
            yield f'gateway_percent{{endpoint="{route.name}",variant="{target.name}"}} {target.percent:g}'
    if not name:
        yield "# HELP gateway_not_logged_total Requests that should have been logged and were not."
        yield "# TYPE gateway_not_logged_total counter"
        yield f"gateway_not_logged_total {router.recorder.dropped}"
        yield "# HELP gateway_mirror_left_out_total Copies that were not sent, for lack of room."
        yield "# TYPE gateway_mirror_left_out_total counter"
        yield f"gateway_mirror_left_out_total {router.mirror.left_out}"
