"""What may be typed. Nothing but argparse and tables of options is imported here: ``--help`` answers at once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jupyter_ext.training.options import count
from jupyter_ext.training.options import seconds as duration

from . import models

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names it no other way

_ABOUT = "Run notebooks as pipelines, train, tune, and see what became of it."
_EXIT = """exit status: 0 it SUCCEEDED (or the command did its work), 1 it did not,
2 wrong usage or input, 130 stopped with Ctrl-C

While it is waited for, Ctrl-C asks it to stop; a second Ctrl-C leaves at once.
With --no-wait it goes on by itself and the exit status says whether it could be started."""


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
    _jobs(commands)
    _anything(commands)
    _looking(commands)
    _changing(commands)
    _schedules(commands)
    models.parser(commands)
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


def _run_name(parser: argparse.ArgumentParser, *, any_kind: bool = False) -> None:
    about = (
        "name, or kind/name (default: the newest run)"
        if any_kind
        else "name of the run (default: the newest)"
    )
    parser.add_argument("run", metavar="NAME" if any_kind else "RUN", nargs="?", help=about)


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
    resume = _add(
        commands,
        "resume",
        "go on from a run's failed step, a job's checkpoint, with an experiment",
        epilog=_EXIT,
    )
    _run_name(resume, any_kind=True)
    resume.add_argument("--trials", type=count, metavar="N", help="so many more trials, of an experiment")
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


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _jobs(commands: _Commands) -> None:
    from jupyter_ext.training import options as training
    from jupyter_ext.tuning import options as tuning

    about = {
        "train": "run a script, or one function of it, on several processes",
        "tune": "try a script, or one function of it, with many parameters",
    }
    for name, found in (("train", training.OPTIONS), ("tune", tuning.OPTIONS)):
        parser = _add(commands, name, about[name], epilog=_FILES[name] + "\n\n" + _EXIT)
        parser.add_argument("file", metavar="FILE", help=_FILE[name])
        parser.add_argument("--function", metavar="NAME", help="call this function of the file")
        for option in found:
            parser.add_argument(*option.words, **option.settings)
        parser.add_argument("--no-wait", action="store_true", help="start it and leave; it goes on by itself")
        _json(parser, "print one JSON object about the end")


_FILE = {"train": "a .py file", "tune": "a .py file, or a notebook whose parameters are tuned"}
_FILES = {
    "train": """With --function NAME the file is imported by every process and the function called; arguments take the
types of its signature. Without it the file is run as a script, as torchrun does, with --arg lr=0.1 as --lr=0.1.""",
    "tune": """With --function NAME, and in a file that defines a function objective or train without it, the function is
called with the values of each trial in their types; it returns the objective, a dict of metrics, or reports them.
Any other file is run as a script for each trial, with --lr=0.1 for a parameter lr; it prints or reports lines such
as loss=0.3.""",
}


def _anything(commands: _Commands) -> None:
    apply = _add(
        commands, "apply", "start what a YAML file describes: TrainJob, Experiment, TFJob, …", epilog=_EXIT
    )
    apply.add_argument(
        "-f", "--filename", action="append", required=True, dest="files", metavar="FILE",
        help="file or folder, - for standard input (repeat for more)",
    )  # fmt: skip
    apply.add_argument("--wait", action="store_true", help="wait until all have ended")
    _json(apply)
    get = _add(commands, "get", "list what there is, newest first, or show what is named")
    get.add_argument(
        "what", metavar="KIND|NAME", nargs="*", help="kind, kind/name, kind name…, or name (default: all)"
    )
    get.add_argument("--limit", type=count, default=20, help="greatest number (default: 20)")
    get.add_argument("--state", help="only in this state, for example FAILED")
    get.add_argument(
        "-o", "--output", dest="format", choices=("json", "yaml", "name"), help="form of the answer"
    )
    _json(get)
    describe = _add(commands, "describe", "all that is known about what is named, and what happened to it")
    describe.add_argument("what", metavar="NAME", nargs="+", help="kind/name, kind name…, or name")
    _json(describe)
    wait = _add(commands, "wait", "wait until what is named has ended", epilog=_EXIT)
    wait.add_argument("what", metavar="NAME", nargs="+", help="kind/name, kind name…, or name")
    wait.add_argument(
        "--timeout", type=duration, metavar="TIME", help="wait at most so long, for example 90 or 10m"
    )
    _json(wait)


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
    runs.add_argument("--limit", type=count, default=20, help="greatest number of runs (default: 20)")
    runs.add_argument("--state", help="only in this state, for example FAILED")
    runs.add_argument("--pipeline", help="only of this pipeline (name of the notebook)")
    _json(runs)
    show = _add(commands, "show", "show one run: steps, metrics, error")
    _run_name(show, any_kind=True)
    _json(show)
    logs = _add(commands, "logs", "show what a run, a job or a trial printed")
    _run_name(logs, any_kind=True)
    logs.add_argument(
        "step", metavar="PART", nargs="?", help="only this step, or part of a job such as rank-0"
    )
    logs.add_argument(
        "--rank", type=_whole, metavar="N", help="only this rank of a job (default: all, interleaved)"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on until it ends")
    logs.add_argument("--tail", type=count, metavar="LINES", help="only so many of the last lines")
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
    stop = _add(commands, "stop", "stop a run, job or experiment and everything it started")
    _run_name(stop, any_kind=True)
    export = _add(
        commands,
        "export",
        "write a run's notebook as executed or all of the run, or the YAML of a job or experiment",
    )
    _run_name(export, any_kind=True)
    export.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="RUN.ipynb (the default), or RUN.zip with record, logs and values; NAME.yaml of others",
    )
    delete = _add(commands, "delete", "stop and delete what is named, with its logs and all that it owns")
    delete.add_argument("what", metavar="NAME", nargs="*", help="name, kind/name, or kind name…")
    delete.add_argument(
        "-f",
        "--filename",
        action="append",
        default=[],
        dest="files",
        metavar="FILE",
        help="what a YAML file names",
    )
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
