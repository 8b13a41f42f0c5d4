"""What may be typed. Only argparse is imported here: ``--help`` answers at once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names it no other way

_ABOUT = "Run notebooks as pipelines, and see what became of them."
_EXIT = """exit status: 0 the run SUCCEEDED (or the command did its work), 1 the run did not,
2 wrong usage or input, 130 stopped with Ctrl-C

While a run is waited for, Ctrl-C asks it to stop; a second Ctrl-C leaves at once.
With --no-wait the run goes on by itself and the exit status says whether it could be started."""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; leaves by SystemExit for help (0) and wrong usage (2)."""
    parser = build()
    found = parser.parse_args(argv)
    if found.version:
        from jupyter_ext import __version__

        parser.exit(0, f"jupyter-kubeflow {__version__}\n")
    if found.command is None:
        parser.print_help()
        parser.exit(2)
    return found


def build() -> argparse.ArgumentParser:
    """The whole grammar."""
    parser = argparse.ArgumentParser(
        prog="jupyter kf", description=_ABOUT, epilog=_EXIT, formatter_class=_FORM
    )
    parser.add_argument("--version", action="store_true", help="show the version and leave")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=False)
    _running(commands)
    _looking(commands)
    _changing(commands)
    _schedules(commands)
    return parser


_FORM = argparse.RawDescriptionHelpFormatter


def _add(commands: _Commands, name: str, about: str, epilog: str | None = None) -> argparse.ArgumentParser:
    description = about[0].upper() + about[1:] + "."
    return commands.add_parser(
        name, help=about, description=description, formatter_class=_FORM, epilog=epilog
    )


def _json(parser: argparse.ArgumentParser, what: str = "print JSON") -> None:
    parser.add_argument("--json", action="store_true", help=what)


def _waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-wait", action="store_true", help="start it and leave; it goes on by itself")
    parser.add_argument(
        "--output", metavar="EXECUTED.ipynb", help="write the notebook as executed, also if it failed"
    )
    _json(parser, "print one JSON object about the finished run")


def _parameters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-p", "--parameter", action="append", default=[], dest="parameters", metavar="NAME=VALUE",
        help="set a parameter of the notebook (repeat for more)",
    )  # fmt: skip


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _run_name(parser: argparse.ArgumentParser, *, optional: bool = True) -> None:
    if optional:
        parser.add_argument("run", metavar="RUN", nargs="?", help="name of the run (default: the newest)")
    else:
        parser.add_argument("run", metavar="RUN", help="name of the run")


def _running(commands: _Commands) -> None:
    run = _add(commands, "run", "run a notebook as a pipeline", epilog=_EXIT)
    run.add_argument("file", metavar="FILE", help=".ipynb, or .py with percent cells")
    _parameters(run)
    run.add_argument(
        "--from",
        dest="start",
        metavar="STEP",
        help="run from this step on; earlier values come from the cache",
    )
    run.add_argument(
        "--only", metavar="STEP", help="run this step alone, with cached values of earlier steps"
    )
    run.add_argument("--no-cache", action="store_true", help="take no result of an earlier run")
    run.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="STEP:RESOURCE:AMOUNT",
        help="what a step may use in this run, for example train:memory:4Gi (repeat for more)",
    )
    _waiting(run)
    resume = _add(commands, "resume", "go on from the failed step of a run", epilog=_EXIT)
    _run_name(resume)
    _waiting(resume)
    rerun = _add(
        commands,
        "rerun",
        "run the notebook of a run again, as it was, with the same parameters",
        epilog=_EXIT,
    )
    _run_name(rerun)
    rerun.add_argument("--from", dest="start", metavar="STEP", help="run from this step on")
    _waiting(rerun)
    reproduce = _add(commands, "reproduce", "run again as recorded, and compare every output")
    _run_name(reproduce)
    _json(reproduce)


def _looking(commands: _Commands) -> None:
    check = _add(commands, "check", "show the pipeline that a notebook is, and its problems")
    check.add_argument("file", metavar="FILE")
    _json(check)
    compile_ = _add(commands, "compile", "write the notebook as a Kubeflow pipeline (IR YAML)")
    compile_.add_argument("file", metavar="FILE")
    compile_.add_argument(
        "-o", "--output", metavar="OUT.yaml", help="file to write (default: standard output)"
    )
    _parameters(compile_)
    runs = _add(commands, "runs", "list runs, newest first")
    runs.add_argument("--limit", type=_count, default=20, help="greatest number of runs (default: 20)")
    runs.add_argument("--state", help="only in this state, for example FAILED")
    runs.add_argument("--pipeline", help="only of this pipeline (name of the notebook)")
    _json(runs)
    show = _add(commands, "show", "show one run: steps, metrics, error")
    _run_name(show)
    _json(show)
    logs = _add(commands, "logs", "show what a run printed")
    _run_name(logs)
    logs.add_argument("step", metavar="STEP", nargs="?", help="only this step")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    logs.add_argument("--tail", type=_count, metavar="LINES", help="only so many of the last lines")
    compare = _add(commands, "compare", "show what differs between runs")
    compare.add_argument("runs", metavar="RUN", nargs="+", help="two to ten names of runs")
    _json(compare)
    open_ = _add(commands, "open", "code that loads a (failed) step's inputs in a live kernel")
    _run_name(open_)
    open_.add_argument("step", metavar="STEP", nargs="?", help="default: the failed step")
    open_.add_argument(
        "-o", "--output", metavar="DEBUG.ipynb", help="write a notebook with that code in place instead"
    )
    doctor = _add(commands, "doctor", "check everything that is needed, with a fix for each problem")
    _json(doctor)


def _changing(commands: _Commands) -> None:
    stop = _add(commands, "stop", "stop a run and everything it started")
    _run_name(stop)
    export = _add(commands, "export", "write a run's notebook as executed, or all of the run, to a file")
    _run_name(export)
    export.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="RUN.ipynb (the default), or RUN.zip with record, logs and values",
    )
    delete = _add(commands, "delete", "delete a run with its logs")
    _run_name(delete, optional=False)
    gc = _add(commands, "gc", "remove stored values that nothing refers to any more")
    gc.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    _json(gc)


def _schedules(commands: _Commands) -> None:
    schedule = _add(commands, "schedule", "run a notebook at certain times")
    actions = schedule.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = _add(actions, "add", "start runs at the times of a cron expression")
    add.add_argument("file", metavar="FILE")
    add.add_argument("--cron", required=True, help='five fields, for example "0 6 * * 1-5"')
    add.add_argument("--name", help="name of the schedule")
    add.add_argument("--timezone", help="for example Europe/Berlin (default: of this machine)")
    add.add_argument(
        "--catchup", action="store_true", help="make up for times missed while the machine was off"
    )
    _parameters(add)
    _json(add)
    _json(_add(actions, "list", "list schedules"))
    for name, about in (
        ("pause", "start no more runs"),
        ("resume", "start runs again"),
        ("run", "start a run of it now"),
        ("delete", "delete a schedule; its runs stay"),
    ):
        _add(actions, name, about).add_argument("schedule", metavar="SCHEDULE", help="name of the schedule")
