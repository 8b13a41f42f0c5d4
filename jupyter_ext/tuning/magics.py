"""``%%tune``: the cell is run once for each trial, with the parameters as names in it.

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
from jupyter_ext.training.magics import with_options
from jupyter_ext.tuning.options import OPTIONS


@magics_class
class TuningMagics(Magics):
    """The magic of tuning."""

    @magic_arguments()
    @argument("title", nargs="?", metavar="NAME", help="name of the experiment; one is made up without it")
    @with_options([option for option in OPTIONS if option.words != ("--name",)])
    @argument("-o", "--result", metavar="VARIABLE", help="put the best trial's parameters there, as a dict")
    @argument(
        "--no-wait", action="store_true", help="start it and go on; the variable of -o is its handle then"
    )
    @no_var_expand
    @cell_magic
    @told
    def tune(self, line: str, cell: str) -> None:
        """Run this cell once for each trial of an experiment, and wait for its end.

        The cell sees the parameters and the notebook's names. Its last line gives the objective, or a dict of
        metrics; or it reports them. Interrupt stops the experiment. Example:

            %%tune --param lr=double(1e-4,1e-1,log) --param depth=int(1,8) --algorithm tpe --trials 50 -o best
            model = fit(data, lr=lr, depth=depth)
            {"loss": model.loss}
        """
        __tracebackhide__ = True
        from jupyter_ext import tuning
        from jupyter_ext.display import live
        from jupyter_ext.errors import Invalid, KubeflowError, Where
        from jupyter_ext.tuning.options import given, space
        from jupyter_ext.tuning.widgets import PICTURE, show

        args = arguments(self.tune, line)
        args.name = args.title
        if args.result and not args.result.isidentifier():
            raise Invalid(f"{args.result!r} is not the name of a variable", where=Where(field="--result"))
        assert self.shell is not None
        names = self.shell.user_ns
        words: dict[str, Any] = given(args)
        objective = words.pop("objective")
        ranges: Any = space(args)
        # The magic's own line is the first: an error names the line that one sees.
        experiment = tuning.tune("\n" + cell, ranges, objective, namespace=names, **words)
        if args.no_wait and not live.in_a_run():
            show(experiment)
            if args.result:
                names[args.result] = experiment
            return
        resource = live.attend(experiment, PICTURE)
        if resource.phase != "SUCCEEDED":
            raise KubeflowError(resource.reason or f"The experiment is {resource.phase.lower()}")
        if args.result:
            names[args.result] = dict((resource.status.get("best") or {}).get("parameters") or {})


def offers(head: str, before: list[str]) -> Iterator[str]:
    """Give the words that may stand behind ``before`` in a line that begins with the magic ``head``."""
    if head != "%%tune":
        return
    if (before[-1] if before else "") == "--algorithm":
        from jupyter_ext import tuning

        yield from (str(found["name"]) for found in tuning.algorithms() if found["available"])
    else:
        yield from options(TuningMagics.tune)
