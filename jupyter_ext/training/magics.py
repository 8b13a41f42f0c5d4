"""``%%train``: the cell is the program of a training job, with the notebook's names that it reads.

Loading costs nothing to speak of: what the magic needs is imported when it is used.
"""

# IPython's decorators have no types.
# mypy: disable-error-code="no-untyped-call,untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from jupyter_ext.display.magic import arguments, options, told
from jupyter_ext.training.options import OPTIONS


def with_options(table: Any) -> Any:
    """Give a decorator that adds the options of a table to a magic."""

    def decorate(function: Any) -> Any:
        for option in reversed(table):
            function = argument(*option.words, **option.settings)(function)
        return function

    return decorate


@magics_class
class TrainingMagics(Magics):
    """The magic of training."""

    @magic_arguments()
    @argument("title", nargs="?", metavar="NAME", help="name of the job; one is made up without it")
    @with_options([option for option in OPTIONS if option.words != ("--name",)])
    @argument(
        "-o", "--result", metavar="VARIABLE", help="put what the cell's last line gives on rank 0 there"
    )
    @argument(
        "--no-wait", action="store_true", help="start it and go on; the variable of -o is its handle then"
    )
    @no_var_expand
    @cell_magic
    @told
    def train(self, line: str, cell: str) -> None:
        """Run this cell as a training job, in as many processes as it says, and wait for its end.

        The cell sees the notebook's names as they are; what it sets stays in its own processes. Interrupt stops
        the job. Example:

            %%train mnist --framework torch --nodes 2 --procs 2 --arg lr=0.1 -o loss
            loss = fit(data, lr)
            loss
        """
        __tracebackhide__ = True
        from jupyter_ext import training
        from jupyter_ext.display import live
        from jupyter_ext.errors import Invalid, Where
        from jupyter_ext.training.options import given
        from jupyter_ext.training.widgets import PICTURE, show

        args = arguments(self.train, line)
        args.name = args.title
        if args.result and not args.result.isidentifier():
            raise Invalid(f"{args.result!r} is not the name of a variable", where=Where(field="--result"))
        assert self.shell is not None
        names = self.shell.user_ns
        # The magic's own line is the first: an error names the line that one sees.
        job = training.train("\n" + cell, namespace=names, **given(args, typed=True))
        if args.no_wait and not live.in_a_run():
            show(job)
            if args.result:
                names[args.result] = job
            return
        live.attend(job, PICTURE)
        value = job.result()
        if args.result:
            names[args.result] = value


def offers(head: str, before: list[str]) -> Iterator[str]:
    """Give the words that may stand behind ``before`` in a line that begins with the magic ``head``."""
    if head == "%%train":
        from jupyter_ext.training.spec import FRAMEWORKS

        last = before[-1] if before else ""
        yield from FRAMEWORKS if last == "--framework" else options(TrainingMagics.train)
