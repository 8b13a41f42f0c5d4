"""A custom class with the method names of KServe's Model: load, preprocess, predict, postprocess, explain."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from jupyter_ext.errors import Unfit

_MARKS: Final = ("preprocess", "postprocess", "load")


def is_chain(model: Any) -> bool:
    """Whether it takes whole payloads: it has KServe's other methods, or its predict asks for a payload."""
    if isinstance(model, type):
        return any(callable(getattr(model, name, None)) for name in ("predict", *_MARKS))
    predict = getattr(model, "predict", None)
    if not callable(predict):
        return any(callable(getattr(model, name, None)) for name in ("preprocess", "postprocess"))
    if type(model).__module__.partition(".")[0] in {"sklearn", "xgboost", "keras"}:
        return False
    if any(callable(getattr(model, name, None)) for name in _MARKS):
        return True
    names = _parameters(predict)
    return "payload" in names or "headers" in names


def made(model: Any, name: str) -> Any:
    """An instance, where a class was registered: with the model's name if it takes that, as KServe does."""
    if not isinstance(model, type):
        return model
    needed = [
        each
        for each in inspect.signature(model).parameters.values()
        if each.default is inspect.Parameter.empty
        and each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
    ]
    return model(name) if needed else model()


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


class Chain:
    """Calls the methods in their order, each with as many arguments as it takes, awaiting those that are async."""

    def __init__(self, model: Any, forward: Callable[..., Any] | None = None) -> None:
        self.model = model
        self.forwards = not _has_own(model, "predict")
        if self.forwards and forward is None:
            raise Unfit(
                f"a {type(model).__name__} has no predict of its own, and there is no predictor behind it",
                hint="Give it a predict method, or serve it as the transformer of a model.",
            )
        steps = [
            getattr(model, "preprocess", None),
            forward if self.forwards else model.predict,
            getattr(model, "postprocess", None),
        ]
        self.steps = [
            (step, step is forward or "headers" in _parameters(step)) for step in steps if callable(step)
        ]
        self.is_async = self.forwards or any(inspect.iscoroutinefunction(step) for step, _ in self.steps)
        explain = getattr(model, "explain", None)
        self.explains = callable(explain) and _has_own(model, "explain")

    async def load(self) -> None:
        """Call ``load``; False means that it did not."""
        load = getattr(self.model, "load", None)
        if callable(load):
            done = load() if inspect.iscoroutinefunction(load) else await asyncio.to_thread(load)
            if inspect.isawaitable(done):
                done = await done
            if done is False:
                raise RuntimeError("load() of the model gave False")

    def predict(self, payload: Any, headers: dict[str, str]) -> Any:
        """For a chain without async methods."""
        for step, wants in self.steps:
            payload = step(payload, headers=headers) if wants else step(payload)
        return payload

    async def apredict(self, payload: Any, headers: dict[str, str]) -> Any:
        """For a chain with any."""
        for step, wants in self.steps:
            payload = step(payload, headers=headers) if wants else step(payload)
            if inspect.isawaitable(payload):
                payload = await payload
        return payload

    def explain(self, payload: Any, headers: dict[str, str]) -> Any | Awaitable[Any]:
        """What the class says of a prediction; may be awaitable."""
        explain = self.model.explain
        return explain(payload, headers=headers) if "headers" in _parameters(explain) else explain(payload)


def _has_own(model: Any, name: str) -> bool:
    """Whether the method is the class's own, not the one that KServe's base class gives it."""
    method = getattr(model, name, None)
    return callable(method) and not str(getattr(method, "__module__", "")).startswith("kserve.")
