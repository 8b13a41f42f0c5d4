"""What a gateway that is elsewhere tells of its requests: which questions it answers, and its answers as JSON and back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.metrics import Page, Point
from jupyter_ext.errors import Invalid, Unavailable, Where
from jupyter_ext.serving.gateway.histogram import Histogram
from jupyter_ext.serving.gateway.records import Logged, Outcome, Window

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.serving.traffic import Traffic

ROOT: Final = "/_kubeflow"
"""Where it is asked: no endpoint has such a name."""
HEADER: Final = "X-Gateway-Token"
"""The header by which one shows that one may. Not Authorization, which an API server keeps for itself."""
MOST: Final = 10_000
"""Requests of one answer."""
_CALLS: Final[Mapping[str, frozenset[str]]] = {
    "total": frozenset({"variant", "since"}),
    "outcomes": frozenset({"name", "since"}),
    "requests": frozenset({"limit", "before", "variant", "failed", "search"}),
    "request": frozenset({"id"}),
    "curves": frozenset({"since", "limit", "names"}),
}
"""Questions and what may be said with them."""
_SHAPES: Final[dict[str, Callable[..., Any]]] = {
    "Window": Window,
    "Logged": Logged,
    "Outcome": Outcome,
    "Page": Page,
    "Point": Point,
}
_SHAPE: Final = "shape"


def answer(cluster: LocalCluster, traffic: Traffic, uid: str, asked: Any) -> Any:
    """Answer a question, ``{"call": …, "with": {…}}``. Raises Invalid for what is none, and what the store raises."""
    if not isinstance(asked, Mapping) or asked.get("call") not in _CALLS:
        raise Invalid("This is no question", where=Where(field="call"), hint=f"One of {', '.join(_CALLS)}.")
    call, more = asked["call"], asked.get("with") or {}
    if not isinstance(more, Mapping) or set(more) - _CALLS[call]:
        raise Invalid(f"{call} knows {', '.join(sorted(_CALLS[call]))}", where=Where(field="with"))
    if "limit" in more:
        more = {**more, "limit": min(max(int(more["limit"]), 1), MOST)}
    ask: Callable[..., Any] = cluster.metrics.read if call == "curves" else getattr(traffic, call)
    try:
        return written(ask(uid, **more))
    except (TypeError, ValueError) as error:
        raise Invalid(f"{call} cannot be asked that way: {error}", where=Where(field="with")) from None


def written(found: Any) -> Any:
    """As JSON."""
    if isinstance(found, Histogram):
        return {_SHAPE: "Histogram", "of": b64encode(found.to_bytes()).decode()}
    if isinstance(found, bytes):
        return {_SHAPE: "bytes", "of": b64encode(found).decode()}
    if isinstance(found, tuple):
        return {_SHAPE: type(found).__name__, "of": [written(each) for each in found]}
    return [written(each) for each in found] if isinstance(found, list) else found


def read(told: Any) -> Any:
    """The inverse. Raises Unavailable for what is no answer."""
    try:
        return _read(told)
    except (KeyError, TypeError, ValueError) as error:
        what = f"The gateway's answer cannot be read ({type(error).__name__})"
        raise Unavailable(what, hint="Its pod may have another version of jupyter-kubeflow.") from error


def _read(told: Any) -> Any:
    if isinstance(told, list):
        return [_read(each) for each in told]
    if not isinstance(told, dict):
        return told
    shape, content = told[_SHAPE], told["of"]
    if shape == "Histogram":
        return Histogram.from_bytes(b64decode(content))
    if shape == "bytes":
        return b64decode(content)
    return _SHAPES[shape](*(_read(each) for each in content))
