"""The doctor of a Kubernetes cluster by REST, command and Python: the same findings, and what is wrong input."""

from __future__ import annotations

import json

import pytest

from jupyter_ext.cluster import doctor
from jupyter_ext.errors import Invalid, Unavailable
from tests.kube_doctor.fake_api_server import FakeApiServer, status
from tests.surfaces.commands import caller

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.fixture
def kubeconfig(tmp_path, monkeypatch):
    """Of a cluster where one may look at nothing but its version."""
    server = FakeApiServer(
        {
            "/version": lambda *_: (200, {"gitVersion": "v1.34.4"}, {}),
            WHO: lambda *_: (201, {"status": {"userInfo": {"username": "eve"}}}, {}),
        },
        otherwise=lambda *_: (403, status(403, "Forbidden"), {}),
    )
    file = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(file))
    with server.serving() as address:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": address}}],
            "users": [{"name": "u", "user": {"token": "secret-token"}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "ann"}}],
            "current-context": "here",
        }
        file.write_text(json.dumps(config))
        yield file


async def test_by_rest(api, kubeconfig):
    code, found = await api("doctor", params={"cluster": "true", "namespace": "ann"})
    assert code == 200
    assert found["cluster"]["user"] == "eve"
    assert found["counts"]["problem"] == 0
    assert {"name", "ok", "required", "detail", "fix", "severity"} <= set(found["checks"][0])
    assert all(check["fix"] for check in found["checks"] if not check["ok"])
    assert "secret-token" not in json.dumps(found)


@pytest.mark.parametrize("wrong", ["namespace=a/b", "hub=alone", "namespace=../b", "context=none"])
async def test_wrong_input_by_rest(api, kubeconfig, wrong):
    name, _, value = wrong.partition("=")
    code, found = await api("doctor", params={"cluster": "true", name: value})
    assert code in {400, 503}
    assert found["hint"]


def test_by_the_command(capsys, kubeconfig):
    kf = caller(capsys)
    found = kf("doctor", "--cluster")
    assert found.returncode == 0, found.stderr
    assert "ok    API server: It answers: Kubernetes v1.34.4." in found.stdout
    assert "?     nodes: The nodes could not be looked at. You may not list nodes." in found.stdout
    assert "Ask an administrator for: kubectl create clusterrole read-nodes" in found.stdout
    assert "nothing was changed" in found.stdout
    assert kf("doctor", "--namespace", "a").returncode == 2
    assert "Add --cluster" in kf("doctor", "--namespace", "a").stderr
    assert kf("doctor", "--cluster", "--kubeconfig", "/nowhere").returncode == 2


def test_in_python_also_where_a_loop_runs(kubeconfig):
    import asyncio

    async def cell():
        return doctor(cluster=True, context="here")

    assert asyncio.run(cell()).ok
    with pytest.raises(Invalid, match="cannot be the name of a namespace"):
        doctor(cluster=True, namespace="A")
    with pytest.raises(Unavailable, match="no cluster to talk to"):
        doctor(cluster=True, context="none")
