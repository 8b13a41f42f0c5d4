"""The model servers of one endpoint: each replica a process within a lease, each variant a fleet of them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.devices import UNIT, Lease, Waiting
from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving.health import Sign
from jupyter_ext.serving.programs import Program, program

if TYPE_CHECKING:
    from jupyter_ext.serving.crew import Crew
    from jupyter_ext.serving.finding import Source
    from jupyter_ext.serving.spec import Predictor

CRASHES: Final = 3
"""So many deaths in a row, none of them after a while of service, and the variant counts as failed."""
STEADY_SECONDS: Final = 10.0
BACKOFF: Final = (0.2, 30.0)
"""First and longest wait before a replica that died is started again; it doubles in between."""
RELOAD: Final = (10.0, 300.0)
"""The same for a model that does not load: time will hardly help, but its files may come back."""
LOUD: Final = 5
"""So many deaths in a row are events of the endpoint, and then every so many'th."""
GRACE: Final = 5.0
"""Seconds beyond the timeout of a request that a server has to finish after SIGTERM."""
LEASE_SECONDS: Final = 0.25
LOG_LIMIT: Final = 16 << 20


class Replica:
    """One process, from the wait for its lease to its end."""

    def __init__(self, fleet: Fleet, slot: int) -> None:
        self.fleet, self.slot = fleet, slot
        self.unit = f"{fleet.predictor.name}/{slot}"
        self.state = "waiting"
        self.reason = ""
        self.error: dict[str, Any] | None = None
        self.lease: Lease | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.program: Program | None = None
        self.leaving = False
        self.sign = Sign()
        self.ready_since: float | None = None
        self._asked = 0.0
        self._seen = (0, 0)
        self._kill_at: float | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self.process.pid if self.process is not None else None

    @property
    def address(self) -> dict[str, Any] | None:
        """Where it listens, in the words of ``status.routing``."""
        found = self.program
        return None if found is None else {"socket": found.http, "grpc": found.grpc}

    def acquire(self) -> bool:
        """Whether it has its lease; else ``reason`` says who has it."""
        if self.lease is not None:
            return True
        if time.monotonic() - self._asked < LEASE_SECONDS:
            return False
        self._asked = time.monotonic()
        crew = self.fleet.crew
        try:
            found = crew.cluster.leases.acquire(
                crew.uid, crew.name, self.unit, self.fleet.predictor.request, crew.inside
            )
        except KubeflowError as error:
            self.reason = str(error)
            return False
        if isinstance(found, Waiting):
            self.reason = found.reason
            return False
        self.lease = found
        return True

    def start(self, source: Source | None) -> None:
        """Start the process; raises KubeflowError and OSError."""
        crew, predictor = self.fleet.crew, self.fleet.predictor
        assert self.lease is not None
        stem = f"{predictor.digest}-{self.slot}-{secrets.token_hex(2)}"
        self.program = program(
            crew.cluster, crew.name, predictor, source, crew.folder / stem, crew.mark(stem)
        )
        environment = {
            **crew.environment,
            **self.lease.env(),
            UNIT: self.unit,
            **self.program.env,
            **predictor.env,
        }
        log = crew.cluster.log(crew.uid, self.unit)
        with suppress(OSError):
            if log.path.stat().st_size > LOG_LIMIT:
                os.truncate(log.path, 0)
        output = log.open()
        try:
            self.process = subprocess.Popen(
                self.program.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.program.cwd or crew.folder,
                env=environment,
                process_group=0,
            )
        finally:
            os.close(output)
        self.state, self.reason = "loading", ""

    def look(self) -> None:
        """Read what the server says of itself."""
        if self.program is None or self.process is None or self.state in {"draining", "failed"}:
            return
        if self.program.state is None:
            if self.state == "loading" and self.sign.good:
                self._ready()
            return
        try:
            facts = self.program.state.stat()
            if (facts.st_mtime_ns, facts.st_ino) == self._seen:
                return
            said = json.loads(self.program.state.read_bytes())
        except (OSError, ValueError):
            return  # not there yet
        self._seen = (facts.st_mtime_ns, facts.st_ino)
        if said.get("state") == "ready" and self.state != "ready":
            self._ready()
        elif said.get("state") == "failed":
            self.state, self.error = "failed", dict(said.get("error") or {})
            self.reason = str(said.get("reason") or self.error.get("message") or "It does not load.")
        elif said.get("state") == "loading":
            self.reason = str(said.get("reason") or "")

    def _ready(self) -> None:
        self.state, self.reason = "ready", ""
        self.ready_since = time.monotonic()
        self.sign.reset()

    def drain(self) -> None:
        """Ask it to finish what is in flight and to end."""
        self.state = "draining"
        if self.process is not None and self._kill_at is None:
            self._kill_at = time.monotonic() + self.fleet.predictor.timeout + GRACE
            with suppress(ProcessLookupError):
                self.process.terminate()

    def hasten(self, seconds: float) -> None:
        """Give it at most so long to end from now on."""
        if self._kill_at is not None:
            self._kill_at = min(self._kill_at, time.monotonic() + seconds)

    def ended(self) -> int | None:
        """The exit code once the process is gone; kills one that takes too long to end."""
        if self.process is None:
            return 0 if self.leaving else None
        code = self.process.poll()
        if code is None and self._kill_at is not None and time.monotonic() > self._kill_at:
            self.kill()
        return code

    def kill(self) -> None:
        """End the process and what it started, now."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Give back the lease and remove its files; what it started in its group ends with it."""
        if self.process is not None and self.program is not None:
            if self.process.poll() is None or self.program.state is None:
                self.kill()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
        if self.program is not None:
            self.program.remove()
        crew = self.fleet.crew
        crew.slots.discard(self.unit)
        if self.lease is not None:
            crew.cluster.leases.release(self.lease)
        elif self._asked:
            crew.cluster.leases.withdraw(crew.uid, self.unit)


class Fleet:
    """The replicas of one predictor: as many as are wanted, started again when they die."""

    def __init__(self, crew: Crew, predictor: Predictor) -> None:
        self.crew, self.predictor = crew, predictor
        self.want = 0
        self.replicas: list[Replica] = []
        self.restarts = 0
        self.verified = False
        """Whether one of its replicas was ready once."""
        self.error: dict[str, Any] | None = None
        self.reason = ""
        self.exit_code: int | None = None
        self.retired_at: float | None = None
        self.columns: list[str] = []
        """The names of the model's inputs, where they were recorded."""
        self.started_at = time.monotonic()
        self._source: Future[Source] | None = None
        self._streak = 0
        self._retry_at = 0.0

    @property
    def ready(self) -> list[Replica]:
        """Those that can be sent requests."""
        return [
            each for each in self.replicas if each.state == "ready" and not each.leaving and not each.sign.bad
        ]

    @property
    def state(self) -> str:
        """``ready``, ``loading``, ``failed``, ``asleep`` or ``retired``."""
        if self.retired_at is not None:
            return "retired"
        if self.ready:
            return "ready"
        if self.want == 0:
            return "asleep"
        return "failed" if self.failed else "loading"

    @property
    def failed(self) -> bool:
        """Whether it cannot be had, as far as can be seen."""
        return not self.ready and (self.error is not None or self._streak >= CRASHES)

    @property
    def why(self) -> str:
        """What there is to say of its state."""
        if self.reason and not self.ready:
            return self.reason
        for each in self.replicas:
            if each.reason and not each.leaving:
                return each.reason
        return self.reason if self.state != "ready" else ""

    def tick(self) -> None:
        """See to the replicas: those that ended, those that leave, and those that are missing."""
        for each in self.replicas[:]:
            each.look()
            if each.state == "ready":
                self._good()
            code = each.ended()
            if code is not None:
                self._ended(each, code)
            elif each.sign.dead and not each.leaving:
                self.crew.say("Warning", "Unhealthy", f"{each.unit} does not answer and is started again.")
                each.kill()
        staying = [each for each in self.replicas if not each.leaving]
        for each in sorted(staying, key=lambda one: (one.state == "ready", -one.slot))[
            : max(len(staying) - self.want, 0)
        ]:
            each.leaving = True
        missing = self.retired_at is None and len(staying) < self.want
        if missing and time.monotonic() >= self._retry_at:
            self._more(self.want - len(staying))
        self._go_on()

    def _good(self) -> None:
        self.verified, self.error, self.exit_code = True, None, None
        if self.reason:
            self.reason = ""

    def _more(self, count: int) -> None:
        for _ in range(count):
            self.replicas.append(Replica(self, self.crew.slot(self.predictor.name)))

    def _go_on(self) -> None:
        waiting = [each for each in self.replicas if each.state == "waiting" and not each.leaving]
        if not waiting:
            return
        source = None
        if self.predictor.model and not self.predictor.model.get("runtime"):
            if self._source is None:
                self._source = self.crew.fetch(self.predictor)
            if not self._source.done():
                for each in waiting:
                    each.reason = "Its files are being brought here."
                return
            failure = self._source.exception()
            if failure is not None:
                self._source = None
                self._unloadable(failure)
                return
            source = self._source.result()
            self.columns = _columns(source.signature)
        for each in waiting:
            if not each.acquire():
                continue
            try:
                each.start(source)
            except (KubeflowError, OSError) as error:
                self._unloadable(error)
                return

    def _unloadable(self, failure: BaseException) -> None:
        """It cannot be started at all."""
        self.error = {"type": type(failure).__name__, "message": str(failure)}
        self.reason = str(failure)
        self._later(RELOAD)
        for each in [one for one in self.replicas if one.process is None]:
            self._drop(each)

    def _ended(self, replica: Replica, code: int) -> None:
        replica.look()
        lived = time.monotonic() - replica.ready_since if replica.ready_since is not None else 0.0
        self._drop(replica)
        if replica.leaving:
            return
        self.restarts += 1
        self.exit_code = code
        if replica.error is not None or code == 3:
            self.error = replica.error or {"type": "", "message": "It does not load."}
            self.reason = replica.reason or self.error["message"]
            self._later(RELOAD)
        else:
            self._streak = 0 if lived > STEADY_SECONDS else self._streak
            self.reason = f"{replica.unit} {_ended(code)}."
            self._later(BACKOFF)
        if self._streak <= LOUD or self._streak % LOUD == 0:
            self.crew.say("Warning", "Ended", f"{self.predictor.name}: {self.reason}")

    def _later(self, bounds: tuple[float, float]) -> None:
        self._retry_at = time.monotonic() + min(bounds[1], bounds[0] * 2 ** min(self._streak, 20))
        self._streak += 1

    def _drop(self, replica: Replica) -> None:
        self.replicas.remove(replica)
        replica.close()

    def again(self) -> None:
        """Try at once what had failed: somebody asks for it anew."""
        self._retry_at, self._streak, self.error, self.reason = 0.0, 0, None, ""


def _columns(signature: dict[str, Any] | None) -> list[str]:
    inputs = (signature or {}).get("inputs") or []
    names = [str(each.get("name") or "") for each in inputs if isinstance(each, dict)]
    return names if all(names) else []


def _ended(code: int) -> str:
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"ended with exit status {code}"
