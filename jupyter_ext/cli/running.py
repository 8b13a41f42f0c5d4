"""Commands that start a run and wait for it."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, KubeflowError, Where

from .progress import Progress
from .text import as_json, number, say, seconds, table

if TYPE_CHECKING:
    from jupyter_ext.pipelines import Run


def newest(name: str | None) -> Run:
    """Give the run of that name, or the newest; raises NotFound."""
    from jupyter_ext import pipelines
    from jupyter_ext.errors import NotFound

    if name:
        return pipelines.get(name.partition("/")[2] or name)
    found = pipelines.runs(limit=1)
    if not found:
        raise NotFound("there are no runs yet", hint="Start one: jupyter kf run NOTEBOOK.ipynb")
    return found[0]


def run(args: Namespace) -> int:
    """``jupyter kf run``."""
    from jupyter_ext import pipelines
    from jupyter_ext.pipelines.compiled.reading import is_compiled
    from jupyter_ext.pipelines.snippets import read_limits, read_parameters, read_register

    writable(args.output)
    if args.output and is_compiled(args.file):
        raise Invalid("a compiled pipeline has no notebook to write", where=Where(field="--output"))
    started = pipelines.run(
        args.file,
        parameters=read_parameters(args.parameters),
        from_=args.start,
        only=args.only,
        cache=not args.no_cache,
        resources=read_limits(args.limit),
        register=read_register(args.register),
    )
    return follow(started, args)


def resume(args: Namespace) -> int:
    """``jupyter kf resume``."""
    from . import anything

    if other := anything.of_another_kind(args.run):
        return anything.resume(other, args)
    if args.trials:
        raise Invalid("a run has no trials", where=Where(field="--trials"))
    writable(args.output)
    return follow(newest(args.run).resume(), args)


def rerun(args: Namespace) -> int:
    """``jupyter kf rerun``."""
    writable(args.output)
    return follow(newest(args.run).rerun(from_=args.start), args)


def follow(started: Run, args: Namespace) -> int:
    """Show the run until it ends, and then what became of it; gives the exit status."""
    if args.no_wait:
        if args.json:
            as_json(started.to_json())
        else:
            say(f"Run {started.name} goes on by itself. Follow it: jupyter kf logs -f {started.name}")
        return 0
    # Nothing but the one object on standard output where JSON is asked for.
    stream = sys.stderr if args.json else sys.stdout
    progress = Progress(stream) if not args.json or stream.isatty() else None
    if not args.json:
        say(f"Run {started.name}")
    interrupted = _wait(started, progress)
    if args.output:
        write_notebook(Path(args.output), started.executed())
    if args.json:
        as_json(started.to_json())
    else:
        _conclude(started, args.output)
    if interrupted:
        return 130
    state = started.state
    if state != "SUCCEEDED" and not args.json:
        sys.stdout.flush()
        sys.stderr.write(f"jupyter kf: {_why(started)}\n")
    return 0 if state == "SUCCEEDED" else 1


def _wait(started: Run, progress: Progress | None) -> bool:
    """Wait until the run has finished; gives whether it was stopped with Ctrl-C."""
    interrupted = False
    pause = 0.02
    while True:
        try:
            resource = started.resource
            if progress:
                progress.show(resource.status.get("steps") or ())
            if resource.finished:
                return interrupted
            time.sleep(pause)
            pause = min(pause * 1.3, 0.25)
        except KeyboardInterrupt:
            if interrupted:
                sys.stderr.write(f"\nLeft while {started.name} is stopping.\n")
                raise
            interrupted = True
            sys.stderr.write(f"\nStopping {started.name} (Ctrl-C again to leave at once)\n")
            started.stop()


def _why(run: Run) -> str:
    """Say why a run did not succeed."""
    resource = run.resource
    reason = resource.reason or f"The run is {resource.phase.lower()}."
    return f"{reason} See: jupyter kf logs {run.name}"


def _conclude(run: Run, output: str | None) -> None:
    """Say what became of the run."""
    from jupyter_ext.registry.made import sentence

    resource = run.resource
    steps = [step for step in resource.status.get("steps", ()) if not step.get("parent")]
    cached = sum(bool(step.get("cached")) for step in steps)
    counts = f"{len(steps)} steps" + (f", {cached} cached" if cached else "")
    say(f"{resource.phase} in {seconds(resource.status.get('seconds')) or 'no time'}  ({counts})")
    if metrics := resource.status.get("metrics"):
        say(table((f"  {name}", number(value)) for name, value in metrics.items()))
    if told := sentence(resource.status.get("registered")):
        say(told)
    if output:
        say(f"Executed notebook: {output}")


def writable(output: str | None, suffixes: tuple[str, ...] = (".ipynb",)) -> None:
    """Find out before the run whether its result can be written; raises Invalid."""
    if not output:
        return
    path = Path(output)
    where = Where(field="--output")
    if path.is_dir() or path.suffix not in suffixes:
        hint = f"Give a file name ending in {' or '.join(suffixes)}."
        raise Invalid(f"{output} cannot be the file to write", where=where, hint=hint)
    if not path.absolute().parent.is_dir():
        raise Invalid(
            f"there is no folder {path.parent}", where=where, hint="Make it first, or give another name."
        )
    if not os.access(path.absolute().parent, os.W_OK):
        raise Invalid(
            f"nothing can be written to {path.absolute().parent}", where=where, hint="Give another name."
        )


def write_notebook(path: Path, notebook: dict[str, Any]) -> None:
    """Write all or nothing: a reader never sees half a notebook. Raises KubeflowError."""
    import json
    import tempfile

    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.absolute().parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
        ) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                umask = os.umask(0)
                os.umask(umask)
                os.fchmod(file.fileno(), 0o666 & ~umask)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise KubeflowError(
            f"{path} cannot be written: {error.strerror}", hint="Give another place for it."
        ) from error


def reproduce(args: Namespace) -> int:
    """``jupyter kf reproduce``."""
    report = newest(args.run).reproduce()
    if args.json:
        as_json(report.to_dict())
    else:
        say(str(report))
    return 0 if report.identical else 1


def refused(error: KubeflowError) -> dict[str, object]:
    """Give the object of ``--json`` for a run that was refused before it began."""
    return {
        "run": None,
        "state": "FAILED",
        "seconds": 0.0,
        "steps": [],
        "metrics": {},
        "error": {**error.to_dict(), "message": str(error)},
    }


COMMANDS: dict[str, Callable[[Any], int]] = {
    "run": run,
    "resume": resume,
    "rerun": rerun,
    "reproduce": reproduce,
}
