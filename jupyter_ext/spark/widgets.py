"""An application or a session in a notebook's output: live while it runs, a plain picture of its end for later."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_ext.display import live, look
from jupyter_ext.display.live import Picture
from jupyter_ext.spark.manifest import shape

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.display.follower import Follower

MOST_STAGES = 6
TAIL = 6
"""Lines of the log that are shown."""


def text(resource: Resource) -> str:
    """Give it in plain text: a line for it, its reason, its stages."""
    status = resource.status
    lines = [
        f"{resource.kind} {resource.name}: {resource.phase} {look.duration(status.get('seconds'))}".rstrip()
    ]
    lines[0] += f"  ({shape(resource)})"
    if resource.reason:
        lines.append(resource.reason)
    stages = list(status.get("stages") or ())[:MOST_STAGES]
    lines += [f"  stage {one['id']}  {one['done']}/{one['tasks']}  {one['name']}" for one in stages]
    return "\n".join(lines)


def html(resource: Resource) -> str:
    """Give it as one block of HTML: head, progress, reason, stages, last lines of the log."""
    status = resource.status
    mark, word, colour = look.look(resource.phase)
    progress = status.get("progress")
    running = not resource.finished
    facts = [shape(resource), look.duration(status.get("seconds"))]
    head = (
        f'<div><b style="color:{colour}">{mark} {escape(word)}</b> <b>{escape(resource.name)}</b> '
        f"{escape(', '.join(fact for fact in facts if fact))}</div>"
    )
    batch = resource.kind == "SparkApplication"
    error = status.get("error") or {}
    return look.block(
        head,
        look.bar(progress) if running and batch else "",
        look.failure(resource.reason, resource.phase, [str(line) for line in error.get("traceback") or ()]),
        _stages(status.get("stages") or ()),
        _log(resource) if batch and (running or resource.phase == "FAILED") else "",
    )


def _stages(stages: Any) -> str:
    rows = [_row(stage) for stage in list(stages)[:MOST_STAGES]]
    return look.table("Stages", ("Stage", "Tasks", "What", "State"), rows) if rows else ""


def _row(stage: Mapping[str, Any]) -> tuple[str, str, str, str]:
    failed = f" ({stage['failed']} failed)" if stage.get("failed") else ""
    return (
        escape(str(stage["id"])),
        escape(f"{stage['done']}/{stage['tasks']}{failed}"),
        escape(str(stage["name"])),
        escape(str(stage["state"]).lower()),
    )


def _log(resource: Resource) -> str:
    from jupyter_ext import spark
    from jupyter_ext.errors import KubeflowError

    try:
        found = "".join(spark.get(resource.name).logs(tail=TAIL))
    except KubeflowError:
        return ""
    shown = escape("\n".join(line[-200:] for line in found.rstrip("\n").split("\n")[-TAIL:]))
    return f'<pre aria-label="Last lines of the log">{shown}</pre>' if found.strip() else ""


def actions(resource: Resource) -> list[tuple[str, str]]:
    """What can be done with it in its state, as (verb, words on the button)."""
    return [("stop", "Stop")] if resource.phase in {"PENDING", "RUNNING"} else []


def _act(handle: Any, verb: str) -> None:
    if verb == "stop":
        handle.stop()


PICTURE = Picture(text, html, actions, _act)


def show(handle: Any) -> Follower | None:
    """Display it in the running cell; goes on showing it until it has finished."""
    return live.show(handle, PICTURE)
