"""One world for all attacks."""

from __future__ import annotations

import secrets

import pytest

from tests.spawner.attacks.world import SETTINGS, built
from tests.spawner.crash import census
from tests.spawner.spawning.real_hub import Hub


@pytest.fixture(scope="session")
def world(cluster, tmp_path_factory):
    traits = census.settings(**SETTINGS)
    hub = Hub(cluster, tmp_path_factory.mktemp("attacks"), "spawner.spawner.ProfileSpawner", **traits)
    try:
        with cluster.swept(), hub.answering():
            yield built(cluster, hub.start(), traits["hub_name"])
    finally:
        hub.end()


@pytest.fixture
def unmoved(world):
    """Nothing is made, and the Hub counts nothing."""
    before = world.made()
    yield world
    assert world.made() == before
    world.is_unharmed()


@pytest.fixture
def node(cluster):
    """For servers that really start. Only as long as a test: others count the cluster's nodes."""
    return cluster.node(f"attacks-{secrets.token_hex(4)}")
