"""What it costs a training to be a job: the same script on two processes, by torchrun and by us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Ratio, Report, Sample, alternate, main
from benchmarks.notebooks import workplace

PROCESSES = 2
SCRIPT = """
import os, time, torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
dist.init_process_group("gloo")
torch.manual_seed(dist.get_rank())
torch.set_num_threads(1)
layers = [torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10)]
model = DistributedDataParallel(torch.nn.Sequential(*layers))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(256, 256), torch.randint(0, 10, (256,))
say = {say}
def step(number):
    loss = torch.nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    if say == "report":
        from jupyter_ext.training import report
        report(loss=loss.item(), step=number)
    elif say == "print":
        print(f"step={{number}} loss={{loss.item()}}", flush=True)
    else:
        loss.item()
for number in range(20):
    step(number)
dist.barrier()
start = time.perf_counter()
for number in range({steps}):
    step(number)
dist.barrier()
seconds = time.perf_counter() - start
if dist.get_rank() == 0:
    open(os.environ["OUT"], "w").write(str({steps} / seconds))
dist.destroy_process_group()
"""


def torchrun(script: Path, out: Path) -> float:
    """Steps a second by torchrun alone."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={PROCESSES}"]
    env = {**os.environ, "OUT": str(out), "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, str(script)], check=True, env=env, stdout=subprocess.DEVNULL)
    return float(out.read_text())


def ours(script: Path, out: Path) -> float:
    """Steps a second as a job."""
    from jupyter_ext import training

    job = training.train(script, framework="torch", procs=PROCESSES, env={"OUT": str(out)}, wait=True)
    if job.phase != "SUCCEEDED":
        raise RuntimeError(job.reason)
    return float(out.read_text())


def measure(quick: bool) -> Report:
    steps, rounds = (200, 2) if quick else (600, 7)
    with workplace() as folder:
        out = folder / "out"
        scripts = {}
        for say in ("nothing", "report", "print"):
            scripts[say] = folder / f"{say}.py"
            scripts[say].write_text(SCRIPT.format(say=repr(say), steps=steps))
        found = alternate(
            {
                "torchrun": lambda: torchrun(scripts["nothing"], out),
                "ours": lambda: ours(scripts["nothing"], out),
                "torchrun, each step printed": lambda: torchrun(scripts["print"], out),
                "ours, each step printed": lambda: ours(scripts["print"], out),
                "ours, each step reported": lambda: ours(scripts["report"], out),
            },
            rounds,
            warm=0,
        )
    rates = [Sample(name, sample.values, "steps/s") for name, sample in found.items()]
    bare, printed = found["torchrun"].median, found["torchrun, each step printed"].median
    return Report(
        "Throughput of a training job",
        f"{PROCESSES} processes, DistributedDataParallel over gloo, the same script; steps a second from the 20th step on. A job is "
        "followed meanwhile: its logs, its reports, and what it uses of the machine.",
        rates,
        [
            Ratio("ours / torchrun", found["ours"].median / bare, 0.98),
            Ratio(
                "ours / torchrun, each step printed", found["ours, each step printed"].median / printed, 0.98
            ),
            Ratio(
                "ours, each step reported / torchrun, silent", found["ours, each step reported"].median / bare
            ),
        ],
    )


if __name__ == "__main__":
    main(measure)
