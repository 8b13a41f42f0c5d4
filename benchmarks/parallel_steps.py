"""Four steps that do not need each other, one second each, on the cores that there are."""

from __future__ import annotations

import math
import os

from benchmarks import environments
from benchmarks.measure import Ratio, Report, alternate, ask, main
from benchmarks.notebooks import Notebook, notebook, run, workplace, written

STEPS = 4
BUSY = "end = time.process_time() + 1\nwhile time.process_time() < end:\n    pass\n{name} = 1"
SLEEP = "time.sleep(1)\n{name} = 1"


def four(code: str, line: str = "") -> Notebook:
    cells = [("", "import time")]
    for name in "abcd":
        text = code.format(name=name).replace("end", f"end_{name}")
        cells.append((f"Part {name}", f"{line.format(name=name)}{text}"))
    cells.append(("Sum", "total = a + b + c + d"))
    return notebook(cells if not line else [(("", code)) for _, code in cells])


def measure(quick: bool) -> Report:
    kfp = environments.python("kfp")
    cores = len(os.sched_getaffinity(0))
    ideal = math.ceil(STEPS / cores)
    with workplace() as folder:
        busy = written(four(BUSY), folder, "busy.ipynb")
        sleeping = written(four(SLEEP), folder, "sleeping.ipynb")
        found = alternate(
            {
                "ours, computing": lambda: run(busy),
                "kfp.local, computing": lambda: ask(kfp, "kfp_parallel.py", "cpu")["seconds"],
                "ours, sleeping": lambda: run(sleeping),
                "kfp.local, sleeping": lambda: ask(kfp, "kfp_parallel.py", "sleep")["seconds"],
            },
            2 if quick else 5,
            warm=0,
        )
    ratios = []
    for kind in ("computing", "sleeping"):
        ours, peer = found[f"ours, {kind}"].median, found[f"kfp.local, {kind}"].median
        ratios += [
            Ratio(f"{kind}: ours / the {ideal} s that {cores} cores allow", ours / ideal, 1.25, least=False),
            Ratio(f"{kind}: kfp.local / ours", peer / ours, 1.5),
        ]
    return Report(
        "Independent steps side by side",
        f"{STEPS} steps of one second (of processor time, or of sleep) and one that adds up what they give; the whole run. "
        f"A step that asks for nothing is counted with one core, so {cores} run at a time.",
        list(found.values()),
        ratios,
    )


if __name__ == "__main__":
    main(measure)
