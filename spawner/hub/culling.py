"""When is a server idle, and what follows: a decision over facts, without effects.

A server works while one of its kernels is busy, its GPU computes, or something was done in a terminal or with it a while ago. An open
page alone is no work. Whoever is about to be stopped is told in time, and may say "keep".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from spawner.moments import moment

Action = Literal["keep", "warn", "stop"]


@dataclass(frozen=True)
class Kernel:
    """One kernel, or one terminal (never ``busy``), and when something last happened in it."""

    last_activity: datetime
    busy: bool = False
    name: str = ""


@dataclass(frozen=True)
class Facts:
    """What is known of a server. ``None`` was not asked; a server that was asked and does not answer may be at work.

    ``activity`` is what the Hub was told: requests, and runs and jobs of the extension. ``gpu_utilisation`` is the
    greatest of its GPUs within the last minutes, 0 to 1; None without a GPU, or without anybody to ask.
    """

    started: datetime
    activity: datetime | None = None
    kernels: tuple[Kernel, ...] | None = None
    terminals: tuple[Kernel, ...] | None = None
    connections: int | None = None
    has_gpu: bool = False
    gpu_utilisation: float | None = None
    kept_until: datetime | None = None
    answers: bool = True


@dataclass(frozen=True)
class Rule:
    """When to stop. Times of zero never end anything; ``busy_for`` bounds how long a busy kernel protects.

    ``gpu_idle`` is the time for servers that hold a GPU; ``gpu_working`` the part of a GPU's time from which it counts as at work.
    """

    idle: timedelta = timedelta(minutes=60)
    gpu_idle: timedelta | None = None
    warning: timedelta = timedelta(minutes=10)
    max_age: timedelta = timedelta(0)
    gpu_working: float = 0.02
    busy_for: timedelta = timedelta(0)
    open_pages_work: bool = False

    def of_size(self, idle_minutes: int | None) -> Rule:
        """The rule of a size that may have its own time: None is this rule, 0 never."""
        if idle_minutes is None:
            return self
        minutes = timedelta(minutes=idle_minutes)
        return replace(self, idle=minutes, gpu_idle=None)


@dataclass(frozen=True)
class Verdict:
    """What to do, when the server is stopped if nothing changes, since when it is idle, and why, in a sentence."""

    action: Action
    words: str
    stops_at: datetime | None = None
    idle_since: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON for the panel and for the warning in the notebook."""
        return {
            "action": self.action,
            "words": self.words,
            "stopsAt": self.stops_at.isoformat() if self.stops_at else None,
            "idleSince": self.idle_since.isoformat() if self.idle_since else None,
        }


def decide(facts: Facts, rule: Rule, now: datetime) -> Verdict:
    """Keep, warn or stop; a server is never stopped within the time for which its user said keep."""
    age = _of_age(facts, rule, now)
    idle = _of_idleness(facts, rule, now)
    order: dict[Action, int] = {"keep": 0, "warn": 1, "stop": 2}
    worst = max((idle, age), key=lambda verdict: order[verdict.action])
    if worst.action != "keep" and facts.kept_until is not None and facts.kept_until > now and worst is idle:
        return Verdict("keep", "You said that you need it.", facts.kept_until, idle.idle_since)
    return worst


def _of_age(facts: Facts, rule: Rule, now: datetime) -> Verdict:
    if not rule.max_age:
        return Verdict("keep", "")
    end = facts.started + rule.max_age
    if now >= end:
        return Verdict("stop", f"It has run for {span(rule.max_age)}, the longest that is allowed here.", end)
    if now >= end - rule.warning:
        words = f"It is stopped in {span(end - now)}: nothing may run for more than {span(rule.max_age)} here. Save your work."
        return Verdict("warn", words, end)
    return Verdict("keep", "", end)


def _of_idleness(facts: Facts, rule: Rule, now: datetime) -> Verdict:
    if why := works(facts, rule, now):
        return Verdict("keep", why)
    since = idle_since(facts)
    limit = rule.gpu_idle if facts.has_gpu and rule.gpu_idle is not None else rule.idle
    if not limit:
        return Verdict("keep", "It is not stopped when it is idle.", idle_since=since)
    end = since + limit
    holding = " and holds a GPU" if facts.has_gpu else ""
    if now >= end:
        return Verdict("stop", f"Nothing happened in it for {span(now - since)}.", end, since)
    if now >= end - rule.warning:
        words = f"It has been idle for {span(now - since)}{holding}. It is stopped in {span(end - now)}."
        return Verdict("warn", words, end, since)
    return Verdict(
        "keep",
        f"Idle for {span(now - since)}." if now - since > timedelta(minutes=1) else "In use.",
        end,
        since,
    )


def works(facts: Facts, rule: Rule, now: datetime) -> str:
    """Why it is at work right now, in a sentence; empty when it is not."""
    if facts.gpu_utilisation is not None and facts.gpu_utilisation >= rule.gpu_working:
        return f"Its GPU is {facts.gpu_utilisation:.0%} busy."
    for kernel in facts.kernels or ():
        if kernel.busy and (not rule.busy_for or now - kernel.last_activity < rule.busy_for):
            return "A cell is running."
    if rule.open_pages_work and facts.connections:
        return "It is open in a browser."
    if not facts.answers or (facts.kernels is None and facts.activity is None):
        return "It does not answer, so nobody knows whether it works."
    return ""


def idle_since(facts: Facts) -> datetime:
    """The last moment at which something happened in it."""
    moments = [facts.started, *([facts.activity] if facts.activity else [])]
    moments += [one.last_activity for one in (*(facts.kernels or ()), *(facts.terminals or ()))]
    return max(moments)


def span(time: timedelta) -> str:
    """A duration for people, rounded to what matters."""
    seconds = max(int(time.total_seconds()), 0)
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"


def facts_of(
    model: Mapping[str, Any], kernels: object, terminals: object, status: object, **more: Any
) -> Facts | None:
    """Facts of the Hub's model of a server and of what the server answers; None for one that is not ready.

    ``kernels``, ``terminals`` and ``status`` are JSON of ``api/…`` of Jupyter Server, None where it did not answer.
    """
    started = moment(model.get("started"))
    if started is None or not model.get("ready"):
        return None
    connections = status.get("connections") if isinstance(status, dict) else None
    return Facts(
        started,
        moment(model.get("last_activity")),
        _kernels(kernels),
        _kernels(terminals),
        connections if isinstance(connections, int) else None,
        **more,
    )


def _kernels(listed: object) -> tuple[Kernel, ...] | None:
    if not isinstance(listed, list):
        return None
    found = []
    for one in listed[:1000]:
        when = moment(one.get("last_activity")) if isinstance(one, dict) else None
        if when is not None:
            found.append(Kernel(when, one.get("execution_state") == "busy", str(one.get("name", ""))[:100]))
    return tuple(found)
