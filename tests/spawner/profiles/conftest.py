"""Profiles with and without Kubeflow's Profile kind in the cluster."""

from __future__ import annotations

import secrets

import pytest

from tests.cluster.answers import Answer
from tests.spawner.profiles.controller import (
    DEFINITION,
    DEFINITIONS,
    PLAIN_DEFINITION,
    FakeProfileController,
    are_listed,
)


@pytest.fixture
def fresh():
    """Names that no test has used, nor one of an earlier session on the same cluster."""
    return lambda name: f"{name}-{secrets.token_hex(4)}"


@pytest.fixture
def definition(cluster):
    """Puts the Profile kind there or takes it away; it is as it was after the test."""
    before = cluster.call("GET", DEFINITION) if cluster.exists(DEFINITION) else None
    kept = {key: (before or PLAIN_DEFINITION)[key] for key in ("apiVersion", "kind", "spec")}
    kept["metadata"] = {"name": "profiles.kubeflow.org"}

    def served():
        try:
            kinds = cluster.call("GET", "/apis/kubeflow.org/v1")["resources"]
        except Answer:
            return False
        return any(kind["name"] == "profiles" for kind in kinds)

    def there(wanted: bool) -> None:
        if wanted and not cluster.exists(DEFINITION):
            cluster.call("POST", DEFINITIONS, kept)
        if not wanted and cluster.exists(DEFINITION):
            cluster.call("DELETE", DEFINITION)
            cluster.until(lambda: not cluster.exists(DEFINITION))
        cluster.until(lambda: served() == wanted)
        if wanted:
            cluster.until(lambda: are_listed(cluster))

    yield there
    there(before is not None)


@pytest.fixture
def kubeflow(cluster, definition):
    """A cluster with Profiles, and what stands in for their controller."""
    definition(True)
    return FakeProfileController(cluster)


@pytest.fixture
def plain(cluster, definition):
    """The same cluster without the Profile kind."""
    definition(False)
    return cluster
