"""One session: it stays up between kernels, asks for its token, and says so when it is lost."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import jupyter_ext as kf
from jupyter_ext.cluster.local import locks
from jupyter_ext.spark import launch, ui
from jupyter_ext.spark.patience import SessionLost
from tests.waiting import processes_of, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(pyspark|grpc|google).*"),
]
LONG = 240

KERNEL = """
del __spec__  # as in an IPython that is embedded with names of its own
import warnings; warnings.simplefilter("ignore")
import jupyter_ext as kf
spark = kf.spark.session()
print([row.asDict() for row in spark.sql("select * from doubled order by id").collect()])
"""


@pytest.fixture(scope="module")
def shell(home):
    """A notebook's shell, with our magics."""
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "jupyter_ext")
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture
def spark(cluster, folder):
    """The session of all tests here."""
    return kf.spark.session(cores=1, memory="512m", driver_memory="512m")


def connection(cluster) -> launch.Connection:
    found = launch.Connection.read(cluster.work_folder(kf.spark.session_of("spark").resource.uid))
    assert found is not None
    return found


def test_it_is_there_for_other_kernels(cluster, spark):
    assert spark.range(10).selectExpr("sum(id)").collect()[0][0] == 45
    spark.range(3).selectExpr("id", "id * 2 AS twice").createOrReplaceTempView("doubled")
    assert kf.spark.session() is spark
    done = subprocess.run(
        [sys.executable, "-c", KERNEL], capture_output=True, text=True, check=True, timeout=LONG
    )
    assert "{'id': 2, 'twice': 4}" in done.stdout
    # The other kernel has ended, and the session has not.
    assert spark.table("doubled").count() == 3


def test_who_has_no_token_is_refused(cluster, spark):
    import grpc
    from pyspark.sql.connect.proto import AnalyzePlanRequest
    from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceStub

    here = connection(cluster)
    with grpc.insecure_channel(f"localhost:{here.port}") as channel:
        for token in (None, "wrong"):
            how = [("authorization", f"Bearer {token}")] if token else []
            with pytest.raises(grpc.RpcError) as caught:
                SparkConnectServiceStub(channel).AnalyzePlan(AnalyzePlanRequest(), metadata=how, timeout=LONG)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    for path in ("/", "/jobs/", "/api/v1/applications"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{here.ui}{path}", timeout=LONG)
        assert refused.value.code == 403
        refused.value.close()
    assert ui.ask(here, "applications")[0]["id"]


def test_everything_listens_on_the_loopback_interface(cluster, spark):
    uid = kf.spark.session_of("spark").resource.uid
    found = {
        one.laddr.ip
        for process in processes_of(uid)
        for one in process.net_connections("inet")
        if one.status == "LISTEN"
    }
    assert found
    assert found <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def test_only_listeners_of_this_user_are_ours():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert not ui.is_ours(port)
        listener.listen()
        assert ui.is_ours(port)


def test_the_magic_runs_python_and_sql(cluster, spark, shell):
    shell.run_cell_magic("spark", "", "rows = spark.range(7).count()\n")
    assert shell.user_ns["rows"] == 7
    frame = shell.run_cell_magic("spark", "--sql", "SELECT id FROM range(3) ORDER BY id DESC")
    assert list(frame["id"]) == [2, 1, 0]
    shell.run_cell_magic("spark", "--sql -o big", "SELECT id FROM range(1000)")
    assert shell.user_ns["big"].count() == 1000
    with pytest.raises(UsageError, match="nowhere"):
        shell.run_cell_magic("spark", "--sql", "SELECT * FROM nowhere")


def test_a_lost_session_says_so_and_comes_back_with_its_views(cluster, spark, shell, folder, capsys):
    spark.range(5).write.parquet(str(folder / "five"))
    spark.read.parquet(str(folder / "five")).createOrReplaceTempView("five")
    spark.sql("CREATE OR REPLACE TEMP VIEW six AS SELECT * FROM five UNION ALL SELECT 5")
    spark.range(5).filter("id > 100").createOrReplaceTempView("none")
    uid = kf.spark.session_of("spark").resource.uid
    [driver] = [one for one in processes_of(uid) if launch.SUBMIT in one.cmdline()]
    driver.kill()
    with pytest.raises(SessionLost, match=r"lost.*signal 9.*kf.spark.session"):
        spark.table("six").count()
    assert kf.spark.session_of("spark").phase == "FAILED"
    until(lambda: not processes_of(uid), LONG)
    shell.run_cell_magic("spark", "--sql -o six", "SELECT * FROM six")
    said = capsys.readouterr().err
    assert "was lost, and a new one is open" in said
    assert "six" in said
    assert shell.user_ns["six"].count() == 6
    assert shell.user_ns["spark"].table("none").count() == 0


def test_a_stop_leaves_nothing(cluster, spark):
    server = kf.spark.session_of("spark")
    uid = server.resource.uid
    server.stop()
    assert server.wait(LONG).phase == "CANCELED"
    until(lambda: not processes_of(uid), LONG)
    assert locks.holder(cluster.lock_path(uid)) is None
    with pytest.raises(SessionLost):
        spark.range(1).count()
    assert launch.Connection.read(cluster.work_folder(uid)) is None
