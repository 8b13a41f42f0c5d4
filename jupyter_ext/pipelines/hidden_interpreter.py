"""Hidden state of the interpreter and of its standard library."""

from __future__ import annotations

import contextlib
import decimal
import locale
import logging
import os
import random
import sys
import time
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from jupyter_ext.pipelines.hidden import Kind

_base_environ: dict[str, str] = {}
_base_raw: dict[bytes, bytes] = {}
_own_variables: set[str] = set()
_SET_BY_IMPORTS = {"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "TF2_BEHAVIOR", "TORCHINDUCTOR_CACHE_DIR"}
"""Variables that libraries set when they are imported: no step has to tell another."""
_SET_FOR_STEPS = {"JUPYTER_KUBEFLOW_UNIT"}
"""Variables that say which step this is: each step has its own."""


def set_base_environ(environ: Mapping[str, str], own: Collection[str] = ()) -> None:
    """Say what the environment was before any step; ``own`` variables belong to the process, not to the run."""
    _base_environ.clear()
    _base_environ.update(environ)
    _base_raw.clear()
    _base_raw.update({os.fsencode(key): os.fsencode(value) for key, value in environ.items()})
    _own_variables.clear()
    _own_variables.update(own)


def _environ(_: Any) -> tuple[Any, ...]:
    """The difference to the run's start: two machines' variables must not make two cache keys."""
    before = _base_environ or os.environ
    if _base_raw == os.environ._data:  # type: ignore[attr-defined] # noqa: SLF001 - decoding takes longer than the rest
        return (), ()
    ignored = _own_variables | _SET_BY_IMPORTS | _SET_FOR_STEPS
    now = {key: value for key, value in os.environ.items() if key not in ignored}
    changed = sorted((key, value) for key, value in now.items() if before.get(key) != value)
    return tuple(changed), tuple(sorted(set(before) - set(now) - ignored))


def _set_environ(state: Any, _: Any) -> None:
    changed, removed = state
    os.environ.update(dict(changed))
    for key in removed:
        os.environ.pop(key, None)
    if any(key == "TZ" for key in (*dict(changed), *removed)):
        time.tzset()


def _set_warnings(state: Any, _: Any) -> None:
    warnings.filters[:] = list(state)  # type: ignore[index] # a list, though typeshed promises only a sequence
    with contextlib.suppress(AttributeError):
        warnings._filters_mutated()  # type: ignore[attr-defined] # noqa: SLF001 - else filters stay cached


def _decimal(_: Any) -> tuple[Any, ...]:
    context = decimal.getcontext()
    traps = tuple(sorted(signal.__name__ for signal, on in context.traps.items() if on))
    return context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, traps


def _set_decimal(state: Any, _: Any) -> None:
    context = decimal.getcontext()
    *settings, traps = state
    for name, value in zip(("prec", "rounding", "Emin", "Emax", "capitals", "clamp"), settings, strict=True):
        setattr(context, name, value)
    for signal in context.traps:
        context.traps[signal] = signal.__name__ in traps


def _umask(_: Any) -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _set_umask(state: Any, _: Any) -> None:
    os.umask(state)


def _set_locale(state: Any, _: Any) -> None:
    locale.setlocale(locale.LC_ALL, state)


# Logging: levels and handlers of loggers that a notebook sets up


def _logging(_: Any) -> tuple[Any, ...]:
    root = logging.getLogger()
    loggers = [("", root), *sorted(root.manager.loggerDict.items())]
    found = [(name, _logger(each)) for name, each in loggers if isinstance(each, logging.Logger)]
    return root.manager.disable, tuple((name, state) for name, state in found if state != _UNTOUCHED)


def _logger(logger: logging.Logger) -> tuple[Any, ...]:
    handlers = tuple(spec for spec in map(_handler, logger.handlers) if spec)
    return logger.level, logger.propagate, logger.disabled, handlers


_UNTOUCHED = (logging.NOTSET, True, False, ())


def _handler(handler: logging.Handler) -> tuple[Any, ...] | None:
    form = handler.formatter
    look = form and (form._fmt, form.datefmt)  # noqa: SLF001 - a formatter has no public name for its format
    if type(handler) is logging.FileHandler:
        return "file", handler.baseFilename, handler.encoding, handler.level, look
    if type(handler) is logging.StreamHandler:
        stream = getattr(handler.stream, "name", "")
        return "stream", "stdout" if stream == "<stdout>" else "stderr", None, handler.level, look
    return None


def _set_logging(state: Any, _: Any) -> None:
    disable, loggers = state
    logging.getLogger().manager.disable = disable
    for name, (level, propagate, disabled, handlers) in loggers:
        logger = logging.getLogger(name or None)
        logger.setLevel(level)
        logger.propagate, logger.disabled = propagate, disabled
        present = [_handler(handler) for handler in logger.handlers]
        for spec in handlers:
            if spec not in present:
                logger.addHandler(_made(spec))


def _made(spec: tuple[Any, ...]) -> logging.Handler:
    kind, target, encoding, level, look = spec
    handler: logging.Handler
    if kind == "file":
        handler = logging.FileHandler(target, mode="a", encoding=encoding, delay=True)
    else:
        handler = logging.StreamHandler(getattr(sys, target))
    handler.setLevel(level)
    if look:
        handler.setFormatter(logging.Formatter(*look))
    return handler


KINDS = {
    "environ": Kind("os", _environ, _set_environ),
    "cwd": Kind("os", lambda _: str(Path.cwd()), lambda state, _: os.chdir(state)),
    "sys.path": Kind(
        "sys", lambda _: list(sys.path), lambda state, _: sys.path.__setitem__(slice(None), state)
    ),
    "random": Kind(
        "random", lambda _: random.getstate(), lambda state, _: random.setstate(state), random.seed
    ),
    "warnings": Kind("warnings", lambda _: tuple(warnings.filters), _set_warnings),
    "decimal": Kind("decimal", _decimal, _set_decimal),
    "locale": Kind(
        "locale",
        lambda _: locale.setlocale(locale.LC_ALL),
        _set_locale,
    ),
    "recursion": Kind(
        "sys", lambda _: sys.getrecursionlimit(), lambda state, _: sys.setrecursionlimit(state)
    ),
    "umask": Kind("os", _umask, _set_umask),
    "logging": Kind("logging", _logging, _set_logging),
}
