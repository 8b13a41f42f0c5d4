"""A network (and mounts) of the cluster's own: whatever it listens on, nobody outside can reach.

A process that only sleeps holds the two namespaces; when it and all that entered them are gone, so are they, with
every interface, rule and mount. There is no name in /run/netns to forget.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.cluster import processes
from tests.cluster.place import NODE_ADDRESS, SERVICES, Place, Refused

HOLDER: Final = "holder"
_CLONE_NEWNET: Final = 0x40000000
_homes: list[int] = []
_OWN: Final = Path("/proc/thread-self/ns/net")
# Services have addresses that no interface has: without a route to them nothing gets as far as their rules.
_SETUP: Final = (
    f"ip link set lo up && ip address add {NODE_ADDRESS}/32 dev lo"
    f" && ip route add {SERVICES} dev lo src {NODE_ADDRESS}"
)


def forbidden() -> str:
    """Why this machine cannot have such a cluster, in one line; empty when it can."""
    if os.getuid() != 0:
        return "the test cluster needs root, for a network of its own (python -m tests.cluster test does without)"
    missing = [name for name in ("unshare", "nsenter", "ip") if not program(name)]
    if missing:
        return f"the test cluster needs {', '.join(missing)} (Debian: util-linux, iproute2)"
    return ""


def hold(place: Place, mounts: str = "true") -> int:
    """Make the namespaces, unless they are held already; the pid of who holds them.

    ``mounts`` is shell, run there first; a cluster without a node lives without them (`is_mounted`).
    """
    held = processes.find(place, HOLDER)
    if held is not None:
        return held.pid
    if reason := forbidden():
        raise Refused(reason)
    log = place.logs / f"{HOLDER}.log"
    log.unlink(missing_ok=True)
    script = f"{_SETUP} && {{ ( {mounts} ) && echo mounted || true; }} && echo ready && exec sleep infinity"
    processes.start(
        place, HOLDER, ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", script]
    )
    deadline = time.monotonic() + 60
    while not (log.exists() and "ready" in log.read_text()):
        held = processes.find(place, HOLDER)
        if held is None or time.monotonic() > deadline:
            raise Refused(f"no network of its own can be made here: {processes.last_lines(log)}")
        time.sleep(0.01)
    held = processes.find(place, HOLDER)
    if held is None:
        raise Refused("who holds the network ended at once")
    return held.pid


def is_mounted(place: Place) -> bool:
    """Whether the mounts that `hold` was given could be made."""
    return "mounted" in (place.logs / f"{HOLDER}.log").read_text().splitlines()


def inside(place: Place, argv: Sequence[str]) -> list[str]:
    """The command that runs ``argv`` in the cluster's network and mounts, as the same process."""
    held = processes.find(place, HOLDER)
    if held is None:
        raise Refused(f"the cluster in {place.folder} is not up")
    return ["nsenter", "--target", str(held.pid), "--net", "--mount", "--", *argv]


def enter(place: Place) -> None:
    """From here this thread, and the threads and processes that it starts, are in the cluster's network."""
    held = processes.find(place, HOLDER)
    if held is None:
        raise Refused(f"the cluster in {place.folder} is not up")
    with Path(f"/proc/{held.pid}/ns/net").open("rb") as opened:
        _set(opened.fileno())


@contextmanager
def restored() -> Iterator[None]:
    """Whatever this thread enters meanwhile, it is back where it was afterwards."""
    with _OWN.open("rb") as home:
        _homes.append(home.fileno())
        try:
            yield
        finally:
            _homes.pop()
            _set(home.fileno())


@contextmanager
def outside() -> Iterator[None]:
    """For a while back where the outermost `restored` began, as everybody else on this machine."""
    with restored():
        _set(_homes[0])
        yield


@contextmanager
def entered(place: Place) -> Iterator[None]:
    """As `enter`, for a while."""
    with restored():
        enter(place)
        yield


def is_inside(place: Place) -> bool:
    """Whether this thread is in the cluster's network."""
    held = processes.find(place, HOLDER)
    return held is not None and os.path.samestat(_OWN.stat(), Path(f"/proc/{held.pid}/ns/net").stat())


def _set(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with 3.12
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def program(name: str) -> str | None:
    """Where a program of the system is, also for those whose PATH has none for administrators."""
    from shutil import which

    return which(name, path=processes.path())
