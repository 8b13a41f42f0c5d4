"""Use of processors, memory and GPUs, seen from outside."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time

import pytest

from jupyter_ext.training.utilisation import Gpus, Sampler

BUSY = """
import subprocess, sys, time
block = bytearray(b"x") * (100 << 20)
child = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
print(child.pid, flush=True)
while True:
    time.sleep(1)
"""


@pytest.fixture
def busy():
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        yield process, child
        process.kill()
        os.kill(child, 9)


def until(sampler, wanted, seconds=20):
    """Sample until it is so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = {point.name: point.value for point in sampler.sample(time.time())}
        if wanted(found):
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def test_a_job_is_all_that_its_processes_started(busy):
    process, _ = busy
    with Sampler(lambda: [process.pid]) as sampler:
        first = {point.name for point in sampler.sample(time.time())}
        assert first == {"system/memory"}, "no use of processors without a time to divide by"
        found = until(sampler, lambda now: now.get("system/cpu", 0) > 0.1)
        assert found["system/cpu"] < 4
        assert 100 << 20 < found["system/memory"] < 200 << 20


def test_a_process_that_lost_its_parent_still_counts(busy):
    process, _ = busy
    with Sampler(lambda: [process.pid]) as sampler:
        sampler.sample(time.time())
        process.kill()
        process.wait()
        until(sampler, lambda now: now.get("system/cpu", 0) > 0.1)


def test_a_job_that_is_gone_uses_nothing():
    with Sampler(list) as sampler:
        sampler.sample(time.time())
        (cpu,) = sampler.sample(time.time() + 1)
    assert (cpu.name, cpu.value, cpu.rank) == ("system/cpu", 0, -1)


def test_gpus_are_read_from_the_drivers_tool(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\necho 'GPU-b, 50, 2'\necho 'GPU-a, 100, 1024'\necho 'GPU-other, 1, 1'\n"
        "echo 'MIG-c, [N/A], 3'\nexec sleep 100\n"
    )
    tool.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with Sampler(list, ["GPU-a", "GPU-b", "MIG-c"]) as sampler:
        found = until(sampler, lambda now: now.keys() >= {"system/gpu-memory/2", "system/cpu"})
    assert found == {
        "system/cpu": 0.0,
        "system/gpu/0": 1.0,
        "system/gpu-memory/0": 1024 << 20,
        "system/gpu/1": 0.5,
        "system/gpu-memory/1": 2 << 20,
        "system/gpu-memory/2": 3 << 20,
    }


def test_without_the_tool_there_are_no_gpus(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    gpus = Gpus(["GPU-a"])
    assert gpus.now() == [(None, None)]
    gpus.close()
