"""A step with Spark hands its frame on: to steps of pandas without Spark, and to others with a session of their own."""

from __future__ import annotations

import pytest

import jupyter_ext as kf
from jupyter_ext.spark import handing
from tests.waiting import processes_of, until

BOOK = """
# %% tags=['step:prepare']
import jupyter_ext as kf
spark = kf.spark.session(cores=1, memory="512m", driver_memory="512m")
delays = spark.range(1000).selectExpr("id % 3 AS carrier", "id AS delay").groupBy("carrier").sum("delay")
delays = delays.withColumnRenamed("sum(delay)", "total").orderBy("carrier")

# %% tags=['step:model']
frame = delays.toPandas()
totals = dict(zip(frame["carrier"].tolist(), frame["total"].tolist()))
rows = delays.count()
"""


class FakeFrame:
    """A frame of Spark as far as it is asked for its rows; the real one is in the slow test."""

    def __init__(self, table):
        self._table = table

    def toArrow(self):  # noqa: N802 - the name that pyspark gave it
        return self._table


def test_a_frame_is_read_without_spark(tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"origin": ["EWR", "JFK"], "delay": [1.5, None]})
    with (tmp_path / "blob").open("wb") as file:
        handing.Content(FakeFrame(table)).write(file)
    frame = handing.read(tmp_path / "blob")
    assert handing.fits(frame) == "spark"
    assert frame.columns == ["origin", "delay"]
    assert frame.count() == 2
    assert frame.toArrow() == table
    assert frame.toPandas()["origin"].tolist() == ["EWR", "JFK"]
    assert pa.table(frame) == table
    assert repr(frame) == "DataFrame[origin: string, delay: double]"


def test_other_values_are_none_of_its_business():
    assert handing.fits({"a": 1}) is None
    assert handing.fits("pyspark") is None


@pytest.mark.slow
def test_spark_then_pandas(cluster, folder):
    (folder / "book.py").write_text(BOOK)
    run = kf.pipelines.run(folder / "book.py")
    run.wait(480)
    assert run.state == "SUCCEEDED", run.reason
    assert run.value("totals") == {0: 166833, 1: 166167, 2: 166500}
    assert run.value("rows") == 3
    # The session was the step's: it ended with it, and the second step started none.
    [server] = kf.spark.sessions()
    until(lambda: server.finished)
    assert server.resource.owner == run.resource.uid
    until(lambda: not processes_of(server.resource.uid))
