"""The IPython shell of a step: what a cell meets in a notebook's kernel, without a kernel.

Everything a cell can tell is as in a Jupyter kernel: magics, display, history of inputs and outputs, the inline
backend, a running event loop. Nothing is read from or written to the user's IPython folder.
"""

from __future__ import annotations

import builtins
import os
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_ext.pipelines.outputs import Recorder

_INLINE = "module://matplotlib_inline.backend_inline"
_PASSED_THROUGH = ("%%step", "%%parameters")
"""Cell magics that only say which step a cell belongs to."""
CELL_FILE = "<cell {}>"
"""File name of the code of a cell, by its id: it stays the same when cells are inserted above."""


def prepared(source: str) -> tuple[str, int]:
    """The source to execute, and how many lines were taken from its top.

    The line that names the step is left out. Line numbers stay what they are in the notebook unless a cell
    magic follows, which has to stand first.
    """
    lines = source.splitlines()
    place = _first(lines, 0)
    if place < len(lines) and lines[place].startswith(_PASSED_THROUGH):
        place = _first(lines, place + 1)
    if place == 0:
        return source, 0
    if place >= len(lines):
        return "", 0
    if lines[place].startswith("%%"):
        return "\n".join(lines[place:]), place
    return "\n".join(["#", *[""] * (place - 1), *lines[place:]]), 0


def _first(lines: list[str], start: int) -> int:
    return next((place for place in range(start, len(lines)) if lines[place].strip()), len(lines))


class _Compiler(CachingCompiler):
    """Names the code of a cell after the cell's id."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current = ""
        self.places: dict[str, int] = {}

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return (
            CELL_FILE.format(self.current)
            if self.current
            else super().get_code_name(raw_code, transformed_code, number)
        )

    def format_code_name(self, name: str) -> tuple[str, str] | None:
        place = self.places.get(name)
        if place is not None:
            return "Cell", str(place)
        found: tuple[str, str] | None = super().format_code_name(name)
        return found


class _Publisher(DisplayPublisher):
    """``display`` goes to the step's outputs."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        source: Any = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        del source
        recorder = self.shell.recorder
        display_id = (transient or {}).get("display_id")
        if update and display_id is not None:
            recorder.update(data, metadata or {}, display_id)
        else:
            recorder.display(data, metadata or {}, display_id)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.recorder.clear(wait=wait)


class _ResultHook(DisplayHook):
    shell: Any
    """The value of the last expression becomes an output."""

    def start_displayhook(self) -> None:
        pass

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        if format_dict:
            self.shell.recorder.result(format_dict, md_dict or {}, self.prompt_count)

    def finish_displayhook(self) -> None:
        pass


class _Kernel:
    """Libraries ask whether there is a kernel to know that output is not a terminal's."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell


class StepShell(InteractiveShell):
    """One per process. The fork server makes it before it forks, because that takes tens of milliseconds."""

    compiler_class = _Compiler
    kubeflow_step = True
    """Magics can tell by this that a step executes them, not a notebook."""

    compile: _Compiler

    def __init__(self) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        config.HistoryManager.hist_file = ":memory:"
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.display_page = True
        config.IPKernelApp.name = "kubeflow-step"  # its presence tells libraries that this is no terminal
        self.recorder = Recorder(None)
        super().__init__(  # type: ignore[no-untyped-call]
            config=config,
            user_module=types.ModuleType(
                "__main__", "Automatically created module for IPython interactive environment"
            ),
            display_pub_class=_Publisher,
            displayhook_class=_ResultHook,
        )
        self.kernel = _Kernel(self)
        self.is_stopped: Callable[[], bool] = lambda: False
        """Whether the step was told to stop: IPython swallows an interrupt that comes while it prepares a cell."""
        self.db: dict[str, Any] = {}
        self.enable_html_pager = True

    # What a kernel does not do

    def init_ipython_dir(self, ipython_dir: str | None) -> None:
        """No folder is made."""
        del ipython_dir

    def init_profile_dir(self, profile_dir: Any) -> None:
        """No profile is read."""
        del profile_dir

    def init_completer(self) -> None:
        """Nobody types here."""
        self.Completer = None  # type: ignore[assignment] # nothing asks for it

    def init_virtualenv(self) -> None:
        """The interpreter is the environment's own."""

    def init_environment(self) -> None:
        """Pagers cannot ask for a key."""
        os.environ.setdefault("PAGER", "cat")
        os.environ.setdefault("GIT_PAGER", "cat")
        os.environ.setdefault("MPLBACKEND", _INLINE)

    def enable_gui(self, gui: str | None = None) -> None:
        """``%matplotlib inline`` asks for none; there is no event loop of a window."""
        del gui

    def ask_exit(self) -> None:
        """``exit`` in a cell ends the step."""
        raise SystemExit("exit was called in a cell")

    def system(self, cmd: str) -> None:
        """``!command``: its output belongs to the cell."""
        self.system_piped(cmd)  # type: ignore[no-untyped-call]

    def showtraceback(
        self,
        exc_tuple: Any = None,
        filename: str | None = None,
        tb_offset: int | None = None,
        exception_only: bool = False,
        running_compiled_code: bool = False,
    ) -> None:
        """Show the exception without frames of this package, even if its own text cannot be made."""
        shown: Any = exc_tuple or sys.exc_info()
        kind, error, trace = shown
        _cut(trace)
        try:
            super().showtraceback(shown, filename, tb_offset, exception_only, running_compiled_code)
        except Exception:
            places = [f"{frame.filename}, line {frame.lineno}" for frame in traceback.extract_tb(trace)]
            self._showtraceback(
                kind, error, [*places, f"{getattr(kind, '__name__', kind)}: {_text_of(error)}"]
            )

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        self.recorder.error(getattr(etype, "__name__", str(etype)), _text_of(evalue), stb)

    # What the executor uses

    def begin(self, recorder: Recorder) -> None:
        """Send outputs to the recorder, and let nobody wait for a keyboard."""
        self.recorder = recorder
        builtins.input = _no_input
        if "getpass" in sys.modules:
            vars(sys.modules["getpass"])["getpass"] = _no_input

    def place(self, cells: dict[str, int]) -> None:
        """Tell how cells are called in tracebacks: id to index."""
        self.compile.places.update({CELL_FILE.format(key): index for key, index in cells.items()})

    async def run_code(self, code_obj: Any, result: Any = None, *, async_: bool = False) -> Any:
        """Execute one statement, unless the step was told to stop before it began."""
        if self.is_stopped():
            raise KeyboardInterrupt
        return await super().run_code(code_obj, result, async_=async_)  # type: ignore[no-untyped-call]

    async def execute(self, source: str, cell_id: str) -> Any:
        """Execute a cell; returns IPython's ExecutionResult. Needs a running event loop."""
        failure = None
        try:
            transformed = self.transform_cell(source)  # type: ignore[no-untyped-call]
        except Exception:
            transformed, failure = source, sys.exc_info()
        self.compile.current = cell_id
        try:
            return await self.run_cell_async(
                source,
                store_history=True,
                transformed_cell=transformed,
                preprocessing_exc_tuple=failure,
                cell_id=cell_id,
            )
        except Exception:
            # An exception whose text cannot be made fails once more when IPython keeps it.
            done: Any = self.last_execution_result
            if done is None or done.error_in_exec is None:
                raise
            return done
        finally:
            self.compile.current = ""
            self.events.trigger("post_execute")
            self.events.trigger("post_run_cell", self.last_execution_result)


# pandas, tqdm, rich and plotly tell a notebook from a terminal by the name of the shell's class.
StepShell.__name__ = StepShell.__qualname__ = "ZMQInteractiveShell"


_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120 - compared as text


def _cut(trace: types.TracebackType | None) -> None:
    """Take frames of this package from the end of a traceback: the fault is where the cell called it."""
    last = None
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_HERE):
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None


def _text_of(error: Any) -> str:
    try:
        return str(error)
    except Exception:
        return "(its message could not be shown)"


def _no_input(prompt: object = "", *_: object, **__: object) -> str:
    what = f" It asked: {str(prompt).strip()!r}." if str(prompt).strip() else ""
    raise StdinNotImplementedError(
        f"A step of a pipeline cannot ask for input.{what} Make it a parameter of the pipeline."
    )


def user_names(shell: InteractiveShell, special: Callable[[str], bool] = lambda _: False) -> list[str]:
    """The names that cells have bound, in the order in which they came.

    What IPython itself puts there does not count, unless ``special`` asks for it (``_``, ``Out`` …).
    """
    hidden = shell.user_ns_hidden
    return [
        name
        for name, value in shell.user_ns.items()
        if special(name) or not ((name in hidden and hidden[name] is value) or _is_history(name))
    ]


def _is_history(name: str) -> bool:
    """``_``, ``__``, ``___``, ``_12``, ``_i``, ``_ii``, ``_iii``, ``_i12``, ``In``, ``Out``."""
    rest = name.lstrip("_")
    if not rest:
        return len(name) <= 3
    if name.startswith("__"):
        return rest in ("builtin__", "builtins__", "doc__", "loader__", "name__", "package__", "spec__")
    return name in ("In", "Out", "_ih", "_oh", "_dh", "_exit_code", "_i", "_ii", "_iii") or (
        name.startswith("_") and rest.removeprefix("i").isdigit()
    )
