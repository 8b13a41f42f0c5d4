"""One process of user code: it takes its log, loads the snapshot, calls it, and writes down how that ended.

Run as a file, ``python -P rank.py FOLDER``, by the controller or by torchrun's agent. Nothing but the standard
library is loaded before the user's code. ``FOLDER/job.json`` says the rest, the environment says which rank this is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import TracebackType

    from jupyter_ext.training.loading import Snapshot

_REPR: Final = 300
_MESSAGE: Final = 8000


def main(folder: Path) -> int:
    """Returns the exit status: 0 when the user's code came to its end."""
    _die_with_parent()
    job: dict[str, Any] = json.loads((folder / "job.json").read_text())
    rank = Rank(folder, job)
    rank.say("started")

    from jupyter_ext.training import stacks

    stacks.answer(folder / "ranks" / f"{rank.number}.stack")
    return rank.run()


class Rank:
    """What this process knows of itself."""

    def __init__(self, folder: Path, job: dict[str, Any]) -> None:
        from jupyter_ext.training import reporting

        self.folder, self.job = folder, job
        self.number = reporting.world().rank
        self.attempt, self.log = _take_log(job["logs"], self.number)
        self.began = time.time()
        (folder / "ranks").mkdir(exist_ok=True)
        (folder / "reports").mkdir(exist_ok=True)
        os.environ[reporting.REPORTS] = str(folder / "reports" / f"{self.number}.{self.attempt}.jsonl")

    def say(self, state: str, **more: Any) -> None:
        """Tell the controller; the file is there in full or not at all."""
        facts = {
            "rank": self.number,
            "pid": os.getpid(),
            "state": state,
            "time": time.time(),
            "began": self.began,
            "attempt": self.attempt,
            "round": int(os.environ.get("TORCHELASTIC_RESTART_COUNT") or 0),
            **more,
        }
        path = self.folder / "ranks" / f"{self.number}.json"
        temporary = path.with_name(f".{self.number}.{os.getpid()}")
        temporary.write_text(json.dumps(facts))
        temporary.replace(path)

    def run(self) -> int:
        """Call the user's code."""
        from jupyter_ext.training.loading import Snapshot
        from jupyter_ext.training.reporting import Pruned

        for path in self.job["path"]:
            if path not in sys.path:
                sys.path.append(path)
        if "DMLC_TRACKER_URI" in os.environ:
            # Since 2.1 xgboost reads its tracker's address from arguments only.
            from jupyter_ext.training.frameworks import collective

            collective.install()
        if "JAX_PROCESS_ID" in os.environ:
            from jupyter_ext.training.frameworks import coordinator

            coordinator.install()
        snapshot = None
        try:
            snapshot = Snapshot(self.folder / "code")
            self.say("running")
            value = snapshot.call(self.job["args"], self.job["data"])
        except Pruned:
            self.say("done", pruned=True)
            return 0
        except SystemExit as error:
            return self._left(error)
        except BaseException as error:
            self._failed(error, snapshot)
            return 1
        _flush()
        self.say("done", **(self._keep(value) if self.number == 0 else {}))
        return 0

    def _left(self, error: SystemExit) -> int:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if not code:
            self.say("done")
            return 0
        words = f"It left with sys.exit({error.code!r})"
        if not isinstance(error.code, int):
            print(error.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        self.say(
            "failed", error={"type": "SystemExit", "message": words, "rank": self.number, "traceback": []}
        )
        return code

    def _failed(self, error: BaseException, snapshot: Snapshot | None) -> None:
        facts = described(error, snapshot) | {"rank": self.number}
        sys.stderr.write("\n".join([*facts["traceback"], ""]))
        _flush()
        try:
            import cloudpickle

            (self.folder / f"error-{self.number}.pkl").write_bytes(
                cloudpickle.dumps(error.with_traceback(None))
            )
        except Exception:
            facts["opaque"] = True
        self.say("failed", error=facts)

    def _keep(self, value: Any) -> dict[str, Any]:
        """Write the value that comes back to the notebook."""
        if value is None:
            return {}
        found: dict[str, Any] = {"type": type(value).__qualname__}
        try:
            text = repr(value)
            found["text"] = text if len(text) <= _REPR else text[: _REPR - 1] + "…"
        except Exception:
            found["text"] = found["type"]
        path = self.folder / "value.pkl"
        try:
            import cloudpickle

            with path.open("wb") as file:
                cloudpickle.dump(value, file)
        except Exception as error:
            path.unlink(missing_ok=True)
            found["lost"] = f"{type(error).__name__}: {error}"
        return {"value": found}


def described(error: BaseException, snapshot: Snapshot | None) -> dict[str, Any]:
    """An exception as JSON: type, message, the user's file, line and cell, the traceback without our frames."""
    import traceback

    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") in _OURS:
        trace = trace.tb_next
    trace = trace or error.__traceback__
    try:
        message = str(error)[:_MESSAGE]
    except Exception:
        message = "(its message could not be shown)"
    lines = "".join(traceback.format_exception(type(error), error, trace)).rstrip().split("\n")
    found: dict[str, Any] = {"type": type(error).__qualname__, "message": message}
    if snapshot is not None:
        inside = f"{snapshot.folder}/modules/"
        lines = [_own_names(line, snapshot) if inside in line else line for line in lines]
        found |= _place(error, trace, snapshot)
    return {**found, "traceback": lines}


_OURS: Final = frozenset(
    {"jupyter_ext.training.rank", "jupyter_ext.training.loading", "jupyter_ext.training.outside"}
)


def _own_names(line: str, snapshot: Snapshot) -> str:
    head, quote, rest = line.partition('"')
    path, end, tail = rest.partition('"')
    return f"{head}{quote}{snapshot.place(path)}{end}{tail}"


def _place(error: BaseException, trace: TracebackType | None, snapshot: Snapshot) -> dict[str, Any]:
    """The innermost line of the user's own code."""
    found: dict[str, Any] = {}
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if snapshot.own(name):
            found = {"file": name, "line": trace.tb_lineno, "function": trace.tb_frame.f_code.co_name}
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename and snapshot.own(error.filename):
        found = {"file": error.filename, "line": error.lineno}
    if not found:
        return {}
    source = snapshot.facts["sources"].get(found["file"], {})
    more = {key: source[key] for key in ("cell", "cellId", "label") if source.get(key) is not None}
    return {**found, "file": snapshot.place(found["file"]), **more}


def _take_log(folder: str, rank: int) -> tuple[int, str]:
    """Send everything this process prints to ``rank-<n>.<attempt>.log``, the first of that name not yet taken."""
    attempt = 1
    while True:
        path = f"{folder}/rank-{rank}.{attempt}.log"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            break
        except FileExistsError:
            attempt += 1
    for target in (1, 2):
        os.dup2(descriptor, target)
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    return attempt, path


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue


def _die_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it dies."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    import faulthandler

    faulthandler.enable()
    try:
        import jupyter_ext  # noqa: F401 - only to see whether this interpreter finds it
    except ModuleNotFoundError:
        sys.path.append(__file__.rsplit("/", 3)[0])
    # Under its package's name: the user's code takes the name of the main module.
    from jupyter_ext.training import rank as program  # noqa: PLW0406

    sys.exit(program.main(Path(sys.argv[1])))
