"""``%%step``, ``%%parameters``, ``%pipeline`` and ``%runs``.

In a live kernel ``%%step`` runs its cell as the pipeline would; as a pipeline, the notebook is read without
being executed, and the line says the same there. Loading costs a few milliseconds: what a magic needs is
imported when it is used.
"""

# IPython's decorators have no types.
# mypy: disable-error-code="no-untyped-call,untyped-decorator"

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from jupyter_ext.display.magic import arguments, options, told
from jupyter_ext.errors import Invalid

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_ext.pipelines.settings import Settings
    from jupyter_ext.pipelines.widgets import RunsView

ACTIONS = ("check", "run", "code", "compile", "form")


@dataclass(frozen=True)
class Done:
    """How a ``%%step`` cell went when it was last run in this kernel."""

    name: str
    state: str
    seconds: float


def run_here(shell: Any, cell: str, **how: Any) -> str:
    """Run a cell as the pipeline would; its error becomes the error of the cell that the magic stands in.

    The shell would show the error at once, and "Run all" would go on behind it.
    """
    __tracebackhide__ = True
    from jupyter_ext.pipelines import execute

    errors: list[BaseException] = []

    def note(*_: object, **__: object) -> None:
        if (error := sys.exc_info()[1]) is not None:
            errors.append(error)

    shell.showtraceback = shell.showsyntaxerror = note
    try:
        state = execute.live(shell, cell, **how)
    finally:
        for name in ("showtraceback", "showsyntaxerror"):
            shell.__dict__.pop(name, None)
    if errors:
        raise errors[-1]
    return state


def current_notebook(namespace: dict[str, Any]) -> Path:
    """The file of the notebook that this kernel belongs to; raises Invalid where nothing tells it.

    Jupyter Server names it in JPY_SESSION_NAME, VS Code in a variable of the namespace.
    """
    named = namespace.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    path = Path(re.sub(r"^RTC:", "", str(named)))
    if path.suffix in {".ipynb", ".py"} and path.is_file():
        return path
    what = (
        f"the file of this notebook is not {path.name!r} any more"
        if named
        else "the file of this notebook is not known here"
    )
    raise Invalid(what, hint="Name it, for example: %pipeline run NOTEBOOK.ipynb")


@magics_class
class PipelineMagics(Magics):
    """The magics of pipelines. ``done`` tells how each step's cell went when it last ran here."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.done: dict[str, Done] = {}

    @property
    def namespace(self) -> dict[str, Any]:
        """The user's names."""
        assert self.shell is not None
        names: dict[str, Any] = self.shell.user_ns
        return names

    @no_var_expand
    @cell_magic
    @told
    def step(self, line: str, cell: str) -> None:
        """Make this cell (a part of) a step of the pipeline, and run it here.

        %%step NAME [--after A,B] [--cpu 2] [--memory 4Gi] [--gpu 1] [--image IMAGE] [--retry 2]
        [--timeout 10m] [--cache on|off] [--if EXPR] [--for "VAR in EXPR"] [--collect NAMES]

        Here, --if, --for and --collect do what they do in the pipeline; order, resources, image, retries and
        cache matter to the pipeline only. Example:

            %%step train --after prepare --cpu 2 --for "depth in [2, 4, 8]" --collect scores
        """
        __tracebackhide__ = True
        name, settings = _step_line(line)
        begun = time.monotonic()
        state = "FAILED"
        try:
            state = run_here(
                self.shell,
                _numbered(f"%%step {line}", cell),
                when=settings.when,
                foreach=settings.foreach,
                collect=tuple(settings.collect),
            )
        finally:
            self.done[name] = Done(name, state, time.monotonic() - begun)

    @no_var_expand
    @cell_magic
    @told
    def parameters(self, line: str, cell: str) -> None:
        """Make this cell the parameters of the pipeline, and run it here.

        Each plain assignment of a literal is a parameter, with this value as its default:

            %%parameters
            lr = 0.1
        """
        if line.strip():
            raise Invalid("%%parameters takes nothing on its line")
        run_here(self.shell, _numbered("%%parameters", cell))

    @magic_arguments()
    @argument("action", nargs="?", default="check", choices=ACTIONS, help="what to do (default: check)")
    @argument("file", nargs="?", help="the notebook (default: this one, as last saved)")
    @argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="set a parameter")
    @argument("--from", dest="start", metavar="STEP", help="run from this step on")
    @argument("--only", metavar="STEP", help="run this step alone")
    @argument("--no-cache", action="store_true", help="take no result of an earlier run")
    @argument("--limit", action="append", default=[], metavar="STEP:RESOURCE:AMOUNT", help="for this run")
    @argument("--register", metavar="MODEL[@ALIAS][=VALUE]", help="register a value as this model at its end")
    @argument("--wait", action="store_true", help="come back only when the run has finished")
    @argument("-o", "--output", metavar="FILE", help="file to write (compile)")
    @no_var_expand
    @line_magic
    @told
    def pipeline(self, line: str) -> object:
        """Show this notebook as a pipeline, or run it.

        check shows graph and problems; run starts a run and returns its handle, which shows itself live; code
        shows the same run as Python and as a command; compile writes Kubeflow's YAML; form asks for the
        parameters. The notebook is taken as last saved, and the line as it stands: for values that are computed
        there is jupyter_ext.pipelines.run. Example:

            run = %pipeline run -p lr=0.1 --from train
        """
        from jupyter_ext.pipelines.snippets import read_parameters

        args = arguments(self.pipeline, line)
        path = Path(args.file) if args.file else current_notebook(self.namespace)
        values = read_parameters(args.parameter)
        return getattr(self, f"_{args.action}")(path, values, args)

    def _check(self, path: Path, values: dict[str, str], args: Any) -> object:
        del values, args
        from jupyter_ext import pipelines
        from jupyter_ext.pipelines.widgets import PipelineView

        return PipelineView(pipelines.check(path))

    def _run(self, path: Path, values: dict[str, str], args: Any) -> object:
        if os.environ.get("JUPYTER_KUBEFLOW_WORKLOAD"):
            # The notebook that says "run me" is being run: it would go on for ever.
            sys.stdout.write("%pipeline run does nothing inside a run.\n")
            return None
        from jupyter_ext import pipelines
        from jupyter_ext.pipelines.snippets import read_limits, read_register

        return pipelines.run(
            path,
            parameters=values,
            from_=args.start,
            only=args.only,
            cache=not args.no_cache,
            resources=read_limits(args.limit),
            register=read_register(args.register),
            wait=args.wait,
        )

    def _code(self, path: Path, values: dict[str, str], args: Any) -> object:
        from jupyter_ext.pipelines import check
        from jupyter_ext.pipelines.forms import FormModel
        from jupyter_ext.pipelines.snippets import Code, read_limits

        options = {"from": args.start, "only": args.only, "cache": not args.no_cache}
        options["resources"] = read_limits(args.limit)
        spec = {"path": str(path), "parameters": values, "options": options}
        return Code(FormModel.from_spec(check(path), spec).code())

    def _compile(self, path: Path, values: dict[str, str], args: Any) -> object:
        from jupyter_ext import pipelines
        from jupyter_ext.pipelines.snippets import Code

        text = pipelines.compile(path, args.output, parameters=values)
        return Path(args.output) if args.output else Code(text)

    def _form(self, path: Path, values: dict[str, str], args: Any) -> object:
        del args
        from jupyter_ext.pipelines.forms import form

        return form(path, **values)

    @magic_arguments()
    @argument("--limit", type=int, default=10, help="greatest number of runs (default: 10)")
    @argument("--state", help="only in this state, for example FAILED")
    @line_magic
    @told
    def runs(self, line: str) -> RunsView:
        """List the newest runs; indexing the result gives their handles.

        found = %runs --state FAILED
        """
        from jupyter_ext import pipelines
        from jupyter_ext.pipelines.widgets import RunsView

        args = arguments(self.runs, line)
        if args.limit < 1:
            raise Invalid("--limit must be at least 1")
        return RunsView(pipelines.runs(limit=args.limit, state=args.state and args.state.upper()))


def _numbered(line: str, cell: str) -> str:
    """Give the cell with something harmless in place of the magic's line, so that errors name the line one sees."""
    from jupyter_ext.pipelines import stepline

    found = stepline.split(f"{line}\n{cell}")
    return found[2] if found else cell


def _step_line(line: str) -> tuple[str, Settings]:
    """Read the line as the pipeline does; raises Invalid for the first thing that is wrong."""
    from jupyter_ext.pipelines import stepline
    from jupyter_ext.pipelines.model import Cell

    marks = stepline.read(Cell(1, "", ""), line)
    for problem in marks.problems:
        raise Invalid(problem.message, hint=problem.remedy or None)
    return str(marks.name), marks.settings


def offers(head: str, before: list[str]) -> Iterator[str]:
    """Give the words that may stand behind ``before`` in a line that begins with the magic ``head``."""
    last = before[-1] if before else ""
    if head == "%%step":
        from jupyter_ext.pipelines.stepline import _FLAGS, _OPTIONS

        yield from ("on", "off") if last == "--cache" else (*_OPTIONS, *_FLAGS)
    elif head in {"%pipeline", "%runs"}:
        if head == "%pipeline" and not [word for word in before if word]:
            yield from ACTIONS
        yield from options(getattr(PipelineMagics, head[1:]))
