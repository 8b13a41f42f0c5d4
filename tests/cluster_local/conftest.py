"""A fresh home for every test, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from jupyter_ext.cluster.local import LocalCluster, processes, workload
from jupyter_ext.cluster.resource import Resource
from tests.waiting import until

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(folder))
    for name in ("JUPYTER_KUBEFLOW_PROFILE", "JUPYTER_KUBEFLOW_CLUSTER", "JUPYTER_KUBEFLOW_WORKLOAD"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def cluster(home):
    made = LocalCluster()
    yield made
    with made.store.reading() as connection:
        rows = connection.execute("SELECT uid, process FROM workloads").fetchall()
    for uid, _ in rows:
        workload.stop(made, uid, grace=0.2)
    left = [one for uid, process in rows for one in processes.members(uid, process)]
    processes.send(left, signal.SIGKILL)
    assert not left


@pytest.fixture
def store(cluster):
    return cluster.store


class Runner:
    """Starts the controllers of these tests as workloads."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster

    def submit(self, controller: str, name: str = "a", spec=None, status=None, **options) -> Resource:
        resource = Resource.new("Run", name, spec, status=status or {})
        env = {"PYTHONPATH": str(HERE), **options.pop("env", {})}
        return workload.submit(self.cluster, resource, f"controllers:{controller}", env=env, **options)

    def get(self, name: str = "a") -> Resource:
        return self.cluster.store.get("Run", name)

    def running(self, name: str = "a") -> Resource:
        until(lambda: self.get(name).phase == "RUNNING")
        return self.get(name)

    def finished(self, name: str = "a") -> Resource:
        def done():
            workload.sweep(self.cluster)
            return self.get(name).finished

        until(done)
        return self.get(name)


@pytest.fixture
def runner(cluster):
    return Runner(cluster)


@pytest.fixture
def forked():
    """Run functions in forked children and kill what is left of them."""
    children: list[int] = []

    def start(function, *arguments) -> int:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                function(*arguments)
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
        return pid

    yield start
    for pid in children:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 4 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
