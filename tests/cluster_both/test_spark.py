"""Spark on a cluster with upstream's operator: drivers, executors and sessions in pods, by the same calls as on this machine."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.kube import of_step
from jupyter_ext.cluster.kube.work import STEP
from jupyter_ext.errors import Conflict, KubeflowError, NotFound, Unfit
from jupyter_ext.spark import ApplicationFailed, handing
from jupyter_ext.spark.kube import KubeApplication
from jupyter_ext.spark.kube_manifest import IMAGE
from jupyter_ext.spark.kube_schedule import KubeSchedule
from jupyter_ext.spark.kube_session import KubeSession, gone
from jupyter_ext.spark.patience import SessionLost
from tests.cluster import spark_image
from tests.waiting import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(pyspark|grpc|google).*"),
]

PROGRAM = """\
import sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
from words import doubled

def counts(n, text="x"):
    spark = SparkSession.builder.getOrCreate()
    print("driver", text, flush=True)
    again = udf(doubled, "long")  # a module of the user's own, in the executor
    return spark.range(n).selectExpr("id % 3 AS rest").groupBy("rest").count().select("rest", again("count").alias("twice"))

def few(n):
    return {"rows": SparkSession.builder.getOrCreate().range(n).count(), "ü": [1, None]}

def broken():
    SparkSession.builder.getOrCreate().range(3).collect()
    raise ValueError("no such column: ärea")
"""
RIGHTS = ["pods", "configmaps", "persistentvolumeclaims", "services"]
"""As upstream's config/spark-rbac gives them to a driver."""
SMALL = {"memory": "512m", "driver_memory": "512m"}


@pytest.fixture
def chosen(cluster, spark, monkeypatch, tmp_path):
    """The test's namespace is where Spark's work goes."""
    namespace = cluster.namespace()
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
    subject = {"kind": "ServiceAccount", "name": "spark-operator-spark", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "spark-role"}
    name = {"metadata": {"name": "spark-operator-spark"}}
    cluster.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", name)
    rules = [{"apiGroups": [""], "resources": RIGHTS, "verbs": verbs}]
    cluster.call("POST", f"{rbac}/roles", {"metadata": {"name": "spark-role"}, "rules": rules})
    cluster.call("POST", f"{rbac}/rolebindings", {**name, "roleRef": role, "subjects": [subject]})
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv(IMAGE, spark_image.name())
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work.py").write_text(PROGRAM)
    (tmp_path / "words.py").write_text("def doubled(n):\n    return 2 * n\n")
    yield kf.cluster.use("test", namespace)
    kf.cluster.use()


def test_a_batch_from_call_to_frame(chosen):
    app = kf.spark.submit("work.py", function="counts", args={"n": 30, "text": "$HOME `x` ü"}, **SMALL)
    assert isinstance(app, KubeApplication)
    frame = app.result(600)
    assert sorted(frame.to_pylist(), key=lambda row: row["rest"]) == [
        {"rest": n, "twice": 20} for n in range(3)
    ]
    assert "driver $HOME `x` ü\n" in "".join(app.logs())
    assert (app.phase, app.progress) == ("SUCCEEDED", 1.0)
    assert kf.spark.get(app.name).phase == "SUCCEEDED"
    app.delete()


def test_what_fails_says_where(chosen):
    app = kf.spark.submit("work.py", function="broken", **SMALL)
    with pytest.raises(ApplicationFailed, match="ValueError: no such column: ärea") as error:
        app.result(600)
    assert error.value.where.object.endswith("work.py")
    assert error.value.error["line"] == 17
    assert "in broken" in error.value.traceback


def test_a_session_from_the_notebook_to_a_server_in_pods(chosen, tmp_path, monkeypatch):
    spark = kf.spark.session(memory="512m", driver_memory="512m", timeout=600)
    spark.range(10).createOrReplaceTempView("ten")
    assert spark.sql("SELECT sum(id) AS total FROM ten").toPandas()["total"][0] == 45
    assert kf.spark.session() is spark
    server = kf.spark.session_of("spark")
    assert isinstance(server, KubeSession)
    assert server.phase == "RUNNING"
    assert server.token() not in str(server.resource.manifest())
    # What an earlier step handed on is a file here, and its pods have no such file.
    pq.write_table(pa.table({"n": range(1000)}), tmp_path / "handed")
    handed = handing.read(tmp_path / "handed")
    assert handed.filter("n % 2 = 0").count() == 500
    monkeypatch.setattr(handing, "SENT", 100)
    with pytest.raises(Unfit, match="are sent to a session on a cluster"):
        handing.read(tmp_path / "handed").filter("n = 1")
    # Whoever has no token is turned away.
    import grpc
    from pyspark.sql.connect.proto import ConfigRequest
    from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceStub

    address = server.server().thing["status"]["podIP"]
    with grpc.insecure_channel(f"{address}:15002") as channel, pytest.raises(grpc.RpcError) as refused:
        SparkConnectServiceStub(channel).Config(ConfigRequest(session_id=server.resource.uid), timeout=60)
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    # A server that has ended is not started again in silence.
    pod = server.server().thing
    path = f"/api/v1/namespaces/{chosen.namespace}/pods/spark-server"
    chosen.transport.ask("DELETE", path, query={"gracePeriodSeconds": "0"})
    until(lambda: gone(chosen, "spark", str(pod["metadata"]["uid"])), 240)
    with pytest.raises(SessionLost, match=r"pod was (deleted|made anew)"):
        spark.range(3).count()
    server.stop()
    until(lambda: not chosen.list("SparkConnect").items, 240)


def test_a_steps_session_is_its_own_and_ends_with_it(chosen, cluster, monkeypatch):
    pod = {"containers": [{"name": "step", "image": "none"}], "restartPolicy": "Never"}
    job = {"metadata": {"name": "tour-prepare-1a2b"}, "spec": {"suspend": True, "template": {"spec": pod}}}
    made = cluster.call("POST", f"/apis/batch/v1/namespaces/{chosen.namespace}/jobs", job)
    monkeypatch.setenv(STEP, "runs/some/tour-prepare-1a2b")
    session = kf.spark.start(of_step.name("spark"))
    assert session.name == "spark-tour-prepare-1a2b"
    path = f"/apis/sparkoperator.k8s.io/v1alpha1/namespaces/{chosen.namespace}/sparkconnects"
    (owner,) = cluster.call("GET", f"{path}/{session.name}")["metadata"]["ownerReferences"]
    assert owner["uid"] == made["metadata"]["uid"]
    kf.spark.start("other")
    of_step.end()
    until(lambda: not cluster.exists(f"{path}/{session.name}"), 120)
    until(lambda: not cluster.exists(f"{path}/other"), 120)  # it was the step's too, whatever it is called


def test_a_schedule_is_the_operators_own(chosen):
    nightly = kf.spark.schedule(
        "work.py", "0 2 * * *", function="few", args={"n": 3}, name="nightly", suspend=True, keep=7, **SMALL
    )
    assert isinstance(nightly, KubeSchedule)
    found = nightly.resource.spec
    assert (found["schedule"], found["successfulRunHistoryLimit"], found["suspend"]) == ("0 2 * * *", 7, True)
    assert [each.name for each in kf.spark.schedules()] == ["nightly"]
    nightly.resume()
    until(lambda: nightly.next_run is not None, 120)
    nightly.suspend()
    made = nightly.run()
    assert [each.name for each in nightly.runs] == [made.name]
    with pytest.raises(Conflict, match="exists already"):
        kf.spark.schedule("work.py", "@daily", function="few", args={"n": 1}, name="nightly", **SMALL)
    nightly.delete()
    box = f"/api/v1/namespaces/{chosen.namespace}/configmaps/nightly-code"
    until(lambda: _is_gone(chosen, box), 120)


def _is_gone(cluster, path: str) -> bool:
    try:
        cluster.transport.ask("GET", path)
    except NotFound:
        return True
    return False


def test_what_cannot_go_is_refused_by_name(chosen, cluster, tmp_path, monkeypatch):
    (tmp_path / "tool.jar").write_bytes(b"PK")
    with pytest.raises(Unfit, match=r"tool\.jar is on this machine only") as error:
        kf.spark.submit("work.py", function="few", args={"n": 1}, jars=["tool.jar"])
    assert error.value.where.field == "jars"
    assert "kf.cluster.use('local')" in error.value.hint
    with pytest.raises(Unfit, match="idle is for sessions on this machine"):
        kf.spark.start(idle="1h")
    assert not chosen.list("SparkApplication").items
    cluster.call("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{chosen.namespace}/rolebindings", {
        "metadata": {"name": "viewer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
    })  # fmt: skip
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig_of("viewer")))
    kf.cluster.use("test", chosen.namespace)
    with pytest.raises(KubeflowError, match="You may not"):
        kf.spark.submit("work.py", function="few", args={"n": 1})
