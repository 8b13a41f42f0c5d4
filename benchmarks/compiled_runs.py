"""Pipelines that were compiled for Kubeflow, run on this machine: how many give what their components compute, and how fast.

Each pipeline of ``tests/data/compiled`` is one feature of the specification. Ours is the whole run, from the call to the
state in the store, without the cache; kfp.local runs the same file in a process that has imported it already, stores no
run, and installs kfp for each step as the file asks (it is there: that costs a look). A pipeline counts as passed if it ends as it must, with the
outputs that it must have.

``--upstream FOLDER`` runs instead a copy of the pipelines that Kubeflow's repository keeps compiled
(``test_data/sdk_compiled_pipelines``); ``--without-peer`` leaves kfp.local out of that.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import environments
from benchmarks.measure import Ratio, Report, Sample, ask, main
from benchmarks.notebooks import workplace

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "data" / "compiled"


class Case(NamedTuple):
    """A pipeline, its arguments in a folder, the outputs it must have, and whether it must succeed."""

    name: str
    arguments: Callable[[Path], dict[str, Any]] = lambda _: {}
    outputs: dict[str, Any] | None = None
    succeeds: bool = True


def _data(folder: Path) -> dict[str, Any]:
    (folder / "data.csv").write_text("1,2", "utf-8")
    return {"uri": str(folder / "data.csv")}


def _given(folder: Path) -> dict[str, Any]:
    return {**_data(folder), "given": str(folder / "data.csv"), "several": []}


CASES = (
    Case("linear", outputs={"Output": "13 0.5 x+y [('a', 1), ('b', 2)] None"}),
    Case("artifacts", outputs={"weights": "6!", "facts": "4 plain"}),
    Case("containers"),
    Case("imported", _data),
    Case("nested", outputs={"Output": 18}),
    Case("loops", outputs={"sum": 6, "joined": "<0><1><2>"}),
    Case("branches", outputs={"Output": "WENT LEFT"}),
    Case("exits", lambda folder: {"marker": str(folder / "told")}, succeeds=False),
    Case("ignoring", succeeds=False),
    Case("retries", lambda folder: {"counter": str(folder / f"n{time.time_ns()}")}),
    Case("caches", lambda folder: {"counter": str(folder / "a"), "other": str(folder / "b")}),
    Case("placeholders"),
    Case("optional"),
    Case("packages"),
    Case("naps"),
    Case(
        "written/values", outputs={"old": "7 0.5 old small ", "part": "y 42 of y ", "list": ["a", [1, 2.5]]}
    ),
    Case("written/triggers", outputs={"chosen": "went left"}),
    Case(
        "written/iterators", outputs={"pairs": [["px", "py", "pz"], ["qx", "qy", "qz"]], "lengths": [2, 2, 2]}
    ),
    Case(
        "written/retries",
        lambda folder: {"counter": str(folder / f"n{time.time_ns()}")},
        {"own": 3, "taken": 2},
    ),
    Case("written/caching", lambda folder: {"counter": str(folder / "c")}),
    Case("written/artifacts", _given, {"told": "1,2 fixed fixed 1,2 absent a parameter"}),
    Case("written/placeholders"),
    Case("written/exits", lambda folder: {"place": str(folder), "bad": "yes"}, succeeds=False),
    Case("written/resources"),
)


def _copy(case: Case, folder: Path) -> Path:
    """Its file in a folder that has what it imports."""
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "fixed.txt").write_text("fixed", "utf-8")
    return Path(shutil.copy(FOLDER / f"{case.name}.yaml", folder))


def _has(outputs: Mapping[str, Any], case: Case) -> bool:
    return all(outputs.get(name) == value for name, value in (case.outputs or {}).items())


def _ours(case: Case, folder: Path) -> tuple[float, bool, int]:
    from jupyter_ext import pipelines

    start = time.perf_counter()
    path, arguments = _copy(case, folder), case.arguments(folder)
    run = pipelines.run(path, cache=False, parameters=arguments).wait(600)
    seconds = time.perf_counter() - start
    right = (run.state == "SUCCEEDED") == case.succeeds
    right = right and _has(run.resource.status["outputs"], case)
    done = [step for step in run.steps if step["state"] in ("SUCCEEDED", "FAILED") and step.get("attempt")]
    return seconds, right, len(done)


def _theirs(case: Case, folder: Path, python: Path) -> tuple[float, bool]:
    arguments = json.dumps(case.arguments(folder))
    found: dict[str, Any] = dict(ask(python, "kfp_compiled.py", str(_copy(case, folder)), arguments))
    right = bool(found["error"]) != case.succeeds
    if not case.succeeds:
        right = right and "finished with status" in found["error"] and "FAILURE" in found["error"]
    return found["seconds"], right and _has(found["outputs"], case)


def measure(quick: bool) -> Report:
    python = environments.python("kfp")
    ours: dict[str, list[float]] = {case.name: [] for case in CASES}
    theirs: dict[str, list[float]] = {case.name: [] for case in CASES}
    passed, passed_there, steps = set(ours), set(ours), {}
    with workplace() as folder:
        for _ in range(1 if quick else 3):
            for case in CASES:
                seconds, right, steps[case.name] = _ours(case, folder)
                ours[case.name].append(seconds)
                passed -= set() if right else {case.name}
                seconds, right = _theirs(case, folder, python)
                theirs[case.name].append(seconds)
                passed_there -= set() if right else {case.name}
    median = {name: statistics.median(values) for name, values in ours.items()}
    both = [name for name in passed_there if name in passed]
    per_step = [median[name] / steps[name] * 1000 for name in passed if name != "naps"]
    there = [statistics.median(theirs[name]) / steps[name] * 1000 for name in both if name != "naps"]
    failed = sorted(set(ours) - passed_there)
    rows = [Sample(f"ours, {case.name}", tuple(ours[case.name]), "s") for case in CASES]
    rows += [Sample(f"kfp.local, {name}", tuple(theirs[name]), "s") for name in sorted(both)]
    return Report(
        "Compiled pipelines",
        f"{len(CASES)} pipelines, one for each feature, without the cache. kfp.local failed, or gave something else, with "
        f"{', '.join(failed) or 'none'}; *naps* are four branches that sleep for a second.",
        rows,
        [
            Ratio("ours, pipelines that pass, of all", len(passed) / len(CASES), 1),
            Ratio("kfp.local, pipelines that pass, of all", len(passed_there) / len(CASES)),
            Ratio(
                "ours, median of a whole run", statistics.median(median.values()), 1.5, least=False, unit="s"
            ),
            Ratio("ours, milliseconds a step (median)", statistics.median(per_step), least=False, unit="ms"),
            Ratio("kfp.local / ours, a step", statistics.median(there) / statistics.median(per_step)),
            Ratio("ours, four naps of a second", median["naps"], 2.5, least=False, unit="s"),
            Ratio("kfp.local / ours, four naps", statistics.median(theirs["naps"]) / median["naps"], 2),
        ],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--upstream", type=Path, metavar="FOLDER")
    parser.add_argument("--without-peer", action="store_true")
    chosen, sys.argv[1:] = parser.parse_known_args()
    if chosen.upstream:
        from benchmarks import upstream_runs

        main(lambda _: upstream_runs.measure(chosen.upstream, peer=not chosen.without_peer))
    else:
        main(measure)
