"""What endpoints know of themselves as plain JSON: for REST, ``--json`` and the pictures of a notebook.

Functions of a handle or of values; nothing is decided here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving import Endpoint
    from jupyter_ext.serving.traffic import Logged

TEXT: Final = 20_000
"""Characters of a body that is shown."""
RECENT: Final = 60.0
"""Seconds over which the present rate, errors and times of a variant are taken."""


def revisions(endpoint: Endpoint) -> list[dict[str, Any]]:
    """Give the revisions, newest first."""
    found = [_plain(item) for item in endpoint.revisions()]
    found.sort(key=lambda item: item.get("number") or 0, reverse=True)
    for place, item in enumerate(found):
        item.setdefault("current", place == 0)
        for heavy in ("spec", "annotations", "labels"):
            item.pop(heavy, None)
    return found


def _plain(item: Any) -> dict[str, Any]:
    for name in ("to_dict", "_asdict"):
        if hasattr(item, name):
            return dict(getattr(item, name)())
    return dict(item) if isinstance(item, Mapping) else {**vars(item)}


def requests_page(endpoint: Endpoint, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Give a page of the log of requests without their bodies; ``next`` is what the following page passes as ``before``."""
    limit = asked["limit"]
    words = {
        name: asked[name] for name in ("before", "variant", "failed", "search") if asked.get(name) is not None
    }
    found = endpoint.requests(limit=limit, **words)
    items = [logged(item) for item in found]
    return {
        "items": items,
        "next": items[-1]["id"] if len(items) == limit else None,
        "more": len(items) == limit,
    }


def logged(item: Logged) -> dict[str, Any]:
    """Give one line of the log."""
    return {
        "id": item.id,
        "time": item.time,
        "variant": item.variant,
        "path": item.path,
        "status": item.status,
        "seconds": item.seconds,
        "error": item.error,
    }


def request(endpoint: Endpoint, number: str | int) -> dict[str, Any]:
    """Give one request of the log with what was sent and answered, as JSON where it is JSON, else as text."""
    item: Logged = endpoint.request(str(number))
    found = logged(item)
    for name, body in (("request", item.request), ("response", item.response)):
        found |= _body(name, body)
    return found | {"columns": _columns(item.request)}


def _body(name: str, body: bytes | None) -> dict[str, Any]:
    if body is None:
        return {name: None, f"{name}Text": None}
    from jupyter_ext.serving import requests

    try:
        return {name: requests.filled(*requests.parse(body)), f"{name}Text": None}
    except (KubeflowError, ValueError, RecursionError):
        text = body[: TEXT * 4].decode("utf-8", "replace")
        more = f"… ({len(body)} bytes)" if len(text) > TEXT or len(body) > TEXT * 4 else ""
        return {name: None, f"{name}Text": text[:TEXT] + more}


def _columns(body: bytes | None) -> dict[str, Any] | None:
    """Give what was asked for by name of the column, where that can be read."""
    if body is None:
        return None
    from jupyter_ext.serving import requests

    try:
        found = requests.decode(body)
    except (KubeflowError, ValueError):
        return None
    return {str(name): list(values)[:100] for name, values in found.items()} or None


def example(endpoint: Endpoint, variant: str | None = None) -> dict[str, Any]:
    """Give the example that was recorded with the model, as bodies that can be sent, and the signature."""
    found = endpoint.example(variant)
    signature = endpoint.signature(variant)
    body: dict[str, Any] = {"instances": None, "inputs": None, "columns": None, "signature": signature}
    if found is None:
        rows = _made_up(signature)
        return {**body, "instances": rows, "recorded": False}
    from jupyter_ext.serving import tensors

    body |= tensors.instances_of(found)
    columns = [str(name) for name in found.columns] if tensors.is_frame(found) else None
    return {**body, "columns": columns, "inputs": tensors.inputs_of(found), "recorded": True}


def _made_up(signature: Mapping[str, Any] | None) -> list[Any] | None:
    """Give one row of zeros of the form that the signature asks for; None where it does not say."""
    inputs: list[dict[str, Any]] = list((signature or {}).get("inputs") or ())
    blank = {"BYTES": "", "BOOL": False}
    if len(inputs) == 1 and len(inputs[0].get("shape") or ()) >= 2:
        value: Any = blank.get(inputs[0]["datatype"], 0.0)
        for size in reversed(inputs[0]["shape"][1:]):
            if not 0 < size <= 10_000:
                return None
            value = [value] * size
        return [value] if len(json.dumps(value)) < TEXT else None
    if inputs and all(len(item.get("shape") or ()) == 1 for item in inputs):
        return [{str(item["name"]): blank.get(item["datatype"], 0.0) for item in inputs}]
    return None


def answer_body(body: Any) -> Any:
    """Give the body of an answer as JSON: tensors that came as bytes are lists."""
    outputs = body.get("outputs") if isinstance(body, dict) else None
    if not isinstance(outputs, list):
        return body
    plain = [
        {**item, "data": item["data"].ravel().tolist()} if hasattr(item.get("data"), "ravel") else item
        for item in outputs
    ]
    return {**body, "outputs": plain}


def variants(resource: Resource) -> list[dict[str, Any]]:
    """Give the variants of the status that get traffic or may get it, the stable one first; retired ones are left out."""
    found = resource.status.get("variants") or ()
    return [dict(item) for item in found if item.get("state") != "retired"]


def asked(resource: Resource) -> list[dict[str, Any]]:
    """Give the variants with the shares that were asked for last, which requests may not go by for a moment."""
    revisions = resource.status.get("revisions") or ()
    newest = max(revisions, key=lambda item: item.get("number") or 0, default=None)
    if newest is None:
        return variants(resource)
    known = {str(item["name"]): item for item in variants(resource)}
    shares = (newest.get("traffic") or {}).items()
    return [
        {"state": "loading", **known.get(name, {}), "name": name, "percent": share} for name, share in shares
    ]


def addresses(resource: Resource) -> dict[str, str]:
    """Give the address of an endpoint, and V1 and V2 under it; empty where it has none yet."""
    status = resource.status
    url = str((status.get("address") or {}).get("url") or status.get("url") or "").rstrip("/")
    if not url:
        return {}
    found = {
        "url": url,
        "v1": f"{url}/v1/models/{resource.name}:predict",
        "v2": f"{url}/v2/models/{resource.name}/infer",
    }
    grpc = ((status.get("components") or {}).get("predictor") or {}).get("grpcUrl")
    return found | ({"grpc": str(grpc)} if grpc else {})


def recent(resource: Resource, seconds: float = RECENT) -> dict[str, dict[str, float | None]]:
    """Give ``rate`` (1/s), ``errors`` (share) and ``p95`` (s) of each variant over the last ``seconds``."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.serving import traffic

    log = traffic.of(discover.current())
    begun = time.time() - seconds
    windows: dict[str, list[Any]] = {}
    for window in log.windows(resource.uid, begun, seconds=60):
        windows.setdefault(window.variant, []).append(window)
    found: dict[str, dict[str, float | None]] = {}
    for name, parts in windows.items():
        count = sum(part.requests for part in parts)
        failed = sum(part.errors for part in parts)
        latency = parts[0].latency
        for part in parts[1:]:
            latency.merge(part.latency)
        p95 = latency.quantile(0.95) if latency.count else None
        found[name] = {"rate": count / seconds, "errors": failed / count if count else None, "p95": p95}
    return found


def brief(resource: Resource) -> dict[str, Any]:
    """Give the object of ``--json``: what a script wants to know of an endpoint."""
    status = resource.status
    return {
        "kind": resource.kind,
        "name": resource.name,
        "state": resource.phase,
        "reason": resource.reason,
        **({"url": "", "v1": "", "v2": ""} | addresses(resource)),
        "variants": [
            {name: item.get(name) for name in ("name", "percent", "model", "version", "state", "reason")}
            for item in asked(resource)
        ],
        "metrics": {},
        "seconds": status.get("seconds"),
        "progress": status.get("progress"),
    }


class Listing(list[dict[str, Any]]):
    """Rows of JSON as a notebook shows them: a table of some of their columns."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], label: str, columns: tuple[str, ...]) -> None:
        super().__init__(dict(row) for row in rows)
        self.label, self.columns = label, columns

    def _cells(self, row: Mapping[str, Any]) -> list[str]:
        return [_shown(name, row.get(name)) for name in self.columns]

    def __repr__(self) -> str:
        lines = [self._cells(row) for row in self]
        widths = [max(map(len, cells), default=0) for cells in zip(*lines, strict=True)]
        return (
            "\n".join(
                "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                for line in lines
            )
            or self._nothing
        )

    def _repr_html_(self) -> str:
        from html import escape

        from jupyter_ext.display import look

        rows = ([escape(cell) for cell in self._cells(row)] for row in self)
        head = [name.capitalize() for name in self.columns]
        return look.table(self.label, head, rows) or f"<div>{escape(self._nothing)}</div>"

    @property
    def _nothing(self) -> str:
        return f"No {self.label.lower()}."


def _shown(name: str, value: Any) -> str:
    """Give a cell as people read it."""
    from jupyter_ext.display.look import duration

    if value is None:
        return ""
    if name == "seconds":
        return duration(value)
    if name == "time":
        return value[:19].replace("T", " ") if isinstance(value, str) else _clock(value)
    if isinstance(value, Mapping):
        return " ".join(
            f"{key}={item:g}" if isinstance(item, float) else f"{key}={item}" for key, item in value.items()
        )
    return str(value)


def _clock(seconds: float) -> str:
    """Give a time as revisions have it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


REQUESTS: Final = ("Requests", ("id", "time", "variant", "status", "seconds", "error"))
REVISIONS: Final = ("Revisions", ("number", "time", "by", "traffic", "what", "why"))
RULES: Final = ("Rules", ("text", "state", "value", "reason"))
