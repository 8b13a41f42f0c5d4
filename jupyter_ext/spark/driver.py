"""The Python end of a batch: it loads the code, calls it, and writes down how that ended.

Run by Spark as its application, ``driver.py FOLDER ARGUMENTS``. ``FOLDER/job.json`` says what to run. The code is called
as it would be in the notebook; a cell or a file that reads ``spark`` without setting it has a session of that name.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.training.loading import Snapshot

SAID = "driver-said.json"
"""How it ended: ``{"state": "done" | "failed", …}``."""


def main(folder: Path, arguments: list[str]) -> int:
    """Returns the exit status: 0 when the user's code came to its end."""
    from jupyter_ext.training import rank

    rank._die_with_parent()  # noqa: SLF001 - the JVM is its parent
    job: dict[str, Any] = json.loads((folder / "job.json").read_text())
    for path in job["path"]:
        if path not in sys.path:
            sys.path.append(path)
    snapshot = None
    try:
        if job["code"]:
            from jupyter_ext.training.loading import Snapshot

            snapshot = Snapshot(folder / "code")
            value = called(snapshot, job["args"], arguments)
        else:
            value = None
            _file(job["file"], arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if code:
            words = f"It left with sys.exit({error.code!r})"
            _say(folder, "failed", error={"type": "SystemExit", "message": words, "traceback": []})
        return ended(code)
    except BaseException as error:
        facts = _place(error, job["file"]) | rank.described(error, snapshot)
        sys.stderr.write("\n".join([*facts["traceback"], ""]))
        _say(folder, "failed", error=facts)
        return ended(1)
    _say(folder, "done", **_kept(folder, value))
    return ended(0)


def called(snapshot: Snapshot, args: Mapping[str, Any], arguments: list[str]) -> Any:
    """Run a snapshot as it is meant: a file with its command line, a cell or a function with ``args``."""
    if snapshot.facts["kind"] == "script":
        _script(snapshot, arguments)
        return None
    return snapshot.call({**args, **_session(_cell(snapshot))}, {})


def _place(error: BaseException, file: str) -> dict[str, Any]:
    """The innermost line of the file that was run."""
    found: dict[str, Any] = {}
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            found = {"file": file, "line": trace.tb_lineno, "function": trace.tb_frame.f_code.co_name}
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == file:
        found = {"file": file, "line": error.lineno}
    return found


def _script(snapshot: Snapshot, arguments: list[str]) -> None:
    name = snapshot.facts["main"]
    _run(snapshot.facts["sources"][name]["text"], name, arguments)


def _file(path: str, arguments: list[str]) -> None:
    sys.path.insert(0, str(Path(path).parent))
    _run(Path(path).read_text(encoding="utf-8"), path, arguments)


def _run(text: str, name: str, arguments: list[str]) -> None:
    import types

    main = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=__builtins__, __file__=name, __cached__=None)
    main.__dict__.update(_session(text))
    _before.append(sys.modules["__main__"])
    sys.modules["__main__"] = main
    sys.argv = [name, *arguments]
    exec(compile(text, name, "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - the user's own code


def _cell(snapshot: Snapshot) -> str:
    """The text of a cell; empty for a function."""
    facts = snapshot.facts
    return str(facts["sources"][facts["main"]]["text"]) if facts["kind"] == "source" else ""


def _session(text: str) -> dict[str, Any]:
    """``spark`` for a program that reads this name and sets it nowhere, as in a shell of Spark."""
    import ast

    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return {}
    used = [node.ctx for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "spark"]
    named = {alias.asname or alias.name.partition(".")[0] for node in ast.walk(tree)
             if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}  # fmt: skip
    if not used or "spark" in named or any(not isinstance(context, ast.Load) for context in used):
        return {}
    from pyspark.sql import SparkSession

    return {"spark": SparkSession.builder.getOrCreate()}


_before: list[Any] = []
"""The program's own main module goes on being used after it was replaced."""


def ended(code: int) -> int:
    """End the session in order, so that the event log is whole."""
    from contextlib import suppress

    session = sys.modules.get("pyspark.sql")
    active = session.SparkSession.getActiveSession() if session is not None else None
    if active is not None:
        with suppress(Exception):
            active.stop()
    return code


def _say(folder: Path, state: str, **more: Any) -> None:
    """The file is there in full or not at all."""
    temporary = folder / f".{SAID}.{os.getpid()}"
    temporary.write_text(json.dumps({"state": state, "time": time.time(), **more}))
    temporary.replace(folder / SAID)


def _kept(folder: Path, value: Any) -> dict[str, Any]:
    """Write the value that comes back to the notebook: plain ones, and a frame as the rows that it has."""
    if value is None:
        return {}
    kind = type(value).__qualname__
    if type(value).__module__.startswith("pyspark.") and hasattr(value, "toArrow"):
        value = value.toArrow()
    try:
        import cloudpickle

        path = folder / "value.pkl"
        with path.open("wb") as file:
            cloudpickle.dump(value, file)
    except Exception as error:
        (folder / "value.pkl").unlink(missing_ok=True)
        return {"value": {"type": kind, "lost": f"{type(error).__name__}: {error}"}}
    return {"value": {"type": kind, "text": repr(value)[:300]}}


if __name__ == "__main__":
    # Spark puts the folder of this file first: its neighbours must not replace modules of that name.
    here = str(Path(__file__).parent)
    sys.path[:] = [path for path in sys.path if path != here]
    try:
        import jupyter_ext  # noqa: F401 - only to see whether this interpreter finds it
    except ModuleNotFoundError:
        sys.path.append(str(Path(__file__).parents[2]))
    # Under its package's name: the user's code takes the name of the main module.
    from jupyter_ext.spark import driver as program  # noqa: PLW0406

    sys.exit(program.main(Path(sys.argv[1]), sys.argv[2:]))
