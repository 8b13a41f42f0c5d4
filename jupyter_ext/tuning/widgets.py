"""An experiment in a notebook's output: best so far, its trials, the pruned ones marked; live while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from jupyter_ext.display import chart, live, look
from jupyter_ext.display.live import Picture
from jupyter_ext.errors import KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.display.follower import Follower
    from jupyter_ext.tuning import Experiment

NEWEST = 12
"""Trials in the table, beside the best."""
DRAWN = 500
"""Trials in the curve."""

_COUNTS = (
    ("trialsRunning", "running"),
    ("trialsSucceeded", "done"),
    ("trialsEarlyStopped", "pruned"),
    ("trialsFailed", "failed"),
    ("trialMetricsUnavailable", "without the objective"),
    ("trialsKilled", "stopped"),
)


def counts(status: Mapping[str, Any]) -> str:
    """Give the trials in words: ``12 trials (2 running, 9 done, 1 pruned)``."""
    parts = [f"{status[name]} {word}" for name, word in _COUNTS if status.get(name)]
    total = status.get("trials") or 0
    return f"{total} trial{'' if total == 1 else 's'}" + (f" ({', '.join(parts)})" if parts else "")


def objective(resource: Resource) -> str:
    """Give what is sought: ``loss, as low as possible``."""
    found = resource.spec.get("objective") or {}
    low = found.get("type") == "minimize"
    return f"{found.get('objectiveMetricName')}, as {'low' if low else 'high'} as possible"


def parameters_code(values: Mapping[str, Any]) -> str:
    """Give parameters as lines of Python, for a cell."""
    return "\n".join(f"{name} = {value!r}" for name, value in values.items())


def experiment_text(resource: Resource) -> str:
    """Give an experiment in plain text."""
    status = resource.status
    head = f"Experiment {resource.name}: {resource.phase} {look.duration(status.get('seconds'))}".rstrip()
    lines = [head, f"  {counts(status)}"]
    if resource.reason:
        lines.insert(1, resource.reason)
    best = status.get("best") or {}
    if best:
        lines.append(f"  best {look.number(best.get('value'))} in {best.get('trial')}")
        lines += [f"    {name} = {value!r}" for name, value in (best.get("parameters") or {}).items()]
    return "\n".join(lines)


def experiment_html(resource: Resource) -> str:
    """Give an experiment as one block of HTML: head, best so far with its curve, newest trials."""
    status = resource.status
    mark, word, colour = look.look(resource.phase)
    facts = (objective(resource), counts(status), look.duration(status.get("seconds")))
    head = (
        f'<div><b style="color:{colour}">{mark} {escape(word)}</b> <b>{escape(resource.name)}</b> '
        f"{escape('; '.join(fact for fact in facts if fact))}</div>"
    )
    error = status.get("error") or {}
    traceback = [str(line) for line in error.get("traceback") or ()]
    rows = _trials(resource)
    return look.block(
        head,
        look.bar(status.get("progress")) if not resource.finished else "",
        look.failure(resource.reason, resource.phase, traceback),
        _best(resource, rows),
        _table(resource, rows),
    )


def _trials(resource: Resource) -> list[dict[str, Any]]:
    """Give the newest trials, oldest first."""
    from jupyter_ext import tuning

    last = int(resource.status.get("trials") or 0)
    try:
        # Trials count from 0.
        page = tuning.get(resource.name).page(limit=DRAWN, after=last - DRAWN - 1 if last > DRAWN else None)
    except KubeflowError:
        return []
    return list(page["items"])


def _best(resource: Resource, rows: Sequence[Mapping[str, Any]]) -> str:
    best = resource.status.get("best") or {}
    if not best:
        return ""
    low = (resource.spec.get("objective") or {}).get("type") == "minimize"
    values = [(float(row["number"]), float(row["value"])) for row in rows if _counted(row)]
    so_far = list(accumulate((y for _, y in values), min if low else max))
    series = [
        ("each trial", values),
        ("best so far", [(x, y) for (x, _), y in zip(values, so_far, strict=True)]),
    ]
    drawn = chart.curves_svg("Objective by trial", series) if len(values) > 1 else ""
    shown = escape(parameters_code(best.get("parameters") or {}))
    title = f"Best: {look.number(best.get('value'))} in {best.get('trial')}"
    return (
        f"<div><b>{escape(title)}</b></div>"
        f'<div style="display:flex;gap:24px;align-items:flex-start;flex-wrap:wrap">{drawn}'
        f'<pre aria-label="Parameters of the best trial">{shown}</pre></div>'
    )


def _counted(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("value"), int | float) and row.get("state") == "SUCCEEDED"


def _table(resource: Resource, rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row.get("parameters") or ()))
    best = (resource.status.get("best") or {}).get("trial")
    newest = list(reversed(rows[-NEWEST:]))
    if best and best not in {row.get("name") for row in newest}:
        newest += [row for row in rows if row.get("name") == best]
    shown = []
    for row in newest:
        first = row.get("name") == best
        strong = _bold if first else escape
        values = row.get("parameters") or {}
        shown.append(
            (
                strong(f"{row.get('number')}{' ★' if first else ''}"),
                trial_state(str(row.get("state"))),
                strong(look.number(row["value"])) if row.get("value") is not None else "",
                *(escape(look.number(values.get(name, ""))) for name in names),
                escape(look.duration(row.get("seconds"))),
                escape(str(row.get("reason") or "").split("\n", 1)[0][:100]),
            )
        )
    return look.table("Trials", ("Trial", "State", "Objective", *names, "Took", "Reason"), shown)


def _bold(text: str) -> str:
    return f"<b>{escape(text)}</b>"


def trial_state(state: str) -> str:
    """Give a trial's state; a pruned one is no failure."""
    words = {"PRUNED": ("SKIPPED", "pruned"), "UNAVAILABLE": ("FAILED", "no objective")}
    phase, word = words.get(state, (state, ""))
    mark, known, colour = look.look(phase)
    return f'<span style="color:{colour}">{mark} {word or known}</span>'


def actions(resource: Resource) -> list[tuple[str, str]]:
    """What can be done with an experiment in its state, as (verb, words on the button)."""
    found = [("stop", "Stop")] if resource.phase in {"PENDING", "RUNNING"} else []
    if resource.status.get("best"):
        found.append(("copy", "Copy best as code"))
    return found


def _act(experiment: Experiment, verb: str) -> None:
    if verb == "stop":
        experiment.stop()


def _clip(resource: Resource) -> str:
    return parameters_code((resource.status.get("best") or {}).get("parameters") or {})


PICTURE = Picture(experiment_text, experiment_html, actions, _act, _clip)


def mimebundle(experiment: Experiment) -> dict[str, str]:
    """Give the experiment as it is now, without life: text and HTML."""
    return PICTURE.static(experiment.resource)


def show(experiment: Experiment) -> Follower | None:
    """Display the experiment in the running cell; goes on showing it until it has finished."""
    return live.show(experiment, PICTURE)


class ExperimentsView:
    """A list of experiments as a notebook shows it; indexing gives the handles."""

    def __init__(self, experiments: Iterable[Experiment]) -> None:
        self.experiments = tuple(experiments)

    def __len__(self) -> int:
        return len(self.experiments)

    def __getitem__(self, position: int) -> Experiment:
        return self.experiments[position]

    def __repr__(self) -> str:
        found = [item.resource for item in self.experiments]
        lines = [
            f"{item.name}  {item.phase}  {counts(item.status)}  {item.reason}".rstrip() for item in found
        ]
        return "\n".join(lines) or "No experiments."

    def _repr_html_(self) -> str:
        rows = []
        for experiment in self.experiments:
            item = experiment.resource
            best = (item.status.get("best") or {}).get("value")
            rows.append(
                (
                    f"<code>{escape(item.name)}</code>",
                    look.state(item.phase),
                    escape(counts(item.status)),
                    escape(look.number(best)) if best is not None else "",
                    escape(item.created[:19].replace("T", " ")),
                    escape(look.duration(item.status.get("seconds"))),
                    escape(item.reason[:120]),
                )
            )
        head = ("Experiment", "State", "Trials", "Best", "Created (UTC)", "Took", "Reason")
        return look.table("Experiments", head, rows) or "<div>No experiments.</div>"
