"""``jupyter kf schedule``: runs at certain times."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .text import as_json, say, table


def schedule(args: Namespace) -> int:
    """One of the actions."""
    actions: dict[str, Callable[[Namespace], int]] = {
        "add": _add,
        "list": _list,
        "pause": _pause,
        "resume": _resume,
        "run": _run,
        "delete": _delete,
    }
    return actions[args.action](args)


def _add(args: Namespace) -> int:
    from jupyter_ext import pipelines
    from jupyter_ext.pipelines.snippets import read_parameters

    found = pipelines.schedule(
        args.file,
        args.cron,
        name=args.name,
        parameters=read_parameters(args.parameters),
        timezone=args.timezone,
        catchup=args.catchup,
    )
    if args.json:
        as_json(found.to_dict())
    else:
        say(f"Schedule {found.name}: next run {found.status.get('nextTime') or 'not known yet'}")
    return 0


def _list(args: Namespace) -> int:
    from jupyter_ext import pipelines

    found = list(pipelines.schedules())
    if args.json:
        as_json({"schedules": [item.to_dict() for item in found]})
    elif not found:
        say('No schedules. Make one: jupyter kf schedule add NOTEBOOK.ipynb --cron "0 6 * * *"')
    else:
        rows = [
            (
                item.name,
                "on" if item.spec.get("enabled", True) else "paused",
                str(item.spec.get("cron", "")),
                str(item.status.get("nextTime") or ""),
                str(item.status.get("lastRun") or ""),
                Path(str(item.spec.get("path", ""))).name,
            )
            for item in found
        ]
        say(table(rows, head=("SCHEDULE", "STATE", "CRON", "NEXT", "LAST RUN", "NOTEBOOK")))
    return 0


def _pause(args: Namespace) -> int:
    from jupyter_ext import pipelines

    pipelines.schedule_set(args.schedule, enabled=False)
    say(f"{args.schedule} starts no more runs.")
    return 0


def _resume(args: Namespace) -> int:
    from jupyter_ext import pipelines

    pipelines.schedule_set(args.schedule, enabled=True)
    say(f"{args.schedule} starts runs again.")
    return 0


def _run(args: Namespace) -> int:
    from jupyter_ext import pipelines

    started: Any = pipelines.schedule_run(args.schedule)
    say(f"Run {started.name} goes on by itself. Follow it: jupyter kf logs -f {started.name}")
    return 0


def _delete(args: Namespace) -> int:
    from jupyter_ext import pipelines

    pipelines.schedule_delete(args.schedule)
    say(f"Deleted {args.schedule}.")
    return 0


COMMANDS: dict[str, Callable[[Any], int]] = {"schedule": schedule}
