"""Every benchmark, one after the other; the summary goes to ``.bench/summary.md``.

    python -m benchmarks [--quick] [--record] [NAME]…

``--record`` writes it to ``benchmarks/RESULTS.md`` too, beside the last figures of the benchmarks that were not
run now. The exit status is 1 if a benchmark failed to run, not if
an aim was missed: the machine may be busy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

NAMES = (
    "step_overhead",
    "real_notebook",
    "parallel_steps",
    "cached_rerun",
    "compile_ir",
    "compiled_runs",
    "big_value",
    "startup",
    "ui_latency",
    "train_start",
    "train_throughput",
    "tune_overhead",
    "tune_scale",
    "registry",
    "model_server",
    "gateway",
    "home",
    "spark",
    "spawn",
    "cluster_train",
    "cluster_steps",
    "cluster_trials",
    "cluster_pixel",
)
HERE = Path(__file__).resolve().parent


def head() -> str:
    """Where and when."""
    with Path("/proc/meminfo").open() as file:
        memory = int(file.readline().split()[1]) / 1e6
    machine = f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GB, Python {platform.python_version()}"
    return (
        f"# Measurements\n\n{machine}, {platform.system()}. Every ratio compares medians of runs that took turns. "
        "The load is how many processes wanted a core before and after: above the number of cores, times are those of a "
        "busy machine, and only ratios mean something. The peers are pinned in `benchmarks/requirements/`.\n"
    )


def sections(text: str) -> dict[str, str]:
    """By their titles."""
    found = ("## " + part.rstrip() + "\n" for part in f"\n{text}".split("\n## ")[1:])
    return {part.partition("\n")[0]: part for part in found}


def main() -> int:
    """Run them, show them, keep them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {' '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    folder = HERE.parent / ".bench"
    folder.mkdir(exist_ok=True)
    parts, failed = [head()], []
    for name in options.names or NAMES:
        figures = folder / f"{name}.json"
        figures.unlink(missing_ok=True)
        before = os.getloadavg()[0]
        command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(figures)]
        done = subprocess.run([*command, *(["--quick"] if options.quick else [])], check=False)
        if done.returncode or not figures.exists():
            failed.append(name)
            print(f"{name} failed to run.")
        else:
            found = json.loads(figures.read_text())
            found["text"] += (
                f"\n{time.strftime('%Y-%m-%d')}, load {before:.1f} to {os.getloadavg()[0]:.1f}"
                + (", fewer and smaller runs.\n" if options.quick else ".\n")
            )
            figures.write_text(json.dumps(found), "utf-8")
            parts.append(found["text"])
    text = "\n".join(parts)
    (folder / "summary.md").write_text(text, "utf-8")
    if options.record:
        results = HERE / "RESULTS.md"
        known = sections(results.read_text("utf-8")) if results.exists() else {}
        for part in parts[1:]:
            known |= sections(part)
        results.write_text("\n".join([head(), *known.values()]), "utf-8")
    print(
        f"The summary is in {folder.name}/summary.md." + (f" Failed: {', '.join(failed)}." if failed else "")
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
