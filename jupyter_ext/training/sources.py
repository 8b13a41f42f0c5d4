"""A pickler that notes which modules and which source texts its functions come from."""

from __future__ import annotations

import dis
import io
import linecache
import sys
import types
from typing import Any

import cloudpickle


class Sources:
    """What was met while pickling."""

    def __init__(self) -> None:
        self.modules: list[str] = []
        self._names: set[str] = set()
        self._files: set[str] = set()
        self._codes: set[int] = set()

    def pickler(self, buffer: io.BytesIO) -> cloudpickle.Pickler:
        """A pickler of cloudpickle's kind that writes into the buffer."""
        seen = self

        class Pickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle has no types
            def reducer_override(self, obj: Any) -> Any:
                seen.note(obj)
                return super().reducer_override(obj)

        return Pickler(buffer)

    def note(self, obj: Any) -> None:
        """Remember where an object that is being pickled comes from."""
        if isinstance(obj, types.ModuleType):
            self._module(obj.__name__)
        elif isinstance(obj, types.FunctionType):
            if _by_value(obj):
                self._code(obj.__code__)
            else:
                self._module(obj.__module__)
        elif isinstance(obj, type) and not _by_value(obj):
            self._module(obj.__module__)

    def _module(self, name: str | None) -> None:
        if name and name not in self._names and name != "__main__":
            self._names.add(name)
            self.modules.append(name)

    def _code(self, code: types.CodeType) -> None:
        """Note the file of a function that travels as a value, and what is imported within it."""
        if id(code) in self._codes:
            return
        self._codes.add(id(code))
        self._files.add(code.co_filename)
        names: list[str] = []
        for step in dis.get_instructions(code):
            if step.opname == "IMPORT_NAME":
                names = [step.argval]
                self._module(step.argval)
            elif step.opname == "IMPORT_FROM" and names:
                self._module(f"{names[0]}.{step.argval}")
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant)

    def texts(self) -> dict[str, dict[str, Any]]:
        """The sources of the functions that travel as values, with their place in the notebook."""
        found = {}
        for name in sorted(self._files):
            text = "".join(linecache.getlines(name)).removesuffix("\n")
            if text:
                found[name] = {"text": text, **_place(name)}
        return found


def _by_value(obj: types.FunctionType | type) -> bool:
    """Whether a function or class travels as it is, and not as a name in its module."""
    return obj.__module__ == "__main__" or "<locals>" in obj.__qualname__ or obj.__module__ not in sys.modules


def _place(filename: str) -> dict[str, Any]:
    """The cell that IPython, or a pipeline's step, compiled under this name."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    compiler = getattr(shell, "compile", None)
    places = getattr(compiler, "places", {})
    if filename in places:
        return {"cell": places[filename], "cellId": filename.removeprefix("<cell ").removesuffix(">")}
    number = getattr(compiler, "_filename_map", {}).get(filename)
    return {} if number is None else {"label": f"In [{number}]"}
