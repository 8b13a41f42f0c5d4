"""Reading an administrator's plain dicts, with errors that name the exact place: ``images[2].reference``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

from spawner.quantities import typed

LABEL_KEY: Final = re.compile(
    r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII
)
LABEL_VALUE: Final = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", re.ASCII)
KEY: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
RESERVED: Final = frozenset({"none", "other"})
T = TypeVar("T")


class ConfigError(ValueError):
    """The administrator's configuration is wrong; the text starts with the place."""


def printable(text: str) -> bool:
    """One line of text without control or formatting characters, which could hide what it says."""
    return text.isprintable()


class Reader:
    """Takes the keys of one dict; ``done`` then complains about those that nobody asked for."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise ConfigError(f"{path}: must be a dict, not {type(value).__name__}")
        self._rest: dict[str, Any] = dict(value)
        self._known: list[str] = []
        self.path = path

    def fail(self, key: str, message: str) -> ConfigError:
        """The error for a key, ready to be raised."""
        return ConfigError(f"{self.path}.{key}: {message}")

    def take(self, key: str) -> Any:
        """The raw value, None when it is not given."""
        self._known.append(key)
        return self._rest.pop(key, None)

    def text(self, key: str, default: str | None = None, longest: int = 500) -> str:
        """One line of text; without a default it must be given."""
        value = self.take(key)
        if value is None:
            if default is None:
                raise self.fail(key, "must be given")
            return default
        if not isinstance(value, str) or len(value) > longest or not printable(value):
            raise self.fail(key, f"must be one line of text, at most {longest} characters")
        if default is None and not value.strip():
            raise self.fail(key, "must not be empty")
        return value

    def matching(self, key: str, pattern: re.Pattern[str], what: str, default: str | None = None) -> str:
        """Text that the whole of ``pattern`` matches."""
        value = self.text(key, default)
        if value != default and not pattern.fullmatch(value):
            raise self.fail(key, f"{value!r} is not {what}")
        return value

    def key(self) -> str:
        """What names this choice in forms and links."""
        value = self.matching("key", KEY, "a key: letters, digits, '-', '_', '.'")
        if value in RESERVED:
            raise self.fail("key", f"{value!r} has a meaning of its own")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or False, nothing that only counts as such."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.fail(key, f"must be True or False, not {value!r}")
        return value

    def whole(self, key: str, default: int | None = None, least: int = 0, most: int = 2**31) -> int | None:
        """A whole number within bounds."""
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.fail(key, f"must be a whole number from {least} to {most}, not {value!r}")
        return value

    def quantity(self, key: str, default: str | None = None) -> str:
        """A Kubernetes quantity greater than zero, as text; an empty default means that it may be missing."""
        value = self.take(key)
        if value is None:
            if default is None:
                raise self.fail(key, "must be given, for example '2' or '4Gi'")
            return default
        try:
            if not typed(value):
                raise self.fail(key, "must be more than 0")
        except ConfigError:
            raise
        except ValueError as error:
            raise self.fail(key, f"{error}, not {value!r}") from error
        return str(value)

    def price(self, key: str) -> Decimal | None:
        """Money per hour, as a number or text; None when it is not given."""
        value = self.take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", str(value), re.ASCII):
            raise self.fail(key, f"must be an amount such as '0.35', not {value!r}")
        return Decimal(str(value))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of lines of text."""
        value = self.take(key)
        if value is None:
            return ()
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self.fail(key, "must be a list of texts")
        for index, each in enumerate(value):
            if not isinstance(each, str) or len(each) > 500 or not printable(each):
                raise ConfigError(f"{self.path}.{key}[{index}]: must be one line of text")
        return tuple(value)

    def labels(self, key: str) -> tuple[tuple[str, str], ...]:
        """Labels, sorted, so that equal ones are equal."""
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, Mapping):
            raise self.fail(key, "must be a dict of labels")
        for name, text in value.items():
            if not isinstance(name, str) or not LABEL_KEY.fullmatch(name):
                raise self.fail(key, f"{name!r} is not a label")
            if not isinstance(text, str) or not LABEL_VALUE.fullmatch(text):
                raise ConfigError(f"{self.path}.{key}[{name!r}]: {text!r} is not the value of a label")
        return tuple(sorted(value.items()))

    def tolerations(self, key: str) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Tolerations as pods have them, frozen."""
        value = self.take(key)
        if value is None:
            return ()
        found = []
        for index, each in enumerate(value if isinstance(value, list | tuple) else [value]):
            part = Reader(each, f"{self.path}.{key}[{index}]")
            entry = {name: part.text(name, "") for name in ("effect", "key", "operator", "value")}
            part.done()
            if entry["effect"] not in {"", "NoSchedule", "PreferNoSchedule", "NoExecute"}:
                raise part.fail("effect", f"{entry['effect']!r} is not an effect of a taint")
            if entry["operator"] not in {"", "Equal", "Exists"}:
                raise part.fail("operator", "must be 'Equal' or 'Exists'")
            found.append(tuple((name, text) for name, text in entry.items() if text))
        return tuple(found)

    def done(self) -> None:
        """Raises ConfigError for the first key that is not known, with the nearest one that is."""
        for key in self._rest:
            near = difflib.get_close_matches(key, self._known, 1)
            meant = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(self._known)}"
            raise ConfigError(f"{self.path}.{key}: there is no such setting{meant}")


def each(value: object, path: str, read: Callable[[Reader], T]) -> tuple[T, ...]:
    """Read every dict of a list."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{path}: must be a list of dicts, not {type(value).__name__}")
    found = []
    for index, part in enumerate(value):
        reader = Reader(part, f"{path}[{index}]")
        found.append(read(reader))
        reader.done()
    return tuple(found)


def distinct(keys: Sequence[str], path: str) -> None:
    """Raises ConfigError when two choices have one key."""
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise ConfigError(f"{path}[{index}].key: {key!r} is also the key of {path}[{keys.index(key)}]")
