"""A Hub that sees the API server through weather, and can be killed."""

from __future__ import annotations

import pytest

from tests.spawner.crash.weather import Weather
from tests.spawner.spawning.real_hub import Hub


@pytest.fixture
def weather(cluster, tmp_path):
    with Weather(cluster, tmp_path).blowing() as found:
        yield found


@pytest.fixture
def hub(weather, tmp_path):
    """Makes one; it ends with the test."""
    made = []

    def make(**traits):
        found = Hub(weather, tmp_path, "spawner.spawner.ProfileSpawner", **traits)
        made.append(found)
        return found

    yield make
    for each in made:
        each.end()
