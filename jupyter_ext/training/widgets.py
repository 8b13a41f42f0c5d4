"""A training job in a notebook's output: live while it runs, a plain picture of its end for later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_ext.display import chart, live, look
from jupyter_ext.display.live import Picture
from jupyter_ext.display.series import SYSTEM, series

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.display.follower import Follower
    from jupyter_ext.training import Job

MOST_CURVES = 6
TAIL = 6
"""Lines of the log that are shown."""
MOST_RANKS = 32


def shape(resource: Resource) -> str:
    """Give what it runs on: ``torch, 2 nodes x 2 processes``."""
    from jupyter_ext.training.spec import FRAMEWORK, NODES

    trainer = resource.spec.get("trainer") or {}
    nodes = resource.annotations.get(NODES) or trainer.get("numNodes") or 1
    procs = trainer.get("numProcPerNode") or 1
    framework = resource.annotations.get(FRAMEWORK) or resource.kind
    return f"{framework}, {nodes} {'node' if nodes == 1 else 'nodes'} x {procs} {'process' if procs == 1 else 'processes'}"


def job_text(resource: Resource) -> str:
    """Give a job in plain text: a line for it, its metrics, its ranks."""
    status = resource.status
    lines = [
        f"{resource.kind} {resource.name}: {resource.phase} {look.duration(status.get('seconds'))}".rstrip()
    ]
    lines[0] += f"  ({shape(resource)})"
    if resource.reason:
        lines.append(resource.reason)
    curves = {name: [y for _, y in points[0][1]] for name, points in _curves(resource).items()}
    metrics: Mapping[str, Any] = status.get("metrics") or {}
    width = max(map(len, metrics), default=0)
    for name, value in metrics.items():
        drawn = chart.letters(curves.get(name, ()))
        lines.append(f"  {name.ljust(width)}  {look.number(value):<12} {drawn}".rstrip())
    return "\n".join(lines)


def job_html(resource: Resource) -> str:
    """Give a job as one block of HTML: head, progress, reason, curves, ranks, last lines of the log."""
    status = resource.status
    _, word, colour = look.look(resource.phase)
    mark = look.look(resource.phase)[0]
    progress = status.get("progress")
    left = (status.get("trainerStatus") or {}).get("estimatedRemainingSeconds")
    facts = [
        shape(resource),
        look.duration(status.get("seconds")),
        f"{progress:.0%}" if isinstance(progress, int | float) and not resource.finished else "",
        f"about {look.duration(float(left))} left" if left and not resource.finished else "",
    ]
    head = (
        f'<div><b style="color:{colour}">{mark} {escape(word)}</b> <b>{escape(resource.name)}</b> '
        f"{escape(', '.join(fact for fact in facts if fact))}</div>"
    )
    error = status.get("error") or {}
    traceback = [str(line) for line in error.get("traceback") or ()]
    running = not resource.finished
    return look.block(
        head,
        look.bar(progress) if running else "",
        look.failure(resource.reason, resource.phase, traceback),
        _pictures(resource),
        _ranks(status.get("ranks") or ()),
        _log(resource) if running or resource.phase == "FAILED" else "",
    )


def _curves(resource: Resource) -> dict[str, list[tuple[str, list[chart.Point]]]]:
    """Give what was reported, by metric, as (rank, points)."""
    from jupyter_ext.cluster.discover import current

    page = current().metrics.read(resource.uid, limit=chart.MOST)
    found: dict[str, list[tuple[str, list[chart.Point]]]] = {}
    for item in series(page.points):
        if not item["name"].startswith(SYSTEM):
            points = [(time if step is None else step, value) for step, time, value in item["points"]]
            found.setdefault(item["name"], []).append((f"rank {item['rank']}", points))
    return found


def _pictures(resource: Resource) -> str:
    metrics: Mapping[str, Any] = resource.status.get("metrics") or {}
    found = _curves(resource)
    rows = []
    for name in list(dict.fromkeys([*metrics, *found]))[:MOST_CURVES]:
        lines = found.get(name, [])
        drawn = (
            chart.curves_svg(f"{name} over time", lines)
            if any(len(points) > 1 for _, points in lines)
            else ""
        )
        last = metrics.get(name, lines[0][1][-1][1] if lines else "")
        rows.append((escape(name), f"<b>{escape(look.number(last))}</b>", drawn))
    return look.table("Metrics", (), rows)


def _ranks(ranks: Sequence[Mapping[str, Any]]) -> str:
    """Give the ranks, where there are several."""
    if len(ranks) < 2:
        return ""
    rows = (
        (
            escape(str(rank.get("part") or f"rank-{rank.get('rank')}")),
            look.state(str(rank.get("state") or "PENDING")),
            escape(look.duration(rank.get("seconds"))),
            escape(str(rank.get("reason") or "").split("\n", 1)[0][:160]),
        )
        for rank in ranks[:MOST_RANKS]
    )
    more = f"<div>and {len(ranks) - MOST_RANKS} more</div>" if len(ranks) > MOST_RANKS else ""
    table = look.table("Ranks", (), rows)
    return f"<details><summary>{len(ranks)} ranks</summary>{table}{more}</details>"


def _log(resource: Resource) -> str:
    from jupyter_ext import training
    from jupyter_ext.errors import KubeflowError

    size = max(len(resource.status.get("ranks") or ()), 1)
    # A few lines of each rank; where there are many ranks, those of the first.
    rank, tail = (0, TAIL) if size > TAIL else (None, max(TAIL // size, 1))
    try:
        text = "".join(training.get(resource.name, kind=resource.kind).logs(rank, tail=tail))
    except KubeflowError:
        return ""
    lines = text.rstrip("\n").split("\n")[-TAIL:]
    shown = escape("\n".join(line[-200:] for line in lines))
    return f'<pre aria-label="Last lines of the log">{shown}</pre>' if text.strip() else ""


def actions(resource: Resource) -> list[tuple[str, str]]:
    """What can be done with a job in its state, as (verb, words on the button)."""
    if resource.phase in {"PENDING", "RUNNING"}:
        return [("stop", "Stop"), ("suspend", "Pause")]
    return [("resume", "Resume")] if resource.phase == "PAUSED" else []


def _act(job: Job, verb: str) -> None:
    if verb in {"stop", "suspend", "resume"}:
        getattr(job, verb)()


PICTURE = Picture(job_text, job_html, actions, _act)


def mimebundle(job: Job) -> dict[str, str]:
    """Give the job as it is now, without life: text and HTML."""
    return PICTURE.static(job.resource)


def show(job: Job) -> Follower | None:
    """Display the job in the running cell; goes on showing it until it has finished."""
    return live.show(job, PICTURE)


class JobsView:
    """A list of jobs as a notebook shows it; indexing gives the handles."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.jobs = tuple(jobs)

    def __len__(self) -> int:
        return len(self.jobs)

    def __getitem__(self, position: int) -> Job:
        return self.jobs[position]

    def __repr__(self) -> str:
        found = [job.resource for job in self.jobs]
        return "\n".join(job_text(item).split("\n", 1)[0] for item in found) or "No jobs."

    def _repr_html_(self) -> str:
        rows = []
        for job in self.jobs:
            item = job.resource
            metrics = list((item.status.get("metrics") or {}).items())[:3]
            rows.append(
                (
                    f"<code>{escape(item.name)}</code>",
                    look.state(item.phase),
                    escape(shape(item)),
                    escape(item.created[:19].replace("T", " ")),
                    escape(look.duration(item.status.get("seconds"))),
                    escape(", ".join(f"{name}={look.number(value)}" for name, value in metrics)),
                    escape(item.reason[:120]),
                )
            )
        head = ("Job", "State", "On", "Created (UTC)", "Took", "Metrics", "Reason")
        return look.table("Jobs", head, rows) or "<div>No jobs.</div>"
