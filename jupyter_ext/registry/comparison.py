"""What differs between versions of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Version


@dataclass(frozen=True)
class Comparison:
    """For each group (metrics, parameters, …) the rows that differ or, of metrics, all.

    A row has its name and the value of each version; None where a version has none.
    """

    versions: tuple[str, ...]
    groups: dict[str, dict[str, tuple[Any, ...]]]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "versions": list(self.versions),
            **{group: {name: list(row) for name, row in rows.items()} for group, rows in self.groups.items()},
        }

    def __str__(self) -> str:
        lines = []
        for group, rows in self.groups.items():
            if rows:
                lines.append(group)
            for name, row in rows.items():
                lines.append(
                    "  " + "  ".join([f"{name:<24}", *(f"{_short(value):>16}" for value in row)]).rstrip()
                )
        head = "  ".join([f"{'':<26}", *(f"{name:>16}" for name in self.versions)])
        return "\n".join([head, *lines]) if lines else f"{head}\nnothing differs"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from html import escape

        head = "".join(f"<th>{escape(name)}</th>" for name in self.versions)
        body = ""
        for group, rows in self.groups.items():
            for name, row in rows.items():
                cells = "".join(f"<td>{escape(_short(value))}</td>" for value in row)
                body += f"<tr><td>{escape(group)}</td><th>{escape(name)}</th>{cells}</tr>"
        return f"<table><thead><tr><th></th><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:60]


def rows(versions: Sequence[Version]) -> dict[str, Any]:
    """The comparison as rows of one table, for a panel; also what is the same everywhere."""
    found = _groups(versions, keep=True)
    return {
        "versions": [one.name for one in versions],
        "rows": [
            {
                "section": section,
                "name": name,
                "values": list(row),
                "differs": any(value != row[0] for value in row),
            }
            for section, named in found.items()
            for name, row in named.items()
        ],
    }


def compare(versions: Sequence[Version]) -> Comparison:
    """Compare two or more versions. Raises Invalid for fewer."""
    return Comparison(tuple(one.name for one in versions), _groups(versions))


def _groups(versions: Sequence[Version], *, keep: bool = False) -> dict[str, dict[str, tuple[Any, ...]]]:
    if len(versions) < 2:
        raise Invalid("two versions are needed to compare")
    digests = [
        {name: found.get("digest") or found.get("uri") for name, found in one.data.items()}
        for one in versions
    ]
    files = [
        {"format": one.format, "files": one.digest} if one.is_whole else {"format": None, "files": None}
        for one in versions
    ]
    return {
        "metrics": _rows([one.metrics for one in versions], keep=True),
        "parameters": _rows([one.parameters for one in versions], keep=keep),
        "data": _rows(digests, keep=keep),
        "signature": _rows([_tensors(one.signature) for one in versions], keep=keep),
        "format": _rows(files, keep=keep),
        "lineage": _rows([_told(one.lineage) for one in versions], keep=keep),
        "packages": _rows([one.packages for one in versions], keep=keep),
    }


def _rows(found: Sequence[dict[str, Any]], *, keep: bool = False) -> dict[str, tuple[Any, ...]]:
    names = dict.fromkeys(name for one in found for name in one)
    rows = {name: tuple(one.get(name) for one in found) for name in names}
    return {name: row for name, row in rows.items() if keep or any(value != row[0] for value in row)}


def _tensors(signature: dict[str, Any] | None) -> dict[str, Any]:
    found = {}
    for side, tensors in (signature or {}).items():
        for tensor in tensors:
            found[f"{side}.{tensor['name']}"] = f"{tensor['datatype']}{tensor['shape']}"
    return found


def _told(lineage: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in lineage.items() if name not in {"uid", "execution"}}
