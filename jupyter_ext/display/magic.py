"""What all magics share: errors in one line, and words read as a shell reads them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from IPython.core.error import UsageError

from jupyter_ext.errors import KubeflowError

P = ParamSpec("P")
T = TypeVar("T")


def told(method: Callable[P, T]) -> Callable[P, T]:
    """Turn KubeflowErrors into the one line that IPython shows for wrong usage."""

    @wraps(method)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        try:
            return method(*args, **kwargs)
        except KubeflowError as error:
            raise UsageError(str(error)) from None

    return inner


def arguments(magic: Any, line: str) -> Any:
    """Read the line of a magic that has ``magic_arguments``."""
    return parse(magic.parser, line)


def parse(parser: Any, line: str) -> Any:
    """Read a line as a shell would: IPython's own reader leaves quotation marks in the values."""
    try:
        words = shlex.split(line)
    except ValueError:
        raise UsageError("a quotation mark is not closed") from None
    return parser.parse_args(words)


def options(magic: Any) -> list[str]:
    """Give the options of a magic, for completion."""
    return [word for word in magic.parser._option_string_actions if word.startswith("--")]  # noqa: SLF001 - argparse has no other list of them
