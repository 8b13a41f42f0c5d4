"""What is ours of an endpoint: its annotations, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.serving.fields import listed, nearest, text, whole

PREFIX: Final = "jupyter-kubeflow.org/"
VARIANTS: Final = f"{PREFIX}variants"
STICKY: Final = f"{PREFIX}sticky"
MIRROR: Final = f"{PREFIX}mirror"
RULES: Final = f"{PREFIX}rules"
LOG: Final = f"{PREFIX}log"
IDLE: Final = f"{PREFIX}idle"
TRANSFORMER: Final = f"{PREFIX}transformer"
INSIDE: Final = f"{PREFIX}inside"
"""The lease whose share its servers may use: that of the step which waits for the endpoint."""
OURS: Final = (VARIANTS, STICKY, MIRROR, RULES, LOG, IDLE, TRANSFORMER)
ROUTED: Final = (STICKY, MIRROR, LOG)
"""Those by which the gateway goes."""
IDLE_SECONDS: Final = 300.0


def transformer(annotations: Mapping[str, str]) -> dict[str, Any] | None:
    """The transformer that is a registered class, as a part of the endpoint."""
    if not annotations.get(TRANSFORMER):
        return None
    from jupyter_ext.serving.transformer import read as registered

    return registered(annotations)


def note(annotations: Mapping[str, str], name: str, form: type) -> Any:
    """The JSON of an annotation, or an empty one. Raises Invalid."""
    raw = annotations.get(name)
    if not raw:
        return form()
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, form):
        raise Invalid(
            f"The annotation {name} is no JSON {'object' if form is dict else 'array'}",
            where=Where(field=f"metadata.annotations.{name}"),
        )
    return found


def sticky(value: str | None) -> str | None:
    """What keeps a user with a variant. Raises Invalid."""
    if not value:
        return None
    form, colon, key = value.partition(":")
    if form not in {"header", "query", "body"} or not colon or not key.strip() or len(value) > 200:
        raise Invalid(
            f"{value!r} does not say what keeps a user with a variant",
            where=Where(field="sticky"),
            hint='Say "header:x-user", "query:user" or "body:user.id".',
        )
    return value


def mirror(value: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any] | None:
    """Which variant is shown how much. ``known``: the variants there are. Raises Invalid."""
    if not value:
        return None
    name = text(value.get("variant"), "mirror.variant")
    if name not in known:
        raise Invalid(
            f"There is no variant {name!r} to mirror to",
            where=Where(field="mirror.variant"),
            hint=nearest(name, list(known)),
        )
    return {"variant": name, "percent": whole(value.get("percent", 100), "mirror.percent", 1, 100)}


_LOG_FIELDS: Final = frozenset({"sample", "bodies", "redact", "keep"})


def log(annotations: Mapping[str, str], *, always: bool) -> dict[str, Any] | None:
    """What is kept of requests; None for nothing. ``always``: everything, unless said otherwise."""
    if LOG not in annotations:
        return checked_log({}) if always else None
    return checked_log(note(annotations, LOG, dict))


def checked_log(value: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of requests, with the defaults filled in: all of them, with bodies, the last 10,000."""
    for name in value:
        if name not in _LOG_FIELDS:
            raise Invalid(
                f"log has no {name!r}", where=Where(field=f"log.{name}"), hint=nearest(name, _LOG_FIELDS)
            )
    sample = value.get("sample", 1.0)
    if isinstance(sample, bool) or not isinstance(sample, (int, float)) or not 0 <= sample <= 1:
        raise Invalid(f"log.sample is from 0 to 1, not {sample!r}", where=Where(field="log.sample"))
    redact = [text(each, "log.redact") for each in listed(value.get("redact") or [], "log.redact")]
    if redact:
        from jupyter_ext.serving.redaction import names as readable

        readable(redact)
    keep = whole(value.get("keep", 10_000), "log.keep", 0, 1_000_000)
    return {
        "sample": float(sample),
        "bodies": bool(value.get("bodies", True)),
        "redact": redact,
        "keep": keep,
    }


def idle(value: str | None) -> float:
    """Seconds without a request after which it sleeps. Raises Invalid."""
    if value is None:
        return IDLE_SECONDS
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 10_000_000:
        raise Invalid(f"{value!r} is no time to be idle, in seconds", where=Where(field="idle"))
    return seconds
