"""A snapshot of user code, unpacked in a folder, as something to call. Standard library only, and cloudpickle.

The folder has ``snapshot.json`` (what it is), ``call.pkl`` (the function and what JSON cannot say of its arguments,
or the names that a cell reads), ``modules/`` (the modules of the workspace that it imports).
"""

from __future__ import annotations

import ast
import inspect
import json
import linecache
import pickle
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

FACTS: Final = "snapshot.json"
PICKLE: Final = "call.pkl"
MODULES: Final = "modules"
_WORDS: Final = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}  # fmt: skip


class Snapshot:
    """One unpacked snapshot. Making it puts its modules on ``sys.path`` and its sources where tracebacks look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
        self._loaded: Any = None
        self._content = b""
        modules = str(folder / MODULES)
        if modules not in sys.path:
            sys.path.insert(0, modules)
        for name, source in self.facts["sources"].items():
            lines = [f"{line}\n" for line in source["text"].split("\n")]
            linecache.cache[name] = (len(source["text"]), None, lines, name)

    def call(self, args: Mapping[str, Any], data: Mapping[str, str]) -> Any:
        """Run the user's code with these arguments and return its value.

        ``data`` are places by name: given to a function that has parameters of these names. Raises whatever the
        code raises.
        """
        result = getattr(self, f"_{self.facts['kind']}")(dict(args), dict(data))
        if inspect.iscoroutine(result):
            import asyncio

            result = asyncio.run(result)
        return result

    def warm(self) -> None:
        """Do once what every call would do again: unpickle, import, compile. For a process that is forked later.

        Raises whatever the user's modules raise when they are imported.
        """
        kind = self.facts["kind"]
        if kind == "module":
            from importlib import import_module

            import_module(self.facts["module"])
        elif kind == "function":
            self._loaded = self._unpickled()
        elif kind == "source":
            self._content = (self.folder / PICKLE).read_bytes()

    def place(self, path: str) -> str:
        """The user's own file that a file of the snapshot was made from."""
        inside = path.removeprefix(f"{self.folder}/")
        return str(self.facts["files"].get(inside, path))

    def own(self, path: str) -> bool:
        """Whether code of this file name is the user's."""
        return path in self.facts["sources"] or path.startswith(f"{self.folder}/")

    def _unpickled(self) -> Any:
        wrote, here = tuple(self.facts["python"]), sys.version_info[:2]
        if wrote != here:
            text = (
                "This code was pickled by Python {}.{}, which Python {}.{} cannot read; use the same version"
            )
            raise RuntimeError(text.format(*wrote, *here))
        return pickle.loads(self._content or (self.folder / PICKLE).read_bytes())

    def _function(self, args: dict[str, Any], data: dict[str, str]) -> Any:
        function, more = self._loaded or self._unpickled()
        main = _new_main()
        # What was defined beside it, so that pickle finds the user's classes by their names.
        for name, value in getattr(inspect.unwrap(function), "__globals__", {}).items():
            if getattr(value, "__module__", "") == "__main__" and isinstance(
                value, type | types.FunctionType
            ):
                setattr(main, name, value)
        return function(**arguments(function, {**more, **args}, data))

    def _source(self, args: dict[str, Any], data: dict[str, str]) -> Any:
        main = _new_main()
        namespace = main.__dict__
        namespace.update({**self._unpickled(), **data, **args})
        name = self.facts["main"]
        return run(self.facts["sources"][name]["text"], name, namespace)

    def _script(self, args: dict[str, Any], data: dict[str, str]) -> Any:
        name = self.facts["main"]
        main = _new_main()
        main.__file__ = name
        main.__dict__["__cached__"] = None
        words = {**data, **args}
        sys.argv = [name, *(f"--{key}={value}" for key, value in words.items())]
        exec(compile(self.facts["sources"][name]["text"], name, "exec", dont_inherit=True), main.__dict__)  # noqa: S102

    def _module(self, args: dict[str, Any], data: dict[str, str]) -> Any:
        from importlib import import_module

        function = getattr(import_module(self.facts["module"]), self.facts["function"])
        return function(**arguments(function, args, data, literal=True))


def _new_main() -> types.ModuleType:
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    _kept.append(sys.modules["__main__"])
    sys.modules["__main__"] = main
    return main


_kept: Final[list[types.ModuleType]] = []
"""The program's own main module goes on being used after it was replaced."""


def run(source: str, name: str, namespace: dict[str, Any]) -> Any:
    """Execute a cell; its value is that of its last statement when that is an expression."""
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec", dont_inherit=True), namespace)  # noqa: S102 - the user's own code
    if not isinstance(last, ast.Expr):
        return None
    expression = ast.Expression(last.value)
    return eval(compile(expression, name, "eval", dont_inherit=True), namespace)  # noqa: S307 - as above


def arguments(
    function: Callable[..., Any], args: Mapping[str, Any], data: Mapping[str, str], *, literal: bool = False
) -> dict[str, Any]:
    """The keywords to call a function with: texts as the type that it declares, and the data that it asks for.

    ``literal``: a text for a parameter that declares no type is read as a literal of Python.
    """
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {**args}
    any_name = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    found = {name: place for name, place in data.items() if name in parameters or any_name}
    for name, value in args.items():
        found[name] = converted(value, parameters[name], literal=literal) if name in parameters else value
    return found


def converted(value: Any, parameter: inspect.Parameter, *, literal: bool = False) -> Any:
    """A text as the type of the parameter's annotation or default: ``"0.1"`` as 0.1; anything else as it is."""
    if not isinstance(value, str):
        return value
    wanted = parameter.annotation
    if wanted is parameter.empty:
        silent = parameter.default is parameter.empty or parameter.default is None
        if silent:
            return _literal(value) if literal else value
        wanted = type(parameter.default)
    words = {part.strip() for part in getattr(wanted, "__name__", str(wanted)).split("|")}
    if "str" in words:
        return value
    if "None" in words and value == "None":
        return None
    for word, kind in (("int", int), ("float", float)):
        if word in words:
            try:
                return kind(value)
            except ValueError:
                continue
    if "bool" in words:
        return _WORDS.get(value.lower(), value)
    if words & {"list", "dict", "tuple", "set"}:
        return _literal(value)
    return value


def _literal(text: str) -> Any:
    if text in {"true", "false"}:
        return text == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
