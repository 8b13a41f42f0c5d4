"""The paths of V1 and V2, and how faults become answers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from time import monotonic
from typing import Any

from jupyter_ext import __version__
from jupyter_ext.errors import KubeflowError, NotFound, Unfit
from jupyter_ext.serving.http.message import Request, Response, failure
from jupyter_ext.serving.server import v1
from jupyter_ext.serving.server.metrics import Metrics
from jupyter_ext.serving.server.repository import Repository, metadata
from jupyter_ext.serving.server.served import Served, complain

_EXTENSIONS = ["model_repository", "binary_tensor_data", "health", "metadata"]
Answer = Response | Awaitable[Response]


class _Method(KubeflowError):
    """The path is there, for another method."""

    status = 405


def refusal(error: BaseException) -> Response:
    """What a fault answers: the user's are 4xx with what to do, those of a model 500 with its words."""
    if isinstance(error, KubeflowError):
        return failure(error.status, str(error))
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 400 <= status < 600:
        return failure(status, str(getattr(error, "reason", "") or error)[:4000])
    if type(error).__name__ == "InvalidInput":
        return failure(400, str(error)[:4000])
    complain(error)
    return failure(500, f"{type(error).__name__}: {error}"[:4000])


class Rest:
    """Answers requests."""

    def __init__(self, repository: Repository, metrics: Metrics, live: dict[str, Any]) -> None:
        self.repository = repository
        self.metrics = metrics
        self.live = live
        """What only the process knows: ``connections`` and ``draining``."""

    def handle(self, request: Request) -> Answer:
        """One request."""
        try:
            return self._route(request)
        except Exception as error:
            return refusal(error)

    def _route(self, request: Request) -> Answer:
        path = request.path
        parts = path.split("/")
        if path.startswith("/v1/models/") and len(parts) == 4:
            name, _, verb = parts[3].rpartition(":")
            if name and verb == "predict":
                return self._asked(request, self.repository.get(name), "v1", v1.predict)
            if name and verb == "explain":
                return self._asked(request, self.repository.get(name), "v1-explain", _explain)
            return self._v1_model(request, parts[3])
        if path.startswith("/v2/models/") and parts[-1] == "infer" and len(parts) in {5, 7}:
            from jupyter_ext.serving.server import v2

            return self._asked(request, self._of(parts), "v2", v2.infer)
        return self._other(request, path, parts)

    def _of(self, parts: list[str]) -> Served:
        """The model of ``/v2/models/NAME[/versions/VERSION]/…``."""
        if len(parts) > 5 and parts[4] == "versions":
            return self.repository.get(parts[3], parts[5])
        if len(parts) > 5:
            raise NotFound("there is no such path")
        return self.repository.get(parts[3])

    def _asked(self, request: Request, model: Served, protocol: str, verb: Any) -> Answer:
        _only(request, "POST")
        start = monotonic()
        try:
            model.check_ready()
            found = verb(model, request)
        except Exception as error:
            found = refusal(error)
        if inspect.iscoroutine(found):
            return self._later(found, model, protocol, start)
        self.metrics.answered(model.key, protocol, found.status, monotonic() - start)
        return found  # type: ignore[no-any-return]

    async def _later(self, work: Any, model: Served, protocol: str, start: float) -> Response:
        try:
            found: Response = await work
        except Exception as error:
            found = refusal(error)
        self.metrics.answered(model.key, protocol, found.status, monotonic() - start)
        return found

    def _v1_model(self, request: Request, name: str) -> Response:
        _only(request, "GET")
        model = self.repository.get(name)
        model.check_ready()
        return v1.answer({"name": name, "ready": True})

    def _other(self, request: Request, path: str, parts: list[str]) -> Answer:
        simple = _SIMPLE.get(path.rstrip("/") or "/")
        if simple is not None:
            _only(request, "GET")
            answer: Response = simple(self)
            return answer
        if path.startswith("/v2/repository/"):
            return self._v2_repository(request, parts)
        if path.startswith("/v2/models/"):
            return self._v2_model(request, parts)
        raise NotFound(f"there is no {path[:200]}", hint="V1 is under /v1/models, V2 under /v2/models.")

    def _v2_model(self, request: Request, parts: list[str]) -> Response:
        _only(request, "GET")
        is_ready = parts[-1] == "ready" and len(parts) in {5, 7}
        model = (
            self._of([*parts, ""] if len(parts) == 6 else parts)
            if len(parts) > 4
            else self.repository.get(parts[3])
        )
        if is_ready:
            return v1.answer({"name": model.name, "ready": model.ready}, 200 if model.ready else 503)
        if len(parts) not in {4, 6}:
            raise NotFound(
                "there is no such path", hint="It ends with /infer, /ready or the name of a model."
            )
        found = metadata(model)
        if len(parts) == 4:
            found["versions"] = list(self.repository.named(model.name))
        return v1.answer(found)

    def _v2_repository(self, request: Request, parts: list[str]) -> Answer:
        _only(request, "POST")
        if parts[3:] == ["index"]:
            wanted = v1.parsed(request.body) if request.body.strip() else {}
            return v1.answer(self.repository.index(wanted.get("ready")))
        if len(parts) == 6 and parts[3] == "models" and parts[5] in {"load", "unload"}:
            return self._change(parts[4], parts[5])
        raise NotFound("there is no such path")

    async def _change(self, name: str, verb: str) -> Response:
        try:
            await self.repository.change(name, verb == "load")
        except KubeflowError as error:
            return refusal(error)
        except Exception as error:
            complain(error)
            return refusal(Unfit(f"{name} does not load ({type(error).__name__}: {error})"[:1000]))
        return v1.answer({"name": name, verb: True})

    # GET of what has no parts

    def alive(self) -> Response:
        """``/``."""
        return v1.answer({"status": "alive"})

    def is_live(self) -> Response:
        """``/v2/health/live``."""
        return v1.answer({"live": True})

    def is_ready(self) -> Response:
        """``/v2/health/ready``."""
        ready = self.repository.ready and not self.live.get("draining")
        return v1.answer({"ready": ready}, 200 if ready else 503)

    def server(self) -> Response:
        """``/v2``."""
        return v1.answer({"name": "jupyter-kubeflow", "version": __version__, "extensions": _EXTENSIONS})

    def models(self) -> Response:
        """``/v1/models`` and ``/v2/models``."""
        return v1.answer({"models": list(self.repository.models)})

    def numbers(self) -> Response:
        """``/metrics``."""
        ready = {each.key: each.ready for each in self.repository}
        text = self.metrics.text(ready, int(self.live.get("connections", lambda: 0)()))
        return Response(200, text, b"text/plain; version=0.0.4; charset=utf-8")


_SIMPLE: dict[str, Any] = {
    "/": Rest.alive,
    "/metrics": Rest.numbers,
    "/v1/models": Rest.models,
    "/v2": Rest.server,
    "/v2/health/live": Rest.is_live,
    "/v2/health/ready": Rest.is_ready,
    "/v2/models": Rest.models,
}


def _only(request: Request, method: str) -> None:
    given = "GET" if request.method == "HEAD" else request.method
    if given != method:
        raise _Method(f"{request.path[:200]} takes {method}, not {request.method}")


def _explain(model: Served, request: Request) -> Any:
    from jupyter_ext.serving.server import explain

    return explain.explain(model, request)
