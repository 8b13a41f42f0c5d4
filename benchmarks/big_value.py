"""A big frame passed from one step to the next, against writing it as raw Arrow IPC and mapping it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Ratio, Report, Sample, alternate, main
from benchmarks.notebooks import notebook, workplace, written

COLUMNS = 10
MAKE = "import numpy as np\nimport pandas as pd\nframe = pd.DataFrame({{f'c{{n}}': np.arange({rows}) * 1.5 + n for n in range({columns})}})"
USE = "total = float(sum(frame[name].sum() for name in frame))"


def measure(quick: bool) -> Report:
    import numpy as np
    import pandas as pd

    rows = 1_250_000 if quick else 12_500_000
    size = rows * COLUMNS * 8
    make = MAKE.format(rows=rows, columns=COLUMNS)
    peaks: list[float] = []
    with workplace() as folder:
        passing = written(notebook([("Make", make), ("Use", USE)]), folder, "passing.ipynb")
        at_once = written(notebook([("Make and use", f"{make}\n{USE}")]), folder, "at_once.ipynb")
        frame = pd.DataFrame({f"c{n}": np.arange(rows) * 1.5 + n for n in range(COLUMNS)})
        found = alternate(
            {
                "ours, two steps": lambda: seconds(passing, peaks),
                "ours, one step": lambda: seconds(at_once, []),
                "Arrow IPC, write and map": lambda: raw(frame, folder / "raw.arrow"),
            },
            2 if quick else 4,
        )
    pairs = zip(found["ours, two steps"].values, found["ours, one step"].values, strict=True)
    passed = Sample("ours, passing it (difference)", tuple(two - one for two, one in pairs))
    peak = Sample("peak memory of the receiver / frame", tuple(value / size for value in peaks[1:]), "times")
    return Report(
        f"A frame of {size / 1e9:.2g} GB between two steps",
        "One step makes it, the next adds up every column. Passing it is the difference to the same code in one step, so it "
        "holds everything: storing, hashing, the second process, mapping, page faults. Arrow: the table written to a file on the same "
        "disk, flushed, mapped, made a frame again and added up.",
        [*found.values(), passed, peak],
        [
            Ratio(
                "passing / raw Arrow",
                passed.median / found["Arrow IPC, write and map"].median,
                1.5,
                least=False,
            ),
            Ratio("peak memory of the receiving step / frame", peak.median, 1.2, least=False),
        ],
    )


def seconds(path: Path, peaks: list[float]) -> float:
    """Time of a run; the last step's peak memory in bytes is added to ``peaks``."""
    from jupyter_ext import pipelines
    from jupyter_ext.cluster import discover

    start = time.perf_counter()
    handle = pipelines.run(path, cache=False).wait(timeout=600)
    taken = time.perf_counter() - start
    if handle.state != "SUCCEEDED":
        raise RuntimeError(handle.reason)
    peaks.append(float(handle.steps[-1]["resources"]["used"]["maxRss"]))
    handle.delete()
    discover.current().blobs.gc((), grace_seconds=0)  # gigabytes, and nothing here is needed again
    return taken


def raw(frame: Any, path: Path) -> float:
    """Seconds of writing the frame as Arrow IPC, flushing, mapping, and adding up its columns."""
    import os

    import pyarrow as pa

    start = time.perf_counter()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with path.open("wb") as file:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        file.flush()
        os.fsync(file.fileno())
    with pa.memory_map(str(path)) as source:
        back = pa.ipc.open_file(source).read_all().to_pandas(split_blocks=True)
        float(sum(back[name].sum() for name in back))
        taken = time.perf_counter() - start
        del back
    path.unlink()
    return taken


if __name__ == "__main__":
    main(measure)
