"""The embedded controller of a Spark application or session: one detached process that keeps one driver.

The driver and all that it starts die with it; killed at any line, what it left is found by the next reader.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local import processes
from jupyter_ext.cluster.local.devices import Lease, Request, Waiting
from jupyter_ext.cluster.local.workload import stop_requested
from jupyter_ext.errors import KubeflowError
from jupyter_ext.spark import java as installed
from jupyter_ext.spark import launch, leftovers, manifest
from jupyter_ext.spark.driver import SAID
from jupyter_ext.spark.launch import Connection
from jupyter_ext.spark.ledger import Ledger
from jupyter_ext.spark.spec import CREATOR, IDLE, AppSpec, say
from jupyter_ext.spark.ui import Stages, is_ours
from jupyter_ext.training.launch import Launch, Ports
from jupyter_ext.training.nesting import host_of
from jupyter_ext.training.parts import Parts
from jupyter_ext.training.unpacking import unpack

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

UNIT: Final = "spark"
PART: Final = "driver"
PATHS: Final = "JUPYTER_KUBEFLOW_PATHS"
TICK: Final = 0.1
LOOK_SECONDS: Final = 1.0
"""How often the driver is asked for its stages, and the store for the resource."""
READY_SECONDS: Final = 600.0
"""How long a session may take until it listens."""
_TAIL: Final = 64 << 10
"""Bytes of a log, from its end, that are looked through, and kept of each executor's."""


def request_of(app: AppSpec) -> Request:
    """What driver and executors need together. The driver waits while its executors work: it has no core of its own."""
    return Request(max(app.cores, app.driver.cores) * 1000, app.memory)


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """Bring it to its end; the entry point of the workload's process."""
    ledger = Ledger(cluster, resource)
    try:
        Controller(cluster, resource, stop, ledger).run()
    except KubeflowError as error:
        ledger.conclude("FAILED", str(error), error=error.to_dict())


class _Over(Exception):
    """It is not to go on: stopped, deleted, what it belongs to has ended, or the machine is going down."""

    def __init__(self, phase: str | None, reason: str) -> None:
        super().__init__(reason)
        self.phase, self.reason = phase, reason


class _Died(Exception):
    """The driver ended in another way than it should."""

    def __init__(self, reason: str, error: Any = None) -> None:
        super().__init__(reason)
        self.reason, self.error = reason, error


class Controller:
    """One application or session, from its lease to its end."""

    def __init__(
        self, cluster: LocalCluster, resource: Resource, stop: threading.Event, ledger: Ledger
    ) -> None:
        self.cluster, self.resource, self.stopping, self.ledger = cluster, resource, stop, ledger
        self.folder = cluster.work_folder(resource.uid)
        self.app = manifest.app_of(resource)
        self.paths = json.loads(os.environ.pop(PATHS, "[]"))
        self.looked = 0.0
        self.busy = time.time()
        self.outcome = ""
        self.heap_word = say(self.app.heap)

    def run(self) -> None:
        """Attempt after attempt, until one succeeds or no more are allowed."""
        lease = None
        try:
            lease = self._acquire()
            self._unpack()
            self._attempts()
        except _Over as error:
            if error.phase is not None:
                self.ledger.conclude(error.phase, error.reason)
        finally:
            if lease is not None:
                self.cluster.leases.release(lease)

    def _acquire(self) -> Lease:
        """The lease, waited for with the reason in the status."""
        request = request_of(self.app)
        while True:
            found = self.cluster.leases.acquire(
                self.app.uid, self.app.name, UNIT, request, host_of(self.resource)
            )
            if not isinstance(found, Waiting):
                return found
            self.ledger.save("PENDING", found.reason)
            try:
                self._pause(TICK)
            except _Over:
                self.cluster.leases.withdraw(self.app.uid, UNIT)
                raise

    def _unpack(self) -> None:
        if self.app.code:
            unpack(self.cluster.blobs.read(self.app.code), self.folder / "code")
        facts = {
            "code": bool(self.app.code),
            "file": self.app.file,
            "args": dict(self.app.args),
            "path": self.paths,
        }
        (self.folder / "job.json").write_text(json.dumps(facts))

    def _attempts(self) -> None:
        failed = 0
        while True:
            self.ledger.begin()
            try:
                self._attempt()
            except _Died as died:
                self._tidy()
                if stop_requested(self.cluster, self.app.uid):
                    raise _Over("CANCELED", "It was stopped.") from None
                if failed >= self.app.retries:
                    more = {"error": died.error} if died.error else {}
                    self.ledger.conclude("FAILED", died.reason, **more)
                    return
                failed += 1
                self.ledger.note(
                    "Restarted", f"{died.reason} Starting again ({failed} of {self.app.retries})."
                )
                self.ledger.save("PENDING", f"{died.reason} It starts again in {self.app.interval:g} s.")
                self._pause(self.app.interval)
            except _Over:
                self._tidy()
                raise
            else:
                self._tidy()
                self.ledger.conclude("SUCCEEDED", self.outcome)
                return

    def _attempt(self) -> None:
        """One driver, from its start to its end; raises _Died, _Over."""
        (self.folder / SAID).unlink(missing_ok=True)
        spark = installed.spark()
        java = installed.java(self.cluster.home / "spark")
        self.ledger.save("PENDING", f"Spark {spark.version} is starting.")
        with Ports() as ports:
            connection = Connection.new(ports.take(), ports.take() if self.app.serves else 0)
            connection.write(self.folder)
            argv = launch.prepare(self.app, spark, java, connection, self.folder)
            home = self._own_home(spark.home) if self.app.apart else spark.home
            environment = launch.environment(self.app, installed.Spark(home, spark.version), java, os.environ)
            parts = Parts(self.app.uid, environment, str(Path.cwd()), self._log)
            try:
                parts.start(Launch(PART, 0, (0,), tuple(argv), role="worker"))
                self._follow(parts, connection)
            finally:
                parts.close()

    def _own_home(self, home: Path) -> Path:
        """Spark's folder again: executors that are processes of their own write their logs beside the programs."""
        own = self.folder / "home"
        own.mkdir(mode=0o700, exist_ok=True)
        for path in home.iterdir():
            link = own / path.name
            if path.name != "work" and not link.is_symlink():
                link.symlink_to(path)
        return own

    def _log(self, _: Launch) -> int:
        return self.cluster.log(self.app.uid, PART, int(self.ledger.more["attempt"])).open()

    def _follow(self, parts: Parts, connection: Connection) -> None:
        stages = Stages(connection)
        began, asked = time.monotonic(), 0.0
        ready = not self.app.serves
        while True:
            if PART in parts.collect():
                self._ended(parts.exits[PART])
                return
            self._checked()
            if not ready:
                ready = is_ours(connection.port)
                if not ready and time.monotonic() - began > READY_SECONDS:
                    raise _Died(f"The session did not listen after {READY_SECONDS:g} s.{self._last_words()}")
            elif time.monotonic() - asked > LOOK_SECONDS:
                found = stages.look()
                self.ledger.heard(found)
                asked = time.monotonic()
                if self.app.serves:
                    self.ledger.save("RUNNING", f"It takes work; {self._size()}.")
                    self._used(found or {})
                elif "sparkApplicationId" in self.ledger.more:
                    self.ledger.save("RUNNING", self._size())
            parts.wait(TICK)

    def _size(self) -> str:
        return f"{self.app.cores} task{'s' if self.app.cores > 1 else ''} at a time, {self.heap_word} of heap"

    def _checked(self) -> None:
        """Raises _Over when it is not to go on."""
        if self.stopping.is_set():
            if stop_requested(self.cluster, self.app.uid):
                raise _Over("CANCELED", "It was stopped.")
            raise _Over(None, "This process was asked to end.")
        if time.monotonic() - self.looked < LOOK_SECONDS:
            return
        self.looked = time.monotonic()
        resource = self.cluster.store.by_uid(self.app.uid)
        if resource is None:
            raise _Over(None, "It was deleted.")
        creator = resource.annotations.get(CREATOR)
        if self.app.serves and creator and not processes.is_running(creator):
            raise _Over("SUCCEEDED", "The step that opened it has ended.")

    def _used(self, found: Mapping[str, Any]) -> None:
        """Raises _Over when nobody has used the session for as long as it may be idle.

        Whatever a client asks for is written into the event log at once; what still runs is use too.
        """
        if not self.app.idle or any(stage["state"] == "ACTIVE" for stage in found.get("stages", ())):
            self.busy = time.time()
            return
        written = [path.stat().st_mtime for path in (self.folder / "events").glob("*")]
        if time.time() - max([self.busy, *written]) > self.app.idle:
            said = self.resource.annotations[IDLE]
            raise _Over("SUCCEEDED", f"Nobody used it for {said}: it has ended.")

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._checked()
            self.stopping.wait(min(left, TICK))
        self._checked()

    # The end

    def _ended(self, code: int) -> None:
        if self.app.serves:
            raise _Died(f"The session's driver {_how(code)}.{self._last_words()}")
        said = self._said()
        if said.get("state") == "failed":
            error = said.get("error") or {}
            place = f" ({error['file']}, line {error['line']})" if error.get("file") else ""
            if str(error.get("file", "")).startswith("<"):  # a cell has no file
                place = f" (line {error['line']} of the cell)"
                error = {key: value for key, value in error.items() if key != "file"}
            raise _Died(f"{error.get('type')}: {error.get('message', '')}".strip()[:2000] + place, error)
        if code:
            raise _Died(f"The driver {_how(code)}.{self._last_words()}")
        self.outcome = self._value(said)

    def _value(self, said: dict[str, Any]) -> str:
        found = said.get("value")
        if not found:
            return "Done."
        self.ledger.more["result"] = found
        if "lost" in found:
            return f"Done, but the value that it returned, a {found['type']}, cannot be brought back."
        with suppress(OSError):
            found["digest"] = self.cluster.blobs.put_file(self.folder / "value.pkl")
            (self.folder / "value.pkl").unlink()
        return "Done."

    def _said(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / SAID).read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _last_words(self) -> str:
        """Why, by what the driver printed last."""
        text = self.cluster.log(self.app.uid, PART, int(self.ledger.more["attempt"])).tail(400)[-_TAIL:]
        if "OutOfMemoryError" in text or "GC overhead limit" in text:
            return f" Its memory of {self.heap_word} was too little: give it more memory."
        lines = re.findall(
            r"^(?:Exception in thread.*|Caused by: .*|Error: .*|.*(?:Error|Exception): .+)$",
            text,
            re.MULTILINE,
        )
        return f" It said: {lines[-1].strip()[:400]}" if lines else ""

    def _tidy(self) -> None:
        """Nothing runs any more: remove what it wrote only for itself, and output that it did not finish."""
        processes.kill_all(self.app.uid, None)
        for path in sorted((self.folder / "home" / "work").glob("*/*/stderr")):
            text = path.read_bytes()[-_TAIL:].decode(errors="replace")
            self.cluster.log(self.app.uid, f"executor-{path.parent.name}").write(text)
        for name in leftovers.tidy(self.folder):
            self.ledger.note("OutputRemoved", f"{name} was being written: what was not finished is removed.")


def _how(code: int) -> str:
    return f"was killed (signal {-code})" if code < 0 else f"ended with status {code}"


def paths() -> dict[str, str]:
    """What a driver gets on top of the submitter's environment; of a schedule's process, what that was given."""
    here = json.dumps([path for path in sys.path if path and not path.endswith(".zip")])
    return {PATHS: os.environ.get(PATHS) or here}
