"""Questions about the trials of one experiment, answered by the store: a page of ten thousand costs milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.codec import decode
from jupyter_ext.errors import Invalid, Where
from jupyter_ext.tuning import status as words

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

_SORTS: Final = {
    "number": "json_extract(status, '$.number')",
    "value": "json_extract(status, '$.value')",
    "seconds": "json_extract(status, '$.seconds')",
    "state": "phase",
    "startTime": "json_extract(status, '$.startTime')",
}
_PRUNED: Final = "json_extract(status, '$.pruned')"
MOST: Final = 2000
"""Trials in one page."""


def page(
    cluster: LocalCluster,
    experiment: Resource,
    *,
    limit: int = 200,
    after: int | None = None,
    since: int | None = None,
    sort: str = "number",
    states: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Rows of trials: ``{"items", "total", "resourceVersion", "next"}``.

    ``sort`` is a column, with ``-`` in front for the greatest first. ``after`` is the number of the last trial that
    was read (in another order than by number: how many were read). ``since`` is the ``resourceVersion`` of an earlier
    answer: only trials that changed after it.
    """
    column, descending = sort.removeprefix("-"), sort.startswith("-")
    if column not in _SORTS:
        raise Invalid(
            f"Trials cannot be sorted by {column!r}",
            where=Where(field="sort"),
            hint=f"By: {', '.join(_SORTS)}.",
        )
    limit = min(max(int(limit), 1), MOST)
    uid = experiment.uid
    # The index by version where only what changed is asked for, else that by owner, which is by number too.
    plus = "+" if since is not None else ""
    where, values = f"{plus}owner = ? AND {plus}kind = 'Trial'", list[Any]([uid])
    where, values = _filtered(where, values, since, states)
    order = f"{_SORTS[column]} {'DESC' if descending else 'ASC'} NULLS LAST, id"
    skip = 0
    if after is not None:
        if column == "number":
            # By the place in the store, which has an index, as trials are written in the order of their numbers.
            compare = "<" if descending else ">"
            place = "(SELECT id FROM resources WHERE kind = 'Trial' AND namespace = ? AND name = ?)"
            where += f" AND id {compare} {place}"
            values += [cluster.store.namespace, f"{experiment.name}-{int(after)}"]
        else:
            skip = int(after)
    if column == "number":
        # By the place that has an index, unless few rows are found another way.
        order = f"{plus}id {'DESC' if descending else 'ASC'}"
    with cluster.store.reading() as connection:
        version = connection.execute("SELECT value FROM counters WHERE name = 'resource_version'").fetchone()[
            0
        ]
        total = connection.execute(
            "SELECT count(*) FROM resources WHERE owner = ? AND kind = 'Trial'", (uid,)
        ).fetchone()[0]
        rows = connection.execute(
            # Put together from our own constants only; values are bound.
            f"SELECT name, phase, status FROM resources WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            (*values, limit, skip),
        ).fetchall()
    items = [row(name, decode(text)) for name, _, text in rows]
    return {"items": items, "total": total, "resourceVersion": version}


def _filtered(
    where: str, values: list[Any], since: int | None, states: Iterable[str] | None
) -> tuple[str, list[Any]]:
    if since is not None:
        where += " AND resource_version > ?"
        values.append(int(since))
    wanted = [states] if isinstance(states, str) else list(states or ())
    if wanted:
        parts = []
        plain = [state for state in wanted if state not in ("PRUNED", "SUCCEEDED")]
        if plain:
            parts.append(f"phase IN ({', '.join('?' * len(plain))})")
            values += plain
        if "SUCCEEDED" in wanted:
            parts.append(f"(phase = 'SUCCEEDED' AND NOT coalesce({_PRUNED}, 0))")
        if "PRUNED" in wanted:
            parts.append(f"(phase = 'SUCCEEDED' AND {_PRUNED})")
        where += f" AND ({' OR '.join(parts)})"
    return where, values


def row(name: str, status: dict[str, Any]) -> dict[str, Any]:
    """One trial as a line of a table."""
    state = words.state_of(status)
    metrics = (status.get("observation") or {}).get("metrics") or ()
    return {
        "name": name,
        "number": status.get("number"),
        "state": {"UNAVAILABLE": "FAILED"}.get(state, state),
        "reason": status.get("reason") or "",
        "value": status.get("value"),
        "parameters": status.get("parameters") or {},
        "metrics": {item["name"]: _number(item["latest"]) for item in metrics},
        "seconds": status.get("seconds"),
        "startTime": status.get("startTime"),
        "pruned": bool(status.get("pruned")),
        "attempt": status.get("attempt", 1),
    }


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def values(cluster: LocalCluster, uid: str, limit: int) -> list[tuple[dict[str, Any], float]]:
    """Parameters and value of the trials that succeeded, at most ``limit``, spread evenly over the experiment."""
    with cluster.store.reading() as connection:
        rows = connection.execute(
            "SELECT id FROM resources WHERE owner = ? AND kind = 'Trial' AND phase = 'SUCCEEDED' ORDER BY id",
            (uid,),
        ).fetchall()
        stride = max(-(-len(rows) // limit), 1)
        chosen = [identifier for (identifier,) in rows[::stride]]
        found = [
            connection.execute(
                "SELECT json_extract(status, '$.parameters'), json_extract(status, '$.value') FROM resources"
                " WHERE id = ?",
                (identifier,),
            ).fetchone()
            for identifier in chosen
        ]
    return [(decode(text), float(value)) for text, value in found if isinstance(value, int | float)]


def latest(
    cluster: LocalCluster, uid: str, most: int | None, names: Iterable[str] | None
) -> list[tuple[str, int, str, str]]:
    """Name, number, state and UID of trials, in order: the newest ``most``, or those of these names or numbers."""
    wanted = None if names is None else set(names)
    with cluster.store.reading() as connection:
        rows = connection.execute(
            "SELECT name, uid, status FROM resources WHERE owner = ? AND kind = 'Trial' ORDER BY id DESC LIMIT ?",
            (uid, -1 if most is None else most),
        ).fetchall()
    found = []
    for name, identifier, text in reversed(rows):
        number = name.rpartition("-")[2]
        if wanted is None or name in wanted or number in wanted:
            found.append((name, int(number), row(name, decode(text))["state"], identifier))
    return found
