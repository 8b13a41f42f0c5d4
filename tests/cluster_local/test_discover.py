from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_ext.cluster
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.base import Cluster
from jupyter_ext.cluster.kube import KubeCluster
from jupyter_ext.cluster.local.home import home_folder, make_private
from jupyter_ext.cluster.machine_doctor import Check, Report
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Invalid, Unavailable

from .conftest import until


def test_the_cluster_is_this_machine_and_one_object_for_each_home(home, monkeypatch, tmp_path):
    first = discover.current()
    assert first is discover.current() is jupyter_ext.cluster.current()
    assert (first.kind, first.namespace, first.home) == ("local", "default", home / "default")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_PROFILE", "team-a")
    second = discover.current()
    assert (second.namespace, second.name) == ("team-a", "this machine, profile team-a")
    second.store.create(Resource.new("Run", "a"))
    assert not first.list("Run").items
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path / "other"))
    assert discover.current().home == tmp_path / "other" / "team-a"


@pytest.mark.parametrize("profile", ["../x", "Team A", "a" * 64])
def test_a_profile_is_a_namespace(monkeypatch, profile):
    monkeypatch.setenv("JUPYTER_KUBEFLOW_PROFILE", profile)
    with pytest.raises(Invalid) as error:
        discover.current()
    assert error.value.where.field == "JUPYTER_KUBEFLOW_PROFILE"


def test_another_cluster_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("JUPYTER_KUBEFLOW_CLUSTER", "production")
    with pytest.raises(Unavailable, match="production") as error:
        discover.current()
    assert "JUPYTER_KUBEFLOW_CLUSTER" in error.value.hint
    monkeypatch.setenv("JUPYTER_KUBEFLOW_CLUSTER", "local")
    assert discover.current().kind == "local"


def test_in_a_pod_it_runs_in_the_pod_and_says_how_to_use_the_cluster(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    account = tmp_path / "token"
    assert "No Kubernetes cluster" in discover.place(account).reason
    account.write_text("x")
    assert discover.place(account).kind == "local"
    assert "inside this pod" in discover.place(account).reason
    assert "JUPYTER_KUBEFLOW_CLUSTER=auto" in discover.place(account).reason
    monkeypatch.setenv("JUPYTER_KUBEFLOW_CLUSTER", "auto")
    assert discover.place(account).kind == "kubernetes"
    assert not discover.place(account).is_chosen


def test_a_pod_whose_cluster_cannot_be_asked_does_the_work_itself(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_CLUSTER", "auto")
    (tmp_path / "token").write_text("x")
    (tmp_path / "ca.crt").write_text("")
    monkeypatch.setattr(discover, "SERVICE_ACCOUNT", tmp_path / "token")
    monkeypatch.setattr(discover.place, "__defaults__", (tmp_path / "token",))
    assert discover.place().kind == "kubernetes"
    assert discover.target("training") is discover.current()


def test_the_home_is_where_jupyter_keeps_its_data(monkeypatch):
    from jupyter_core.paths import jupyter_data_dir

    monkeypatch.delenv("JUPYTER_KUBEFLOW_HOME")
    settings = [
        {"JUPYTER_DATA_DIR": "/somewhere"},
        {"XDG_DATA_HOME": "/elsewhere"},
        {"HOME": "/home/me"},
        {"JUPYTER_PLATFORM_DIRS": "1"},
    ]
    for chosen in settings:
        with monkeypatch.context() as patch:
            for name in ("JUPYTER_DATA_DIR", "XDG_DATA_HOME", "JUPYTER_PLATFORM_DIRS"):
                patch.delenv(name, raising=False)
            for name, value in chosen.items():
                patch.setenv(name, value)
            assert home_folder() == Path(jupyter_data_dir()) / "kubeflow"


def test_folders_are_private_up_to_the_first_that_exists(tmp_path):
    before = os.umask(0)
    try:
        folder = make_private(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert [oct(path.stat().st_mode)[-3:] for path in (folder, folder.parent, folder.parent.parent)] == [
        "700"
    ] * 3


def test_the_local_cluster_has_what_the_protocol_promises(cluster):
    promised: Cluster = cluster
    made = promised.apply(Resource.new("Run", "a", {"x": 1}, labels={"l": "1"}))
    assert promised.apply(Resource.new("Run", "a", {"x": 2})).generation == 2
    assert promised.get("Run", "a").uid == made.uid
    patched = promised.patch(
        "Run", "a", {"metadata": {"labels": {"l": None, "m": "2"}}, "status": {"phase": "RUNNING"}}
    )
    assert (patched.labels, patched.status, patched.spec) == ({"m": "2"}, {"phase": "RUNNING"}, {"x": 2})
    assert promised.patch("Run", "a", {"spec": {"x": None, "y": {"z": [1]}}}).spec == {"y": {"z": [1]}}
    with pytest.raises(Invalid):
        promised.patch("Run", "a", {"phase": "FAILED"})
    with pytest.raises(Conflict):
        cluster.store.create(Resource.new("Run", "a"))
    assert [one.name for one in promised.list("Run", phase="RUNNING")] == ["a"]
    assert next(promised.watch(timeout=0)).resource == promised.get("Run", "a")
    assert promised.capabilities()["pipelines"].available
    assert list(promised.logs("Run", "a")) == [""]
    version = promised.resource_version()
    assert promised.delete("Run", "a").resource_version == version + 1
    assert promised.events("Run", "a") == []


def test_the_doctor_finds_this_machine_healthy(home):
    report = discover.doctor()
    assert report.ok, str(report)
    names = [check.name for check in report.checks]
    assert {
        "python",
        "data folder",
        "file locks",
        "processes",
        "store",
        "cpu and memory",
        "gpu",
        "git",
    } <= set(names)
    assert json.loads(json.dumps(report.to_dict()))["ok"]
    assert str(report).endswith("Everything needed is there.")
    assert not list(home.glob("tmp*"))


def test_the_doctor_names_problems_with_their_fix(home, monkeypatch):
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_CLUSTER", "production")
    report = discover.doctor()
    problems = {check.name: check for check in report.checks if not check.ok and check.required}
    assert not report.ok
    assert problems["data folder"].fix == f"chmod 700 '{home}'"
    assert "production" in problems["cluster"].detail
    assert f"→ chmod 700 '{home}'" in str(report)
    monkeypatch.delenv("JUPYTER_KUBEFLOW_CLUSTER")
    subprocess.run(["sh", "-c", problems["data folder"].fix], check=True)
    assert discover.doctor().ok


def test_the_doctor_survives_a_home_it_cannot_use(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path / "file"))
    report = discover.doctor()
    failed = {check.name for check in report.checks if not check.ok}
    assert {"data folder", "store"} <= failed
    assert all(check.fix for check in report.checks if not check.ok)


def test_a_report_says_which_is_needed():
    report = Report((Check("a", True, "x"), Check("bc", False, "y", "z", required=False)))
    assert report.ok
    assert str(report).splitlines() == ["✓ a   x", "- bc  y", "      → z", "Everything needed is there."]


def test_a_cluster_opened_twice_in_two_processes_is_one(home, cluster):
    code = (
        "from jupyter_ext.cluster import current, Resource;"
        "print(current().store.create(Resource.new('Run', 'from-elsewhere')).uid)"
    )
    uid = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    until(lambda: cluster.store.find("Run", "from-elsewhere"))
    assert cluster.get("Run", "from-elsewhere").uid == uid


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys; import jupyter_ext.cluster.local, jupyter_ext.cluster.local.workload, jupyter_ext.cluster.local.devices;"
        "heavy = {'asyncio', 'blake3', 'subprocess', 'tornado', 'jupyter_core', 'uuid', 'decimal', 'socket', 'ctypes',"
        " 'kubernetes', 'IPython', 'numpy', 'logging', 'tempfile'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_cluster_of_a_handle_is_found_again_where_it_arrives(tmp_path, monkeypatch):
    """By its context, else the one that is used; what opens it does not travel."""
    config = {
        "contexts": [{"name": "team", "context": {"cluster": "c", "user": "u", "namespace": "mine"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "secret-of-mine"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(file))
    travelled = pickle.dumps(KubeCluster.of("team", "other"))
    assert b"secret-of-mine" not in travelled
    arrived = pickle.loads(travelled)
    assert (arrived.access.name, arrived.namespace) == ("team", "other")
    assert pickle.loads(travelled) is arrived, "its connections are shared"
    config["contexts"][0]["name"] = "the-same-from-elsewhere"
    file.write_text(json.dumps(config))
    with pytest.raises(Unavailable, match="team, where this was made, is not known here"):
        pickle.loads(travelled)
    discover.use("the-same-from-elsewhere")
    try:
        arrived = pickle.loads(travelled)
    finally:
        discover.use()
    assert (arrived.access.name, arrived.namespace) == ("the-same-from-elsewhere", "other")
