"""Python files with percent cells (``# %%``), as written by Jupytext, VS Code and Spyder.

A cell starts at a line ``# %% title [markdown] key=value …``. What Jupytext turned into a comment because
Python has no such syntax (``# !ls``, ``# %matplotlib inline``) is turned back where the file says it is
Jupytext's; a ``%%step`` or ``%%parameters`` line right after the mark is always turned back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_MARK = re.compile(r"^# ?%%+(?:\s+(.*))?$")
_KIND = re.compile(r"\[(markdown|md|raw)\]", re.IGNORECASE)
_OPTION = re.compile(r"([A-Za-z_][\w-]*)\s*=\s*")
_MAGIC = re.compile(r"^(\s*)# ?(%{1,2}[A-Za-z]\S*.*|!\S.*|[A-Za-z_][\w ,]*= ?[!%][A-Za-z].*)$")
_OURS = re.compile(r"^# ?(%%(?:step|parameters)\b.*)$")


def parse(text: str) -> dict[str, Any]:
    """Read the file's text as nbformat 4 content."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    header, lines = _header(lines)
    cells = []
    for head, body in _chunks(lines):
        cell = _cell(head, body, jupytext=bool(header))
        if cell is not None:
            cells.append(cell)
    language, kernel = _kernel(header)
    metadata: dict[str, Any] = {"language_info": {"name": language}}
    if kernel:
        metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": language}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def _header(lines: list[str]) -> tuple[list[str], list[str]]:
    """Split off Jupytext's header: YAML between two ``# ---`` lines at the top."""
    start = 0
    while start < len(lines) and (not lines[start].strip() or lines[start].startswith("#!")):
        start += 1
    if start < len(lines) and re.match(r"^#.*-\*-.*coding", lines[start]):
        start += 1
    if start >= len(lines) or lines[start].strip() != "# ---":
        return [], lines
    for end in range(start + 1, len(lines)):
        if lines[end].strip() == "# ---":
            return [line.lstrip("#").rstrip() for line in lines[start + 1 : end]], lines[end + 1 :]
        if not lines[end].startswith("#"):
            break
    return [], lines


def _kernel(header: list[str]) -> tuple[str, str]:
    """Language and kernel name from the header, without a YAML parser: two keys of a fixed shape."""
    language, kernel, inside = "python", "", False
    for line in header:
        text = line.strip()
        if text == "kernelspec:":
            inside = True
        elif inside and text.startswith("language:"):
            language = text.partition(":")[2].strip() or language
        elif inside and text.startswith("name:"):
            kernel = text.partition(":")[2].strip()
    return language, kernel


def _chunks(lines: list[str]) -> Iterable[tuple[str | None, list[str]]]:
    head: str | None = None
    body: list[str] = []
    quote = ""
    for line in lines:
        mark = None if quote else _MARK.match(line)
        if mark:
            yield head, body
            head, body = mark.group(1) or "", []
            continue
        quote = _open_quote(line, quote)
        body.append(line)
    yield head, body


def _open_quote(line: str, quote: str) -> str:
    """Which triple quote is still open after the line, so that a mark inside a text is not taken for one."""
    position = 0
    while position < len(line):
        if quote:
            end = line.find(quote, position)
            if end < 0:
                return quote
            position, quote = end + 3, ""
            continue
        match = re.compile(r"'''|\"\"\"|#|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"").search(line, position)
        if not match or match.group() == "#":
            return ""
        if match.group() in {"'''", '"""'}:
            quote = match.group()
        position = match.end()
    return quote


def _cell(head: str | None, body: list[str], *, jupytext: bool) -> dict[str, Any] | None:
    kind, metadata = _options(head or "")
    while body and not body[-1].strip():
        body.pop()
    while body and not body[0].strip():
        body.pop(0)
    if head is None and not body:
        return None
    if kind != "code":
        return {"cell_type": kind, "metadata": metadata, "source": _prose(body)}
    body = [_uncommented(line, first=number == 0, jupytext=jupytext) for number, line in enumerate(body)]
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": "\n".join(body),
        "outputs": [],
        "execution_count": None,
    }


def _uncommented(line: str, *, first: bool, jupytext: bool) -> str:
    ours = _OURS.match(line) if first else None
    if ours:
        return ours.group(1)
    magic = _MAGIC.match(line) if jupytext else None
    return f"{magic.group(1)}{magic.group(2)}" if magic else line


def _prose(body: list[str]) -> str:
    text = "\n".join(body)
    quoted = re.match(r'^[rR]?("""|\'\'\')(.*)\1\s*$', text, re.DOTALL)
    if quoted:
        return quoted.group(2).strip("\n")
    return "\n".join(re.sub(r"^# ?", "", line) for line in body)


def _options(head: str) -> tuple[str, dict[str, Any]]:
    """Cell type and metadata from what follows the mark: ``title [markdown] tags=["a"]`` or JSON."""
    found = _KIND.search(head)
    kind = {"md": "markdown"}.get(found.group(1).lower(), found.group(1).lower()) if found else "code"
    if found:
        head = head[: found.start()] + head[found.end() :]
    brace = head.find("{")
    if brace >= 0 and "=" not in head[:brace]:
        try:
            value = json.loads(head[brace:])
        except ValueError:
            value = None
        if isinstance(value, dict):
            return kind, value
    metadata: dict[str, Any] = {}
    position = 0
    while option := _OPTION.search(head, position):
        value, position = _value(head, option.end())
        metadata[option.group(1)] = value
    return kind, metadata


def _value(text: str, start: int) -> tuple[Any, int]:
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        end = start
        while end < len(text) and not text[end].isspace():
            end += 1
        value = text[start:end].strip("'\"")
    return value, end
