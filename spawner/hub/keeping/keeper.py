"""The process that keeps one server: it waits for the lease, starts the server within its limits, and ends all of it.

Run as a file by ``ProfileProcessSpawner``: ``python -P keeper.py``. What to do comes as one line of JSON on standard input, so
that no token is ever in arguments. That pipe is also the tie to the Hub: until the Hub has written ``keep`` (after it
has stored that the server started) its end means that the Hub is gone, and nothing is left behind; afterwards the
server goes on without a Hub.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.devices import Lease
    from spawner.hub.keeping.limits import Cage
    from spawner.hub.keeping.records import Records, State

KEEP: Final = b"keep\n"
UNIT: Final = "server"
_GRACE_SECONDS: Final = 10.0
_WATCH_SECONDS: Final = 2.0
_ASK_SECONDS: Final = 0.25
LARGEST: Final = 1 << 20
"""Bytes of what may be asked for."""


class Keeper:
    """One server from its lease to its end."""

    def __init__(self, order: dict[str, Any], records: Records) -> None:
        self.order = order
        self.records = records
        self.uid: str = order["uid"]
        self.stop = threading.Event()
        self.why = "It was stopped."
        self.cage: Cage | None = None
        self.state: State = self._first()

    def _first(self) -> State:
        from jupyter_ext.cluster.local.processes import identity
        from spawner.hub.keeping.records import State

        order = self.order
        amounts = (order["lease_cpu_milli"], order["memory"], order["gpus"])
        me = identity(os.getpid())
        return State(
            self.uid,
            order["user"],
            order["server"],
            "waiting",
            "",
            0,
            *amounts,
            process=me,
            since=time.time(),
            idle_minutes=order["idle_minutes"],
        )

    def say(self, phase: str, words: str = "", **more: Any) -> None:
        """Write down how it is."""
        self.state = replace(self.state, phase=phase, words=words, **more)
        self.records.write(self.state)

    def run(self) -> int:
        """Returns the exit status of the server, 1 if it never was."""
        self.say("waiting")
        threading.Thread(target=self._listen_to_hub, daemon=True).start()
        self.records.reap()
        try:
            lease = self._lease()
            status = self._serve(lease) if lease else 1
        except Exception as error:  # whatever goes wrong is told where the Hub looks
            import traceback

            traceback.print_exc()
            self.why, status = f"Its keeper failed: {error}", 1
        finally:
            self._end_all()
        if self.cage:
            self.cage.remove()
        self.say("ended", self.why, exit=status)
        return status

    def _listen_to_hub(self) -> None:
        """Wait for ``keep``; the end of the pipe before it is the end of the Hub."""
        try:
            kept = sys.stdin.buffer.readline(64) == KEEP
        except OSError:
            kept = False
        if not kept:
            self.why = "The Hub ended while it started."
            self.stop.set()

    def _lease(self) -> Lease | None:
        """Wait for what was asked for; None when it was stopped, or waited for too long."""
        from jupyter_ext.cluster.local.devices import Lease, Request
        from jupyter_ext.errors import KubeflowError

        order = self.order
        request = Request(order["lease_cpu_milli"], order["memory"], order["gpus"])
        leases = self.records.cluster.leases
        deadline = time.monotonic() + order["wait_seconds"]
        while not self.stop.is_set():
            try:
                answer = leases.acquire(self.uid, order["holder"], UNIT, request)
            except KubeflowError as error:  # it can never be had here
                self.why = str(error)
                return None
            if isinstance(answer, Lease):
                return answer
            if answer.reason != self.state.words:
                self.say("waiting", answer.reason)
            if time.monotonic() >= deadline:
                self.why = answer.reason
                break
            self.stop.wait(_ASK_SECONDS)
        leases.withdraw(self.uid, UNIT)
        return None

    def _serve(self, lease: Lease) -> int:
        port = _free_port()
        environment = {**self.order["env"], **lease.env()}
        url = environment.get("JUPYTERHUB_SERVICE_URL", "")
        environment["JUPYTERHUB_SERVICE_URL"] = url.replace(":0/", f":{port}/", 1)
        self.say("starting", port=port, devices=lease.gpus, since=time.time())
        try:
            child = self._start(environment)
        except OSError as error:
            self.why = f"{self.order['argv'][0]} could not be started: {error.strerror}."
            if self.order["run_as"]:
                self.why += f" Can {self.order['user']} read it? A private home is no place for it."
            return 1
        watch = 0.0
        listening = False
        while child.poll() is None and not self.stop.wait(0.05 if not listening else 0.5):
            if not listening and _listens(port, self.uid):
                listening = True
                self.say("running", since=time.time())
            if time.monotonic() - watch > _WATCH_SECONDS:
                watch = time.monotonic()
                self._watch_memory(child.pid)
        if child.poll() is None:
            _ask_to_end(child)
        elif not self.stop.is_set():
            self.why = self._cause(child.returncode)
        return child.returncode if child.returncode is not None else 1

    def _start(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start the server as its user, within its limits; the log is opened before the user is changed."""
        from spawner.hub.keeping import limits

        order = self.order
        who = order["run_as"] or {}
        if order["control_groups"]:
            self.cage = limits.Cage.make(self.uid, order["cpu_milli"], order["memory"])
        way = self.cage.enter() if self.cage else []
        before = os.sched_getaffinity(0)
        if not self.cage and order["cpu_milli"]:
            os.sched_setaffinity(0, limits.processors(order["cpu_milli"], self._taken()))
        try:
            return subprocess.Popen(
                order["argv"],
                env=environment,
                cwd=order["cwd"],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                umask=0o077,
                user=who.get("uid"),
                group=who.get("gid"),
                extra_groups=who.get("groups"),
            )
        finally:
            os.sched_setaffinity(0, before)
            limits.leave(way)

    def _taken(self) -> list[set[int]]:
        """The processors of the other servers."""
        found = []
        for state in self.records.living():
            leader = next((one for one in _members(state.uid) if one.pid == one.session), None)
            with suppress(OSError):
                if leader and state.uid != self.uid:
                    found.append(os.sched_getaffinity(leader.pid))
        return found

    def _watch_memory(self, server: int) -> None:
        """Say when the kernel killed for memory; where it does not, end the greatest process of a server over its limit."""
        limit = self.order["memory"]
        if not limit or self.state.phase != "running":
            return
        from jupyter_ext.cluster.local import processes
        from jupyter_ext.cluster.resource import say_memory
        from spawner.hub.keeping.limits import memory_of

        size = say_memory(limit)
        if self.cage:
            if kills := self.cage.kills():
                words = f"It ran out of memory {kills} time{'s' if kills > 1 else ''}: its limit is {size}."
                if words != self.state.words:
                    self.say("running", words)
            return
        used = memory_of(_members(self.uid))
        if sum(used.values()) <= limit:
            return
        victims = {one: size for one, size in used.items() if one.pid != server} or used
        processes.send([max(victims, key=victims.__getitem__)], signal.SIGKILL)
        self.say(
            "running", f"It used more than its {size} of memory: the greatest of its processes was ended."
        )

    def _cause(self, status: int) -> str:
        """Why a server ended by itself, for its user."""
        from jupyter_ext.cluster.resource import say_memory

        if self.cage and self.cage.kills():
            return f"It ran out of memory: its limit is {say_memory(self.order['memory'])}."
        if status < 0:
            return f"It was ended by {signal.Signals(-status).name}."
        return f"It ended with status {status}." if status else "It ended."

    def _end_all(self) -> None:
        """What the server started ends with it, in its session or not."""
        from jupyter_ext.cluster.local import processes
        from spawner.hub.keeping import records

        left = records.marked(self.uid)
        processes.send(left, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS / 2
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = records.marked(self.uid)
        records.kill(self.uid)


def _ask_to_end(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        child.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _members(uid: str) -> list[Any]:
    from spawner.hub.keeping import records

    return records.marked(uid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int, uid: str) -> bool:
    """Whether a process of the server, and nobody else, listens on the port: it may have been taken meanwhile."""
    wanted = _listening_inode(port)
    if not wanted:
        return False
    for one in _members(uid):
        with suppress(OSError):
            for link in Path(f"/proc/{one.pid}/fd").iterdir():
                with suppress(OSError):
                    if str(link.readlink()) == f"socket:[{wanted}]":
                        return True
    return False


def _listening_inode(port: int) -> str:
    """The socket that listens on the port of the loopback interface, by the kernel's table."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        address, _, number = fields[1].partition(":")
        if fields[3] == "0A" and int(number, 16) == port and address in {"0100007F", "00000000"}:
            return fields[9]
    return ""


def main() -> int:
    """Read the order and carry it out."""
    order = json.loads(sys.stdin.buffer.readline(LARGEST))
    from jupyter_ext.cluster.local import locks
    from spawner.hub.keeping.records import Records

    records = Records(Path(order["folder"]))
    if not locks.take(records.cluster.lock_path(order["uid"])):
        return 1
    keeper = Keeper(order, records)

    def on_signal(_number: int, _frame: object) -> None:
        # In a thread of its own: the main thread may hold the event's lock at this moment.
        threading.Thread(target=keeper.stop.set, daemon=True).start()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return keeper.run()


if __name__ == "__main__":
    root = str(Path(__file__).resolve().parents[2])
    try:
        import spawner.hub.keeping  # noqa: F401 - only to see whether this interpreter finds it
    except ModuleNotFoundError:
        sys.path.append(root)
    sys.exit(main())
