"""What was found in a cluster: each with its place, its reason, and the line that mends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Severity = Literal["ok", "warning", "problem", "unknown"]
ORDER: Final[tuple[Severity, ...]] = ("problem", "warning", "unknown", "ok")
_MARKS: Final[Mapping[Severity, str]] = {
    "ok": "ok  ",
    "warning": "note",
    "problem": "FAIL",
    "unknown": "?   ",
}
_NAMED: Final = 3
"""How many of many places are named; the rest is counted."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    ``what`` is so, ``where`` names the object, ``why`` says what follows from it, ``fix`` is a command or a line of
    YAML. A ``problem`` stops something that this project does; a ``warning`` will, or makes it worse; ``unknown``
    could not be looked at.
    """

    check: str
    severity: Severity
    what: str
    where: str = ""
    why: str = ""
    fix: str = ""

    @property
    def detail(self) -> str:
        """All but the remedy, in one line."""
        place = f" ({self.where})" if self.where else ""
        return f"{self.what}{place}." + (f" {self.why}" if self.why else "")

    def to_dict(self) -> dict[str, Any]:
        """JSON form: also what every check of the doctor has, so that one page shows both."""
        return {
            "name": self.check,
            "ok": self.severity == "ok",
            "required": self.severity == "problem",
            "detail": self.detail,
            "severity": self.severity,
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "fix": self.fix,
        }


@dataclass(frozen=True)
class ClusterReport:
    """Everything that was found, and what it cost to look."""

    checks: Sequence[Finding]
    about: Mapping[str, str] = field(default_factory=dict)
    """The server's address and version, and who asked."""
    requests: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing was found that stops anything; what could not be looked at does not count."""
        return not self.of("problem")

    def of(self, severity: Severity) -> list[Finding]:
        """Those of one severity."""
        return [finding for finding in self.checks if finding.severity == severity]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "ok": self.ok,
            "cluster": dict(self.about),
            "requests": self.requests,
            "seconds": round(self.seconds, 3),
            "counts": {severity: len(self.of(severity)) for severity in ORDER},
            "checks": [finding.to_dict() for finding in self.checks],
        }

    def __str__(self) -> str:
        lines = []
        for finding in self.checks:
            lines.append(f"{_MARKS[finding.severity]}  {finding.check}: {finding.detail}")
            if finding.severity != "ok" and finding.fix:
                lines += [f"      {line}" for line in finding.fix.splitlines()]
        counts = {severity: len(self.of(severity)) for severity in ORDER}
        lines.append(
            f"{_count(counts['problem'], 'problem')}, {_count(counts['warning'], 'warning')},"
            f" {counts['unknown']} not looked at, {counts['ok']} in order;"
            f" {_count(self.requests, 'request')} in {self.seconds:.1f} s, nothing was changed."
        )
        return "\n".join(lines)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first, each once; those of one severity stay in the order of the checks."""
    once = dict.fromkeys(findings)
    return [finding for severity in ORDER for finding in once if finding.severity == severity]


def named(places: Sequence[str]) -> str:
    """Up to three by name, the others as a number."""
    shown = ", ".join(places[:_NAMED])
    return shown if len(places) <= _NAMED else f"{shown} and {len(places) - _NAMED:,} more"


def grouped(findings: Iterable[Finding]) -> list[Finding]:
    """The same fault at many places as one finding that counts them; the remedy is that of the first."""
    groups: dict[tuple[str, str, str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.check, finding.severity, finding.what, finding.why), []).append(finding)
    found = []
    for members in groups.values():
        first = members[0]
        if len(members) == 1:
            found.append(first)
            continue
        where = named([member.where for member in members])
        fix = f"{first.fix}\n(and so for the other {len(members) - 1:,})" if first.fix else ""
        found.append(Finding(first.check, first.severity, first.what, where, first.why, fix))
    return found


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
