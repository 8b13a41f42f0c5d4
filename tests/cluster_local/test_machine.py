from __future__ import annotations

import os
import time

import pytest

from jupyter_ext.cluster.local import machine
from jupyter_ext.cluster.local.machine import Gpu, parse_gpus, visible

V2 = "0::/user.slice/job\n"
V1 = "9:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/\n"


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


@pytest.mark.parametrize(
    ("membership", "files", "milli"),
    [
        (V2, {"user.slice/job/cpu.max": "max 100000"}, None),
        (V2, {"user.slice/job/cpu.max": "50000 100000"}, 500),
        (V2, {"user.slice/cpu.max": "25000 100000", "user.slice/job/cpu.max": "50000 100000"}, 250),
        (V1, {"cpu/docker/x/cpu.cfs_quota_us": "30000", "cpu/docker/x/cpu.cfs_period_us": "100000"}, 300),
        (V1, {"cpu/docker/x/cpu.cfs_quota_us": "-1", "cpu/docker/x/cpu.cfs_period_us": "100000"}, None),
        (V1, {"cpu/cpu.cfs_quota_us": "70000", "cpu/cpu.cfs_period_us": "100000"}, 700),
        ("", {}, None),
        ("nonsense\n", {"cpu.max": "nonsense"}, None),
    ],
)
def test_cpu_of_a_control_group(tmp_path, membership, files, milli):
    write(tmp_path, files)
    whole = len(os.sched_getaffinity(0)) * 1000
    assert machine.cpu_milli(tmp_path, membership) == (milli or whole)


@pytest.mark.parametrize(
    ("membership", "files", "size"),
    [
        (V2, {"user.slice/job/memory.max": "max"}, None),
        (V2, {"user.slice/job/memory.max": "1048576", "user.slice/memory.max": "2097152"}, 1048576),
        (V1, {"memory/docker/x/memory.limit_in_bytes": "9223372036854771712"}, None),
        (V1, {"memory/docker/x/memory.limit_in_bytes": "4194304"}, 4194304),
    ],
)
def test_memory_of_a_control_group(tmp_path, membership, files, size):
    write(tmp_path, files)
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine.memory_bytes(tmp_path, membership) == (size or whole)


@pytest.mark.parametrize(("said", "size"), [("1048576", 1048576), ("0", None), ("1G", None), ("", None)])
def test_memory_that_a_hub_gives(tmp_path, monkeypatch, said, size):
    monkeypatch.setenv("MEM_LIMIT", said)
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine.memory_bytes(tmp_path, "") == (size or whole)


def test_kills_for_lack_of_memory(tmp_path):
    write(tmp_path, {"user.slice/job/memory.events": "low 0\noom 3\noom_kill 2"})
    assert machine.oom_kills(tmp_path, V2) == 2
    assert machine.oom_kills(tmp_path / "none", V2) >= 0


def test_the_affinity_counts():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert machine.cpu_milli() <= 1000
    finally:
        os.sched_setaffinity(0, before)


def test_a_boot_is_the_same_twice():
    assert machine.boot() == machine.boot() != "/"


TABLE = """\
GPU-aaaa, 0, NVIDIA H100, 81559
GPU-bbbb, 1, NVIDIA H100, 81559
"""
LISTING = """\
GPU 0: NVIDIA H100 (UUID: GPU-aaaa)
  MIG 1g.10gb     Device  0: (UUID: MIG-1)
  MIG 3g.40gb     Device  1: (UUID: MIG-2)
GPU 1: NVIDIA H100 (UUID: GPU-bbbb)
"""
WHOLE = (Gpu("GPU-aaaa", 0, "NVIDIA H100", 81559 << 20), Gpu("GPU-bbbb", 1, "NVIDIA H100", 81559 << 20))


def test_gpus_as_nvidia_smi_lists_them():
    assert parse_gpus(TABLE, "") == WHOLE
    assert parse_gpus("No devices were found\n", "") == ()
    split = parse_gpus(TABLE, LISTING)
    assert [gpu.uuid for gpu in split] == ["MIG-1", "MIG-2", "GPU-bbbb"]
    assert split[0] == Gpu("MIG-1", 0, "NVIDIA H100 MIG 1g.10gb", 10 << 30)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, WHOLE),
        ("", ()),
        ("1", WHOLE[1:]),
        ("1,0", WHOLE[::-1]),
        ("GPU-b", WHOLE[1:]),
        ("0,7,1", WHOLE[:1]),
        ("-1", ()),
    ],
)
def test_only_what_cuda_would_see(setting, expected):
    assert visible(WHOLE, setting) == expected


def test_gpus_are_asked_of_a_program_of_that_name(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        f"#!/bin/sh\nif [ \"$1\" = -L ]; then cat <<'E'\n{LISTING}E\nelse cat <<'E'\n{TABLE}E\nfi\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machine.gpus.cache_clear()
    try:
        assert [gpu.uuid for gpu in machine.gpus()] == ["MIG-1", "MIG-2", "GPU-bbbb"]
        tool.write_text("#!/bin/sh\nexit 9\n")
        machine.gpus.cache_clear()
        assert machine.gpus() == ()
    finally:
        machine.gpus.cache_clear()


def test_limits_are_read_again(monkeypatch):
    first = machine.limits_now()
    moment = time.monotonic()
    monkeypatch.setattr(machine, "cpu_milli", lambda: 1)
    monkeypatch.setattr(time, "monotonic", lambda: moment + 60)
    assert machine.limits_now() == (1, first[1])
    machine._limits.cache_clear()
