"""Runs the cells of a step as the notebook does, with IPython if the image has it.

Without it plain Python works all the same, ``!command`` lines too; a ``%magic`` then says that it needs IPython.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import os
import re
import subprocess
import sys
import tempfile
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from . import reports

MIME = "application/vnd.kubeflow.v1+json"
"""Metrics and the like are displayed with this type (``pipelines/display.py``)."""


class StepFailed(Exception):
    """The step cannot go on; the text is for the person who reads the log."""


class Cells:
    """A notebook's ``__main__`` and what runs code in it. ``shown`` collects what cells display as MIME."""

    def __init__(self) -> None:
        self.module = types.ModuleType("__main__")
        self.namespace = self.module.__dict__
        self.shown: list[dict[str, Any]] = []
        self.shell: Any = None
        self._given: frozenset[str] = frozenset()
        self._run: Callable[[str, str], None] = self._run_plain

    def open(self) -> None:
        """Become ``__main__`` and start IPython if there is one."""
        sys.modules["__main__"] = self.module
        sys.argv = [""]
        reports.stand_in(self.shown)
        self.namespace["__builtins__"] = builtins
        try:
            from IPython.core.interactiveshell import InteractiveShell
        except ImportError:
            builtins.display = print  # type: ignore[attr-defined] # as IPython does
        else:
            self._start(InteractiveShell)
        self._given = frozenset(self.namespace)

    def _start(self, kind: Any) -> None:
        from traitlets.config import Config

        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "NoColor" if hasattr(kind, "colors") else "nocolor"
        self.shell = shell = kind.instance(
            config=config, user_module=self.module, ipython_dir=tempfile.mkdtemp()
        )
        publish, shown = shell.display_pub.publish, self.shown

        def collecting(data: Mapping[str, Any], *args: Any, **more: Any) -> None:
            if MIME in data:
                shown.append(data[MIME])
            publish(data, *args, **more)

        shell.display_pub.publish = collecting
        shell.enable_gui = lambda _gui=None: None  # %matplotlib asks for one, and there is none here
        shell.showtraceback = lambda *_args, **_more: None

        def run(source: str, label: str) -> None:
            del label
            result = shell.run_cell(source, store_history=True)
            result.raise_error()

        self._run = run

    def new_names(self) -> set[str]:
        """The names that the notebook itself has bound."""
        return {name for name in self.namespace if name not in self._given and not _of_shell(name)}

    def run(self, cells: Sequence[Mapping[str, Any]], sources: Sequence[str]) -> None:
        """Run them in order; raises StepFailed with cell and line of the one that fails."""
        for cell, source in zip(cells, sources, strict=True):
            label = f"cell {cell['index']}"
            try:
                self._run(source, label)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._fail(error, label, source)

    def value(self, expression: str) -> Any:
        """Value of an expression in the notebook's namespace."""
        try:
            return eval(expression, self.namespace)  # noqa: S307 - the notebook's own
        except Exception as error:
            raise StepFailed(f"{expression!r} failed: {type(error).__name__}: {error}") from error

    def _run_plain(self, source: str, label: str) -> None:
        code = _without_shell_lines(source)
        linecache.cache[label] = (len(source), None, source.splitlines(keepends=True), label)
        body = ast.parse(code, label).body
        last = (
            body.pop()
            if body and isinstance(body[-1], ast.Expr) and not code.rstrip().endswith(";")
            else None
        )
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self.namespace["__kf_system"] = _system
        self._evaluate(compile(ast.Module(body, []), label, "exec", flags))
        if isinstance(last, ast.Expr):
            shown = self._evaluate(compile(ast.Expression(last.value), label, "eval", flags))
            if shown is not None:
                sys.stdout.write(f"{shown!r}\n")
        del self.namespace["__kf_system"]

    def _evaluate(self, code: types.CodeType) -> Any:
        value = eval(code, self.namespace)  # noqa: S307 - the notebook's own code
        if code.co_flags & inspect.CO_COROUTINE:
            import asyncio

            return asyncio.run(value)
        return value

    def _fail(self, error: BaseException, label: str, source: str) -> NoReturn:
        frames = traceback.extract_tb(error.__traceback__)
        mine = [n for n, frame in enumerate(frames) if frame.filename == label or "ipykernel" in frame.filename
                or frame.filename.startswith("<ipython-input")]  # fmt: skip
        shown = frames[mine[0] :] if mine else frames[-1:]
        line = frames[mine[-1]].lineno if mine else getattr(error, "lineno", None)
        text = "".join(["Traceback (most recent call last):\n", *traceback.format_list(shown)])
        sys.stderr.write(text + "".join(traceback.format_exception_only(error)))
        lines = source.splitlines()
        code = f"\n    {lines[line - 1].strip()}" if line and 0 < line <= len(lines) else ""
        place = f"{label}, line {line}" if line else label
        raise StepFailed(f"{place}: {type(error).__name__}: {error}{code}") from None


def _of_shell(name: str) -> bool:
    return name in {"In", "Out", "exit", "quit", "get_ipython", "open"} or bool(
        re.fullmatch(r"_[ih]*\d*|__+|_dh|_oh", name)
    )


def _without_shell_lines(source: str) -> str:
    """``!command`` as a call; raises StepFailed for what only IPython can do."""
    lines = source.split("\n")
    for number, line in enumerate(lines):
        found = re.match(r"(\s*)([!%])(.*)", line)
        if not found:
            continue
        indent, mark, rest = found.groups()
        if mark == "!":
            lines[number] = f"{indent}__kf_system({rest!r})"
        elif rest.startswith("matplotlib"):
            lines[number] = f"{indent}pass"
        elif _is_code(source):
            return source  # inside a string, or the remainder operator at the start of a line
        else:
            raise StepFailed(f"the image has no IPython, which {line.strip()!r} needs; add it to the image")
    code = "\n".join(lines)
    return source if code != source and _is_code(source) else code


def _is_code(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _system(command: str) -> None:
    sys.stdout.flush()
    subprocess.run(command, shell=True, check=False, env=os.environ)  # noqa: S602 - what an exclamation mark asks for
