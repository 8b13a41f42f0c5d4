"""A cell's source as a syntax tree, with IPython's own syntax (``!ls``, ``%time``, ``%%bash``, ``x?``) in it.

Plain Python is parsed as it is. Only where that fails are IPython's lines rewritten, each into one line of
Python, so that line numbers hold; IPython's transformer itself, which takes a third of a second to import,
is asked last. What a magic means is decided later, from the ``get_ipython().run_line_magic(…)`` it became.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from jupyter_ext.pipelines.knowledge.magics import (
    CODE_CELL_MAGICS,
    CODE_LINE_MAGICS,
    LINE_MAGICS,
    REMOTE_CELL_MAGICS,
    remote_names,
)

_MAGIC_LINE = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?P<targets>[A-Za-z_][\w.,* \t\[\]'\"]*?)[ \t]*=[ \t]*)?(?P<mark>!!?|%)(?P<rest>.*)$",
)
_HELP = re.compile(
    r"^(?P<indent>[ \t]*)(?:\?{1,2}[ \t]*(?P<after>%{0,2}[\w.*\[\]]+)|(?P<name>%{0,2}[\w.*\[\]]+)\?{1,2})[ \t]*$"
)
_TOKEN = re.compile(
    r"""(?P<comment>\#.*)|(?P<triple>'{3}|"{3})|(?P<text>'(?:\\.|[^'\\])*(?:'|$)|"(?:\\.|[^"\\])*(?:"|$))|(?P<bracket>[()\[\]{}])""",
)
_AUTOMAGIC = re.compile(r"^([a-z_]\w*)(?:[ \t]+(.*))?$")
_OPTIONS = re.compile(r"^(?:-[a-zA-Z]\w*(?:[ \t]+\d+)?[ \t]+|-[a-zA-Z]\w*$)+")


@dataclass(frozen=True)
class Fault:
    """Why a cell is no Python, and where: line and column from 1."""

    message: str
    line: int
    column: int


@dataclass(frozen=True)
class Parsed:
    """A cell's tree, empty if there is a fault.

    ``automagic`` holds name and arguments where the cell is one line that IPython takes for a magic unless
    the name is defined (``ls``, ``cd data``).
    """

    tree: ast.Module
    fault: Fault | None = None
    automagic: tuple[str, str] | None = None


@lru_cache(maxsize=8192)
def parse(source: str) -> Parsed:
    """Parse a cell; never raises."""
    automagic = _automagic(source)
    try:
        return Parsed(_tree(source), None, automagic)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        first = error
    if automagic:
        return Parsed(_tree(_call("run_line_magic", *automagic)), None, automagic)
    for rewrite in (_rewrite, _by_ipython):
        try:
            tree = rewrite(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            first = error if rewrite is _rewrite else first
        else:
            if tree is not None:
                return Parsed(tree)
    return Parsed(ast.Module([], []), _fault(first))


def parse_anew(source: str) -> Parsed:
    """Parse into a tree of its own, which the caller may change."""
    return parse.__wrapped__(source)


def _tree(source: str) -> ast.Module:
    if "\\" not in source:
        return ast.parse(source)
    # An invalid escape sequence is the user's to be warned of, when the cell runs.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _fault(error: BaseException) -> Fault:
    if isinstance(error, SyntaxError):
        return Fault(error.msg, error.lineno or 1, max(error.offset or 1, 1))
    if isinstance(error, RecursionError | MemoryError):
        return Fault("the code is nested too deeply", 1, 1)
    return Fault(str(error), 1, 1)


def _automagic(source: str) -> tuple[str, str] | None:
    """IPython turns a cell of one line into a magic if its first word is one; as its prefilter does."""
    if len(source) > 300:
        return None
    line = source.strip()
    match = _AUTOMAGIC.match(line) if "\n" not in line else None
    if not match or match.group(1) not in LINE_MAGICS:
        return None
    rest = (match.group(2) or "").strip()
    if rest and (rest[0] in "!=()<>,+*/%^&|:.@" or re.match(r"(?:in|is|and|or|not|if)\b", rest)):
        return None
    return match.group(1), rest


def _call(method: str, *arguments: str) -> str:
    return f"get_ipython().{method}({', '.join(repr(item) for item in arguments)})"


def _rewrite(source: str) -> ast.Module:
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        return _cell_magic(lines, first)
    return _tree("\n".join(_rewritten(lines)))


def _cell_magic(lines: list[str], first: int) -> ast.Module:
    name, _, argument = lines[first][2:].partition(" ")
    name, argument = name.strip(), argument.strip()
    body = "\n" * (first + 1) + "\n".join(lines[first + 1 :])
    if name not in CODE_CELL_MAGICS and name not in REMOTE_CELL_MAGICS:
        text = "\n".join(lines[first + 1 :])
        return _tree("\n" * first + _call("run_cell_magic", name, argument, text))
    inner = parse(body)
    if inner.fault:
        raise SyntaxError(inner.fault.message, ("cell", inner.fault.line, inner.fault.column, None))
    if name in REMOTE_CELL_MAGICS:
        return _remote(argument, inner.tree.body, first + 1)
    if name == "timeit":
        code = _OPTIONS.sub("", argument)
        before = parse("\n" * first + code).tree.body if code else []
        return ast.Module(_local([*before, *inner.tree.body], first + 1), [])
    if name == "capture":
        target = next((word for word in argument.split() if word.isidentifier()), None)
        if target:
            bound = _tree("\n" * first + f"{target} = " + _call("run_cell_magic", "capture", "", ""))
            return ast.Module([*inner.tree.body, *bound.body], [])
    return inner.tree


def _remote(argument: str, body: list[ast.stmt], line: int) -> ast.Module:
    """A body that runs in other processes: it reads what is here, and one name is bound afterwards."""
    result, given = remote_names(argument)
    text = "; ".join(f"{name} = None" for name in given)
    before = _tree("\n" * (line - 1) + text).body if text else []
    after = (
        _tree("\n" * (line - 1) + f"{result} = " + _call("run_cell_magic", "capture", "", "")).body
        if result
        else []
    )
    return ast.Module([*_local([*before, *body], line), *after], [])


def _local(body: list[ast.stmt], line: int) -> list[ast.stmt]:
    """Wrap statements that run in a scope of their own, as ``%%timeit`` runs them."""
    if not body:
        return []
    wrapper = _tree("\n" * (line - 1) + "def __timed__(): pass\n__timed__()\ndel __timed__")
    definition = wrapper.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.body = body
    return list(wrapper.body)


def _rewritten(lines: list[str]) -> list[str]:
    """Replace IPython's lines where a statement starts; strings and brackets that span lines are kept."""
    result: list[str] = []
    depth, quote, continued = 0, "", False
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not quote and not depth and not continued:
            joined, used = _joined(lines, number - 1)
            replaced = _replaced(joined)
            if replaced is not None:
                result.append(replaced)
                result.extend([""] * (used - 1))
                number += used - 1
                continue
        depth, quote = _state(line, depth, quote)
        continued = not quote and line.rstrip().endswith("\\")
        result.append(line)
    return result


def _joined(lines: list[str], start: int) -> tuple[str, int]:
    """A magic's line with the lines that a backslash joins to it, and how many they are."""
    if not _MAGIC_LINE.match(lines[start]):
        return lines[start], 1
    text, used = lines[start], 1
    while text.endswith("\\") and start + used < len(lines):
        text = text[:-1] + " " + lines[start + used].strip()
        used += 1
    return text, used


def _replaced(line: str) -> str | None:
    asked = _HELP.match(line)
    if asked:
        return asked.group("indent") + _call(
            "run_line_magic", "pinfo", asked.group("after") or asked.group("name")
        )
    match = _MAGIC_LINE.match(line)
    if not match or match.group("rest").startswith("="):
        return None
    rest, targets = match.group("rest").strip(), match.group("targets")
    start = match.group("indent") + (f"{targets} = " if targets else "")
    if match.group("mark").startswith("!"):
        method = "getoutput" if targets or match.group("mark") == "!!" else "system"
        return start + _call(method, rest)
    name, _, argument = rest.partition(" ")
    argument = argument.strip()
    if name in CODE_LINE_MAGICS and argument:
        code = _OPTIONS.sub("", argument) if name != "time" else argument
        return start + (code or "None")
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        return None
    return start + _call("run_line_magic", name, argument)


def _state(line: str, depth: int, quote: str) -> tuple[int, str]:
    """How many brackets and which triple quote are open after the line."""
    position = 0
    while position < len(line):
        if quote:
            end = line.find(quote, position)
            while end > 0 and line[end - 1] == "\\":
                end = line.find(quote, end + 1)
            if end < 0:
                return depth, quote
            position, quote = end + 3, ""
            continue
        match = _TOKEN.search(line, position)
        if not match or match.group("comment"):
            break
        if match.group("triple"):
            quote = match.group("triple")
        elif match.group("bracket"):
            depth = max(0, depth + (1 if match.group("bracket") in "([{" else -1))
        position = match.end()
    return depth, quote


def _by_ipython(source: str) -> ast.Module | None:
    """Ask IPython itself, for its rarer forms (prompts, indented cells, ``;f a b``)."""
    if not re.search(r"^\s*(?:>>> |In ?\[\d+\]|[,;/]\w|\S.*\?\s*$|[%!])|^[ \t]+\S", source, re.MULTILINE):
        return None
    from IPython.core.inputtransformer2 import TransformerManager

    with warnings.catch_warnings():
        # It splits at every separator that str.splitlines knows, and then warns of lines without an end.
        warnings.filterwarnings("ignore", message="`make_tokens_by_line`", category=UserWarning)
        return _tree(TransformerManager().transform_cell(source))
