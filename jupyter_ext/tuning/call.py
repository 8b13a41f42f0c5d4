"""One call of the user's function: what it returned or raised, as plain data."""

from __future__ import annotations

import json
import linecache
import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import KubeflowError
from jupyter_ext.training.reporting import Pruned

_LONGEST: Final = 40_000
_HERE: Final = str(Path(__file__).parent)


def call(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Call it. The answer has ``state``, and ``metrics`` or ``error``."""
    try:
        returned = function(**values)
    except Pruned:
        return {"state": "PRUNED", "metrics": {}}
    except SystemExit as error:
        if error.code in (None, 0):
            return {"state": "SUCCEEDED", "metrics": {}}
        return failure(error)
    except KeyboardInterrupt:
        return {"state": "CANCELED", "metrics": {}}
    except BaseException as error:
        return failure(error)
    try:
        return {"state": "SUCCEEDED", **measured(_without_model(returned))}
    except (TypeError, KubeflowError) as error:
        return {
            "state": "FAILED",
            "error": {"type": type(error).__name__, "message": str(error), "traceback": []},
        }


def _without_model(returned: Any) -> Any:
    """What was returned, but the model, which is kept in the trial's checkpoint folder."""
    if not isinstance(returned, Mapping) or "model" not in returned:
        return returned
    from jupyter_ext.tuning.registering import MODEL, keep

    keep(returned[MODEL])
    return {name: value for name, value in returned.items() if name != MODEL}


def measured(returned: Any) -> dict[str, Any]:
    """``metrics`` of a dictionary, ``number`` of a number, neither of nothing. Raises TypeError for anything else."""
    if returned is None:
        return {"metrics": {}}
    if isinstance(returned, Mapping):
        return {"metrics": {str(name): _number(value, f"`{name}`") for name, value in returned.items()}}
    return {"metrics": {}, "number": _number(returned, "its value")}


def _number(value: Any, what: str) -> float:
    if not isinstance(value, str | bytes):
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError):
            pass
    raise TypeError(
        f"The trial returned a {type(value).__name__} as {what}: return a number, a dictionary of numbers, or nothing"
    )


def failure(error: BaseException) -> dict[str, Any]:
    """An exception as data: type, message, place and traceback, without our own frames."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _ours(frame.filename)]
    lines = traceback.format_list(frames) + traceback.format_exception_only(error)
    text = "".join(lines)[-_LONGEST:]
    found: dict[str, Any] = {
        "type": type(error).__name__,
        "message": _message(error),
        "traceback": text.splitlines(),
    }
    if frames:
        found |= {"file": frames[-1].filename, "line": frames[-1].lineno}
        linecache.checkcache(frames[-1].filename)
    return {"state": "FAILED", "error": found}


def _ours(filename: str) -> bool:
    return filename.startswith((_HERE, "<frozen "))


def _message(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except Exception:
        return ""


def keep(path: str, result: Mapping[str, Any]) -> None:
    """Write the result down: it is there even if nobody is left to hear of it. Cut short, it is no JSON."""
    data = json.dumps(result).encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
