"""Hubs of the tests, which end with them, and everything that they have started."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from spawner.hub import proxy
from tests.spawner.hub.running import FakeNvidiaSmi, RunningHub, User, until

MakeHub = Callable[..., RunningHub]


@pytest.fixture(scope="session")
def proxy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The proxy where it stays from one run of the tests to the next."""
    return Path(__file__).parents[3] / ".bench" / "proxy" / proxy.VERSION


@pytest.fixture(scope="session")
def make_hub(tmp_path_factory: pytest.TempPathFactory, proxy_cache: Path) -> Iterator[MakeHub]:
    """Make a Hub with so many GPUs; it is not started yet."""
    made: list[RunningHub] = []

    def make(gpus: int = 1, **settings: Any) -> RunningHub:
        base = tmp_path_factory.mktemp("kf-hub")
        fake = FakeNvidiaSmi(base / "bin", gpus)
        home = base / "home" / "kubeflow"
        (home.parent / "kubeflow-proxy").mkdir(parents=True, mode=0o700)
        proxy.command(proxy_cache)
        (home.parent / "kubeflow-proxy" / proxy.VERSION).symlink_to(proxy_cache)
        env = {"PATH": f"{fake.folder}:{os.environ['PATH']}", "JUPYTER_KUBEFLOW_HOME": str(home)}
        made.append(RunningHub(base / "hub", env=env, **settings))
        return made[-1]

    yield make
    for hub in made:
        if hub.process is not None:
            hub.end()
        for pid in hub.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda hub=hub: not hub.processes(), "nothing of the Hub is left", 20)
        shutil.rmtree(hub.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def hub(make_hub: MakeHub) -> RunningHub:
    """A Hub for ana, ben and cem on a machine with one GPU."""
    return make_hub(users="ana,ben,cem").start()


@pytest.fixture(scope="session")
def ana(hub: RunningHub) -> User:
    """One who has signed in."""
    return hub.user("ana")


@pytest.fixture(scope="session")
def ben(hub: RunningHub) -> User:
    """Another one."""
    return hub.user("ben")
