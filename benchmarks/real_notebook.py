"""Real notebooks as a pipeline, against the plain run of the same file from top to bottom."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Ratio, Report, alternate, main
from benchmarks.notebooks import run, workplace

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = {
    "tour": REPOSITORY / "examples/tour.ipynb",
    "diabetes": REPOSITORY / "tests/data/notebooks/diabetes_models.ipynb",
    "sensors": REPOSITORY / "tests/data/notebooks/sensor_cleaning.ipynb",
}


def kernel(path: Path) -> float:
    """Seconds of executing the notebook in one kernel with nbclient, kernel start included."""
    import nbclient
    import nbformat

    content = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    nbclient.NotebookClient(
        content, kernel_name="python3", timeout=600, resources={"metadata": {"path": path.parent}}
    ).execute()
    return time.perf_counter() - start


def script(path: Path) -> float:
    """Seconds of executing its code in one fresh interpreter with IPython, which does not even keep the outputs."""
    cells = json.loads(path.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    program = (
        "import json, sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\nshell.enable_gui = lambda gui=None: None\n"
        "for cell in json.load(sys.stdin):\n    shell.run_cell(cell).raise_error()\n"
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], input=json.dumps(code), text=True, check=True,
                   stdout=subprocess.DEVNULL, cwd=path.parent)  # fmt: skip
    return time.perf_counter() - start


def measure(quick: bool) -> Report:
    samples, ratios = [], []
    with workplace() as folder:
        for name, source in NOTEBOOKS.items():
            path = folder / source.name
            path.write_bytes(source.read_bytes())
            found = alternate(
                {
                    f"{name}: ours": lambda path=path: run(path),
                    f"{name}: nbclient": lambda path=path: kernel(path),
                    f"{name}: IPython": lambda path=path: script(path),
                },
                2 if quick or name == "tour" else 5,  # it trains and tunes: more than a minute each time
                warm=0 if quick or name == "tour" else 1,
            )
            samples += found.values()
            ours = found[f"{name}: ours"].median
            ratios += [
                Ratio(
                    f"{name}: ours / nbclient", ours / found[f"{name}: nbclient"].median, 1.25, least=False
                ),
                Ratio(f"{name}: ours / IPython", ours / found[f"{name}: IPython"].median, 1.25, least=False),
            ]
    return Report(
        "A real notebook as a pipeline",
        "The whole run without the cache, against one kernel (nbclient, as `jupyter execute` does) and one bare IPython. "
        "`tour`: 336,776 flights, three models in parallel branches; `diabetes`: models fitted one by one; `sensors`: cleaning "
        "and resampling, little to compute, so that what a pipeline costs shows.",
        samples,
        ratios,
    )


if __name__ == "__main__":
    main(measure)
