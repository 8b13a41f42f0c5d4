"""Upstream's resource definitions and roles, which the API server then checks what we write against.

They are taken from a folder beside the repository, or the one that JUPYTER_KUBEFLOW_CONTRACTS names. The project's
tests run without it too: then the cluster says what is left out.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.answers import Answer, Caller
from tests.cluster.place import REPOSITORY

VARIABLE: Final = "JUPYTER_KUBEFLOW_CONTRACTS"
_PLURALS: Final = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}


def folder() -> Path | None:
    """Where the contracts lie."""
    named = os.environ.get(VARIABLE)
    found = Path(named) if named else REPOSITORY.parent / "shared" / "contracts"
    return found if found.is_dir() else None


def install(caller: Caller) -> str:
    """Put all of them into the cluster; a line about what is left out, or nothing."""
    place = folder()
    if place is None:
        return (
            "left out: the definitions of Profile, Notebook, PodDefault and Katib, and Kubeflow's roles"
            f" (set {VARIABLE} to a folder with crds/ and kubeflow-cluster-roles.yaml)"
        )
    for file in [*sorted((place / "crds").glob("*.yaml")), place / "kubeflow-cluster-roles.yaml"]:
        for manifest in manifests(file):
            apply(caller, manifest)
    return ""


def manifests(file: Path) -> list[dict[str, Any]]:
    """What is in a file of YAML. The loader in C, where there is one: a definition has up to a megabyte."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [one for one in yaml.load_all(file.read_text(), loader) if one]


def apply(caller: Caller, manifest: dict[str, Any]) -> None:
    """Create or change one of the objects that belong to no namespace."""
    path = f"{_PLURALS[manifest['kind']]}/{manifest['metadata']['name']}"
    query = {"fieldManager": "test-cluster", "force": "true"}
    try:
        caller("PATCH", path, manifest, query, patch="apply")
    except Answer as error:
        raise AssertionError(f"{manifest['kind']} {manifest['metadata']['name']}: {error}") from error


def await_established(caller: Caller, seconds: float = 300) -> None:
    """Wait until the API server serves all definitions. Each look reads megabytes, so there are few."""
    deadline = time.monotonic() + seconds
    while not _established(caller):
        assert time.monotonic() < deadline, f"definitions are not served after {seconds:.0f} s"
        time.sleep(0.3)


def _established(caller: Caller) -> bool:
    definitions = caller("GET", _PLURALS["CustomResourceDefinition"])["items"]
    return all(
        any(
            row["type"] == "Established" and row["status"] == "True"
            for row in one["status"].get("conditions") or ()
        )
        for one in definitions
    )
