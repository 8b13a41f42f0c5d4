"""From submitting a training job to the first line of the user's code, and to the first tensor.

The SDK's local backend makes a new environment for each job and installs torch into it. So that no download counts,
its "torch" here is a wheel with nothing but a ``torchrun`` that starts the one of our own environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from benchmarks import environments
from benchmarks.measure import Ratio, Report, Sample, alternate, ask, main
from benchmarks.notebooks import workplace

PROCESSES = 2
SCRIPT = """
import time
first = time.time()
import os, pathlib
if os.environ.get("RANK", "0") == "0":
    if {tensor}:
        import torch
        torch.ones(1)
    out = pathlib.Path(os.environ["OUT"])
    out.with_suffix(".new").write_text(f"{{first}} {{time.time()}}")
    out.with_suffix(".new").rename(out)
"""
Times = tuple[float, float]


def ours(framework: str, procs: int) -> Times:
    """Through the library, in its detached process, with everything that a job has."""
    from jupyter_ext import training

    def user(tensor: bool) -> Times:
        first = time.time()
        if tensor:
            import torch

            torch.ones(1)
        return first, time.time()

    start = time.time()
    job = training.train(
        user, framework=framework, procs=procs, args={"tensor": framework == "torch"}, wait=True
    )
    first, tensor = job.result()
    return first - start, tensor - start


def bare(folder: Path, procs: int) -> Times:
    """The same lines, started by the interpreter or by torchrun and nothing else."""
    script, out = folder / "bare.py", folder / "out"
    script.write_text(SCRIPT.format(tensor=procs > 0))
    out.unlink(missing_ok=True)
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={procs}"] if procs else []
    start = time.time()
    subprocess.run(
        [sys.executable, *torchrun, str(script)],
        check=True,
        env={**os.environ, "OUT": str(out), "OMP_NUM_THREADS": "1"},
    )
    first, tensor = (float(word) for word in out.read_text().split())
    return first - start, tensor - start


def stand_in(folder: Path) -> Path:
    """A wheel called torch whose torchrun is that of our own environment."""
    path = folder / "torch-0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        program = (
            f'#!/bin/sh\nexec {sys.executable} -m torch.distributed.run --nproc-per-node={PROCESSES} "$@"\n'
        )
        info = zipfile.ZipInfo("torch-0.data/scripts/torchrun")
        info.external_attr = 0o100755 << 16
        wheel.writestr(info, program)
        wheel.writestr("torch-0.dist-info/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 0\n")
        wheel.writestr(
            "torch-0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("torch-0.dist-info/RECORD", "")
    return path


def measure(quick: bool) -> Report:
    sdk = environments.python("kubeflow-sdk")
    rounds = 2 if quick else 7
    tensors: dict[str, list[float]] = {"torchrun": [], "ours": []}

    def both(name: str, times: Times) -> float:
        tensors[name].append(times[1])
        return times[0]

    with workplace() as folder:
        wheel = stand_in(folder)
        found = alternate(
            {
                "python": lambda: bare(folder, 0)[0],
                "ours, plain": lambda: ours("plain", 1)[0],
                "torchrun, 2 processes": lambda: both("torchrun", bare(folder, PROCESSES)),
                "ours, torch, 2 processes": lambda: both("ours", ours("torch", PROCESSES)),
            },
            rounds,
        )
        found |= alternate(
            {"kubeflow SDK, LocalProcessBackend": lambda: ask(sdk, "sdk_train.py", str(wheel))["seconds"]},
            2 if quick else 3,
            warm=0,
        )
    first = {
        name: Sample(f"{name}, to the first tensor", tuple(values[1:])) for name, values in tensors.items()
    }
    plain = found["ours, plain"].median - found["python"].median
    torch = found["ours, torch, 2 processes"].median - found["torchrun, 2 processes"].median
    return Report(
        "Start of a training job",
        "Seconds from the call of `train` (from the start of the process, for the bare ones) to the first line of the user's code "
        "in rank 0. Ours includes the job's own process, its lease, the snapshot of the code and the rank's log.",
        [*found.values(), *first.values()],
        [
            Ratio("ours beyond the interpreter's own start", plain, 0.5, least=False, unit="s"),
            Ratio("ours beyond torchrun's own start", torch, 0.5, least=False, unit="s"),
            Ratio("ours beyond torchrun, to the first tensor", first["ours"].median - first["torchrun"].median, 0.5,
                  least=False, unit="s"),
            Ratio("SDK / ours, torch",
                  found["kubeflow SDK, LocalProcessBackend"].median / found["ours, torch, 2 processes"].median),
        ],
        ["The SDK's own part is making the environment; torch is not downloaded, which would take minutes more."],
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
