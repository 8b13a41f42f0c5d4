"""The text form of a parameter: ``double(1e-4,1e-1,log)``, ``categorical(sgd,"a, b")``."""

from __future__ import annotations

import re
from typing import Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.tuning.space import (
    DISTRIBUTIONS,
    Distribution,
    Parameter,
    Value,
    categorical,
    discrete,
    double,
    int_,
)

_CALL: Final = re.compile(r"\s*([A-Za-z_]+)\s*\((.*)\)\s*", re.DOTALL)
_PART: Final = re.compile(
    r"""\s*(?:(?P<key>[A-Za-z_]+)\s*=\s*)?
        (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<bare>[^,"']*?))
        \s*(?:,|$)""",
    re.VERBOSE | re.DOTALL,
)
_BARE: Final = re.compile(r"[^\s,()=\"'\\](?:[^,()=\"'\\\n]*[^\s,()=\"'\\])?\Z")
_LITERALS: Final[dict[str, Value]] = {
    "True": True, "true": True, "False": False, "false": False, "None": None, "null": None,
}  # fmt: skip
_ALIASES: Final = {
    "float": "double", "uniform": "double", "loguniform": "double", "int_": "int", "choice": "categorical",
}  # fmt: skip
EXAMPLES: Final = "double(1e-4,1e-1,log), int(1,8), discrete(16,32), categorical(sgd,adam)"


def plain(text: str) -> bool:
    """Whether the text may stand for itself, without quotes, and be read back as text."""
    return bool(_BARE.match(text)) and isinstance(_bare(text), str)


def parse(text: str, name: str = "") -> Parameter:
    """Read one parameter. Raises Invalid that names the parameter and what is wrong with it."""
    found = _CALL.fullmatch(text)
    if found is None:
        raise _wrong(f"{text!r} is not a parameter", name, f"Write one of: {EXAMPLES}.")
    word, inside = found.groups()
    kind = _ALIASES.get(word, word)
    try:
        if kind in ("double", "int"):
            return _numeric(kind, word, _split(inside))
        if kind in ("discrete", "categorical"):
            return _listed(kind, _split(inside))
    except Invalid as error:
        raise _wrong(error.what, name, error.hint) from None
    raise _wrong(f"There is no type {word!r}", name, f"Write one of: {EXAMPLES}.")


def _wrong(what: str, name: str, hint: str | None) -> Invalid:
    said = f"Parameter {name}: {what}" if name else what
    return Invalid(said, where=Where(field=name or None), hint=hint)


def _split(text: str) -> list[tuple[str | None, Value]]:
    parts: list[tuple[str | None, Value]] = []
    position = 0
    while position < len(text) or (parts and text[:position].rstrip().endswith(",")):
        found = _PART.match(text, position)
        if found is None:
            raise Invalid(
                f"{text[position:].strip()!r} cannot be read", hint='Put text with commas into "quotes".'
            )
        key, quoted = found["key"], found["double"] if found["double"] is not None else found["single"]
        if quoted is not None:
            parts.append((key, _unquoted(quoted)))
        else:
            bare = found["bare"].strip()
            if not bare:
                raise Invalid("A value is missing between the commas")
            parts.append((key, _bare(bare)))
        if found.end() == len(text) and not found.group().rstrip().endswith(","):
            break
        position = found.end()
    return parts


_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _unquoted(text: str) -> str:
    def plain_letter(found: re.Match[str]) -> str:
        letter = found[1]
        if letter.startswith("u"):
            return chr(int(letter[1:], 16))
        return _ESCAPES.get(letter, letter)

    joined = re.sub(r"\\(u[0-9a-fA-F]{4}|.)", plain_letter, text, flags=re.DOTALL)
    # JSON writes what is beyond the basic plane as two halves.
    return joined.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _bare(text: str) -> Value:
    if text in _LITERALS:
        return _LITERALS[text]
    for read in (int, float):
        try:
            if "_" not in text and text.isascii():
                return read(text)
        except ValueError:
            continue
    return text


def _numeric(kind: str, word: str, parts: list[tuple[str | None, Value]]) -> Parameter:
    ends: list[Value] = []
    distribution: Distribution = "logUniform" if word == "loguniform" else "uniform"
    step: Value = None
    for key, value in parts:
        if key is None and value in ("log", *DISTRIBUTIONS):
            distribution = "logUniform" if value == "log" else value  # type: ignore[assignment]
        elif key is None or key in ("min", "max", "low", "high"):
            ends.append(value)
        elif key == "step":
            step = value
        elif key == "log" and isinstance(value, bool):
            distribution = "logUniform" if value else distribution
        elif key == "distribution" and value in DISTRIBUTIONS:
            distribution = value  # type: ignore[assignment]
        else:
            raise Invalid(
                f"{key}={value} is not known", hint="After the range: log, normal, logNormal, step=…."
            )
    if len(ends) != 2:
        raise Invalid(f"{kind} needs a least and a greatest value", hint=f"Such as {kind}(1,10).")
    make = double if kind == "double" else int_
    return make(ends[0], ends[1], step=step, distribution=distribution)  # type: ignore[arg-type]


def _listed(kind: str, parts: list[tuple[str | None, Value]]) -> Parameter:
    named = next((key for key, _ in parts if key), None)
    if named:
        raise Invalid(f"{named}= is not for {kind}", hint='Put text with "=" into "quotes".')
    values = [value for _, value in parts]
    return discrete(*values) if kind == "discrete" else categorical(*values)  # type: ignore[arg-type]
