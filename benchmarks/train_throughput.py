"""What it costs a training to be a job: the same script on two processes, by torchrun and by us."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

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
start, used = time.perf_counter(), time.process_time()
for number in range({steps}):
    step(number)
dist.barrier()
seconds, used = time.perf_counter() - start, time.process_time() - used
if dist.get_rank() == 0:
    open(os.environ["OUT"], "w").write(f"{{{steps} / seconds}} {{{steps} / used}}")
dist.destroy_process_group()
"""


Rates = dict[str, list[float]]
"""Steps for each second of processor time, by side."""


def torchrun(script: Path, out: Path) -> str:
    """Runs the script by torchrun alone."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={PROCESSES}"]
    env = {**os.environ, "OUT": str(out), "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, str(script)], check=True, env=env, stdout=subprocess.DEVNULL)
    return out.read_text()


def ours(script: Path, out: Path, shares: list[float] | None = None) -> str:
    """Runs it as a job; ``shares`` takes what its controller used of one processor while it ran."""
    from jupyter_ext import training

    job = training.train(script, framework="torch", procs=PROCESSES, env={"OUT": str(out)})
    start, used = time.monotonic(), 0.0
    controller = the_controller(job.resource.uid)
    while job.phase in {"PENDING", "RUNNING"}:
        with suppress(psutil.NoSuchProcess):
            times = controller.cpu_times()
            used = times.user + times.system
        time.sleep(0.2)
    if shares is not None:
        shares.append(used / (time.monotonic() - start))
    if job.phase != "SUCCEEDED":
        raise RuntimeError(job.reason)
    return out.read_text()


def the_controller(uid: str) -> psutil.Process:
    """The process that looks after a job."""
    while True:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if uid in process.cmdline() and "shim.py" in " ".join(process.cmdline()):
                    return process
        time.sleep(0.01)


def measure(quick: bool) -> Report:
    steps, rounds = (200, 2) if quick else (600, 7)
    shares: list[float] = []
    busy: Rates = {}

    def rates(name: str, text: str) -> float:
        wall, used = (float(word) for word in text.split())
        busy.setdefault(name, []).append(used)
        return wall

    with workplace() as folder:
        out = folder / "out"
        scripts = {}
        for say in ("nothing", "report", "print"):
            scripts[say] = folder / f"{say}.py"
            scripts[say].write_text(SCRIPT.format(say=repr(say), steps=steps))
        found = alternate(
            {
                "torchrun": lambda: rates("torchrun", torchrun(scripts["nothing"], out)),
                "ours": lambda: rates("ours", ours(scripts["nothing"], out, shares)),
                "torchrun, each step printed": lambda: rates("printed", torchrun(scripts["print"], out)),
                "ours, each step printed": lambda: rates("ours printed", ours(scripts["print"], out)),
                "ours, each step reported": lambda: rates("ours reported", ours(scripts["report"], out)),
            },
            rounds,
            warm=0,
        )
    following = Sample("the job's controller, of one processor", tuple(100 * share for share in shares), "%")
    walls = [Sample(name, sample.values, "steps/s") for name, sample in found.items()]
    bare, printed = found["torchrun"].median, found["torchrun, each step printed"].median
    middle = {name: statistics.median(values) for name, values in busy.items()}
    return Report(
        "Throughput of a training job",
        f"{PROCESSES} processes, DistributedDataParallel over gloo, the same script; steps a second from the 20th step on. A job is "
        "followed meanwhile: its logs, its reports, and what it uses of the machine. On a machine that others use too, the steps "
        "for each second of rank 0's own processor time say more than the steps for each second of the clock.",
        [*walls, following],
        [
            Ratio("ours / torchrun", found["ours"].median / bare, 0.98),
            Ratio(
                "ours / torchrun, each step printed", found["ours, each step printed"].median / printed, 0.98
            ),
            Ratio(
                "ours, each step reported / torchrun, silent", found["ours, each step reported"].median / bare
            ),
            Ratio("ours / torchrun, by processor time", middle["ours"] / middle["torchrun"], 0.98),
            Ratio("… each step printed", middle["ours printed"] / middle["printed"], 0.98),
            Ratio("the job's controller, of one processor", following.median, 2, least=False, unit="%"),
        ],
    )


if __name__ == "__main__":
    main(measure)
