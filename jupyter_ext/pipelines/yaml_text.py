"""YAML text of a JSON-like tree, written in one pass.

PyYAML's pure-Python dumper takes a second per hundred pipeline steps, and its C one folds code into quoted
lines. Here code stays readable: text with line ends becomes a literal block wherever YAML allows it.
The output is YAML 1.1 and 1.2 alike (PyYAML and go-yaml read the same tree from it).
"""

from __future__ import annotations

import re
from json import dumps

_PLAIN = re.compile(r"[A-Za-z_/$][\w./$@+-]*(?:[ :][\w./$@+-]+)*\Z", re.ASCII)
_QUOTABLE = re.compile(r"[ -~]+\Z", re.ASCII)
_RESERVED = frozenset({"", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"})
# What a literal block cannot hold: control characters, other line ends, a byte-order mark, half a surrogate pair.
_NOT_LITERAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_SPECIAL = re.compile('["\\\\\n\t]|' + _NOT_LITERAL.pattern)


def to_yaml(tree: object, *, comment: str = "") -> str:
    """Text of ``tree``: dictionaries with text keys, lists, text, numbers, booleans and None.

    ``comment`` goes before the document, each of its lines as a YAML comment. NaN and the infinities raise
    ValueError: the readers of the text have no JSON for them.
    """
    out = [f"# {line}".rstrip() + "\n" for line in comment.splitlines()]
    _block(tree, "", out)
    return "".join(out)


def _block(value: object, indent: str, out: list[str]) -> None:
    """Append ``value`` as whole lines at ``indent``."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            out.append(f"{indent}{_scalar(str(key))}:")
            _after(item, indent, out)
    elif isinstance(value, list | tuple) and value:
        for item in value:
            out.append(f"{indent}-")
            _after(item, indent, out)
    else:
        out.append(f"{indent}{_scalar(value)}\n")


def _after(item: object, indent: str, out: list[str]) -> None:
    """Append what follows a ``key:`` or a dash, up to the end of its last line."""
    if isinstance(item, str) and "\n" in item and not _NOT_LITERAL.search(item) and item.strip("\n "):
        out.append(_literal(item, indent + "  "))
    elif isinstance(item, dict | list | tuple) and item:
        out.append("\n")
        _block(item, indent + "  ", out)
    else:
        out.append(f" {_scalar(item)}\n")


def _literal(text: str, indent: str) -> str:
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    chomp = "-" if ends == 0 else "" if ends == 1 else "+"
    # Without the digit a reader would take the first line's own spaces for indentation.
    digit = "2" if body[0] in " \n\t" else ""
    lines = "\n".join(indent + line if line else "" for line in body.split("\n"))
    return f" |{digit}{chomp}\n{lines}\n" + "\n" * (ends - 1)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        if _PLAIN.match(value) and value.lower() not in _RESERVED:
            return value
        if _QUOTABLE.match(value):
            return "'" + value.replace("'", "''") + "'"
        return '"' + _SPECIAL.sub(_escape, value) + '"'
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return dumps(value)


def _number(value: float) -> str:
    text = dumps(value, allow_nan=False)
    # YAML 1.1 takes 1e-05 for text: it wants the point.
    return text.replace("e", ".0e", 1) if "e" in text and "." not in text else text


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _ESCAPES.get(char) or (f"\\x{ord(char):02x}" if char < "\x80" else f"\\u{ord(char):04x}")
