"""``:explain``: the model's own words, else how much each feature contributed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Unavailable, Unfit
from jupyter_ext.registry.signature import example_of
from jupyter_ext.serving.http.message import Request, Response
from jupyter_ext.serving.server import v1

if TYPE_CHECKING:
    from jupyter_ext.serving.server.expected import Arrays
    from jupyter_ext.serving.server.served import Served


def explain(model: Served, request: Request) -> Any:
    """A coroutine of the answer."""
    body = v1.parsed(request.body)
    if model.chain is not None:
        if not model.chain.explains:
            raise Unfit(f"{model.name} has no explain method")
        return _own(model, body, v1.headers_of(request))
    own = getattr(model.model, "explain", None)
    arrays, rows = v1.arrays_of(model, body)
    if callable(own) and not inspect.isclass(own):
        from jupyter_ext.serving.server.adapters import array

        return _answered(model.runner.later(lambda: own(array(arrays)), rows))
    return _answered(model.runner.later(lambda: _attributed(model, arrays), rows))


async def _own(model: Served, body: Any, headers: dict[str, str]) -> Response:
    chain = model.chain
    if chain is None:
        raise Unavailable(f"Model with name {model.name} is not ready")
    if inspect.iscoroutinefunction(chain.model.explain):
        found = await chain.explain(body, headers)
    else:
        found = await model.runner.later(lambda: chain.explain(body, headers), 1)
    return v1.answer(found if isinstance(found, dict) else {"explanations": found})


async def _answered(work: Any) -> Response:
    found = await work
    return v1.answer(found if isinstance(found, dict) else {"explanations": found})


def _attributed(model: Served, arrays: Arrays) -> dict[str, Any]:
    """Shapley values against the recorded example."""
    from jupyter_ext.serving.explaining import explain as attribute
    from jupyter_ext.serving.server.adapters import array, frame

    if model.config.example is None:
        raise Unfit(
            f"{model.name} has no example to compare with",
            hint="Register it with example= a few rows of its training data.",
        )
    background = example_of(model.config.example)
    features = model.expected.features if model.expected is not None else None
    if hasattr(background, "columns"):
        rows = frame(arrays, list(map(str, background.columns)))
        background = background[list(rows.columns)]
    else:
        rows, background = array(arrays), array(background) if isinstance(background, dict) else background
    return attribute(_numbers(model), rows, background, features).to_dict()


def _numbers(model: Served) -> Callable[[Any], Any]:
    """What is explained: probabilities, where the model has them; labels cannot be added up."""
    proba = getattr(model.model, "predict_proba", None)
    if callable(proba):
        return proba  # type: ignore[no-any-return]

    def predict(rows: Any) -> Any:
        if hasattr(rows, "columns"):
            given = {str(name): rows[name].to_numpy() for name in rows.columns}
        else:
            given = {"input-0": rows}
        found = model.run(given)
        return next(iter(found.values()))

    return predict
