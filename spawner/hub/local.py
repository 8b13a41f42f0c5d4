"""``ProfileProcessSpawner``: servers as processes of the Hub's machine, with the same form as on a cluster.

Each server has a keeper (``spawner.hub.keeping``) that holds what the server uses of this machine as a lease. The Hub starts
keepers and reads what they say; it may be killed at any moment. What it does not do: keep users apart that run as one system user.
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyterhub.spawner import Spawner
from tornado import web
from traitlets import Bool, Dict, Float, List, Unicode, default

from spawner.hub.keeping import offering, persons
from spawner.hub.keeping.keeper import KEEP
from spawner.hub.keeping.records import MARK, Records, State, last_lines
from spawner.quantities import stored
from spawner.refused import Refused

if TYPE_CHECKING:
    from spawner.form.options import Options
    from spawner.form.page import Offer
    from spawner.form.schema import Schema

_LOOK_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 25.0
_KEEPER: Final = Path(__file__).parent / "keeping" / "keeper.py"
_records: Final[dict[str, Records]] = {}
"""One for each folder: spawners come and go with every server."""


class ProfileProcessSpawner(Spawner):  # type: ignore[misc]
    """A server of one user as a process of this machine, within its limits."""

    folder = Unicode(
        config=True, help="The Hub's folder: servers, leases, and a private folder for each user."
    )
    sizes = List(Dict(), config=True, help="Sizes to choose from; by default three parts of this machine.")
    per_user = Dict(
        config=True,
        help="What all servers of one user may have together, e.g. {'cpu': '4', 'memory': '16Gi', 'nvidia.com/gpu': '1'}.",
    )
    wait_seconds = Float(
        300.0,
        config=True,
        help="How long a start waits for what others hold; 0 refuses it at once, with who has it.",
    )
    as_system_users = Bool(
        config=True,
        help="Run each server as the system user of the same name. Needs root; the default where the Hub is root.",
    )
    share_root = Bool(
        False, config=True, help="Let servers run as root when the Hub does: in containers only."
    )

    control_groups = Bool(
        True, config=True, help="Let the kernel keep limits where control groups may be made."
    )

    @default("as_system_users")
    def _default_as_system_users(self) -> bool:
        return os.geteuid() == 0 and not self.share_root

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        # -P: a file jupyter.py of the user's must not be taken for the package.
        return [sys.executable, "-P", "-m", "jupyterhub.singleuser"]

    @default("ip")
    def _default_ip(self) -> str:
        return "127.0.0.1"

    @default("start_timeout")
    def _default_start_timeout(self) -> int:
        return int(self.wait_seconds) + 120

    @default("poll_interval")
    def _default_poll_interval(self) -> int:
        return 5

    @default("options_form")
    def _default_options_form(self) -> Callable[[Spawner], Any]:
        return _page

    def run_options_from_form(self, form_data: dict[str, list[str]]) -> Any:
        """Check at once, so that the page comes back as it was filled in."""
        from spawner.form import page as form

        return form.answer(self, form_data)

    def options_from_query(self, query_data: dict[str, list[str]]) -> dict[str, Any]:
        """A link presets the form and starts nothing: what a GET may do has no effect."""
        from spawner.form import page as form

        return form.from_query(query_data)

    @default("apply_user_options")
    def _default_apply_user_options(self) -> Callable[[Any, Any], None]:
        return _take_options

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.uid = ""
        self.chosen: Options | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def records(self) -> Records:
        """Everything on this machine that outlives the Hub."""
        if self.folder not in _records:
            _records[self.folder] = Records(Path(self.folder))
        return _records[self.folder]

    def schema(self) -> Schema:
        """What can be chosen here."""
        from spawner.form import accelerators, settings

        machine = self.records.cluster.leases.machine()
        found = settings.configure(
            images=[dict(offering.IMAGE)],
            sizes=list(self.sizes) or offering.sizes(machine),
            home=False,
            when_busy="wait" if self.wait_seconds else "refuse",
        )
        return found.extended(accelerators=accelerators.discover([offering.node(machine)]))

    async def offer(self, namespace: str | None = None) -> Offer:  # noqa: ARG002 - there is one machine
        """What the form shows: the machine as it is now, and what is left of this user's share."""
        return await asyncio.to_thread(self._offer)

    def _offer(self) -> Offer:
        from spawner.form import capacity
        from spawner.form import page as form

        fleet = capacity.Fleet()
        fleet.put_node(offering.node(self.records.cluster.leases.machine()))
        living = list(self.records.living())
        for state in living:
            fleet.put_pod(offering.pod(state))
        own = [state for state in living if state.user == self.user.name]
        quotas = offering.quota(self.per_user, own)
        return form.Offer(self.schema(), fleet, quotas, self.user.name)

    def take_options(self, user_options: object) -> None:
        """Check what was asked for. Raises an error that the Hub answers with 4xx, naming the field."""
        try:
            self.chosen = self.schema().check(user_options)
        except Refused as refused:
            raise as_http(refused) from refused

    async def start(self) -> tuple[str, int]:
        """Start the keeper and wait until its server listens. Raises with the reason, and the end of the log."""
        if self.chosen is None:
            self.take_options(self.user_options)
        try:
            order = self._order()
        except Refused as refused:
            raise as_http(refused) from refused
        self.uid = order["uid"]
        try:
            await asyncio.to_thread(self._launch, order)
            return await self._until_listening()
        except Refused as refused:
            raise as_http(refused, last_lines(self.records.log(self.uid))) from refused

    def _order(self) -> dict[str, Any]:
        """What the keeper is to do. Nothing awaits between the check of the user's share and its record."""
        from jupyter_ext.cluster.resource import new_uid

        assert self.chosen is not None
        requests = {key: stored(value) for key, value in self.chosen.requests().items()}
        limits = {key: stored(value) for key, value in self.chosen.limits().items()}
        own = [
            state for state in self.records.living() if state.user == self.user.name and state.uid != self.uid
        ]
        offering.within(self.per_user, own, requests)
        lease = int(requests.get("cpu", 0) * 1000)
        memory = int(limits.get("memory") or requests.get("memory") or 0)
        gpus = int(requests.get(offering.GPU, 0))
        uid = new_uid()
        name = f"{self.user.name}/{self.name}" if self.name else self.user.name
        self.records.write(State(uid, self.user.name, self.name, "new", "", 0, lease, memory, gpus))
        who, home, own_env = self._person()
        environment = {**self.get_env(), **own_env, MARK: uid}
        return {
            "uid": uid,
            "folder": str(self.records.folder),
            "user": self.user.name,
            "server": self.name,
            "holder": name,
            "lease_cpu_milli": lease,
            "cpu_milli": int(limits.get("cpu", 0) * 1000),
            "memory": memory,
            "gpus": gpus,
            "wait_seconds": self.wait_seconds,
            "idle_minutes": self.chosen.idle_minutes,
            "control_groups": self.control_groups,
            "argv": [
                *self.cmd,
                *self.get_args(),
                *(["--allow-root"] if who is None and os.geteuid() == 0 else []),
            ],
            "env": environment,
            "cwd": home,
            "run_as": who,
        }

    def _person(self) -> persons.Person:
        """As whom it runs, where, and with which folders."""
        if self.as_system_users:
            return persons.of_the_system(self.user.name)
        return persons.of_the_hub(self.records, self.user.name, share_root=self.share_root)

    def _launch(self, order: dict[str, Any]) -> None:
        """Start the keeper in a session of its own; it gets its order, and with it every secret, by its standard input."""
        descriptor = os.open(self.records.log(order["uid"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        environment = {
            key: os.environ[key]
            for key in ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH")
            if key in os.environ
        }
        if "CUDA_VISIBLE_DEVICES" in os.environ:
            environment["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_KEEPER)],
                stdin=subprocess.PIPE,
                stdout=descriptor,
                stderr=descriptor,
                cwd=self.records.folder,
                env=environment,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    async def _until_listening(self) -> tuple[str, int]:
        while True:
            state = self.records.read(self.uid)
            if state is not None and state.phase == "running":
                return "127.0.0.1", state.port
            ended = self._process is not None and self._process.poll() is not None
            if ended or (state is not None and state.phase == "ended"):
                state = self.records.read(self.uid)
                if state is not None and state.phase == "ended" and not state.port:
                    raise Refused(
                        409, state.words, hint="Stop a server that you do not need, or choose less."
                    )
                words = state.words if state and state.words else "It ended before it listened."
                raise Refused(500, f"The server did not start. {words}")
            await asyncio.sleep(_LOOK_SECONDS)

    def start_polling(self) -> None:
        """Called by the Hub when a start is done, before it stores that: afterwards the server needs the Hub no more."""
        super().start_polling()
        process, self._kept = self._process, True
        if process is not None and process.stdin is not None and not process.stdin.closed:
            asyncio.get_running_loop().call_soon(_keep, process)

    async def poll(self) -> int | None:
        """None while the server lives, by its lock; else how it ended."""
        if not self.uid:
            return 0
        if self._process is not None and self._process.poll() is None:
            return None
        if self.records.lives(self.uid):
            return None
        state = self.records.read(self.uid)
        if state is None or state.phase != "ended":
            await asyncio.to_thread(self.records.reap)
        return state.exit if state is not None and state.exit is not None else 1

    async def stop(self, now: bool = False) -> None:
        """End the server and all that it started; returns when nothing of it is left."""
        if not self.uid:
            return
        await asyncio.to_thread(self._stop, 0.0 if now else _STOP_SECONDS)

    def _stop(self, patience: float) -> None:
        import signal
        import time

        from spawner.hub.keeping import records

        asked = False
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            keeper = self.records.keeper(self.uid)
            running = self._process is not None and self._process.poll() is None
            if keeper is None and not running:
                break
            if keeper and not asked:
                asked = True
                with suppress(ProcessLookupError):
                    os.kill(keeper, signal.SIGTERM)
            time.sleep(0.05)
        else:
            if keeper := self.records.keeper(self.uid):
                with suppress(ProcessLookupError):
                    os.kill(keeper, signal.SIGKILL)
            records.kill(self.uid)
        if self._process is not None:
            _close(self._process)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self._process = None
        self.records.reap()

    def get_state(self) -> dict[str, Any]:
        """What the Hub stores: which record is this server's."""
        state = super().get_state()
        return {**state, "uid": self.uid} if self.uid else state

    def load_state(self, state: dict[str, Any]) -> None:
        """Find the server again."""
        super().load_state(state)
        self.uid = str(state.get("uid", ""))

    def clear_state(self) -> None:
        """Forget a server that ended."""
        super().clear_state()
        self.uid = ""
        self.chosen = None

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Say why it waits and how far it is, as long as it starts."""
        steps = {"new": 5, "waiting": 20, "starting": 60, "running": 90, "ended": 100}
        told: tuple[str, str] | None = None
        while True:
            state = self.records.read(self.uid) if self.uid else None
            if state is not None and (state.phase, state.words) != told:
                told = (state.phase, state.words)
                yield {
                    "progress": steps.get(state.phase, 10),
                    "message": state.words or _WORDS.get(state.phase, ""),
                }
            if state is not None and state.phase in {"running", "ended"}:
                return
            await asyncio.sleep(_LOOK_SECONDS)


_WORDS: Final = {
    "new": "Requested.",
    "waiting": "Looking for a place on this machine.",
    "starting": "The server starts.",
    "running": "The server is up.",
}


async def _page(spawner: Spawner) -> str:
    from spawner.form import page as form

    return str(await form.page(spawner))


def _take_options(spawner: ProfileProcessSpawner, user_options: object) -> None:
    spawner.take_options(user_options)


def _keep(process: subprocess.Popen[bytes]) -> None:
    """Tell the keeper that the Hub has stored it."""
    with suppress(OSError, ValueError):
        assert process.stdin is not None
        process.stdin.write(KEEP)
    _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError, ValueError):
        if process.stdin is not None:
            process.stdin.close()


def as_http(refused: Refused, log: str = "") -> Exception:
    """A refusal as the error that this JupyterHub shows to the user: SpawnException from 6.0 on."""
    text = str(refused)
    shown = html.escape(text)
    if log:
        shown += f"<pre>{html.escape(log)}</pre>"
        text = f"{text} Its last words:\n{log}"
    error: Exception
    try:
        from jupyterhub.spawner import SpawnException
    except ImportError:
        error = web.HTTPError(refused.status, text.replace("%", "%%"))
    else:
        error = SpawnException(text, reason="refused", message_html=shown, status_code=refused.status)
    vars(error).update(jupyterhub_message=text, jupyterhub_html_message=shown)
    return error
