"""``jupyter kf train`` and ``jupyter kf tune``: start, show while it goes on, and say what became of it."""

from __future__ import annotations

import queue
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Where

from .text import as_json, number, one_line, say, seconds
from .ticker import Ticker

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

PAUSE = 0.1
"""Seconds between two looks at what runs."""


def train(args: Namespace) -> int:
    """``jupyter kf train``."""
    from jupyter_ext import training
    from jupyter_ext.training.options import given

    words = given(args, typed=False)
    return follow(training.train(program(args.file), function=args.function, **words), args)


def tune(args: Namespace) -> int:
    """``jupyter kf tune``."""
    from jupyter_ext import tuning
    from jupyter_ext.tuning import options

    space: Any = options.space(args)
    words = options.given(args)
    objective = words.pop("objective")
    path = program(args.file, (".py", ".ipynb"))
    function = options.entry(path, args.function)
    return follow(tuning.tune(path, space, objective, function=function, **words), args)


def program(file: str, suffixes: tuple[str, ...] = (".py",)) -> Path:
    """Give the file to run; raises NotFound and Invalid before anything is loaded."""
    path = Path(file)
    where = Where(field="FILE")
    if path.suffix not in suffixes:
        raise Invalid(f"{file} is not a Python file", where=where, hint="Notebooks run with: jupyter kf run")
    if not path.is_file():
        raise NotFound(f"there is no file {file}", where=where)
    return path.absolute()


def follow(handle: Any, args: Namespace) -> int:
    """Show a job or an experiment until it ends, and then what became of it; gives the exit status."""
    resource: Resource = handle.resource
    title = f"{resource.kind.lower()}/{resource.name}"
    if args.no_wait:
        if args.json:
            as_json(brief(resource))
        else:
            say(f"{title} goes on by itself. Follow it: jupyter kf logs -f {title}")
        return 0
    if not args.json:
        say(title)
    ticker = Ticker(sys.stderr if args.json else sys.stdout, quiet=args.json)
    interrupted = _wait(handle, ticker)
    resource = handle.resource
    if args.json:
        as_json(brief(resource))
    else:
        _conclude(resource)
    if interrupted:
        return 130
    if resource.phase == "SUCCEEDED":
        return 0
    if not args.json:
        sys.stdout.flush()
        reason = resource.reason or f"The {resource.kind} is {resource.phase.lower()}."
        sys.stderr.write(f"jupyter kf: {reason} See: jupyter kf logs {title}\n")
    return 1


def _wait(handle: Any, ticker: Ticker) -> bool:
    """Wait until it rests; gives whether it was stopped with Ctrl-C."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    ended = threading.Event()
    printing = threading.Thread(target=_read, args=(handle, lines, ended), daemon=True)
    printing.start()
    interrupted = False
    while True:
        try:
            resource = handle.resource
            _print(lines, ticker)
            if resource.resting:
                break
            ticker.status(status_line(resource), _stage(resource))
            ended.wait(PAUSE) if not ended.is_set() else threading.Event().wait(PAUSE)
        except KeyboardInterrupt:
            if interrupted:
                sys.stderr.write(f"\nLeft while {handle.name} is stopping.\n")
                raise
            interrupted = True
            sys.stderr.write(f"\nStopping {handle.name} (Ctrl-C again to leave at once)\n")
            handle.stop()
    printing.join(10.0)
    ended.set()
    _print(lines, ticker)
    ticker.done()
    return interrupted


def _read(handle: Any, lines: queue.SimpleQueue[str], ended: threading.Event) -> None:
    """Follow what it prints, or the trials that end, in a thread of its own."""
    try:
        found = _ended(handle, ended) if hasattr(handle, "page") else handle.logs(follow=True, stop=ended)
        for text in found:
            lines.put(text)
    except KubeflowError:
        return
    finally:
        ended.set()


def _ended(experiment: Any, stop: threading.Event) -> Iterator[str]:
    """Give a line for each trial that has ended."""
    since, told = 0, set[int]()
    while True:
        over = stop.is_set() or experiment.resource.resting
        page = experiment.page(limit=10_000, since=since)
        since = page["resourceVersion"]
        for row in page["items"]:
            if row["number"] not in told and row["state"] not in {"PENDING", "RUNNING"}:
                told.add(row["number"])
                yield _trial_line(row)
        if over:
            return
        stop.wait(0.5)


def _trial_line(row: Mapping[str, Any]) -> str:
    value = "" if row.get("value") is None else number(row["value"])
    values = "  ".join(f"{name}={number(item)}" for name, item in (row.get("parameters") or {}).items())
    reason = one_line(str(row.get("reason") or ""), 80)
    return (
        f"trial {row['number']}  {row['state'].lower():<9}  {value:<12}  {values}  {reason}".rstrip() + "\n"
    )


def _print(lines: queue.SimpleQueue[str], ticker: Ticker) -> None:
    while not lines.empty():
        ticker.text(lines.get())


def _stage(resource: Resource) -> str:
    """What has to change for another line where lines cannot be redrawn: the state, and each tenth of the way."""
    progress = resource.status.get("progress")
    return f"{resource.phase} {int((progress or 0) * 10)} {resource.reason}"


def status_line(resource: Resource) -> str:
    """What goes on, in one line."""
    status = resource.status
    parts = [resource.phase.lower()]
    if (progress := status.get("progress")) is not None and not resource.finished:
        parts.append(f"{progress:.0%}")
    left = (status.get("trainerStatus") or {}).get("estimatedRemainingSeconds")
    if left:
        parts.append(f"about {seconds(float(left))} left")
    if resource.kind == "Experiment":
        parts += [part for part in _trials(status) if part.startswith("best")]
    parts += [f"{name}={number(value)}" for name, value in list((status.get("metrics") or {}).items())[:6]]
    if resource.reason:
        parts.append(one_line(resource.reason))
    return "  ".join(parts)


def _trials(status: Mapping[str, Any]) -> list[str]:
    found = [f"{status.get('trials') or 0} trials"]
    for name, word in (
        ("trialsRunning", "running"),
        ("trialsEarlyStopped", "pruned"),
        ("trialsFailed", "failed"),
    ):
        if status.get(name):
            found.append(f"{status[name]} {word}")
    best = status.get("best") or {}
    if best.get("value") is not None:
        values = ", ".join(
            f"{name}={number(value)}" for name, value in (best.get("parameters") or {}).items()
        )
        found.append(f"best {number(best['value'])} ({values})")
    return found


def _conclude(resource: Resource) -> None:
    """Say what became of it."""
    from jupyter_ext.registry.made import sentence

    status = resource.status
    took = seconds(status.get("seconds")) or "no time"
    say(f"{resource.phase} in {took}")
    for name, value in (status.get("metrics") or {}).items():
        say(f"  {name} = {number(value)}")
    if told := sentence(status.get("registered")):
        say(told)
    if resource.kind != "Experiment":
        return
    say("  " + ", ".join(part for part in _trials(status) if not part.startswith("best")))
    best = status.get("best") or {}
    if best:
        say(f"Best: trial {best.get('trial')} with {number(best.get('value'))}")
        for name, value in (best.get("parameters") or {}).items():
            say(f"  {name} = {value!r}")


def brief(resource: Resource) -> dict[str, Any]:
    """Give the object of ``--json``."""
    status = resource.status
    found: dict[str, Any] = {
        "kind": resource.kind,
        "name": resource.name,
        "state": resource.phase,
        "reason": resource.reason,
        "seconds": status.get("seconds"),
        "progress": status.get("progress"),
        "metrics": status.get("metrics") or {},
    }
    if resource.kind == "Experiment":
        counts = ("trials", "trialsSucceeded", "trialsRunning", "trialsFailed", "trialsEarlyStopped")
        found["trials"] = {name: status.get(name) or 0 for name in counts}
        found["best"] = status.get("best")
    elif "ranks" in status:
        found["ranks"] = status["ranks"]
    return found | ({"error": status["error"]} if status.get("error") else {})


def refused(error: KubeflowError, command: str) -> dict[str, object]:
    """Give the object of ``--json`` for what was refused before it began."""
    return {
        "kind": "Experiment" if command == "tune" else "TrainJob",
        "name": None,
        "state": "FAILED",
        "reason": str(error),
        "seconds": 0.0,
        "progress": None,
        "metrics": {},
        "error": {**error.to_dict(), "message": str(error)},
    }


COMMANDS: dict[str, Callable[[Any], int]] = {"train": train, "tune": tune}
