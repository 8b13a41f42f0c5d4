"""What travels: a function with its closures, a cell with the names it reads, or a file; and the user's modules.

A snapshot is one zip file, stored under the digest of its content: the same code is the same snapshot. ``loading``
is the other end.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.training.capture import needed
from jupyter_ext.training.loading import FACTS, MODULES, PICKLE
from jupyter_ext.training.sources import Sources
from jupyter_ext.training.unpacking import unpack as unpack  # noqa: PLC0414 - the other half of ``pack``
from jupyter_ext.training.workspace import Workspace

LIMIT: Final = 50 << 20
"""Bytes that may travel: code is small, and data has a better way (``data=``)."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_SHOWN: Final = 5


@dataclass
class Code:
    """What is about to be packed. ``args`` are those that JSON cannot say; the others are not part of the code."""

    kind: str
    name: str
    more: dict[str, Any] = field(default_factory=dict)
    value: Any = None
    origin: Path | None = None
    modules: list[str] = field(default_factory=list)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    sizes: Callable[[], dict[str, int]] = dict
    signature: inspect.Signature | None = None
    """How it may be called, where that is known."""


def of_function(function: Callable[..., Any], args: Mapping[str, Any]) -> Code:
    """A function, method or other callable object. Raises Invalid when the arguments do not fit it."""
    name = getattr(function, "__name__", type(function).__name__)
    code = Code("function", "lambda" if name == "<lambda>" else name, value=(function, dict(args)))

    def parts() -> dict[str, Any]:
        found = inspect.getclosurevars(function) if inspect.isfunction(function) else None
        outer = {**found.globals, **found.nonlocals} if found else {}
        return {
            **{key: value for key, value in outer.items() if not isinstance(value, types.ModuleType)},
            **args,
        }

    code.sizes = lambda: _sizes(parts())
    try:
        code.signature = inspect.signature(function)
    except (TypeError, ValueError):
        code.signature = None
    return code


def of_source(source: str, namespace: Mapping[str, Any], args: Mapping[str, Any], cell: Any) -> Code:
    """A cell. Raises Invalid, with its line, when it is no Python."""
    filename = f"<train {cell}>" if cell is not None else "<train>"
    try:
        tree = ast.parse(source, filename)
        compile(source, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise _syntax(error, source, cell) from error
    known = {name for name in namespace if not (name.startswith("__") and name.endswith("__"))}
    needs = needed(tree, known)
    values = {name: namespace[name] for name in needs.must}
    values |= {name: namespace[name] for name in needs.may if objection(namespace[name]) is None}
    values |= args
    code = Code("source", "cell", more={"main": filename}, value=values)
    label = {"cell": cell} if isinstance(cell, int) else {"label": str(cell)} if cell is not None else {}
    code.sources[filename] = {"text": source, **label}
    code.modules = _modules_of(tree)
    code.sizes = lambda: _sizes(values)
    return code


def of_file(path: Path, function: str | None) -> Code:
    """A file, run as ``__main__``, or one of its functions. Raises NotFound and Invalid."""
    path = path.expanduser().resolve()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"There is no file {path.name}", where=Where(field="path", object=str(path))) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path.name} cannot be read ({error})", where=Where(field="path")) from error
    try:
        tree = ast.parse(text, str(path))
    except SyntaxError as error:
        raise _syntax(error, text, None, path.name) from error
    if function is None:
        code = Code("script", path.stem, {"main": str(path)}, origin=path, modules=_modules_of(tree))
        code.sources[str(path)] = {"text": text}
        return code
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = {node.name: node for node in tree.body if isinstance(node, kinds)}
    names = list(found)
    bound = {
        name.id for name in ast.walk(tree) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
    if function not in names and function not in bound:
        hint = f"Its functions: {', '.join(names)}." if names else "It defines none."
        raise NotFound(f"{path.name} has no function {function!r}", where=Where(field="function"), hint=hint)
    more = {"module": path.stem, "function": function}
    code = Code("module", function, more=more, origin=path, modules=[path.stem])
    if function in found and not found[function].decorator_list:
        code.signature = _signature(found[function])
    return code


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> inspect.Signature:
    """The names of a function's parameters, and which of them may be left out, from its source."""
    given, kinds = node.args, inspect.Parameter
    positional = [*given.posonlyargs, *given.args]
    first_default = len(positional) - len(given.defaults)

    def parameter(
        argument: ast.arg, kind: Any, default: bool, value: ast.expr | None = None
    ) -> inspect.Parameter:
        constant = value.value if isinstance(value, ast.Constant) else None
        noted: Any = kinds.empty
        if argument.annotation is not None:
            quoted = isinstance(argument.annotation, ast.Constant) and argument.annotation.value
            noted = quoted if isinstance(quoted, str) else ast.unparse(argument.annotation)
        return kinds(argument.arg, kind, default=constant if default else kinds.empty, annotation=noted)

    found = []
    for place, argument in enumerate(positional):
        kind = kinds.POSITIONAL_ONLY if argument in given.posonlyargs else kinds.POSITIONAL_OR_KEYWORD
        value = given.defaults[place - first_default] if place >= first_default else None
        found.append(parameter(argument, kind, value is not None, value))
    if given.vararg:
        found.append(parameter(given.vararg, kinds.VAR_POSITIONAL, False))
    for argument, value in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        found.append(parameter(argument, kinds.KEYWORD_ONLY, value is not None, value))
    if given.kwarg:
        found.append(parameter(given.kwarg, kinds.VAR_KEYWORD, False))
    return inspect.Signature(found)


def pack(code: Code, folders: list[Path], limit: int = LIMIT) -> bytes:
    """The zip file. Raises Invalid for what cannot be pickled, and for what is too large, naming the culprits."""
    pickled = b""
    modules, sources = list(code.modules), dict(code.sources)
    if code.kind in {"function", "source"}:
        seen = Sources()
        pickled = _pickled(code, seen)
        modules += seen.modules
        sources.update(seen.texts())
    space = Workspace([*([code.origin.parent] if code.origin else []), *folders])
    files = space.files(modules)
    if code.kind == "module" and f"{code.more['module']}.py" not in files:
        raise Invalid(f"{code.origin} cannot be imported by its name", hint="Give the file another name.")
    facts = {
        "version": 1,
        "kind": code.kind,
        "name": code.name,
        "python": list(sys.version_info[:2]),
        "sources": sources,
        "files": {f"{MODULES}/{name}": str(path) for name, path in sorted(files.items())},
        **code.more,
    }
    entries: dict[str, bytes] = {FACTS: json.dumps(facts, sort_keys=True).encode()}
    if pickled:
        entries[PICKLE] = pickled
    total = len(pickled) + sum(path.stat().st_size for path in files.values())
    if total > limit:
        raise _too_large(
            total, limit, {**{name: path.stat().st_size for name, path in files.items()}, **code.sizes()}
        )
    entries |= {f"{MODULES}/{name}": path.read_bytes() for name, path in sorted(files.items())}
    return _zipped(entries)


def _zipped(entries: Mapping[str, bytes]) -> bytes:
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED, 1)
    return buffer.getvalue()


def _pickled(code: Code, seen: Sources) -> bytes:
    buffer = io.BytesIO()
    try:
        seen.pickler(buffer).dump(code.value)
    except Exception as error:
        raise _unpicklable(code, error) from error
    return buffer.getvalue()


def _unpicklable(code: Code, error: BaseException) -> Invalid:
    from jupyter_ext.pipelines.unpicklable import reason_for

    if code.kind == "source":
        for name, value in code.value.items():
            reason = reason_for(value, objection)
            if reason:
                return Invalid(
                    f"`{name}`, a {type(value).__name__}, which the cell reads, cannot travel ({reason})",
                    where=Where(object=f"value {name}"),
                    hint="Make it inside the cell, or pass what it is made from.",
                )
    else:
        function, args = code.value
        for name, value in args.items():
            reason = reason_for(value, objection)
            if reason:
                text = f"The argument `{name}`, a {type(value).__name__}, cannot travel ({reason})"
                return Invalid(text, where=Where(field=f"args.{name}"), hint="Pass what it is made from.")
        for name, value in _outer(function).items():
            reason = reason_for(value, objection)
            if reason:
                text = f"{code.name} uses `{name}`, a {type(value).__name__}, which cannot travel ({reason})"
                hint = f"Make `{name}` inside the function, or pass what it is made from."
                return Invalid(text, where=Where(object=f"value {name}"), hint=hint)
    return Invalid(
        f"{code.name} cannot travel ({type(error).__name__}: {error})", where=Where(object=code.name)
    )


def _outer(function: Any) -> dict[str, Any]:
    """The variables of the notebook and of enclosing functions that a function, or what it calls, uses."""
    found: dict[str, Any] = {}
    todo: list[Any] = [function]
    while todo:
        each = todo.pop()
        each = inspect.unwrap(getattr(each, "__func__", each)) if callable(each) else each
        if not inspect.isfunction(each):
            if hasattr(each, "__dict__") and not isinstance(each, type):
                found.update({key: value for key, value in vars(each).items() if key not in found})
            continue
        outer = inspect.getclosurevars(each)
        for name, value in {**outer.globals, **outer.nonlocals}.items():
            if name not in found and not isinstance(value, types.ModuleType):
                found[name] = value
                if inspect.isfunction(value) and value.__module__ == each.__module__:
                    todo.append(value)
    return found


def objection(value: Any) -> str | None:
    """Why cloudpickle does not take a value, None when it does."""
    pickler = _cloudpickle()
    try:
        pickler.dumps(value)
    except Exception as error:
        return f"{error}"
    return None


def _sizes(values: Mapping[str, Any]) -> dict[str, int]:
    found = {}
    for name, value in values.items():
        try:
            found[f"`{name}`"] = len(_cloudpickle().dumps(value))
        except Exception:
            found[f"`{name}`"] = 0
    return found


def _cloudpickle() -> Any:
    import cloudpickle

    return cloudpickle


def _too_large(total: int, limit: int, sizes: Mapping[str, int]) -> Invalid:
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:_SHOWN]
    named = ", ".join(f"{name} {size / (1 << 20):.1f} MB" for name, size in largest if size > limit / 100)
    return Invalid(
        f"The code and its values are {total / (1 << 20):.0f} MB; at most {limit / (1 << 20):.0f} MB travel",
        where=Where(object=largest[0][0] if largest else None),
        hint=f"The largest: {named}. Read data inside of the function, from a file named in data=.",
    )


def _modules_of(tree: ast.AST) -> list[str]:
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*"]
            found.update(dict.fromkeys([node.module, *names]))
    return list(found)


def _syntax(error: SyntaxError, source: str, cell: Any, file: str = "") -> Invalid:
    line = error.lineno or 1
    lines = source.splitlines()
    text = lines[line - 1].strip() if line <= len(lines) else ""
    where = Where(cell=cell if isinstance(cell, int) else None, line=line, object=file or None)
    if text.startswith(("%", "!")):
        return Invalid(
            f"A magic or shell command cannot run in a training process: {text[:60]}",
            where=where,
            hint="Run it in a cell of its own, before.",
        )
    return Invalid(f"It is not valid Python: {error.msg}", where=where, hint=text or None)
