"""What may be typed. Nothing but argparse and tables of options is imported here: ``--help`` answers at once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jupyter_ext.training.options import count
from jupyter_ext.training.options import seconds as duration

from . import doctor, grammar, hub, mcp, models, profiles, secrets, serving, spark

if TYPE_CHECKING:
    from .grammar import Commands

_ABOUT = "Run notebooks as pipelines, train, tune, serve, and see what became of it."
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
        prog="jupyter kf",
        description=_ABOUT,
        epilog=_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    serving.parser(commands)
    spark.parser(commands)
    secrets.parser(commands)
    profiles.parser(commands)
    hub.parser(commands)
    mcp.parser(commands)
    return parser


def _waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-wait", action="store_true", help="start it and leave; it goes on by itself")
    parser.add_argument(
        "--output", metavar="EXECUTED.ipynb", help="write the notebook as executed, also if it failed"
    )
    grammar.json(parser, "print one JSON object about the finished run")


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


def _running(commands: Commands) -> None:
    run = grammar.add(commands, "run", "run a notebook as a pipeline", epilog=_EXIT)
    run.add_argument(
        "file",
        metavar="FILE",
        help=".ipynb, .py with percent cells, a compiled KFP pipeline (.yaml), or Elyra's (.pipeline)",
    )
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
    run.add_argument(
        "--register",
        metavar="MODEL[@ALIAS][=VALUE]",
        help="register a value of the notebook as this model when the run has succeeded (default: `model`)",
    )
    _waiting(run)
    resume = grammar.add(
        commands,
        "resume",
        "go on from a run's failed step, a job's checkpoint, with an experiment",
        epilog=_EXIT,
    )
    _run_name(resume, any_kind=True)
    resume.add_argument("--trials", type=count, metavar="N", help="so many more trials, of an experiment")
    _waiting(resume)
    rerun = grammar.add(
        commands,
        "rerun",
        "run the notebook of a run again, as it was, with the same parameters",
        epilog=_EXIT,
    )
    _run_name(rerun)
    rerun.add_argument("--from", dest="start", metavar="STEP", help="run from this step on")
    _waiting(rerun)
    reproduce = grammar.add(commands, "reproduce", "run again as recorded, and compare every output")
    _run_name(reproduce)
    grammar.json(reproduce)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _jobs(commands: Commands) -> None:
    from jupyter_ext.training import options as training
    from jupyter_ext.tuning import options as tuning

    about = {
        "train": "run a script, or one function of it, on several processes",
        "tune": "try a script, or one function of it, with many parameters",
    }
    for name, found in (("train", training.OPTIONS), ("tune", tuning.OPTIONS)):
        parser = grammar.add(commands, name, about[name], epilog=_FILES[name] + "\n\n" + _EXIT)
        parser.add_argument("file", metavar="FILE", help=_FILE[name])
        parser.add_argument("--function", metavar="NAME", help="call this function of the file")
        for option in found:
            parser.add_argument(*option.words, **option.settings)
        parser.add_argument("--no-wait", action="store_true", help="start it and leave; it goes on by itself")
        grammar.json(parser, "print one JSON object about the end")


_FILE = {"train": "a .py file", "tune": "a .py file, or a notebook whose parameters are tuned"}
_FILES = {
    "train": """With --function NAME the file is imported by every process and the function called; arguments take the
types of its signature. Without it the file is run as a script, as torchrun does, with --arg lr=0.1 as --lr=0.1.""",
    "tune": """With --function NAME, and in a file that defines a function objective or train without it, the function is
called with the values of each trial in their types; it returns the objective, a dict of metrics, or reports them.
Any other file is run as a script for each trial, with --lr=0.1 for a parameter lr; it prints or reports lines such
as loss=0.3.""",
}


def _anything(commands: Commands) -> None:
    apply = grammar.add(
        commands,
        "apply",
        "start what a YAML file describes: TrainJob, Experiment, InferenceService, …",
        epilog=_EXIT,
    )
    apply.add_argument(
        "-f", "--filename", action="append", required=True, dest="files", metavar="FILE",
        help="file or folder, - for standard input (repeat for more)",
    )  # fmt: skip
    apply.add_argument("--wait", action="store_true", help="wait until all have ended")
    grammar.place(apply)
    grammar.json(apply)
    get = grammar.add(commands, "get", "list what there is, newest first, or show what is named")
    get.add_argument(
        "what", metavar="KIND|NAME", nargs="*", help="kind, kind/name, kind name…, or name (default: all)"
    )
    get.add_argument("--limit", type=count, default=20, help="greatest number (default: 20)")
    get.add_argument("--state", help="only in this state, for example FAILED")
    get.add_argument(
        "-o", "--output", dest="format", choices=("json", "yaml", "name"), help="form of the answer"
    )
    grammar.place(get)
    grammar.json(get)
    describe = grammar.add(
        commands, "describe", "all that is known about what is named, and what happened to it"
    )
    describe.add_argument("what", metavar="NAME", nargs="+", help="kind/name, kind name…, or name")
    grammar.place(describe)
    grammar.json(describe)
    events = grammar.add(commands, "events", "what happened to what is named, oldest first")
    events.add_argument("what", metavar="NAME", nargs="+", help="kind/name, kind name…, or name")
    grammar.place(events)
    grammar.json(events)
    wait = grammar.add(commands, "wait", "wait until what is named has ended, or serves", epilog=_EXIT)
    wait.add_argument("what", metavar="NAME", nargs="+", help="kind/name, kind name…, or name")
    wait.add_argument(
        "--timeout", type=duration, metavar="TIME", help="wait at most so long, for example 90 or 10m"
    )
    grammar.place(wait)
    grammar.json(wait)


def _looking(commands: Commands) -> None:
    check = grammar.add(commands, "check", "show the pipeline that a notebook is, and its problems")
    check.add_argument("file", metavar="FILE")
    grammar.json(check)
    compile_ = grammar.add(commands, "compile", "write the notebook as a Kubeflow pipeline (IR YAML)")
    compile_.add_argument("file", metavar="FILE")
    compile_.add_argument(
        "-o", "--output", metavar="OUT.yaml", help="file to write (default: standard output)"
    )
    _parameters(compile_)
    convert = grammar.add(commands, "convert", "write an Elyra pipeline as a notebook, or as Kubeflow's YAML")
    convert.add_argument("file", metavar="FILE.pipeline")
    convert.add_argument(
        "-o", "--output", metavar="OUT.ipynb", help="file to write, .ipynb or .yaml (default: beside it)"
    )
    runs = grammar.add(commands, "runs", "list runs, newest first")
    runs.add_argument("--limit", type=count, default=20, help="greatest number of runs (default: 20)")
    runs.add_argument("--state", help="only in this state, for example FAILED")
    runs.add_argument("--pipeline", help="only of this pipeline (name of the notebook)")
    grammar.json(runs)
    show = grammar.add(commands, "show", "show one run: steps, metrics, error")
    _run_name(show, any_kind=True)
    grammar.json(show)
    logs = grammar.add(commands, "logs", "show what a run, a job or a trial printed")
    _run_name(logs, any_kind=True)
    logs.add_argument(
        "step",
        metavar="PART",
        nargs="?",
        help="only this step, part of a job such as rank-0, or variant of an endpoint",
    )
    logs.add_argument(
        "--rank", type=_whole, metavar="N", help="only this rank of a job (default: all, interleaved)"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on until it ends")
    logs.add_argument("--tail", type=count, metavar="LINES", help="only so many of the last lines")
    grammar.place(logs)
    compare = grammar.add(
        commands, "compare", "show what differs between runs, or between the variants of an endpoint"
    )
    compare.add_argument("runs", metavar="NAME", nargs="+", help="two to ten names of runs, or one endpoint")
    serving.comparing(compare)
    grammar.json(compare)
    open_ = grammar.add(commands, "open", "code that loads a (failed) step's inputs in a live kernel")
    _run_name(open_)
    open_.add_argument("step", metavar="STEP", nargs="?", help="default: the failed step")
    open_.add_argument(
        "-o", "--output", metavar="DEBUG.ipynb", help="write a notebook with that code in place instead"
    )
    doctor.parser(commands)


def _changing(commands: Commands) -> None:
    stop = grammar.add(commands, "stop", "stop a run, job, experiment or endpoint and everything it started")
    _run_name(stop, any_kind=True)
    grammar.place(stop)
    export = grammar.add(
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
    delete = grammar.add(
        commands, "delete", "stop and delete what is named, with its logs and all that it owns"
    )
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
    grammar.place(delete)
    gc = grammar.add(commands, "gc", "remove stored values that nothing refers to any more")
    gc.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    grammar.json(gc)


def _schedules(commands: Commands) -> None:
    schedule = grammar.add(commands, "schedule", "run a notebook at certain times")
    actions = schedule.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = grammar.add(actions, "add", "start runs at the times of a cron expression")
    add.add_argument("file", metavar="FILE")
    add.add_argument("--cron", required=True, help='five fields, for example "0 6 * * 1-5"')
    add.add_argument("--name", help="name of the schedule")
    add.add_argument("--timezone", help="for example Europe/Berlin (default: of this machine)")
    add.add_argument(
        "--catchup", action="store_true", help="make up for times missed while the machine was off"
    )
    _parameters(add)
    grammar.json(add)
    grammar.json(grammar.add(actions, "list", "list schedules"))
    for name, about in (
        ("pause", "start no more runs"),
        ("resume", "start runs again"),
        ("run", "start a run of it now"),
        ("delete", "delete a schedule; its runs stay"),
    ):
        grammar.add(actions, name, about).add_argument(
            "schedule", metavar="SCHEDULE", help="name of the schedule"
        )
