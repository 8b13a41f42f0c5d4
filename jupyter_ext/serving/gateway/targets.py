"""What a path asks for. Pure, and kept by the router: most requests have one of a few paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_BARE: Final = {
    b"v1": frozenset([b"models"]),
    b"v2": frozenset([b"", b"models", b"health", b"repository"]),
}
"""Below which protocol's root what follows makes a path that names no endpoint before it."""
_OWN: Final = {b"": "root", b"healthz": "alive", b"metrics": "metrics"}
_OF_ENDPOINT: Final = {b"": "about", b"healthz": "healthz", b"metrics": "metrics", b"feedback": "feedback"}
_INNER: Final = b"_predictor"
_MODELS: Final = b"/v1/models/"
_ENDS: Final = frozenset([b"", b":", b"/", b"?"])
"""What may follow a model's name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """``kind``: "endpoint" goes to one, everything else is answered here. ``path`` is what the model server gets."""

    kind: str
    name: str = ""
    path: bytes = b"/"
    version: str = ""
    """Of the model, where a V2 path names one."""
    explain: bool = False
    inner: str = ""
    """The secret by which a transformer asks its predictor."""


def parse(target: bytes) -> Asked:
    """Read the target of a request."""
    path, mark, query = target.partition(b"?")
    parts = path.split(b"/")[1:] or [b""]
    first, rest = parts[0], parts[1:]
    tail = mark + query
    if first in _BARE and (not rest or rest[0] in _BARE[first]):
        return _bare(first, rest, target)
    if not rest and first in _OWN:
        return Asked(_OWN[first])
    if first == _INNER:
        if len(rest) < 2:
            return Asked("nothing")
        secret, name, *rest = rest
        return _below(name, rest, tail, secret.decode("latin-1"))
    if len(rest) <= 1 and (rest or [b""])[0] in _OF_ENDPOINT:
        return Asked(_OF_ENDPOINT[(rest or [b""])[0]], _text(first), b"/" + tail)
    return _below(first, rest, tail, "")


def _below(name: bytes, rest: list[bytes], tail: bytes, secret: str) -> Asked:
    version = ""
    if len(rest) > 4 and rest[:2] == [b"v2", b"models"] and rest[3] == b"versions":
        version = _text(rest[4])
    explain = bool(rest) and rest[-1].endswith(b":explain")
    return Asked("endpoint", _text(name), b"/" + b"/".join(rest) + tail, version, explain, secret)


def _bare(protocol: bytes, rest: list[bytes], target: bytes) -> Asked:
    """The model's name in the path is the endpoint's."""
    if rest[:1] == [b"models"] and len(rest) > 1 and rest[1]:
        name = rest[1].partition(b":")[0]
        version = _text(rest[3]) if len(rest) > 3 and rest[2] == b"versions" else ""
        return Asked("endpoint", _text(name), target, version, rest[-1].endswith(b":explain"))
    if protocol == b"v1":
        return Asked("models")
    if rest[:1] == [b"health"] and rest[1:] in ([b"live"], [b"ready"]):
        return Asked("server-live")
    if rest == [b"repository", b"index"]:
        return Asked("index")
    if rest in ([b"models"], [b"models", b""]):
        return Asked("models")
    return Asked("server" if rest in ([], [b""]) else "nothing")


def renamed(path: bytes, endpoint: str, model: str) -> bytes:
    """The path below a server that calls the endpoint's model otherwise."""
    name, root, rest = endpoint.encode(), path[: len(_MODELS)], path[len(_MODELS) :]
    after = rest[len(name) : len(name) + 1]
    if root not in {_MODELS, _MODELS.replace(b"1", b"2")} or not rest.startswith(name) or after not in _ENDS:
        return path
    return root + model.encode() + rest[len(name) :]


def _text(name: bytes) -> str:
    """A name as it is written in a path; endpoints' names need no escapes."""
    return name.decode("ascii", "replace")
