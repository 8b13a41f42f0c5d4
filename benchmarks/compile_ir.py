"""From a notebook to KFP IR, against kfp (from Python functions) and Kale (from a notebook)."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import environments
from benchmarks.measure import Ratio, Report, Sample, alternate, ask, main
from benchmarks.notebooks import chain, workplace, written

SIZES = (10, 100, 1000)


def ours(path: Path) -> float:
    """Seconds of reading, analysing and writing one notebook."""
    from jupyter_ext import pipelines

    start = time.perf_counter()
    pipelines.compile(path, path.with_suffix(".yaml"))
    return time.perf_counter() - start


def measure(quick: bool) -> Report:
    kfp, kale = environments.python("kfp"), environments.python("kale")
    found: dict[str, Sample] = {}
    with workplace() as folder:
        for size in SIZES:
            path = written(chain(size), folder, f"chain-{size}.ipynb")
            sides = {f"ours, {size}": lambda path=path: ours(path)}
            if size < 1000 or not quick:
                sides[f"kfp, {size}"] = lambda size=size: ask(kfp, "kfp_compile.py", str(size))["seconds"]
            if size < 100 or (size < 1000 and not quick):
                sides[f"Kale, {size}"] = lambda size=size: ask(kale, "kale_compile.py", str(size))["seconds"]
            found |= alternate(sides, 2 if size > 100 or quick else 3)
        sizes = [(folder / f"chain-{size}.yaml").stat().st_size / 1000 for size in SIZES]
    middle = {name: sample.median for name, sample in found.items()}
    ratios = [
        Ratio("ours at 100 cells, seconds", middle["ours, 100"], 0.2, least=False, unit="s"),
        Ratio("ours, 1,000 cells / 100 cells", middle["ours, 1000"] / middle["ours, 100"], 13, least=False),
    ]
    for name, value in middle.items():
        peer, _, size = name.partition(", ")
        if peer != "ours":
            ratios.append(Ratio(f"{peer} / ours at {size} cells", value / middle[f"ours, {size}"]))
    return Report(
        "Compiling to KFP IR",
        "A chain of cells, one step each. Ours and Kale read the notebook and analyse it; kfp starts from Python functions that "
        "say what passes between them. All write the YAML file; imports of the tools are not counted. Kale at 1,000 cells takes "
        "many minutes and is left out.",
        list(found.values()),
        ratios,
        [
            f"Our YAML: {', '.join(f'{kilobytes:,.0f} kB at {size:,}' for size, kilobytes in zip(SIZES, sizes, strict=True))}."
        ],
    )


if __name__ == "__main__":
    main(measure)
