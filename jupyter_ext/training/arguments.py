"""What a function is to be called with: plain values, values that have to be pickled, and places of data."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.training.snapshot import Code


def split(args: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments that JSON gives back as they were, and the others."""
    plain: dict[str, Any] = {}
    opaque: dict[str, Any] = {}
    for name, value in args.items():
        if not str(name).isidentifier():
            raise Invalid(f"{name!r} is not the name of an argument", where=Where(field="args"))
        (plain if _is_json(value) else opaque)[name] = value
    return plain, opaque


def _is_json(value: Any, depth: int = 0) -> bool:
    kind = type(value)
    if kind in {str, int, bool, type(None)}:
        return len(value) < 1000 if kind is str else True
    if kind is float:
        return bool(value - value == 0)  # neither infinite nor NaN
    if depth > 4 or kind not in {list, dict} or len(value) > 100:
        return False
    if kind is list:
        return all(_is_json(item, depth + 1) for item in value)
    return all(type(key) is str and _is_json(item, depth + 1) for key, item in value.items())


def require_fit(code: Code, args: Mapping[str, Any], data: Mapping[str, str]) -> None:
    """Raise Invalid when the function cannot be called with these arguments."""
    signature = code.signature
    assert signature is not None
    asked = {name: place for name, place in data.items() if name in signature.parameters}
    try:
        signature.bind(**{**asked, **args})
    except TypeError as error:
        shown = ", ".join(signature.parameters)
        raise Invalid(
            f"The arguments do not fit {code.name}({shown}): {error}",
            where=Where(field="args"),
            hint="Pass them in args={…}.",
        ) from error
    for name, value in args.items():
        if name in signature.parameters and isinstance(value, str):
            _require_type(code.name, value, signature.parameters[name])


_NUMBERS: Final = {"int": "a whole number", "float": "a number", "bool": "true or false"}


def _require_type(function: str, text: str, parameter: inspect.Parameter) -> None:
    """Refuse a text that the job could not turn into what the parameter declares; see ``loading.converted``."""
    from jupyter_ext.training.loading import converted

    wanted = parameter.annotation
    if wanted is parameter.empty:
        if parameter.default is parameter.empty or parameter.default is None:
            return
        wanted = type(parameter.default)
    words = {part.strip() for part in getattr(wanted, "__name__", str(wanted)).split("|")} - {"None"}
    if words and words <= _NUMBERS.keys() and isinstance(converted(text, parameter), str):
        kinds = " or ".join(_NUMBERS[word] for word in _NUMBERS if word in words)
        raise Invalid(
            f"{parameter.name} of {function} is {kinds}, not {text[:60]!r}",
            where=Where(field=f"args.{parameter.name}"),
        )


def places(data: Mapping[str, str | Path]) -> dict[str, str]:
    """Absolute paths of what is on this machine, and URIs of what is elsewhere. Raises Invalid, Unavailable."""
    found = {}
    for name, place in data.items():
        text = str(place)
        scheme, separator, rest = text.partition("://")
        where = Where(field=f"data.{name}")
        if not name.isidentifier():
            raise Invalid(f"{name!r} cannot be the name of an argument", where=where)
        if separator and scheme != "file":
            _require_filesystem(scheme, where)
            found[name] = text
            continue
        path = Path(rest if separator else text).expanduser().absolute()
        if not path.exists():
            raise Invalid(f"There is no {path}", where=where, hint="Check the path of this data.")
        found[name] = str(path)
    return found


def _require_filesystem(scheme: str, where: Where) -> None:
    import importlib.util

    if importlib.util.find_spec("fsspec") is None:
        raise Unavailable(f"{scheme}:// needs fsspec", where=where, hint="pip install fsspec")
    from fsspec.registry import known_implementations, registry  # type: ignore[import-untyped]

    if scheme in registry:
        return
    if scheme not in known_implementations:
        raise Invalid(f"{scheme}:// is no file system that is known here", where=where)
    module = known_implementations[scheme]["class"].rpartition(".")[0]
    needed = {"s3fs": "s3fs", "gcsfs": "gcsfs", "adlfs": "adlfs"}.get(module.partition(".")[0])
    if needed and importlib.util.find_spec(needed) is None:
        raise Unavailable(f"{scheme}:// needs {needed}", where=where, hint=f"pip install {needed}")
