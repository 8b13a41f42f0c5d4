"""One attempt at a job, run as the controller would, with a script in the place of the rank program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from jupyter_ext.cluster.local import processes
from jupyter_ext.cluster.resource import new_uid
from jupyter_ext.training import launch
from jupyter_ext.training.launch import Launch, Ports, Verdict
from jupyter_ext.training.spec import JobSpec


def job(folder: Path, framework: str = "plain", source: str = "", **fields: object) -> JobSpec:
    """A job in a folder of its own; ``source`` is the script that each rank runs, its argument the folder."""
    folder.mkdir(exist_ok=True)
    if source:
        script = folder / "user.py"
        script.write_text(textwrap.dedent(source))
        fields = {"program": str(script), **fields}
    known = {
        "name": "job",
        "uid": new_uid(),
        "namespace": "default",
        "framework": framework,
        "folder": folder,
    }
    return JobSpec(**{**known, "cwd": folder, **fields})  # type: ignore[arg-type]


class Attempt:
    """Starts what the plan says and follows it to the verdict; nothing of it outlives the ``with``."""

    def __init__(self, spec: JobSpec, gpus: tuple[str, ...] = ()) -> None:
        self.job = spec
        self.ports = Ports()
        self.launches = launch.plan(spec, sys.executable, self.ports, gpus)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.exits: dict[str, int] = {}
        self.starts: dict[str, int] = {}

    def __enter__(self) -> Self:
        for each in self.launches:
            self.start(each)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        processes.kill_all(self.job.uid, None)
        self.ports.close()

    def start(self, each: Launch) -> None:
        env = {**os.environ, "PYTHONWARNINGS": "default", **self.job.env, **each.env}
        with (self.job.folder / f"{each.part}.log").open("ab") as output:
            self.running[each.part] = subprocess.Popen(
                each.argv,
                env={**env, processes.VARIABLE: self.job.uid},
                cwd=each.cwd or self.job.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self, part: str) -> None:
        self.running[part].send_signal(signal.SIGKILL)

    def poll(self) -> Verdict | None:
        """Collect exits, start again what may be, judge."""
        for part, process in list(self.running.items()):
            code = process.poll()
            if code is None:
                continue
            del self.running[part]
            replacement = launch.again(self.job, self.launches, part, self.starts.get(part, 0), code)
            if replacement:
                self.starts[part] = self.starts.get(part, 0) + 1
                self.start(replacement)
            else:
                self.exits[part] = code
        return launch.verdict(self.job, self.launches, self.exits)

    def follow(self, seconds: float = 120, meanwhile: Callable[[], object] | None = None) -> Verdict:
        """Until the verdict."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            verdict = self.poll()
            if verdict:
                return verdict
            if meanwhile:
                meanwhile()
            time.sleep(0.02)
        raise AssertionError(f"no verdict after {seconds} s\n{self.logs()}")

    def logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')}" for path in self.job.folder.glob("*.log")
        )


def run(spec: JobSpec, seconds: float = 120) -> tuple[Verdict, str]:
    """The verdict, and what all processes printed."""
    with Attempt(spec) as attempt:
        verdict = attempt.follow(seconds)
        return verdict, attempt.logs()
