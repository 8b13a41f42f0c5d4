"""What a step costs beside its own work: ten trivial steps in a chain.

Ours is the whole run, from the call to the state SUCCEEDED in the store: its detached process, the zygote, the
values between steps, every cell's outputs, logs. The peers are called in a process that has already imported them;
kfp.local stores no run, papermill passes no values.
"""

from __future__ import annotations

from benchmarks import environments
from benchmarks.measure import Ratio, Report, Sample, alternate, ask, main, scaled
from benchmarks.notebooks import chain, run, workplace, written

STEPS = 10


def measure(quick: bool) -> Report:
    kfp, papermill = environments.python("kfp"), environments.python("papermill")
    rounds = 3 if quick else 7
    with workplace() as folder:
        short = written(chain(STEPS), folder, "short.ipynb")
        long = written(chain(3 * STEPS), folder, "long.ipynb")
        found = alternate(
            {
                "ours, whole run": lambda: run(short),
                "ours, 30 steps": lambda: run(long),
                "kfp.local, install_kfp_package=False": lambda: ask(kfp, "kfp_steps.py", str(STEPS), "lean")[
                    "seconds"
                ],
            },
            rounds,
        )
        # The slow ones take their turns among fewer.
        found |= alternate(
            {
                "kfp.local, as it comes": lambda: ask(kfp, "kfp_steps.py", str(STEPS), "default")["seconds"],
                "papermill": lambda: ask(papermill, "papermill_steps.py", str(STEPS))["seconds"],
            },
            2 if quick else 3,
            warm=0,
        )
    per_step = {name: scaled(sample, 1000 / STEPS, "ms") for name, sample in found.items()}
    ours = per_step.pop("ours, whole run")
    longer = found["ours, 30 steps"]
    del per_step["ours, 30 steps"]
    pairs = zip(longer.values, found["ours, whole run"].values, strict=True)
    added = Sample("ours, each further step", tuple((a - b) * 1000 / (2 * STEPS) for a, b in pairs), "ms")
    lean, default = per_step["kfp.local, install_kfp_package=False"], per_step["kfp.local, as it comes"]
    return Report(
        "Overhead of a step",
        f"{STEPS} trivial steps in a chain, time of the whole run divided by {STEPS}. Ours includes starting the run's own "
        "process; *each further step* is the difference to a chain of 30. Importing kfp or papermill is not counted.",
        [scaled(ours, 1, "ms", "ours, whole run"), added, *per_step.values()],
        [
            Ratio("ours, milliseconds a step", ours.median, 30, least=False, unit="ms"),
            Ratio("kfp.local at its fastest / ours", lean.median / ours.median, 4),
            Ratio("kfp.local as it comes / ours", default.median / ours.median, 40),
            Ratio("papermill / ours", per_step["papermill"].median / ours.median),
        ],
    )


if __name__ == "__main__":
    main(measure)
