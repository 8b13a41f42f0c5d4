"""``%%spark``: the cell runs with the Spark session that stays up, as Python or as SQL.

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

SHOWN = 20
"""Rows of a frame that are shown."""


@magics_class
class SparkMagics(Magics):
    """The magic of Spark."""

    @magic_arguments()
    @argument("name", nargs="?", metavar="NAME", help="name of the session; the profile has one without it")
    @argument("--sql", action="store_true", help="the cell is SQL")
    @argument("-o", "--result", metavar="VARIABLE", help="put the frame of the SQL, or the last value, there")
    @argument("--cores", type=int, help="cores of each executor of a session that is started")
    @argument("--executors", type=int, default=1, help="executors of a session that is started")
    @argument("--memory", default="1g", help="memory of each of them")
    @no_var_expand
    @cell_magic
    @told
    def spark(self, line: str, cell: str) -> object:
        """Run this cell with `spark`, a session that stays up between cells and kernels.

        Python runs in the notebook's own names, where `spark` is the session from then on. Example:

            %%spark --sql -o late
            SELECT origin, avg(dep_delay) AS delay FROM flights GROUP BY origin
        """
        __tracebackhide__ = True
        from jupyter_ext.errors import Invalid, KubeflowError, Where
        from jupyter_ext.spark.connecting import session
        from jupyter_ext.spark.patience import SessionLost

        args = arguments(self.spark, line)
        if args.result and not args.result.isidentifier():
            raise Invalid(f"{args.result!r} is not the name of a variable", where=Where(field="--result"))
        assert self.shell is not None
        how = {"cores": args.cores, "executors": args.executors, "memory": args.memory}
        names = self.shell.user_ns
        names["spark"] = session(args.name, **how)
        try:
            if args.sql:
                return self._sql(names["spark"], cell, args.result)
            return self._python(cell, args.result)
        except SessionLost as error:
            names["spark"] = session(args.name, **how)
            raise KubeflowError(error.what, hint="It is open again: run the cell again.") from None

    def _sql(self, spark: Any, cell: str, result: str | None) -> object:
        from pyspark.errors import PySparkException

        from jupyter_ext.errors import Invalid

        assert self.shell is not None
        try:
            frame = spark.sql(cell)
            if result:
                self.shell.user_ns[result] = frame
                return None
            return frame.limit(SHOWN).toPandas() if frame.columns else None
        except PySparkException as error:
            if type(error).__name__ not in {"AnalysisException", "ParseException"}:
                raise
            raise Invalid(str(error).partition("\nJVM stacktrace")[0].strip()[:2000]) from None

    def _python(self, cell: str, result: str | None) -> object:
        assert self.shell is not None
        done = self.shell.run_cell(cell, store_history=False, silent=False)
        done.raise_error()
        if result:
            self.shell.user_ns[result] = done.result
        return None


def offers(head: str, before: list[str]) -> Iterator[str]:
    """Give the words that may stand behind ``before`` in a line that begins with the magic ``head``."""
    if head == "%%spark":
        del before
        yield from options(SparkMagics.spark)
