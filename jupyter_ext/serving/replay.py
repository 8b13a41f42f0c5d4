"""Logged requests, sent again to a variant before anybody meets it: what it answers otherwise, and how fast."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from jupyter_ext.display.look import block, table
from jupyter_ext.errors import Invalid, KubeflowError, Where
from jupyter_ext.serving import requests as bodies
from jupyter_ext.serving.verdict import seconds as told

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.records import Logged
    from jupyter_ext.serving.predicting import Answer, Target

Result = Literal["same", "different", "failed", "skipped"]
CONCURRENCY: Final = 4
MOST_AT_ONCE: Final = 16
MOST: Final = 10_000
TOLERANCE: Final = 1e-6
_PREDICTS: Final = re.compile(r"(:predict|:explain|/infer)$")
_CALL: Final = "/inference.GRPCInferenceService/ModelInfer"
"""What came by gRPC is logged as V2, and asked again over HTTP."""
_VERSION: Final = re.compile(r"/versions/[^/]+(?=/)")
_PASSING: Final = frozenset(["id", "model_name", "model_version", "parameters"])
_SHOWN: Final = 200


class Endpoint(Protocol):
    """What is needed of an endpoint."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def url(self) -> str:
        """Its address, with its name."""

    @property
    def token(self) -> Any:
        """What the gateway asks for."""


@dataclass(frozen=True)
class Row:
    """One request: what came of it now, and in how many seconds, and how long it took before."""

    id: str
    result: Result
    words: str = ""
    status: int | None = None
    seconds: float | None = None
    seconds_before: float | None = None
    expected: str = ""
    got: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "id": self.id,
            "result": self.result,
            "words": self.words,
            "status": self.status,
            "seconds": self.seconds,
            "secondsBefore": self.seconds_before,
            "expected": self.expected,
            "got": self.got,
        }


@dataclass(frozen=True)
class Replay:
    """What came of all of them. ``against`` is the variant that was asked beside, or nothing: the log."""

    variant: str
    against: str | None
    rows: tuple[Row, ...]
    at_once: int = CONCURRENCY

    def count(self, result: Result) -> int:
        """How many of them."""
        return sum(row.result == result for row in self.rows)

    @property
    def same(self) -> int:
        """Answered as before, up to the tolerance."""
        return self.count("same")

    @property
    def different(self) -> int:
        """Answered otherwise."""
        return self.count("different")

    @property
    def failed(self) -> int:
        """Not answered, though they were before."""
        return self.count("failed")

    @property
    def skipped(self) -> int:
        """Not sent: without a body, redacted, or no prediction."""
        return self.count("skipped")

    def median(self, *, before: bool = False) -> float | None:
        """The seconds within which half of them were answered."""
        from statistics import median

        every = (
            row.seconds_before if before else row.seconds for row in self.rows if row.seconds is not None
        )
        found = [each for each in every if each is not None]
        return median(found) if found else None

    @property
    def summary(self) -> str:
        """In words."""
        sent = len(self.rows) - self.skipped
        if not sent:
            return f"There is nothing to replay: {self._skipped() or 'no request is in the log'}."
        with_whom = f"as {self.against} does" if self.against else "as they were answered before"
        parts = [f"{self.variant} answers {self.same} of {sent} logged requests {with_whom}"]
        if self.different:
            parts.append(f"{self.different} otherwise")
        if self.failed:
            parts.append(f"{self.failed} not at all")
        now, before = self.median(), self.median(before=True)
        said = ", ".join(parts) + "."
        if now is not None and before is not None:
            other = (
                f"of {self.against} {told(before)}"
                if self.against
                else f"{told(before)} when they were logged"
            )
            said += f" Half of them within {told(now)} ({self.at_once} at once), {other}."
        return f"{said} Not sent: {self._skipped()}." if self.skipped else said

    def _skipped(self) -> str:
        reasons: dict[str, int] = {}
        for row in self.rows:
            if row.result == "skipped":
                reasons[row.words] = reasons.get(row.words, 0) + 1
        return ", ".join(f"{count} {words}" for words, count in reasons.items())

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "summary": self.summary,
            "variant": self.variant,
            "against": self.against,
            "same": self.same,
            "different": self.different,
            "failed": self.failed,
            "skipped": self.skipped,
            "rows": [row.to_dict() for row in self.rows],
        }

    def __str__(self) -> str:
        lines = [
            f"{row.result:<10} {row.id}  {row.words}"
            for row in self.rows
            if row.result in {"different", "failed"}
        ]
        return "\n".join([self.summary, *lines[:20]])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = [
            [escape(row.id), row.result, escape(row.expected), escape(row.got), escape(row.words)]
            for row in self.rows
            if row.result in {"different", "failed"}
        ]
        head = ("request", "", "expected", "got", "")
        return block(f'<p role="status"><b>{escape(self.summary)}</b></p>', table("Replay", head, rows[:50]))


def replay(
    endpoint: Endpoint,
    requests: Iterable[Logged],
    variant: str,
    against: str | None = None,
    *,
    concurrency: int = CONCURRENCY,
    tolerance: float = TOLERANCE,
    timeout: float = 60.0,
) -> Replay:
    """Send them to a variant and compare with what ``against`` answers now, or with the logged answers.

    They are not counted, logged or mirrored. Numbers are the same within ``tolerance``, relative or absolute.
    Raises Invalid for settings that make no sense, Unavailable if nobody answers at all.
    """
    from concurrent.futures import ThreadPoolExecutor

    if not 1 <= concurrency <= MOST_AT_ONCE:
        raise Invalid(f"{concurrency} requests at once", where=Where(field="concurrency"), hint="1 to 16.")
    if against == variant:
        raise Invalid(f"{variant} cannot be compared with itself", where=Where(field="against"))
    chosen = list(requests)
    if len(chosen) > MOST:
        raise Invalid(
            f"{len(chosen)} requests to replay", where=Where(field="limit"), hint=f"At most {MOST}."
        )
    sender = _Sender(endpoint, variant, against, tolerance, timeout)
    with ThreadPoolExecutor(concurrency, "replay") as pool:
        rows = tuple(pool.map(sender.row, chosen))
    return Replay(variant, against, rows, concurrency)


@dataclass(frozen=True)
class _Got:
    """An answer, or why there is none."""

    status: int
    value: Any = None
    seconds: float | None = None
    error: str = ""


class _Sender:
    def __init__(
        self, endpoint: Endpoint, variant: str, against: str | None, tolerance: float, timeout: float
    ) -> None:
        from jupyter_ext.serving.predicting import Target

        self._prefix = f"/{endpoint.name}"
        self._tolerance = tolerance

        def target(name: str) -> Target:
            return Target(url, model=endpoint.name, token=token, variant=name, timeout=timeout, send=send)

        url, token = endpoint.url, endpoint.token
        send = getattr(endpoint, "send", None)
        self._target = target(variant)
        self._other = target(against) if against else None

    def row(self, logged: Logged) -> Row:
        """Replay one."""
        path = _VERSION.sub("", logged.path.partition("?")[0])
        if path == _CALL:
            path = f"/v2/models/{self._prefix.lstrip('/')}/infer"
        if not _PREDICTS.search(path):
            return Row(logged.id, "skipped", "that ask for no prediction")
        if logged.request is None:
            return Row(logged.id, "skipped", "logged without their bodies")
        if _redacted(logged.request):
            return Row(logged.id, "skipped", "with redacted fields")
        path = path.removeprefix(self._prefix) if path.startswith(f"{self._prefix}/v") else path
        expected = self._ask(self._other, path, logged.request) if self._other else _logged(logged)
        got = self._ask(self._target, path, logged.request)
        return self._compared(logged, expected, got)

    def _compared(self, logged: Logged, expected: _Got, got: _Got) -> Row:
        before = logged.seconds if self._other is None else expected.seconds
        row = (got.status, got.seconds, before)
        if got.status >= 400:
            if expected.status == got.status:
                return Row(logged.id, "same", got.error, *row)
            return Row(logged.id, "failed", got.error, *row, _text(expected), got.error[:_SHOWN])
        if expected.status >= 400:
            return Row(
                logged.id, "different", "was refused before", *row, expected.error[:_SHOWN], _text(got)
            )
        if expected.value is None:
            return Row(logged.id, "skipped", "whose answers were not logged", *row)
        words = differs(expected.value, got.value, self._tolerance)
        if not words:
            return Row(logged.id, "same", "", *row)
        return Row(logged.id, "different", words, *row, _text(expected), _text(got))

    def _ask(self, target: Target, path: str, body: bytes) -> _Got:
        from jupyter_ext.serving import predicting

        headers = {"X-Replay": "true", **_binary(body)}
        try:
            answer: Answer = predicting.ask(target, path, body, headers)
        except KubeflowError as error:
            return _Got(error.status, error=error.what)
        return _Got(answer.status, _plain(answer.body), answer.seconds)


def _logged(logged: Logged) -> _Got:
    error = logged.error or f"answered with {logged.status}"
    if logged.status >= 400 or logged.response is None:
        return _Got(logged.status, error=error)
    try:
        return _Got(logged.status, _plain(bodies.filled(*bodies.parse(logged.response))), logged.seconds)
    except Invalid:
        return _Got(logged.status, error=error)


def _binary(body: bytes) -> dict[str, str]:
    """The header that says where the JSON ends, for a body with binary tensors."""
    try:
        _, rest = bodies.parse(body)
    except Invalid:
        return {}
    length = {"Inference-Header-Content-Length": str(len(body) - len(rest))}
    return {**length, "Content-Type": "application/octet-stream"} if rest else {}


def _redacted(body: bytes) -> bool:
    return f'"{bodies.REDACTED}"'.encode() in body or b'"redacted":true' in body


def _plain(document: Any) -> Any:
    """What is answered, without what differs between any two answers: ids, names and versions."""
    if not isinstance(document, dict):
        return document
    kept = {key: value for key, value in document.items() if key not in _PASSING}
    outputs = kept.get("outputs")
    if isinstance(outputs, list):
        kept["outputs"] = [_tensor(each) if isinstance(each, dict) else each for each in outputs]
    return kept


def _tensor(output: dict[str, Any]) -> dict[str, Any]:
    data: Any = output.get("data")
    if hasattr(data, "reshape"):
        data = data.reshape(-1).tolist()
    return {"name": output.get("name"), "shape": output.get("shape"), "data": list(bodies.flat(data))}


def differs(expected: Any, got: Any, tolerance: float = TOLERANCE, at: str = "") -> str:
    """Where two answers differ first, in words; empty if they do not. Numbers may differ by the tolerance."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return "" if expected == got else _unlike(expected, got, at)
    if isinstance(expected, (int, float)) and isinstance(got, (int, float)):
        near = math.isclose(expected, got, rel_tol=tolerance, abs_tol=tolerance)
        if near or (math.isnan(expected) and math.isnan(got)):
            return ""
        return _unlike(expected, got, at)
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        if expected.keys() != got.keys():
            return f"{at or 'the answer'} has other fields: {', '.join(sorted(map(str, expected.keys() ^ got.keys())))[:60]}"
        parts = ((differs(expected[key], got[key], tolerance, f"{at}.{key}".strip("."))) for key in expected)
        return next((words for words in parts if words), "")
    if _is_list(expected) and _is_list(got):
        if len(expected) != len(got):
            return f"{at or 'the answer'} has {len(got)} instead of {len(expected)} values"
        every = enumerate(zip(expected, got, strict=True))
        parts = (differs(one, other, tolerance, f"{at}[{place}]") for place, (one, other) in every)
        return next((words for words in parts if words), "")
    return "" if expected == got else _unlike(expected, got, at)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _unlike(expected: Any, got: Any, at: str) -> str:
    return f"{at or 'the answer'}: {_brief(expected)} → {_brief(got)}"


def _brief(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:40]


def _text(got: _Got) -> str:
    import json

    if got.error:
        return got.error[:_SHOWN]
    value = got.value
    if isinstance(value, dict):
        value = value.get("predictions", value.get("outputs", value))
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
