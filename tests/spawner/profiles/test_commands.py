"""``jupyter kf profiles`` against a real API server."""

from __future__ import annotations

import json

import pytest

from jupyter_ext.cli import main

FILE = """
profiles:
- {{name: {name}, owner: ann@x.org, quota: {{cpu: 2}}, contributors: [{{user: bob@x.org}}]}}
"""


@pytest.fixture
def configured(cluster, monkeypatch):
    """The command line finds the cluster by its kubeconfig."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    return cluster


def run(capsys, *words):
    status = main(["profiles", *words])
    caught = capsys.readouterr()
    return status, caught.out, caught.err


@pytest.mark.cluster
def test_from_a_file_to_the_end(configured, plain, fresh, tmp_path, capsys):
    name = fresh("team")
    plain.gone_after(f"/api/v1/namespaces/{name}")
    file = tmp_path / "profiles.yaml"
    file.write_text(FILE.format(name=name))
    status, said, _ = run(capsys, "plan", str(file))
    assert status == 0
    assert f"Namespace/{name}" in said
    assert not plain.exists(f"/api/v1/namespaces/{name}"), "a plan changes nothing"
    assert run(capsys, "apply", str(file))[0] == 0
    status, said, _ = run(capsys, "plan", str(file), "--json")
    assert {change["action"] for change in json.loads(said)["changes"] if change["profile"] == name} == {
        "keep"
    }
    _, said, _ = run(capsys, "list", "--user", "ann@x.org", "--json")
    assert [(one["name"], one["role"], one["ready"]) for one in json.loads(said)["profiles"]] == [
        (name, "owner", True)
    ]
    assert name in run(capsys, "list")[1]
    status, said, _ = run(capsys, "delete", name, "--dry-run")
    assert status == 0
    assert "Nothing was deleted" in said
    status, _, problem = run(capsys, "delete", name, "--confirm", "yes")
    assert status == 2
    assert "is not the name" in problem
    assert run(capsys, "delete", name, "--confirm", name)[0] == 0
    plain.until(lambda: not plain.exists(f"/api/v1/namespaces/{name}"))
    assert run(capsys, "delete", name)[0] == 2


@pytest.mark.cluster
def test_blocked_is_exit_status_one(configured, plain, tmp_path, capsys):
    file = tmp_path / "profiles.yaml"
    file.write_text(FILE.format(name=plain.namespace("taken")))
    status, said, _ = run(capsys, "apply", str(file))
    assert status == 1
    assert "left alone" in said


def test_a_wrong_file_names_the_field(tmp_path, capsys):
    file = tmp_path / "profiles.yaml"
    file.write_text("profiles: [{owner: ann, quota: {nvidia.com/gpu: 1}}]")
    status, _, problem = run(capsys, "apply", str(file))
    assert status == 2
    assert "profiles[0]" in problem
    assert "requests.nvidia.com/gpu" in problem
    assert problem.count("\n") == 1
    assert run(capsys, "plan", str(tmp_path / "none.yaml"))[0] == 2


def test_without_a_cluster(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    status, _, problem = run(capsys, "list")
    assert status == 1
    assert "no cluster to talk to" in problem


def test_the_schema(capsys):
    status, said, _ = run(capsys, "schema")
    assert status == 0
    assert json.loads(said)["properties"]["profiles"]["type"] == "array"
