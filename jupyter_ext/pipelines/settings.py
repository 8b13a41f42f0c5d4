"""What a user may say about a step beside its code: order, resources, image, cache, retries, condition, loop.

Tags and the ``%%step`` line say the same things; both end in one ``Settings``. A value that cannot be
understood raises Invalid, which the caller turns into a problem at the cell.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from jupyter_ext.cluster.resource import parse_cpu, parse_memory, parse_quantity
from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines.model import Foreach, Step

NAME = re.compile(r"^[A-Za-z_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$")
_GPU = {"gpu": "nvidia.com/gpu", "nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}
_RESOURCE = re.compile(r"^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/)?[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?$")
_SPAN = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|sec|m|min|h|d)?$")
_SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_ON = {"on", "enabled", "enable", "true", "yes", "1"}
_OFF = {"off", "disabled", "disable", "false", "no", "0"}


@dataclass
class Settings:
    """The settings of one cell, or of one step after its cells' settings were put together."""

    after: list[str] | None = None
    resources: dict[str, str] = field(default_factory=dict)
    image: str | None = None
    retry: int | None = None
    timeout: float | None = None
    cache: bool | None = None
    when: str | None = None
    foreach: Foreach | None = None
    collect: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(_says(name, value) for name, value in vars(self).items())

    def merge(self, other: Settings) -> list[str]:
        """Add what ``other`` says; what both say stays as it is. Returns the names they disagree on."""
        differing = []
        for name, new in vars(other).items():
            if not _says(name, new):
                continue
            mine = getattr(self, name)
            if isinstance(mine, dict):
                differing += [f"{name} {key}" for key in new if mine.get(key, new[key]) != new[key]]
                setattr(self, name, {**new, **mine})
            elif isinstance(new, list):
                setattr(self, name, list(dict.fromkeys([*(mine or ()), *new])))
            elif mine is None:
                setattr(self, name, new)
            elif mine != new:
                differing.append(_LABELS.get(name, name))
        return differing

    def words(self) -> list[str]:
        """The names of what is set, as a user knows them."""
        return [_LABELS.get(name, name) for name, value in vars(self).items() if _says(name, value)]


def _says(name: str, value: object) -> bool:
    """Whether a setting is set; no predecessor is a declaration too."""
    return value not in (None, {}, []) or (name == "after" and value is not None)


_LABELS = {"when": "if", "foreach": "for", "resources": "limit"}


def step_name(text: str) -> str:
    """A step's name as a user wrote it; raises Invalid if it is none."""
    if NAME.match(text):
        return text
    from jupyter_ext.pipelines.headings import slug

    proposal = slug(text)
    hint = f"Call it {proposal}." if NAME.match(proposal) else None
    shape = "letters, digits, - and _, starting with a letter, at most 63 characters"
    raise Invalid(f"{text!r} is no name for a step: {shape}", hint=hint)


def names(text: str) -> list[str]:
    """Names separated by commas or blanks."""
    return [name for name in re.split(r"[,\s]+", text) if name]


def variables(text: str) -> list[str]:
    """Python names separated by commas or blanks; raises Invalid for what is none."""
    found = names(text)
    wrong = [name for name in found if not name.isidentifier()]
    if wrong or not found:
        raise Invalid(f"{text!r} is no list of variable names", hint="Write for example scores,models.")
    return found


def resource(name: str, amount: str) -> tuple[str, str]:
    """A resource by its Kubernetes name and an amount that Kubernetes would accept."""
    name = _GPU.get(name, name)
    if name in {"mem", "ram"}:
        name = "memory"
    if not _RESOURCE.match(name):
        raise Invalid(f"{name!r} is no name of a resource", hint="Write cpu, memory or nvidia.com/gpu.")
    amount = amount.strip()
    if name == "cpu":
        parse_cpu(amount, "cpu")
    elif name in {"memory", "ephemeral-storage"}:
        parse_memory(amount, name)
    elif "/" in name:
        if not re.fullmatch(r"\d{1,6}", amount):
            raise Invalid(f"{amount!r} is no number of {name}", hint="Write a whole number.")
    else:
        parse_quantity(amount, name)
    return name, amount


def retry(text: str) -> int:
    """How many times a failed step is tried again."""
    if not re.fullmatch(r"\d{1,3}", text.strip()):
        raise Invalid(f"{text!r} is no number of retries", hint="Write a whole number from 0 to 999.")
    return int(text)


def timeout(text: str) -> float:
    """Seconds from ``600``, ``90s``, ``10m`` or ``1.5h``."""
    match = _SPAN.match(text.strip().lower())
    seconds = float(match.group(1)) * _SECONDS[match.group(2) or "s"] if match else 0.0
    if seconds <= 0 or not math.isfinite(seconds):
        raise Invalid(f"{text!r} is no length of time", hint="Write seconds, or for example 90s, 10m, 2h.")
    return seconds


def switch(text: str) -> bool:
    """On or off, in the words people use."""
    word = text.strip().lower()
    if word in _ON:
        return True
    if word in _OFF:
        return False
    raise Invalid(f"{text!r} is neither on nor off", hint="Write on (enabled) or off (disabled).")


def expression(text: str) -> str:
    """A Python expression; raises Invalid where Python would raise SyntaxError."""
    text = text.strip()
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise Invalid(
            f"{text!r} is no Python expression ({reason})", hint="Write for example n > 10."
        ) from None
    return text


def loop(text: str) -> Foreach:
    """``VAR in EXPR``, with one name or several (``a, b in pairs``)."""
    var, separator, expr = text.partition(" in ")
    targets = [name.strip() for name in var.strip().strip("()").split(",")]
    if not separator or not all(name.isidentifier() for name in targets):
        raise Invalid(f"{text!r} is no loop", hint="Write it as VAR in EXPRESSION, for example lr in rates.")
    return Foreach(", ".join(targets), expression(expr))


def key_value(text: str, separator: str = "=") -> tuple[str, str]:
    """``KEY=VALUE``; the value may hold the separator again."""
    key, found, value = text.partition(separator)
    if not found or not key.strip():
        raise Invalid(f"{text!r} lacks its value", hint=f"Write it as KEY{separator}VALUE.")
    return key.strip(), value.strip()


def step_fields(settings: Settings) -> dict[str, Any]:
    """The settings as fields of the model's Step."""
    return {
        "after": None if settings.after is None else tuple(settings.after),
        "resources": dict(sorted(settings.resources.items())),
        "image": settings.image,
        "retry": settings.retry or 0,
        "timeout": settings.timeout,
        "cache": settings.cache,
        "when": settings.when,
        "foreach": settings.foreach,
        "collect": tuple(settings.collect),
        "env": dict(settings.env),
        "secrets": dict(settings.secrets),
        "labels": dict(settings.labels),
        "annotations": dict(settings.annotations),
    }


def from_step(step: Step) -> Settings:
    """Inverse of ``step_fields``."""
    return Settings(
        after=None if step.after is None else list(step.after),
        resources=dict(step.resources),
        image=step.image,
        retry=step.retry or None,
        timeout=step.timeout,
        cache=step.cache,
        when=step.when,
        foreach=step.foreach,
        collect=list(step.collect),
        env=dict(step.env),
        secrets=dict(step.secrets),
        labels=dict(step.labels),
        annotations=dict(step.annotations),
    )


def nearest(word: str, known: Iterable[str], count: int = 1) -> list[str]:
    """The known words that look most like this one."""
    from difflib import get_close_matches

    return get_close_matches(word, list(known), count, 0.6)
