"""Runs side by side: what differs first. A function of the runs' resources only."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_ext.errors import Invalid, Where

MOST = 10
"""More columns than this cannot be read."""


@dataclass(frozen=True)
class Row:
    """One compared thing: its section (parameters, metrics, steps …), name, and a value per run."""

    section: str
    name: str
    values: tuple[object, ...]

    @property
    def differs(self) -> bool:
        """Whether any two runs disagree."""
        return any(value != self.values[0] for value in self.values[1:])


@dataclass(frozen=True)
class Comparison:
    """``rows`` has the differing ones of each section first; ``code`` is a unified diff per step against the first."""

    runs: tuple[str, ...]
    rows: tuple[Row, ...]
    code: Mapping[str, tuple[str, ...]]
    artifacts: Mapping[str, tuple[object, ...]]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        rows = [
            {"section": r.section, "name": r.name, "values": list(r.values), "differs": r.differs}
            for r in self.rows
        ]
        return {
            "runs": list(self.runs),
            "rows": rows,
            "code": {step: list(diffs) for step, diffs in self.code.items()},
            "artifacts": {name: list(found) for name, found in self.artifacts.items()},
        }

    def __str__(self) -> str:
        table = [("", *self.runs)] + [
            (r.name, *(_shown(v) for v in r.values)) for r in self.rows if r.differs
        ]
        if len(table) == 1:
            return "The runs do not differ."
        widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in table
        )

    def _repr_html_(self) -> str:
        from html import escape

        head = "".join(f"<th>{escape(name)}</th>" for name in self.runs)
        body = "".join(
            f"<tr><th style='text-align:left'>{escape(row.name)}</th>"
            + "".join(f"<td>{escape(_shown(value))}</td>" for value in row.values)
            + "</tr>"
            for row in self.rows
            if row.differs
        )
        return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"


def compare(resources: Sequence[Mapping[str, Any]], sources: Sequence[Mapping[str, str]]) -> Comparison:
    """Compare runs given as resource dictionaries; ``sources`` has, per run, each step's code.

    Raises Invalid for fewer than two or more than ten runs.
    """
    if not 2 <= len(resources) <= MOST:
        raise Invalid(
            f"comparing takes two to {MOST} runs, {len(resources)} given", where=Where(field="names")
        )
    sections: list[tuple[str, Callable[[Mapping[str, Any]], Mapping[str, object]]]] = [
        ("run", _facts),
        ("parameters", lambda run: run["spec"].get("parameters", {})),
        ("metrics", lambda run: run["status"].get("metrics", {})),
        ("states", lambda run: {s["name"]: s["state"] for s in _steps(run)}),
        ("seconds", lambda run: {s["name"]: s.get("seconds") for s in _steps(run)}),
        ("cached", lambda run: {s["name"]: bool(s.get("cached")) for s in _steps(run)}),
        ("outputs", _output_digests),
    ]
    rows: list[Row] = []
    for section, of in sections:
        columns = [of(run) for run in resources]
        names = dict.fromkeys(name for column in columns for name in column)
        found = [Row(section, name, tuple(column.get(name) for column in columns)) for name in names]
        rows += sorted(found, key=lambda row: not row.differs)
    titles = tuple(str(run["metadata"]["name"]) for run in resources)
    return Comparison(titles, tuple(rows), _code(sources), _artifacts(resources))


def _facts(run: Mapping[str, Any]) -> dict[str, object]:
    status, environment = run["status"], run["status"].get("environment", {})
    facts = {
        "state": status.get("phase"),
        "seconds": status.get("seconds"),
        "python": environment.get("python"),
        "commit": environment.get("git", {}).get("commit"),
        "notebook": run["spec"]["pipeline"].get("digest"),
    }
    packages: Mapping[str, str] = environment.get("packages", {})
    return {**facts, **{f"package {name}": version for name, version in packages.items()}}


def _steps(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [status for status in run["status"].get("steps", ()) if not status.get("parent")]


def _output_digests(run: Mapping[str, Any]) -> dict[str, object]:
    return {
        f"{status['name']}.{name}": (ref.get("summary", {}).get(name), ref["digest"][:13])
        for status in _steps(run)
        for ref in status.get("outputs", ())
        for name in ref["names"]
    }


def _code(sources: Sequence[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    diffs = {}
    for step in dict.fromkeys(name for of in sources for name in of):
        first = sources[0].get(step, "").splitlines()
        column = tuple(
            "\n".join(difflib.unified_diff(first, of.get(step, "").splitlines(), lineterm="", n=2))
            for of in sources
        )
        if any(column):
            diffs[step] = column
    return diffs


def _artifacts(resources: Sequence[Mapping[str, Any]]) -> dict[str, tuple[object, ...]]:
    columns = [
        {f"{s['name']}.{item['name']}": item for s in _steps(run) for item in s.get("artifacts", ())}
        for run in resources
    ]
    return {
        name: tuple(c.get(name) for c in columns) for name in dict.fromkeys(n for c in columns for n in c)
    }


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
