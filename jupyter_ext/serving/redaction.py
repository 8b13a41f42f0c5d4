"""Fields that must not be stored, taken out of a body before it is written anywhere.

A name is that of a key at any depth, of a column or of a V2 tensor (``ssn``), or a path of keys (``user.email``,
``instances[*].ssn``, ``$.user.email``), or the place of a column (``x2``); letters' case does not count. What cannot be
read is not stored, for nobody can say what is in it: neither are rows that are lists, of columns that nobody named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.serving import requests
from jupyter_ext.serving.requests import REDACTED

MOST: Final = 100
_INDEX: Final = re.compile(r"\[[^\]]*\]|\.\*(?=\.|$)")
_PATH: Final = re.compile(r"[^\s.]+(?:\.[^\s.]+)*", re.UNICODE)

_PLACE: Final = re.compile(r"[xy]\d+")
_ROWS: Final = {"instances": "x", "inputs": "x", "predictions": "y", "outputs": "y"}
MOST_COLUMNS: Final = 100_000

Path = tuple[str, ...]


def names(given: Iterable[str]) -> tuple[Path, ...]:
    """Read names and paths. Raises Invalid for one that says nothing."""
    found = []
    for name in given:
        plain = _INDEX.sub("", str(name)).removeprefix("$").strip(".").strip()
        if not _PATH.fullmatch(plain.replace(" ", "_")):
            raise Invalid(
                f"{str(name)[:60]!r} names no field",
                where=Where(field="log.redact"),
                hint="For example ssn, user.email or instances[*].ssn.",
            )
        found.append(tuple(plain.lower().split(".")))
    if len(found) > MOST:
        raise Invalid(
            f"{len(found)} fields to redact", where=Where(field="log.redact"), hint=f"At most {MOST}."
        )
    return tuple(found)


def redact(body: bytes, fields: Sequence[str], columns: Sequence[str] | None = None) -> bytes | None:
    """The body without those fields, or None if it must not be stored, for it cannot be read.

    ``columns`` are the names of the model's inputs, for rows that are lists. With no fields the body stays as it is.
    """
    if not fields:
        return body
    try:
        document, rest = requests.parse(body)
        return _Redaction(names(fields), columns).body(document, rest)
    except (Invalid, RecursionError, ValueError):
        return None


class _Redaction:
    def __init__(self, paths: tuple[Path, ...], columns: Sequence[str] | None) -> None:
        self._paths = paths
        self._columns = [str(name).lower() for name in columns or ()]
        self._by_place = any(_PLACE.fullmatch(path[0]) for path in paths if len(path) == 1)

    def body(self, document: Any, rest: bytes) -> bytes:
        kept: list[bytes] = []
        left = rest
        every = list(requests.tensors(document))
        answers = document.get("outputs") if isinstance(document, dict) else None
        for tensor, raw in requests.with_binary(every, rest):
            left = left[len(raw or b"") :]
            given = not isinstance(answers, list) or all(tensor is not each for each in answers)
            unnamed = given and len(every) == 1 and requests.generic(str(tensor["name"]).lower())
            if not self._tensor(tensor, "x" if given else "y", strict=unnamed) and raw is not None:
                kept.append(raw)
        if left:
            raise Invalid("There are more bytes than tensors")
        cleaned = self._rows(document, "x", ()) if isinstance(document, list) else self._clean(document, ())
        return b"".join([json.dumps(cleaned, ensure_ascii=False, separators=(",", ":")).encode(), *kept])

    def _tensor(self, tensor: dict[str, Any], letter: str, *, strict: bool) -> bool:
        """Empty a tensor that has one of the fields, and say whether it had."""
        name = str(tensor["name"]).lower()
        shape = tensor.get("shape")
        width = shape[-1] if isinstance(shape, list) and len(shape) > 1 else 1
        gone = self._places(width, letter, strict=strict)
        if not self._named((), name) and not any(gone):
            return False
        data = tensor.get("data")
        if not self._named((), name) and isinstance(data, list) and not requests.binary_size(tensor):
            tensor["data"] = _without(data, gone)
            return False
        parameters = tensor.get("parameters")
        kept = dict(parameters) if isinstance(parameters, dict) else {}
        kept.pop("binary_data_size", None)
        tensor["parameters"] = {**kept, "redacted": True}
        tensor["data"] = []
        return True

    def _places(self, width: Any, letter: str, *, strict: bool) -> list[bool]:
        """Which columns of a row without names have to go. Raises Invalid where nobody can say."""
        if not isinstance(width, int) or not 0 < width <= MOST_COLUMNS:
            raise Invalid("The rows have no width")
        known = len(self._columns) == width and letter == "x"
        if strict and not known and not self._by_place:
            raise Invalid("The columns of the rows are not known")
        return [
            self._named((), f"{letter}{at}") or (known and self._named((), self._columns[at]))
            for at in range(width)
        ]

    def _rows(self, rows: list[Any], letter: str, path: Path) -> list[Any]:
        """Rows of V1: with names, or lists of cells."""
        found: list[Any] = []
        for row in rows:
            if isinstance(row, dict):
                found.append(self._clean(row, path))
            elif isinstance(row, list):
                gone = self._places(_cells(row), letter, strict=letter == "x")
                found.append(_without(self._clean(row, path), gone))
            else:
                found.append(REDACTED if self._places(1, letter, strict=letter == "x")[0] else row)
        return found

    def _clean(self, value: Any, path: Path) -> Any:
        if isinstance(value, list):
            return [self._clean(part, path) for part in value]
        if not isinstance(value, dict):
            return value
        found: dict[str, Any] = {}
        for key, part in value.items():
            name = key.lower()
            if self._named(path, name):
                found[key] = REDACTED
            elif (
                not path
                and name in _ROWS
                and isinstance(part, list)
                and not any(requests.tensors({key: part}))
            ):
                found[key] = self._rows(part, _ROWS[name], (name,))
            else:
                found[key] = self._clean(part, (*path, name))
        return found

    def _named(self, path: Path, name: str) -> bool:
        whole = (*path, *name.split("."))
        return any(whole[-len(each) :] == each for each in self._paths)


def _cells(row: list[Any]) -> int:
    return sum(_cells(part) if isinstance(part, list) else 1 for part in row)


def _without(data: list[Any], gone: list[bool]) -> list[Any]:
    """Cells in the order they come in, row by row, those of the columns that have to go replaced."""
    at = 0

    def part(value: Any) -> Any:
        nonlocal at
        if isinstance(value, list):
            return [part(each) for each in value]
        at += 1
        return REDACTED if gone[(at - 1) % len(gone)] else value

    return [part(each) for each in data]
