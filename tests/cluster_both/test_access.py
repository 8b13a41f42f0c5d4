"""Who one is and where the API server is: kubeconfigs, a pod's account, programs that give credentials."""

from __future__ import annotations

import base64
import json
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jupyter_ext.cluster.kube import KubeCluster
from jupyter_ext.cluster.kube.access import contexts, in_cluster, of_kubeconfig, of_pod
from jupyter_ext.errors import Forbidden, Invalid, Unavailable


def written(path: Path, **parts) -> Path:
    user = parts.pop("user", {"token": "t"})
    cluster = {"server": "https://127.0.0.1:1", **parts.pop("cluster", {})}
    name = parts.pop("name", "here")
    path.write_text(json.dumps({
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u", "namespace": "team-a"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        **parts,
    }))  # fmt: skip
    return path


def test_a_context_says_server_namespace_and_user(tmp_path):
    file = written(tmp_path / "config")
    found = of_kubeconfig(kubeconfig=file)
    assert (found.name, found.server, found.namespace) == ("here", "https://127.0.0.1:1", "team-a")
    assert found.login.headers() == {"Authorization": "Bearer t"}
    assert of_kubeconfig(namespace="other", kubeconfig=file).namespace == "other"


def test_several_files_are_one_and_the_first_counts(tmp_path, monkeypatch):
    first, second = (
        written(tmp_path / "a", name="one"),
        written(tmp_path / "b", name="two", user={"token": "x"}),
    )
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'missing'}:{second}")
    assert contexts() == (["one", "two"], "one")
    assert of_kubeconfig("two").login.headers() == {"Authorization": "Bearer t"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not a kubeconfig"),
        ("[1]", "is not a kubeconfig"),
        ("contexts: [{}]", "is not a kubeconfig"),
        ("{}", "no current context"),
        ("current-context: a", "no context 'a'"),
        ("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]", "no cluster 'c'"),
        ("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: 'file:///x'}}]", "names no server"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_kubeconfig_is_said(tmp_path, content, words):
    (tmp_path / "config").write_text(content)
    with pytest.raises(Invalid, match=words):
        of_kubeconfig(kubeconfig=tmp_path / "config")


def test_no_kubeconfig_and_no_pod(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Unavailable, match="no kubeconfig"):
        of_kubeconfig()
    with pytest.raises(Invalid, match="no file"):
        of_kubeconfig(kubeconfig=tmp_path / "nothing")
    with pytest.raises(Unavailable, match="not a pod"):
        of_pod()


def test_a_pods_account_and_a_token_that_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    for name, text in (("token", "first"), ("ca.crt", "x"), ("namespace", "team-b\n")):
        (tmp_path / name).write_text(text)
    assert in_cluster(tmp_path)
    found = of_pod(tmp_path)
    assert (found.server, found.namespace) == ("https://[fd00::1]:443", "team-b")
    assert found.login.headers() == {"Authorization": "Bearer first"}
    (tmp_path / "token").write_text("second\n")
    assert found.login.headers() == {"Authorization": "Bearer first"}  # it is not read for each request
    assert found.login.renew()
    assert found.login.headers() == {"Authorization": "Bearer second"}
    (tmp_path / "token").write_text("a\r\nX-Evil: 1")
    with pytest.raises(Unavailable):
        found.login.renew()


def program(tmp_path: Path, code: str) -> dict:
    (tmp_path / "give.py").write_text(code)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(tmp_path / "give.py"), "$HOME; rm -rf x"],
            "env": [{"name": "EXTRA", "value": "e"}],
            "provideClusterInfo": True,
        }
    }


def test_a_program_gives_the_token_without_a_shell(tmp_path):
    code = (
        "import json, os, sys\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "assert sys.argv[1] == '$HOME; rm -rf x' and info['spec']['cluster']['server'] and not info['spec']['interactive']\n"
        "print(json.dumps({'status': {'token': os.environ['EXTRA'] + '1', 'expirationTimestamp': '2999-01-01T00:00:00Z'}}))"
    )
    found = of_kubeconfig(kubeconfig=written(tmp_path / "config", user=program(tmp_path, code)))
    assert found.login.headers() == {"Authorization": "Bearer e1"}


@pytest.mark.parametrize("code", ["import sys; sys.exit('log in first')", "print('nonsense')", "print('{}')"])
def test_a_program_that_fails_is_named(tmp_path, code):
    found = of_kubeconfig(kubeconfig=written(tmp_path / "config", user=program(tmp_path, code)))
    with pytest.raises(Unavailable, match=r"python\S* of the kubeconfig gave no credentials") as error:
        found.login.headers()
    assert ("log in first" in str(error.value)) == ("log in" in code)


def test_what_nobody_speaks_any_more_is_refused(tmp_path):
    with pytest.raises(Invalid, match="auth-provider"):
        of_kubeconfig(kubeconfig=written(tmp_path / "config", user={"auth-provider": {"name": "gcp"}}))
    bad = {"client-certificate-data": "%%%", "client-key-data": ""}
    with pytest.raises(Invalid, match="client-certificate"):
        of_kubeconfig(kubeconfig=written(tmp_path / "config", user=bad))


def test_a_key_never_stays_on_the_disk(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = base64.b64encode(b"no certificate").decode()
    user = {"client-certificate-data": text, "client-key-data": text}
    found = of_kubeconfig(kubeconfig=written(tmp_path / "config", user=user))

    def look(context, certificate, key):
        seen.append([stat.S_IMODE(Path(place).stat().st_mode) for place in (certificate, key)])
        raise OSError("broken")

    monkeypatch.setattr("ssl.SSLContext.load_cert_chain", look)
    with pytest.raises(Unavailable, match="certificates"):
        found.encryption()
    assert seen == [[0o600, 0o600]]
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


class _Guarded(BaseHTTPRequestHandler):
    """Takes one token only."""

    protocol_version = "HTTP/1.1"
    good = "Bearer second"

    def do_GET(self):
        ok = self.headers.get("Authorization") == self.good
        self.server.seen.append(self.headers.get("Authorization"))
        body = b'{"kind": "APIGroupDiscoveryList", "items": []}' if ok else b'{"kind": "Status", "code": 401}'
        self.send_response(200 if ok else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nobody reads it."""


@pytest.fixture
def guarded():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Guarded)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_expired_token_is_read_anew_once(tmp_path, guarded):
    (tmp_path / "token").write_text("first")
    file = written(
        tmp_path / "config",
        user={"tokenFile": "token"},
        cluster={"server": f"http://127.0.0.1:{guarded.server_port}"},
    )
    cluster = KubeCluster(of_kubeconfig(kubeconfig=file))
    cluster.access.login.headers()
    (tmp_path / "token").write_text("second")
    assert cluster.kinds.all() == {}
    assert guarded.seen == ["Bearer first", "Bearer second"]
    (tmp_path / "token").write_text("third")
    cluster.access.login.renew()
    cluster.kinds.forget()
    with pytest.raises(Forbidden, match="does not accept these credentials") as error:
        cluster.kinds.all()
    assert "third" not in str(error.value)
    assert len(guarded.seen) == 4
    cluster.close()


@pytest.mark.parametrize("namespace", ["../x", "A", "a" * 64, "a/b", "-"])
def test_a_bad_namespace_is_refused(tmp_path, namespace):
    with pytest.raises(Invalid) as error:
        KubeCluster(of_kubeconfig(namespace=namespace, kubeconfig=written(tmp_path / "config")))
    assert error.value.where.field == "namespace"


def test_a_server_that_is_not_there_is_told_in_time(tmp_path):
    cluster = KubeCluster(of_kubeconfig(kubeconfig=written(tmp_path / "config")), patience=1)
    with pytest.raises(Unavailable, match="does not answer"):
        cluster.list("TrainJob")
