"""A batch Job's container as a process of this machine: what can run, what is refused by name, what it is given."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.training import containers

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.devices import Request
    from jupyter_ext.training.containers import Process

COLLECTORS: Final = ("StdOut", "File", "None")
DEFAULT_FILE: Final = "/var/log/katib/metrics.log"
ONE_CPU: Final = 1000
_JOB: Final = "spec.trialTemplate.trialSpec.spec"
_LEFT_OUT: Final = frozenset({
    *("activeDeadlineSeconds", "backoffLimit", "completions", "parallelism", "suspend", "template"),
    *("ttlSecondsAfterFinished", "completionMode", "podReplacementPolicy", "manualSelector", "selector"),
})  # fmt: skip
_INTERPRETER: Final = re.compile(r"python[\d.]*$")


def _unfit(what: str, field: str, hint: str | None = None) -> NoReturn:
    raise Unfit(what, where=Where(field=field), hint=hint)


def process_of(manifest: Mapping[str, Any], container: str) -> Process:
    """The process that a batch Job's pod is here. Raises Invalid or Unfit naming the field."""
    spec = containers.mapping(manifest.get("spec"), _JOB)
    containers.only(spec, _LEFT_OUT, _JOB)
    for key in ("parallelism", "completions"):
        if spec.get(key) not in (None, 1):
            what = f"A Job with {key} {spec[key]} cannot be a trial on this machine"
            _unfit(what, f"{_JOB}.{key}", "Use a TrainJob for several processes.")
    return containers.read(spec.get("template"), f"{_JOB}.template", container or _first(spec), {})


def _first(spec: Mapping[str, Any]) -> str:
    listed = ((spec.get("template") or {}).get("spec") or {}).get("containers") or [{}]
    return str(listed[0].get("name") or "")


def check(manifest: Mapping[str, Any], container: str, collector: Mapping[str, Any] | None) -> Process:
    """The process, if its command exists here and its metrics can be told apart from other trials'."""
    found = process_of(manifest, container)
    check_command(found.command)
    path = metrics_file(collector)
    if path is not None and not any(path in text for text in (*found.command, *found.env.values())):
        _unfit(
            f"All trials would write {path}: in a cluster each has its own file system",
            "spec.metricsCollectorSpec.source.fileSystemPath.path",
            "Name the file in the command's arguments; each trial then gets a file of its own.",
        )
    return found


def check_command(words: Sequence[str]) -> None:
    """Raise Unfit if the program, or the script that it runs, does not exist on this machine."""
    field = "spec.trialTemplate.trialSpec"
    program = words[0]
    if "${" not in program and shutil.which(program) is None:
        hint = "Install it, or write the path that it has here."
        _unfit(f"{program} does not exist on this machine", field, hint)
    script = _script(words)
    if script and "${" not in script and not Path(script).is_file():
        hint = "It is in the image. Copy it here, or write the path that it has here."
        _unfit(f"{script} does not exist on this machine", field, hint)


def _script(words: Sequence[str]) -> str | None:
    """The file that a Python command runs, if it runs one."""
    if not _INTERPRETER.search(Path(words[0]).name):
        return None
    rest = iter(words[1:])
    for word in rest:
        if word in ("-c", "-m", "-"):
            return None
        if word in ("-W", "-X"):
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return None


def request(process: Process) -> Request:
    """What a worker leases for trials like this; one core where nothing is said."""
    from jupyter_ext.cluster.local.devices import Request

    cpu = ONE_CPU if process.cpu_milli is None else process.cpu_milli
    return Request(cpu, process.memory or 0, process.gpus)


def check_collector(spec: Mapping[str, Any] | None, *, job: bool) -> None:
    """Raise Unfit for a metrics collector that this machine does not have, Invalid for a wrong filter."""
    field = "spec.metricsCollectorSpec"
    kind = ((spec or {}).get("collector") or {}).get("kind") or "StdOut"
    if kind not in COLLECTORS:
        _unfit(
            f"The metrics collector {kind} cannot run on this machine",
            f"{field}.collector.kind",
            "Print the metrics as name=value (StdOut) or write them into a file (File).",
        )
    if kind == "File" and job:
        what = "A job's metrics are read from what it prints and reports, not from a file"
        _unfit(what, f"{field}.collector.kind")
    source = (spec or {}).get("source") or {}
    path = source.get("fileSystemPath") or {}
    if path.get("format") not in (None, "", "TEXT", "JSON"):
        raise Invalid(
            f"{path['format']!r} is not a format",
            where=Where(field=f"{field}.source.fileSystemPath.format"),
            hint="Write TEXT or JSON.",
        )
    for index, text in enumerate((source.get("filter") or {}).get("metricsFormat") or ()):
        _check_filter(text, f"{field}.source.filter.metricsFormat[{index}]")


def _check_filter(text: str, field: str) -> None:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        what = f"{text!r} is not a regular expression ({error})"
        raise Invalid(what, where=Where(field=field)) from None
    if groups < 2:
        hint = "It needs two: the first is the metric's name, the second its value."
        raise Invalid(f"{text!r} has {groups} groups", where=Where(field=field), hint=hint)


def metrics_file(collector: Mapping[str, Any] | None) -> str | None:
    """The path of the metrics file as the command knows it; None if the metrics are printed."""
    if ((collector or {}).get("collector") or {}).get("kind") != "File":
        return None
    path = (((collector or {}).get("source") or {}).get("fileSystemPath") or {}).get("path")
    return str(path or DEFAULT_FILE)


def metrics_format(collector: Mapping[str, Any] | None) -> str:
    """TEXT or JSON."""
    path = ((collector or {}).get("source") or {}).get("fileSystemPath") or {}
    return str(path.get("format") or "TEXT")


def filters(collector: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The regular expressions that find metrics, where the spec has its own."""
    return tuple(((collector or {}).get("source") or {}).get("filter", {}).get("metricsFormat") or ())
