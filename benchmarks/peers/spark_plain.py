"""Plain pyspark in a process of its own: for each line on standard input, the seconds of one aggregation of the file."""

from __future__ import annotations

import sys
import time

from pyspark.sql import SparkSession


def main(path: str, cores: str, memory: str) -> None:
    """Answer until the input ends."""
    builder = SparkSession.builder.master(f"local[{cores}]").config("spark.driver.memory", memory)
    spark = builder.config("spark.ui.enabled", "false").getOrCreate()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        spark.read.parquet(path).groupBy("carrier", "origin").agg(
            {"dep_delay": "avg", "*": "count"}
        ).collect()
        print(time.perf_counter() - start, flush=True)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
