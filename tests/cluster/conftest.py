"""The test cluster for its own tests."""

from tests.cluster.fixtures import *  # noqa: F403
