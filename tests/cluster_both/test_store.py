"""A store whose credentials a namespace has: a real object store, a real API server."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

import jupyter_ext as kf
from jupyter_ext import secrets, store
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.errors import Forbidden, KubeflowError, NotFound, Unfit
from tests.store import gateway
from tests.store.server import KEYS

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("AWS_", "JUPYTER_KUBEFLOW_STORE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def own_thread(cluster):
    """The thread of fsspec stays in the network in which it began; this test is in that of the cluster."""
    import s3fs
    from fsspec import asyn

    asyn.iothread[0] = asyn.loop[0] = None
    s3fs.S3FileSystem.clear_instance_cache()


def _launcher(cluster, namespace: str, data: dict[str, str]) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kfp-launcher"}, "data": data}
    cluster.call("POST", path, body)


def _secret(cluster, namespace: str, name: str, values: dict[str, str], **metadata) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    path = f"/api/v1/namespaces/{namespace}/secrets"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, **metadata}, "data": data}
    cluster.call("POST", path, body)


def test_a_full_store_says_so_and_keeps_what_it_has(object_store, tmp_path, monkeypatch):
    with gateway.serve(tmp_path / "objects", size="8m") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        place = store.at(f"{server.bucket('team')}/x")
        digest = place.put_bytes(b"kept")
        place.write("runs/a/run.json", b"before")
        for size in (20 << 20, 40 << 20):  # at once, and in parts
            (tmp_path / "large").write_bytes(os.urandom(size))
            with pytest.raises(KubeflowError, match="The store is full") as caught:
                place.put_file(tmp_path / "large")
            assert caught.value.status == 507
        with pytest.raises(KubeflowError, match="The store is full"):
            place.write("runs/a/run.json", os.urandom(20 << 20))
        assert (place.read(digest), place.get("runs/a/run.json")) == (b"kept", b"before")
        assert list(place.digests()) == [digest], "nothing is half there"
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        with pytest.raises(Forbidden, match="credentials of the environment"):
            store.at(place.url).read(digest)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        with pytest.raises(Forbidden, match="credentials of the environment"):
            store.at(place.url).put_bytes(b"more")  # who reads asks by HEAD, whose answer has no reason


def test_the_namespace_says_which_store_and_has_its_keys(
    cluster, object_store, own_thread, connected, monkeypatch, tmp_path
):
    namespace = cluster.namespace()
    kube = connected(namespace)
    monkeypatch.setattr(discover, "remote", lambda: kube)
    with gateway.serve(tmp_path / "objects") as server:
        server.bucket("mlpipeline")
        assert store.default() is None
        providers = f"""
minio:
  default:
    endpoint: {server.endpoint.removeprefix("http://")}
    disableSSL: true
    region: us-east-1
    credentials:
      fromEnv: false
      secretRef: {{secretName: mlpipeline-minio-artifact, accessKeyKey: accesskey, secretKeyKey: secretkey}}
"""
        data = {"defaultPipelineRoot": "minio://mlpipeline/v2/artifacts", "providers": providers}
        _launcher(cluster, namespace, data)
        place = store.default()
        assert (place.url, place.secret) == ("minio://mlpipeline/v2/artifacts", "mlpipeline-minio-artifact")
        assert place.settings == {"AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": "us-east-1"}
        with pytest.raises(NotFound, match="no Secret mlpipeline-minio-artifact"):
            place.put_bytes(b"a")
        keys = {"accesskey": KEYS["AWS_ACCESS_KEY_ID"], "secretkey": KEYS["AWS_SECRET_ACCESS_KEY"]}
        _secret(cluster, namespace, "mlpipeline-minio-artifact", keys)
        digest = place.put_bytes(b"a")
        again = store.at(place.url, secret=place.secret, settings=place.settings, cluster=kube)
        assert again.read(digest) == b"a"
        store.check(place)

        told = {one["name"]: one for one in place.pod_environment()["env"]}
        assert told["AWS_SECRET_ACCESS_KEY"]["valueFrom"]["secretKeyRef"] == {
            "name": "mlpipeline-minio-artifact",
            "key": "secretkey",
        }
        assert told["AWS_ENDPOINT_URL"]["value"] == server.endpoint
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(told)
        secrets.set("mlpipeline-minio-artifact", "accesskey", "of this machine alone")
        assert place.pod_environment()["env"] == [*told.values()], "pods have what the namespace has"
        secrets.delete("mlpipeline-minio-artifact")

        # What such a pod has: references become values, and the same call finds them.
        secret = {"AWS_ACCESS_KEY_ID": "accesskey", "AWS_SECRET_ACCESS_KEY": "secretkey"}
        for name, one in told.items():
            monkeypatch.setenv(name, one.get("value") or keys[secret[name]])
        monkeypatch.setattr(discover, "remote", lambda: None)
        assert store.at(place.url).read(digest) == b"a"
        with pytest.raises(Unfit, match="of this process alone"):
            store.at("s3://mlpipeline/x").pod_environment()


def _claim(cluster, namespace: str, folder: Path) -> None:
    """A claim that is a folder of this machine, on which the node runs."""
    spec = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"], "storageClassName": "",
        "hostPath": {"path": str(folder)}, "claimRef": {"namespace": namespace, "name": "shared"},
    }  # fmt: skip
    cluster.call(
        "POST", "/api/v1/persistentvolumes", {"metadata": {"name": f"store-{namespace}"}, "spec": spec}
    )
    cluster.gone_after(f"/api/v1/persistentvolumes/store-{namespace}")
    asked = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    cluster.call("POST", path, {"metadata": {"name": "shared"}, "spec": asked})
    cluster.until(lambda: cluster.call("GET", f"{path}/shared").get("status", {}).get("phase") == "Bound")


def test_a_training_job_has_the_claim_that_is_the_store(
    cluster, trainer, notebook_image, monkeypatch, tmp_path
):
    namespace = cluster.namespace()
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv(IMAGE, notebook_image)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", tmp_path.joinpath("store").as_uri())
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE_CLAIM", "shared")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(0o777)  # pods of this image are another user
    (tmp_path / "fit.py").write_text("def fit():\n    return {1, 2}\n")
    (tmp_path / "large.py").write_text(f"DATA = {os.urandom(1 << 20)!r}\nfit = len\n")
    kf.cluster.use("test", namespace)
    try:
        with pytest.raises(Unfit, match=f"is the claim shared .*, which {namespace} does not have"):
            kf.training.train("large.py", function="fit", framework="plain")
        _claim(cluster, namespace, tmp_path / "store")
        job = kf.training.train("fit.py", function="fit", framework="plain", nodes=2)
        assert job.wait(300).result() == {1, 2}, list(job.logs())
    finally:
        kf.cluster.use()


def test_who_may_not_read_the_secret_is_told_so(cluster, own_thread, connected, monkeypatch, tmp_path):
    namespace = cluster.namespace()
    kserve = {"serving.kserve.io/s3-endpoint": "127.0.0.1:9", "serving.kserve.io/s3-usehttps": "0"}
    _secret(cluster, namespace, "team-keys", dict(KEYS), annotations=kserve)
    viewer = connected(namespace, user="vera")
    with pytest.raises(Forbidden, match="secrets"):
        store.at("s3://team", secret="team-keys", cluster=viewer).put_bytes(b"a")
    told = store.at("s3://team", secret="team-keys", cluster=connected(namespace)).pod_environment()["env"]
    assert {"name": "AWS_ENDPOINT_URL", "value": "http://127.0.0.1:9"} in told
