"""A real API server with one thing broken at a time, and what the doctor says of it."""

from __future__ import annotations

import subprocess

import pytest

from jupyter_ext.cluster.kube_doctor.examining import examine
from tests.cluster.fixtures import *  # noqa: F403
from tests.spawner.profiles.conftest import definition

__all__ = ["definition"]


@pytest.fixture
def doctor(cluster):
    """Examines as the administrator, or as a user; what it finds at the places of this test."""

    def look(namespace: str = "", *, user: str = "", hub: str = "", kubeconfig=None):
        file = kubeconfig or (cluster.kubeconfig_of(user) if user else cluster.kubeconfig)
        return examine(kubeconfig=str(file), namespace=namespace, hub=hub, patience=240)

    return look


@pytest.fixture
def mended(cluster):
    """Runs the command of a finding's fix, as an administrator would."""

    def run(fix: str, folder) -> None:
        script = folder / "kubectl"
        words = " ".join(f"'{word}'" for word in cluster.kubectl())
        script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        script.chmod(0o700)
        environment = {"PATH": f"{folder}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(folder)}
        done = subprocess.run(["sh", "-c", fix], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture
def profile(cluster):
    """A new namespace as the Profile controller leaves it."""

    def make(name: str = "well", owner: str = "ada@example.com", **labels: str) -> str:
        marks = {
            "app.kubernetes.io/part-of": "kubeflow-profile",
            **{key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()},
        }
        made = cluster.namespace(name, labels=marks, owner=owner)
        path = f"/api/v1/namespaces/{made}/serviceaccounts"
        for account in ("default-editor", "default-viewer"):
            cluster.call("POST", path, {"metadata": {"name": account}})
        return made

    return make


def about(report, word: str, severity: str | None = None):
    """The findings that name something."""
    return [
        each
        for each in report.checks
        if word in f"{each.where} {each.what} {each.why} {each.fix}" and severity in {None, each.severity}
    ]
