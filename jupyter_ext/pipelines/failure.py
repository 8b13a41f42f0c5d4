"""A failed cell in the words of the notebook: cell, line, traceback, and what the variables were."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_ext.pipelines import imports
from jupyter_ext.pipelines.exchange import CellSource, StepError
from jupyter_ext.pipelines.preview import short_repr, summary
from jupyter_ext.pipelines.shell import CELL_FILE, prepared

_MESSAGE = 4000
_LOCALS = 40
_SECRET = re.compile(
    r"(^|_)(key|pwd|passwd|password|passphrase|secret|token|credential|auth|bearer)s?($|_)|apikey|password|secret|token",
    re.IGNORECASE,
)
_SECRET_IN_TEXT = re.compile(
    r"((?:pass(?:word|wd)|secret|token|api_?key|credential)\w*['\"]?\s*[:=]\s*)(['\"]?)(?!\(not )[^'\",\s)}\]]+",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(\w+://[^/\s:@]+:)[^@/\s]+@")
_MAGIC_BODIES = ("<timed exec>", "<timed eval>", "<magic-timeit>", "<decorator")
_MASKED = "(not shown)"


class Places:
    """Where code of the notebook lies: file names of code to cells."""

    def __init__(self, cells: Iterable[CellSource]) -> None:
        self._cells = {CELL_FILE.format(cell.id): cell for cell in cells}
        self._removed = {name: prepared(cell.source)[1] for name, cell in self._cells.items()}

    def find(self, filename: str, line: int) -> tuple[CellSource, int] | None:
        """The cell and its line for a place in executed code."""
        cell = self._cells.get(filename)
        return None if cell is None else (cell, line + self._removed[filename])


def failure(
    error: BaseException, shown: Iterable[str], places: Places, current: CellSource | None
) -> StepError:
    """Describe the exception that ended the step. ``shown`` is the traceback as it stands in the notebook."""
    frame, cell, line = _place(error, places, current)
    return StepError(
        type=type(error).__name__,
        message=_message(error),
        cell=cell.index if cell else None,
        cell_id=cell.id if cell else None,
        line=line,
        traceback=tuple(line for text in shown for line in text.rstrip("\n").split("\n")),
        locals=_locals(frame, cell) if frame is not None else {},
    )


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its message could not be shown)"
    return text if len(text) <= _MESSAGE else text[: _MESSAGE - 1] + "…"


def _place(
    error: BaseException, places: Places, current: CellSource | None
) -> tuple[types.FrameType | None, CellSource | None, int | None]:
    """The innermost frame that lies in a cell; for code that cannot be parsed, where the parser stopped."""
    frame: types.FrameType | None = None
    cell, line = current, None
    inside_magic: int | None = None
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        found = places.find(name, trace.tb_lineno)
        if found is not None:
            frame = trace.tb_frame
            cell, line = found
            inside_magic = None
        elif name.startswith(_MAGIC_BODIES):
            frame, inside_magic = trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
    if inside_magic is not None and current is not None:
        # The body of a cell magic begins below the magic's own line.
        cell, line = current, inside_magic + 1 + prepared(current.source)[1]
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        found = places.find(error.filename, error.lineno)
        if found is not None:
            return None, *found
    return frame, cell, line


def _locals(frame: types.FrameType, cell: CellSource | None) -> dict[str, str]:
    """The variables of a function; at the top level of a cell, those that the cell uses."""
    variables: Mapping[str, Any] = frame.f_locals
    if frame.f_locals is frame.f_globals:
        used = imports.names(cell.source) if cell is not None else frame.f_code.co_names
        variables = {name: variables[name] for name in used if name in variables}
    result: dict[str, str] = {}
    for name, value in variables.items():
        if name.startswith("__") or isinstance(value, types.ModuleType | type) or len(result) >= _LOCALS:
            continue
        result[name] = described(name, value)
    return result


def described(name: str, value: Any) -> str:
    """Type and short content of a variable, without what looks like a secret."""
    kind = type(value).__name__
    if _SECRET.search(name) and not isinstance(value, type | types.FunctionType | bool):
        return f"{kind}: {_MASKED}"
    text = short_repr(_scrubbed(value), 120) if isinstance(value, dict) else summary(value)
    text = _SECRET_IN_TEXT.sub(rf"\1\2{_MASKED}", _USER_INFO.sub(rf"\1{_MASKED}@", text))
    return text if text.startswith(kind) or isinstance(value, type) else f"{kind}: {text}"


def _scrubbed(mapping: dict[Any, Any]) -> dict[Any, Any]:
    return {
        key: _MASKED if isinstance(key, str) and _SECRET.search(key) else value
        for key, value in list(mapping.items())[:20]
    }
