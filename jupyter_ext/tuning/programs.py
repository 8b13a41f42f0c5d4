"""Trials that are commands: the container of a Job, as a process group of this machine. No shell is involved."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.local.processes import die_with_parent
from jupyter_ext.errors import KubeflowError
from jupyter_ext.tuning import commands
from jupyter_ext.tuning.crew import died
from jupyter_ext.tuning.ledger import Ended, Entry
from jupyter_ext.tuning.reports import Follower
from jupyter_ext.tuning.runner import Followed
from jupyter_ext.tuning.status import assignments

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.devices import Lease
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.tuning.folder import Folder
    from jupyter_ext.tuning.spec import Plan


class Programs(Followed):
    """One process for each trial."""

    grace = 0.0
    """A command of somebody else's knows nothing of our file: it is ended at once."""

    def __init__(self, cluster: LocalCluster, resource: Resource, plan: Plan, folder: Folder) -> None:
        super().__init__(folder)
        self._namespace = cluster.namespace
        self._plan, self._template = plan, plan.template
        self._path = commands.metrics_file(self._template.collector)
        self._running: dict[int, tuple[Entry, subprocess.Popen[bytes], int]] = {}
        self._failed: list[Ended] = []
        del resource

    def warm(self) -> None:
        """Nothing to load."""

    def files(self) -> list[int]:
        """A descriptor for each process, readable when it has ended."""
        return [descriptor for _, _, descriptor in self._running.values()]

    def adopt(self, entry: Entry) -> Ended | bool:
        """Its process ended with the earlier controller."""
        del entry
        return False

    def follow(self, entry: Entry) -> None:
        """Read its output, or its file of metrics, from the start."""
        form = commands.metrics_format(self._template.collector) if self._path else ""
        self._followers[entry.number] = Follower(
            self._folder, entry, filters=commands.filters(self._template.collector), metrics=form
        )

    def start(self, entry: Entry, lease: Lease | None) -> None:
        """Fill in the parameters and start the command."""
        listed = assignments(self._plan.space, entry.suggestion.values)
        values = {item["name"]: item["value"] for item in listed}
        try:
            manifest = self._template.filled(values, entry.name, self._namespace)
            process = commands.process_of(manifest, self._template.container)
        except KubeflowError as error:
            self._failed.append(Ended(entry.number, "FAILED", str(error)))
            return
        words = [self._own(word, entry) for word in process.command]
        env = {**_environment(), **{name: self._own(text, entry) for name, text in process.env.items()}}
        env |= self._folder.environment(entry) | (lease.env() if lease else {})
        try:
            with Path(self._folder.log(entry)).open("ab") as output:
                started = subprocess.Popen(
                    words, cwd=process.cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    process_group=0, preexec_fn=die_with_parent,  # noqa: PLW1509 - this process has one thread
                )  # fmt: skip
        except OSError as error:
            reason = f"{words[0]} could not be started ({error.strerror})."
            self._failed.append(Ended(entry.number, "FAILED", reason))
            return
        self._running[entry.number] = (entry, started, os.pidfd_open(started.pid))

    def _own(self, text: str, entry: Entry) -> str:
        """The text with the path of the metrics file, and of the checkpoints, replaced by this trial's own."""
        if self._path:
            text = text.replace(self._path, self._folder.metrics(entry))
        shared = self._plan.settings.get("suggestion_trial_dir")
        if shared and str(shared).rstrip("/") in text:
            own = self._folder.checkpoint(entry.name)
            own.mkdir(parents=True, exist_ok=True)
            text = text.replace(str(shared).rstrip("/"), str(own))
        return text

    def poll(self) -> list[Ended]:
        """Processes that have ended since the last look."""
        found, self._failed = self._failed, []
        for number, (entry, process, descriptor) in list(self._running.items()):
            if process.poll() is None:
                continue
            self._let_go(number, process, descriptor)
            code = process.returncode
            if entry.stopped:
                found.append(Ended(number, "PRUNED", entry.stopped))
            elif code == 0:
                found.append(Ended(number, "SUCCEEDED"))
            else:
                found.append(self._died(entry, code))
        return found

    def _died(self, entry: Entry, code: int) -> Ended:
        end = died(entry, -code if code < 0 else code << 8, {})
        last = _last_line(Path(self._folder.log(entry)).read_bytes()[-4096:])
        return Ended(end.number, end.state, f"{end.reason[:-1]}: {last}" if last else end.reason)

    def lost(self) -> list[Entry]:
        """A command is lost with its controller only."""
        return []

    def kill(self, number: int) -> None:
        """End the whole process group."""
        if number in self._running:
            with contextlib.suppress(OSError):
                os.killpg(self._running[number][1].pid, signal.SIGKILL)

    def forget(self, number: int) -> None:
        """Wait for what was killed, and say nothing about it."""
        if number in self._running:
            _, process, descriptor = self._running[number]
            process.wait()
            self._let_go(number, process, descriptor)

    def finished(self, entry: Entry, end: Ended) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """End all of them."""
        for number in list(self._running):
            self.kill(number)
            self.forget(number)

    def _let_go(self, number: int, process: subprocess.Popen[bytes], descriptor: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)  # what it left running
        os.close(descriptor)
        del self._running[number]


def _environment() -> dict[str, str]:
    from jupyter_ext.tuning.folder import environment

    return {**environment(), "PYTHONUNBUFFERED": "1"}


def _last_line(data: bytes) -> str:
    lines = [line.strip() for line in data.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def command_job(words: list[str], resources: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A batch Job that runs a command, as it would be written for a cluster."""
    container: dict[str, Any] = {"name": name, "image": "python:3.11", "command": words}
    if resources:
        container["resources"] = {"limits": dict(resources), "requests": dict(resources)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}},
    }
