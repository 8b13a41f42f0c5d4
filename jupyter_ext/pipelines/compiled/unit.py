"""One task with an executor, from its lease to what it leaves: environment, process, retries, results."""

from __future__ import annotations

import hashlib
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.devices import UNIT, Lease, Request, Waiting
from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines.compiled import bootstrap, checking, environments, platform_checking, results
from jupyter_ext.pipelines.compiled.environments import Environment
from jupyter_ext.pipelines.compiled.mounts import View
from jupyter_ext.pipelines.compiled.placeholders import Placeholders
from jupyter_ext.pipelines.compiled.platform import ENV, applies
from jupyter_ext.pipelines.compiled.progress import label
from jupyter_ext.pipelines.compiled.results import Results
from jupyter_ext.pipelines.compiled.scopes import Node
from jupyter_ext.pipelines.compiled.spec import Container
from jupyter_ext.pipelines.status import error_sentence

if TYPE_CHECKING:
    from jupyter_ext.pipelines.compiled.local import Controller
    from jupyter_ext.pipelines.compiled.progress import Unit as Key

_TAIL: Final = 40
_UNNAMED: Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass
class Outcome:
    """How a unit ended."""

    state: str
    reason: str = ""
    results: Results | None = None
    error: dict[str, Any] | None = None


@dataclass
class Phase:
    """One process: the environment being made, or the component itself."""

    words: list[str]
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "."
    making: str = ""
    view: View = field(default_factory=View)


class Unit:
    """A node with a container, while it is to be done."""

    def __init__(self, controller: Controller, node: Node, key: Key, container: Container) -> None:
        self.controller, self.node, self.key, self.container = controller, node, key, container
        self.name = label(key)
        self.function = bootstrap.read(container)
        self._process: subprocess.Popen[bytes] | None = None
        self._watched: int | None = None
        self._lease: Lease | None = None
        self._phases: list[Phase] = []
        self._making = ""
        self._told: dict[str, Any] = {}
        self._folder = Path()
        self._attempts = 0
        self._not_before: float | None = None
        self._until: float | None = None
        self._settings = controller.platform.of(node.component.executor)
        self._request = self._asked()

    @property
    def waiting(self) -> bool:
        """Whether time, not only a process, brings the next change."""
        return self._process is None

    def _asked(self) -> Request:
        facts = self.controller.facts(self.node, "", "")
        text = Placeholders(
            results.executor_input(self.node.inputs, self.node.component.outputs, self._place(0)), facts
        ).text
        request = checking.lease_request(self.container, text)
        self.controller.cluster.leases.check(request)
        return request

    def _place(self, attempt: int) -> Path:
        slug = _UNNAMED.sub("_", self.name)[:80]
        digest = hashlib.blake2b(self.name.encode(), digest_size=4).hexdigest()
        return self.controller.folder / f"{slug}-{digest}" / str(attempt)

    def advance(self) -> Outcome | None:
        """Do what is due; the outcome once it is done."""
        if self._process is None:
            if self._not_before is None or time.monotonic() >= self._not_before:
                return self._begin()
            return None
        code = self._process.poll()
        if code is None:
            return self._overdue()
        self._unwatch()
        if code == 0 and self._phases:
            return self._next()
        return self._ended(code)

    # Starting

    def _begin(self) -> Outcome | None:
        controller, resource = self.controller, self.controller.resource
        if self._request in controller.full:
            controller.progress.update(self.key, reason="Waiting behind other steps of this run.")
            return None
        found = controller.cluster.leases.acquire(resource.uid, resource.name, self.name, self._request)
        if isinstance(found, Waiting):
            controller.full.add(self._request)
            controller.progress.update(self.key, reason=found.reason)
            return None
        self._lease, self._not_before = found, None
        self._attempts += 1
        attempt = controller.progress.start(self.key)
        try:
            self._prepare(attempt)
        except KubeflowError as error:
            return self._failed({"type": type(error).__name__, "message": str(error)})
        return self._next()

    def _overdue(self) -> Outcome | None:
        """End a component that runs longer than it may."""
        if self._until is None or time.monotonic() < self._until:
            return None
        process = self._process
        self._unwatch()
        if process is not None:
            process.wait()
        message = f"It ran longer than the {self._settings.deadline:g} s that it may"
        return self._failed({"type": "DeadlineExceeded", "message": message})

    def _prepare(self, attempt: int) -> None:
        self._folder = self._place(attempt)
        shutil.rmtree(self._folder, ignore_errors=True)
        results.make_folders(self._folder)
        node = self.node
        self._told = results.executor_input(node.inputs, node.component.outputs, self._folder)
        placeholders = Placeholders(self._told, self.controller.facts(node, self.name, self._folder.name))
        values = self._told["inputs"]["parameterValues"]
        values |= self._configuration()
        for name, value in list(values.items()):
            values[name] = placeholders.value(value)
        words = (*self.container.command, *self.container.args)
        cluster = self.controller.cluster
        place = (
            environments.of_function(cluster, self.function)
            if self.function
            else environments.of_command(cluster, words)
        )
        if place.folder is not None:
            self.controller.progress.update(self.key, environment=place.folder.name)
            place.used()
        assert self._lease is not None
        pod = f"{self.controller.resource.name}-{self.name}"
        given = self.controller.provider.give(
            node, self._settings, pod, placeholders.facts["task_id"], self._folder
        )
        own = self.container.env if applies(node.component, ENV) else {}
        env = {
            **{name: placeholders.text(value) for name, value in own.items()},
            **given.env,
            **self._lease.env(),
            UNIT: self._lease.unit,
            "KFP_POD_NAME": pod,
        }
        self._phases = [] if place.ready else [self._making_of(place)]
        self._phases.append(
            self._python(place, placeholders, env)
            if self.function
            else self._command(place, placeholders.words(words), env)
        )
        self._phases[-1].view = given.view

    def _configuration(self) -> dict[str, Any]:
        """What it is told of its own configuration, where it has an input for that."""
        component = self.node.component
        wanted = [name for name, one in component.inputs.parameters.items() if one.type == "TASK_CONFIG"]
        if not wanted:
            return {}
        asked = self.controller.spec.executors[component.executor]
        assert isinstance(asked, Container)
        return dict.fromkeys(wanted, self.controller.provider.config(self.node, self._settings, asked))

    def _making_of(self, place: Environment) -> Phase:
        request = self._folder / "environment.json"
        request.write_text(json.dumps(place.request()), encoding="utf-8")
        program = str(environments.RUNTIME / "make_environment.py")
        what = ", ".join(self.function.requirements) if self.function else "a Python of its own"
        return Phase(
            [sys.executable, "-P", program, str(request)], making=what or "the KFP SDK", cwd=str(self._folder)
        )

    def _python(self, place: Environment, placeholders: Placeholders, env: dict[str, str]) -> Phase:
        assert self.function is not None
        source = self._folder / "ephemeral_component.py"
        source.write_text(placeholders.text(self.function.source), encoding="utf-8")
        request = self._folder / "request.json"
        told = {
            "source": str(source), "function": self.function.function, "input": self._told,
            "error": str(self._folder / "error.json"), "sdk": place.sdk,
        }  # fmt: skip
        request.write_text(json.dumps(told), encoding="utf-8")
        words = [place.python, "-P", str(environments.RUNTIME / "run_component.py"), str(request)]
        return Phase(
            words, {"_KFP_RUNTIME": "true", **self._path(place), **env}, str(self._folder / "scratch")
        )

    def _command(self, place: Environment, words: list[str], env: dict[str, str]) -> Phase:
        for port in self._told["outputs"]["parameters"].values():
            Path(port["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
        return Phase(words, {**self._path(place), **env}, str(self._folder / "scratch"))

    def _path(self, place: Environment) -> dict[str, str]:
        """The environment's own programs go before the machine's, as in an image."""
        folder = str(Path(place.python).parent)
        return {"PATH": os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])}

    def _next(self) -> Outcome | None:
        phase = self._phases.pop(0)
        self._making = phase.making
        if phase.making:
            self.controller.progress.update(self.key, reason=f"Installing {phase.making}.")
        else:
            self.controller.progress.update(self.key, reason="")
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **phase.env}
        attempt = self.controller.progress.status(self.key)["attempt"]
        output = self.controller.cluster.log(self.controller.resource.uid, self.name, attempt).open()
        if not phase.making and (note := platform_checking.let_be(self._settings)):
            os.write(output, f"{self.name} {note}.\n".encode())
        program = (
            checking.program_of(phase.words[0], self.container.image, environment["PATH"])
            if phase.words
            else None
        )
        if program is None:
            os.close(output)
            word = phase.words[0] if phase.words else ""
            return self._failed({"type": "NotFound", "message": f"This machine has no command {word!r}"})
        words = phase.words[1:]
        if phase.view:
            program, words = phase.view.command(phase.words, program, self._folder)
        limit = 0.0 if phase.making else self._settings.deadline
        self._until = time.monotonic() + limit if limit else None
        try:
            self._process = subprocess.Popen(
                [program, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=phase.cwd, env=environment, process_group=0,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            return self._failed(
                {"type": type(error).__name__, "message": f"It could not be started: {error}"}
            )
        finally:
            os.close(output)
        with suppress(OSError, AttributeError):
            self._watched = os.pidfd_open(self._process.pid)
            self.controller.selector.register(self._watched, selectors.EVENT_READ)
        return None

    # Ending

    def _unwatch(self) -> None:
        if self._watched is not None:
            self.controller.selector.unregister(self._watched)
            os.close(self._watched)
        if self._process is not None:
            # What a component leaves running ends with it, as in a pod.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._watched = self._process = None

    def _release(self) -> None:
        for name in ("volumes", "root"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        if self._lease is not None:
            self.controller.cluster.leases.release(self._lease)
            self._lease = None

    def kill(self) -> None:
        """End it at once, without an outcome."""
        process = self._process
        self._unwatch()
        if process is not None:
            process.wait()
        self._release()

    def _ended(self, code: int) -> Outcome | None:
        if code:
            return self._failed(self._error(code))
        try:
            found = results.collect(self._told, self.node.component.outputs)
        except (KubeflowError, OSError) as error:
            return self._failed({"type": type(error).__name__, "message": str(error)})
        changed = self._changed_inputs()
        if changed:
            return self._failed(
                {
                    "type": "Conflict",
                    "message": f"It changed its input artifact {changed}, which other steps read",
                }
            )
        self._release()
        return Outcome("SUCCEEDED", results=found)

    def _changed_inputs(self) -> str:
        for name, listed in self.node.inputs.artifacts.items():
            for one in listed:
                known = one.get("digest", "")
                if known.startswith(("file:", "folder:")) and results.content(one["uri"]) != known:
                    return name
        return ""

    def _error(self, code: int) -> dict[str, Any]:
        """What went wrong, in the words of the component where it left any."""
        if self._making:
            return {
                "type": "Unavailable",
                "message": f"{self._making} could not be installed; its log says why",
            }
        with suppress(OSError, ValueError):
            return dict(json.loads((self._folder / "error.json").read_text(encoding="utf-8")))
        if code < 0:
            names = {each.value: each.name for each in signal.Signals}
            message = f"It was ended by {names.get(-code, f'signal {-code}')}"
            return {
                "type": "Killed",
                "message": message + (" (likely out of memory)" if code == -signal.SIGKILL else ""),
            }
        attempt = self.controller.progress.status(self.key)["attempt"]
        tail = self.controller.cluster.log(self.controller.resource.uid, self.name, attempt).tail(_TAIL)
        last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
        message = f"It ended with exit status {code}" + (f": {last[:300]}" if last else "")
        return {"type": "Ended", "message": message, "traceback": tail.splitlines(keepends=True)}

    def _failed(self, error: dict[str, Any]) -> Outcome | None:
        self._release()
        retry = self.controller.plan.leaves[self.node.path].retry
        left = retry.count - self._attempts + 1
        if left <= 0 or (isinstance(error.get("type"), str) and error["type"] == "NotFound"):
            return Outcome("FAILED", error=error)
        pause = min(retry.longest, retry.first * retry.factor ** (self._attempts - 1))
        self._not_before = time.monotonic() + pause
        sentence = error_sentence(self.name, error)
        self.controller.progress.update(
            self.key, state="PENDING", reason=f"{sentence}. Trying again ({left} left)."
        )  # fmt: skip
        return None
