"""A frame of Spark, and the session itself, on their way from a step of a pipeline to the next.

The frame travels as one Parquet file. The step that gets it need not start Spark: ``toPandas`` and ``toArrow`` read the file,
and so does whoever speaks Arrow (``pl.from_arrow(df)``). Anything else is asked of a frame of the step's own session.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jupyter_ext.errors import KubeflowError, Unfit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MODULES = ("pyspark.sql.connect.dataframe", "pyspark.sql.classic.dataframe", "pyspark.sql.dataframe")
SENT = 256 << 20
"""Bytes of a Parquet file whose rows are sent through a client's connection, where Spark cannot read the file."""
_SESSIONS = ("pyspark.sql.connect.session", "pyspark.sql.session")


def fits(obj: Any) -> str | None:
    """The format of a value: ``spark`` for a frame, ``spark-session`` for a session; None for anything else."""
    kind = type(obj)
    if kind is Handed or (kind.__name__ == "DataFrame" and kind.__module__ in _MODULES):
        return "spark"
    if kind.__name__ == "SparkSession" and kind.__module__ in _SESSIONS:
        return "spark-session"
    return None


@dataclass(frozen=True)
class Content:
    """A frame or a session, to be written."""

    obj: Any

    def write(self, file: IO[bytes], /) -> None:
        """As Parquet, or as nothing but the name of what it is."""
        if fits(self.obj) == "spark-session":
            file.write(json.dumps({"spark": "session"}).encode())
            return
        import pyarrow.parquet as pq

        pq.write_table(self.obj.toArrow(), file, compression="zstd")


def read(path: Path) -> Handed:
    """A frame from its file."""
    return Handed(path)


def read_session() -> Any:
    """The session of the step that reads: what was only in the other's is not in it."""
    from jupyter_ext.spark.connecting import session

    return session()


class Handed:
    """A frame that an earlier step made: its rows are in a file, and what Spark says of it is asked of Spark."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frame: DataFrame | None = None

    @property
    def spark_frame(self) -> DataFrame:
        """It as a frame of this step's session, which is started when there is none."""
        if self._frame is None:
            from jupyter_ext.spark.connecting import session
            from jupyter_ext.spark.handle import place

            is_elsewhere = place() is not None
            if is_elsewhere:
                self._require_small()
            spark = session()
            # Executors in pods have no such file: there its rows are sent, by way of the client.
            self._frame = (
                spark.createDataFrame(self.toArrow()) if is_elsewhere else spark.read.parquet(str(self._path))
            )
        return self._frame

    def _require_small(self) -> None:
        size = self._path.stat().st_size
        if size > SENT:
            what = f"The frame's file has {size >> 20} MiB, and {SENT >> 20} MiB are sent to a session on a cluster"
            hint = "Write Parquet with Spark into a bucket, and hand on its path."
            raise Unfit(what, hint=hint)

    def toArrow(self) -> Any:  # noqa: N802 - the name that pyspark gave it
        """Its rows as an Arrow table."""
        import pyarrow.parquet as pq

        try:
            return pq.read_table(self._path)
        except OSError as error:
            raise KubeflowError(f"The rows of the frame are not there ({error})") from error

    def toPandas(self) -> Any:  # noqa: N802 - as above
        """Its rows as a frame of pandas, with the types that Spark gives them."""
        return self.toArrow().to_pandas(date_as_object=True)

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        import pyarrow.parquet as pq

        return list(pq.read_schema(self._path).names)

    def count(self) -> int:
        """How many rows it has."""
        import pyarrow.parquet as pq

        return int(pq.read_metadata(self._path).num_rows)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """For pandas, polars and pyarrow."""
        return self.toArrow().__arrow_c_stream__(requested_schema)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.spark_frame, name)

    def __getitem__(self, item: Any) -> Any:
        return self.spark_frame[item]

    def __repr__(self) -> str:
        import pyarrow.parquet as pq

        fields = ", ".join(f"{field.name}: {field.type}" for field in pq.read_schema(self._path))
        return f"DataFrame[{fields}]"

    @property  # type: ignore[misc] # as mock objects do
    def __class__(self) -> Any:
        """It passes for a frame of Spark where Spark is loaded."""
        for name in _MODULES:
            if name in sys.modules and hasattr(sys.modules[name], "DataFrame"):
                return sys.modules[name].DataFrame
        return Handed

    def __reduce__(self) -> Any:
        return Handed, (self._path,)
