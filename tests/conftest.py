"""Every test gets a home of its own, and no test leaves a process behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parent.parent

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Ctrl-C reaches what tests start, even where a shell runs the tests in its background and deaf to it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Jupyter's and IPython's folders, and our own, lie in a temporary one."""
    base = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(base / name.lower()))
        patch.setenv("JUPYTER_KUBEFLOW_HOME", str(base / "kubeflow"))
        patch.delenv("JUPYTER_KUBEFLOW_PROFILE", raising=False)
        yield


@pytest.fixture(autouse=True)
def kubeflow_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The embedded cluster's home for this one test; what it has open is closed afterwards."""
    home = tmp_path_factory.mktemp("kubeflow")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(home))
    yield home
    discover = sys.modules.get("jupyter_ext.cluster.discover")
    known = {} if discover is None else discover._clusters
    for key in [key for key in known if Path(key[0]) == home]:
        cluster = known.pop(key)
        cluster.store.close()
        cluster.metrics.close()


def _ours(base: str) -> list[psutil.Process]:
    """The processes that were started with a home below ``base``, this one not counted."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and environment.get("JUPYTER_KUBEFLOW_HOME", "").startswith(base):
            found.append(process)
    return found


@pytest.fixture(scope="session", autouse=True)
def _no_process_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the session when a workload, a zygote or a kernel outlives it; and end what was found."""
    base = str(tmp_path_factory.getbasetemp())
    yield
    deadline = time.monotonic() + 10
    while (left := _ours(base)) and time.monotonic() < deadline:
        time.sleep(0.1)
    lines = []
    for process in left:
        with suppress(psutil.NoSuchProcess):  # one that is dead and not yet waited for has no command
            with process.oneshot():
                lines.append(f"{process.pid} {process.status()} {' '.join(process.cmdline())[:200]}")
            process.kill()
    assert not lines, "processes outlived the tests:\n" + "\n".join(lines)
