"""The commands of ``%kf``. Each gives what a notebook shows: a handle, a list, a text."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from IPython.core.magic_arguments import MagicArgumentParser

from jupyter_ext.errors import Conflict, Invalid, Where
from jupyter_ext.serving.magics import KF


def parser() -> MagicArgumentParser:
    """The whole grammar."""
    from jupyter_ext.serving.magics import grammar
    from jupyter_ext.spark.options import grammar as spark_grammar
    from jupyter_ext.training.options import OPTIONS as TRAIN
    from jupyter_ext.training.options import count
    from jupyter_ext.tuning.options import OPTIONS as TUNE

    made: Any = MagicArgumentParser("%kf")
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, options in (("train", TRAIN), ("tune", TUNE)):
        found = commands.add_parser(name)
        found.add_argument("file", metavar="FILE.py")
        found.add_argument("--function", metavar="NAME")
        for option in options:
            found.add_argument(*option.words, **option.settings)
        found.add_argument("--wait", action="store_true", help="come back only when it has ended")
    actions = commands.add_parser("spark").add_subparsers(dest="action", metavar="ACTION", required=True)
    spark_grammar(actions, lambda to, name: to.add_parser(name))
    for name in ("jobs", "experiments"):
        found = commands.add_parser(name)
        found.add_argument("--limit", type=count, default=10)
        found.add_argument("--state")
    get = commands.add_parser("get")
    get.add_argument("kind", nargs="?")
    get.add_argument("--limit", type=count, default=20)
    for name in ("describe", "wait", "stop", "resume", "delete", "best"):
        commands.add_parser(name).add_argument("name")
    commands.add_parser("apply").add_argument("file")
    grammar(commands)
    return made  # type: ignore[no-any-return]


def words(before: Sequence[str]) -> Iterator[str]:
    """Give what may stand behind these words."""
    made: Any = parser()
    commands = made._subparsers._group_actions[0].choices  # noqa: SLF001 - argparse has no other list of them
    if not before:
        yield from commands
    elif before[0] in commands:
        options = commands[before[0]]._option_string_actions  # noqa: SLF001 - as above
        yield from (word for word in options if word.startswith("--") and word != "--help")


def _file(name: str) -> Path:
    path = Path(name).expanduser()
    if path.suffix != ".py" or not path.is_file():
        raise Invalid(f"{name} is not a Python file here", where=Where(field="FILE.py"))
    return path.absolute()


def _train(_: Any, args: Namespace) -> object:
    from jupyter_ext import training
    from jupyter_ext.training.options import given

    made = training.train(_file(args.file), function=args.function, **given(args, typed=False))
    return made.wait() if _must_wait(args) else made


def _tune(_: Any, args: Namespace) -> object:
    from jupyter_ext import tuning
    from jupyter_ext.tuning import options

    space: Any = options.space(args)
    said: dict[str, Any] = options.given(args)
    objective = said.pop("objective")
    path = _file(args.file)
    made = tuning.tune(path, space, objective, function=options.entry(path, args.function), **said)
    return made.wait() if _must_wait(args) else made


def _spark(_: Any, args: Namespace) -> object:
    from jupyter_ext import spark
    from jupyter_ext.spark import options

    if args.action == "session":
        return spark.session(**options.given(args))
    path = options.program(args.file)
    if args.action == "schedule":
        return spark.schedule(path, args.cron, **options.words(args))
    return spark.submit(path, **options.words(args))


def _must_wait(args: Namespace) -> bool:
    from jupyter_ext.display.live import in_a_run

    return bool(args.wait) or in_a_run()


def _jobs(_: Any, args: Namespace) -> object:
    from jupyter_ext import training
    from jupyter_ext.training.widgets import JobsView

    return JobsView(training.jobs(limit=args.limit, phase=args.state and args.state.upper()))


def _experiments(_: Any, args: Namespace) -> object:
    from jupyter_ext import tuning
    from jupyter_ext.tuning.widgets import ExperimentsView

    found = tuning.experiments(limit=args.limit, phase=args.state and args.state.upper())
    return ExperimentsView(found)


def _get(_: Any, args: Namespace) -> object:
    from jupyter_ext import resources
    from jupyter_ext.kinds import kind_of

    kind = kind_of(args.kind) if args.kind else None
    if args.kind and kind is None:
        return resources.handle(args.kind)
    return ResourcesView(resources.list_(kind, limit=args.limit))


def _describe(_: Any, args: Namespace) -> object:
    from jupyter_ext import resources
    from jupyter_ext.pipelines.snippets import Code

    return Code(resources.describe(args.name))


def _wait(_: Any, args: Namespace) -> object:
    from jupyter_ext import resources

    return resources.handle(resources.wait(args.name))


def _stop(_: Any, args: Namespace) -> object:
    from jupyter_ext import resources

    return resources.handle(resources.stop(args.name))


def _resume(_: Any, args: Namespace) -> object:
    from jupyter_ext import resources

    return resources.resume(args.name)


def _delete(_: Any, args: Namespace) -> None:
    from jupyter_ext import resources

    resources.delete(args.name)


def _apply(_: Any, args: Namespace) -> object:
    from jupyter_ext import resources

    return ResourcesView([item.resource for item in resources.apply(Path(args.file))])


def _best(shell: Any, args: Namespace) -> None:
    """Put the best parameters into a new cell."""
    from jupyter_ext import resources
    from jupyter_ext.tuning.widgets import parameters_code

    resource = resources.find(f"experiment/{args.name.removeprefix('experiment/')}")
    best = (resource.status.get("best") or {}).get("parameters")
    if not best:
        raise Conflict(f"no trial of {resource.name} has succeeded yet", hint=resource.reason or None)
    shell.set_next_input(f"# The best of {resource.name}\n{parameters_code(best)}")


COMMANDS: dict[str, Callable[[Any, Namespace], object]] = {
    "train": _train,
    "tune": _tune,
    "spark": _spark,
    "jobs": _jobs,
    "experiments": _experiments,
    "get": _get,
    "describe": _describe,
    "wait": _wait,
    "stop": _stop,
    "resume": _resume,
    "delete": _delete,
    "apply": _apply,
    "best": _best,
    **KF,
}


class ResourcesView:
    """Resources of any kind as a notebook shows them; indexing gives the handles."""

    def __init__(self, found: Sequence[Any]) -> None:
        self.resources = tuple(found)

    def __len__(self) -> int:
        return len(self.resources)

    def __getitem__(self, position: int) -> Any:
        from jupyter_ext import resources

        return resources.handle(self.resources[position])

    def __repr__(self) -> str:
        lines = [
            f"{item.kind.lower()}/{item.name}  {item.phase}  {item.reason}".rstrip()
            for item in self.resources
        ]
        return "\n".join(lines) or "There is nothing yet."

    def _repr_html_(self) -> str:
        from jupyter_ext.display import look

        rows = [
            (
                f"<code>{escape(item.kind.lower())}/{escape(item.name)}</code>",
                look.state(item.phase),
                escape(item.created[:19].replace("T", " ")),
                escape(look.duration(item.status.get("seconds"))),
                escape(item.reason[:120]),
            )
            for item in self.resources
        ]
        head = ("Name", "State", "Created (UTC)", "Took", "Reason")
        return look.table("Resources", head, rows) or "<div>There is nothing yet.</div>"
