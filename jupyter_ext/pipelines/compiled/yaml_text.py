"""Read YAML that a stranger may have written: neither depth, nor aliases, nor merged mappings make it larger than it looks."""

from __future__ import annotations

import math
from typing import Any, Final

from jupyter_ext.cluster import bounded_yaml
from jupyter_ext.errors import Invalid, Where

_MOST_VALUES: Final = 500_000


def documents(text: str, name: str, hint: str) -> list[Any]:
    """The documents of a text that are not empty. Raises Invalid, with the line, for what is no YAML and what is too much."""
    import yaml

    try:
        bounded_yaml.check_depth(text)
        found = [item for item in yaml.load_all(text, Loader=bounded_yaml.loader()) if item is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = Where(object=name, line=mark.line + 1 if mark else None)
        raise Invalid(f"This is not YAML: {_first(error)}", where=place, hint=hint) from None
    for item in found:
        _check_size(item, name, hint)
    return found


def _first(error: BaseException) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0][:200]


def _check_size(value: Any, name: str, hint: str) -> None:
    """Refuse a document that aliases make larger than it looks, or endless, and values that JSON has not."""
    count, stack = 0, [value]
    while stack:
        current = stack.pop()
        count += 1
        if count > _MOST_VALUES:
            raise Invalid("It has too many values", where=Where(object=name), hint=hint)
        if isinstance(current, dict):
            stack.extend(current.values())
        elif isinstance(current, list):
            stack.extend(current)
        elif current is not None and not isinstance(current, str | int) and not _is_finite(current):
            what = (
                "a number that is none"
                if isinstance(current, float)
                else f"a value of {type(current).__name__}"
            )
            raise Invalid(f"It has {what}, which JSON has not", where=Where(object=name), hint=hint)


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)
