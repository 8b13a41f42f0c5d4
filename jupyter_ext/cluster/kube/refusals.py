"""What an API server refuses, as the errors of ``jupyter_ext.errors``: its own reason in one sentence, and what to do.

The refusal is a `Status (meta/v1)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from jupyter_ext.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KubeflowError,
    NotFound,
    Unavailable,
    Unfit,
    Where,
)

LONGEST: Final = 600
"""Characters of a reason: an API server may repeat the whole resource."""
_FORBIDDEN: Final = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_OWNER: Final = re.compile(r'conflicts? with "((?:[^"\\]|\\.)*)"')
_WEBHOOK: Final = re.compile(r'admission webhook "([^"]*)" denied the request: (.*)', re.DOTALL)
_QUOTA: Final = re.compile(r"exceeded quota: (.*)", re.DOTALL)
_UNKNOWN_FIELD: Final = re.compile(
    r'unknown field "([^"]*)"|\.?([\w.\[\]=",-]+): field not declared in schema'
)
_MISTYPED: Final = re.compile(r"failed to create typed patch object \([^)]*\): (\.[^\s:]+): (.*)", re.DOTALL)
_PASSING: Final = re.compile(r"^etcdserver: (?!request is too large)|failed calling webhook")
_PATH: Final = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/?]+)(?:/(?P<name>[^/?]+))?"
)


class Away(Unavailable):
    """Nobody answers, or not yet: the same may be granted in a moment."""


class Asked(NamedTuple):
    """What was asked for, of whom."""

    method: str
    path: str
    cluster: str

    @property
    def object(self) -> str:
        """For people: ``trainjobs/mnist``."""
        match = _PATH.match(self.path)
        return "/".join(part for part in (match["plural"], match["name"]) if part) if match else self.path


def passes(status: int, body: bytes) -> bool:
    """Whether the same may be granted in a moment: a server, or one that it asks, that is just being started."""
    if status == 500:
        return _PASSING.search(str(_status(body).get("message") or "")) is not None
    return status in {502, 503, 504}


def refusal(asked: Asked, status: int, body: bytes) -> KubeflowError:
    """The error for an answer that is not yes."""
    found = _status(body)
    said = str(found.get("message") or "").strip()
    details = found.get("details") or {}
    match status:
        case 401:
            what = f"{asked.cluster} does not accept these credentials"
            return Forbidden(what, hint="They may have expired: log in again, then see kubectl auth whoami.")
        case 403:
            return _forbidden(asked, said)
        case 404:
            return NotFound(f"There is no {asked.object} in {asked.cluster}", hint=_clip(said) or None)
        case 409:
            return _conflict(asked, said, details, str(found.get("reason") or ""))
        case 410:
            what = "The changes since then are no longer kept"
            return Gone(what, hint="List again and watch from there.")
        case 413:
            return Unfit(
                f"{asked.object} is too large for {asked.cluster}", hint="Put data into files or a bucket."
            )
        case 429:
            return Unavailable(f"{asked.cluster} has too much to do", hint="Try again in a while.")
    if _UNKNOWN_FIELD.search(said) and status in {400, 422, 500}:
        return _unknown_field(asked, said)
    if match := _MISTYPED.search(said):
        return Invalid(
            _clip(match[2]).rstrip("."), where=Where(field=match[1].lstrip("."), object=asked.object)
        )
    if status in {400, 405, 415, 422}:
        return _invalid(asked, said, details)
    kind = Away if passes(status, body) else Unavailable
    if "webhook" in said:
        hint = "The component that checks these resources does not answer; see: jupyter kf doctor --cluster"
        return kind(f"{asked.cluster} cannot check {asked.object}: {_clip(said)}", hint=hint)
    if "etcdserver: request is too large" in said:
        return Unfit(
            f"{asked.object} is too large for {asked.cluster}", hint="Put data into files or a bucket."
        )
    return kind(f"{asked.cluster} answered {status}: {_clip(said) or 'without a reason'}")


def unreachable(asked: Asked, failure: Exception) -> Away:
    """The error for no answer at all."""
    inner: Any = failure
    while not isinstance(inner, str) and getattr(inner, "reason", None):
        inner = inner.reason
    text = _clip(str(inner)) or type(failure).__name__
    hint = "Is the address right, is a VPN or a proxy needed? kubectl version asks the same server."
    if "CERTIFICATE_VERIFY" in text or "certificate verify" in text:
        hint = "Its certificate is not signed by the authority in the kubeconfig; see kubectl config view --minify."
    return Away(f"{asked.cluster} does not answer: {text}", hint=hint)


def _forbidden(asked: Asked, said: str) -> KubeflowError:
    if match := _QUOTA.search(said):
        hint = "Delete what is no longer needed, ask for less, or ask the owner of the profile for more."
        return Unfit(f"The quota of the namespace does not allow it: {_clip(match[1])}", hint=hint)
    if match := _WEBHOOK.search(said):
        return _denied(asked, match[1], match[2])
    match = _FORBIDDEN.search(said)
    where = Where(object=asked.object)
    if match is None:
        return Forbidden(
            f"{asked.cluster} does not allow it: {_clip(said) or 'no reason given'}", where=where
        )
    resource = f"{match['resource']}.{match['group']}" if match["group"] else match["resource"]
    place = f" in the namespace {match['namespace']}" if match["namespace"] else ""
    hint = f"Ask the profile's owner to let {match['user']} {match['verb']} {resource}{place}."
    return Forbidden(f"You may not {match['verb']} {resource}{place}", where=where, hint=hint)


def _denied(asked: Asked, webhook: str, why: str) -> Invalid:
    hint = f"{webhook} refuses it."
    return Invalid(_clip(why).rstrip("."), where=Where(object=asked.object), hint=hint)


def _conflict(asked: Asked, said: str, details: Mapping[str, Any], reason: str) -> Conflict:
    causes = [each for each in details.get("causes") or () if each.get("reason") == "FieldManagerConflict"]
    if causes:
        owners = sorted({match[1] for each in causes if (match := _OWNER.search(str(each.get("message"))))})
        field = str(causes[0].get("field") or "").lstrip(".")
        more = f" and {len(causes) - 1} more" if len(causes) > 1 else ""
        what = f"{field}{more} of {asked.object} belongs to {', '.join(owners) or 'somebody else'}"
        hint = "Change it there, leave it out here, or take it over with force."
        return Conflict(what, where=Where(field=field, object=asked.object), hint=hint)
    if reason == "AlreadyExists":
        return Conflict(f"{asked.object} exists already", hint="Choose another name.")
    hint = "Read it again and repeat."
    if "being deleted" in said or "terminating" in said:
        return Conflict(f"{asked.object} is being deleted", hint="Wait until it is gone.")
    return Conflict(f"{asked.object} was changed meanwhile", hint=hint)


def _invalid(asked: Asked, said: str, details: Mapping[str, Any]) -> KubeflowError:
    if match := _WEBHOOK.search(said):
        return _denied(asked, match[1], match[2])
    causes = details.get("causes") or ()
    if causes:
        field = str(causes[0].get("field") or "")
        words = _clip(str(causes[0].get("message") or "")).rstrip(".")
        more = f" ({len(causes) - 1} more)" if len(causes) > 1 else ""
        return Invalid(
            f"{words}{more}", where=Where(field=field if field != "<nil>" else None, object=asked.object)
        )
    return Invalid(_clip(said) or "The API server refuses it", where=Where(object=asked.object))


def _unknown_field(asked: Asked, said: str) -> Invalid:
    match = _UNKNOWN_FIELD.search(said)
    field = (match[1] or match[2] or "").lstrip(".") if match else ""
    hint = f"{asked.cluster} has this kind without it: an older or a newer version may have it."
    name = field.rpartition(".")[2]
    return Invalid(f"There is no field {name!r}", where=Where(field=field, object=asked.object), hint=hint)


def _status(body: bytes) -> Mapping[str, Any]:
    import orjson

    try:
        found = orjson.loads(body)
    except ValueError:
        return {"message": body[:LONGEST].decode(errors="replace")}
    return found if isinstance(found, dict) else {}


def _clip(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
