"""``jupyter kf spark``: batches, schedules of them, and sessions."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_ext.spark import options

from . import grammar
from .jobs import follow
from .text import as_json, say

if TYPE_CHECKING:
    from .grammar import Commands

_FILE = """With --function NAME the function of the file is called in the driver; what stands behind -- is the command line of a
file that is run as a program. Ctrl-C stops what is waited for; with --no-wait it goes on by itself."""
_SESSION = """It stays up when this command has ended. In a notebook or a program, kf.spark.session() gives its SparkSession."""
_ABOUT: Mapping[str, tuple[str, str]] = {
    "submit": ("run a file, or one function of it, as a Spark application", _FILE),
    "schedule": ("run a file, or one function of it, by the clock", _FILE),
    "session": ("start a session, and wait until it takes work", _SESSION),
}


def parser(commands: Commands) -> None:
    """What may be typed after ``spark``."""
    spark_ = grammar.add(commands, "spark", "run Spark on this machine: batches, schedules, sessions")
    actions = spark_.add_subparsers(dest="action", metavar="ACTION", required=True)
    submit, schedule, session = options.grammar(
        actions, lambda to, name: grammar.add(to, name, *_ABOUT[name])
    )
    submit.add_argument("--no-wait", action="store_true", help="start it and leave; it goes on by itself")
    session.add_argument("--no-wait", action="store_true", help="do not wait until it takes work")
    grammar.json(submit, "print one JSON object about the end")
    grammar.json(schedule)
    grammar.json(session)


def spark(args: Namespace) -> int:
    """One of the actions."""
    actions: Mapping[str, Callable[[Namespace], int]] = {
        "submit": _submit,
        "schedule": _schedule,
        "session": _session,
    }
    return actions[args.action](args)


def _submit(args: Namespace) -> int:
    from jupyter_ext import spark

    return follow(spark.submit(options.program(args.file), **options.words(args)), args)


def _schedule(args: Namespace) -> int:
    from jupyter_ext import spark

    made = spark.schedule(options.program(args.file), args.cron, **options.words(args))
    if args.json:
        as_json(made.resource.to_dict())
    else:
        say(f"scheduledsparkapplication/{made.name}: see jupyter kf describe {made.name}")
    return 0


def _session(args: Namespace) -> int:
    from jupyter_ext.errors import Conflict
    from jupyter_ext.spark import handle, submission

    try:
        found = submission.start(**options.given(args))
    except Conflict:
        found = handle.session_of(args.name)
    if not args.no_wait:
        found.await_ready()
    resource = found.resource
    call = "kf.spark.session()" if found.name == "spark" else f"kf.spark.session({found.name!r})"
    if args.json:
        as_json(
            {"kind": resource.kind, "name": found.name, "state": resource.phase, "reason": resource.reason}
        )
    else:
        say(f"sparkconnect/{found.name}: {resource.phase.lower()}. In a notebook: spark = {call}")
    sys.stdout.flush()
    return 0 if resource.phase in {"PENDING", "RUNNING"} else 1


COMMANDS: dict[str, Callable[[Any], int]] = {"spark": spark}
