"""A part of a document that somebody gives us, and where it is: every question names the place when the answer is no."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from jupyter_ext.errors import Invalid, Where

T = TypeVar("T")
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,250}")
_LARGEST: Final = 10**15
_DURATION: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)s")


class Place:
    """A mapping of the document, and where it is; every question names the place when the answer is no."""

    def __init__(self, data: Any, path: str) -> None:
        if data is None:
            data = {}
        if not isinstance(data, Mapping):
            raise Invalid(
                f"{path or 'The document'} must be a mapping, not {_kind(data)}", where=Where(field=path)
            )
        self.data: Mapping[str, Any] = data
        self.path = path

    def at(self, key: str) -> str:
        """Where a key is."""
        return f"{self.path}.{key}" if self.path else key

    def wrong(self, key: str, what: str, hint: str | None = None) -> Invalid:
        """What to raise for a key."""
        return Invalid(f"{self.at(key)} {what}", where=Where(field=self.at(key)), hint=hint)

    def only(self, known: Sequence[str]) -> None:
        """Raise Invalid for a key that is not among these."""
        for key in self.data:
            if key not in known:
                raise self.wrong(
                    str(key),
                    "is not known to this version, which would have to ignore it",
                    "Compile the pipeline with an earlier KFP SDK, or leave out what needs the field.",
                )

    def keys(self, pattern: re.Pattern[str]) -> list[str]:
        """The keys, which must be names. Raises Invalid."""
        for key in self.data:
            if not pattern.fullmatch(str(key)):
                shown = "".join(each if each.isprintable() else "?" for each in str(key)[:80])
                raise self.wrong(shown, "is not a name")
        return [str(key) for key in self.data]

    def part(self, key: str) -> Place:
        """What is under a key, as a mapping."""
        return Place(self.data.get(key), self.at(key))

    def has(self, key: str) -> bool:
        """Whether there is such a key."""
        return key in self.data

    def text(self, key: str) -> str:
        """A text, empty where there is none. Raises Invalid."""
        found = self._typed(key, str, "")
        if "\0" in found:
            raise self.wrong(key, "has a null character")
        return found

    def flag(self, key: str) -> bool:
        """True or false, false where there is none. Raises Invalid."""
        return self._typed(key, bool, False)

    def number(self, key: str, default: float = 0) -> float:
        """A number. Raises Invalid."""
        value = self.data.get(key, default)
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, f"must be a number, not {_kind(value)}")
        if not abs(value) < _LARGEST:
            raise self.wrong(key, "is larger than anything it could count")
        return value

    def count(self, key: str) -> int:
        """A whole number from 0 on, 0 where there is none. Raises Invalid."""
        value = self.number(key)
        if value < 0 or value != int(value):
            raise self.wrong(key, "must be a whole number that is not negative")
        return int(value)

    def seconds(self, key: str, default: float) -> float:
        """A duration such as ``30s`` in seconds. Raises Invalid."""
        text = self.text(key)
        if not text:
            return default
        found = _DURATION.fullmatch(text)
        if not found:
            raise self.wrong(key, f"must be a duration such as 30s, not {text!r}")
        return float(found[1])

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts. Raises Invalid."""
        found = self._typed(key, list, [])
        if not all(isinstance(item, str) for item in found):
            raise self.wrong(key, "must be a list of texts")
        if any("\0" in item for item in found):
            raise self.wrong(key, "has a null character, which no command can be given")
        return tuple(found)

    def items(self, key: str) -> list[Place]:
        """A list, each item with its place. Raises Invalid."""
        return [Place(item, f"{self.at(key)}[{n}]") for n, item in enumerate(self._typed(key, list, []))]

    def each(self, key: str, make: Callable[[str, Place], T]) -> dict[str, T]:
        """A mapping, each value read with its name and place. Raises Invalid."""
        inner = self.part(key)
        return {name: make(name, inner.part(name)) for name in inner.keys(NAME)}

    def _typed(self, key: str, kind: type[T], default: T) -> T:
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise self.wrong(key, f"must be {_kind(default)}, not {_kind(value)}")
        return value


def _kind(value: object) -> str:
    words = {bool: "true or false", str: "text", list: "a list", int: "a number", float: "a number"}
    return words.get(type(value), "nothing" if value is None else "a mapping")
