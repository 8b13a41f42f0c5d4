"""Tests marked `cluster` get a real API server; all others need none."""

from tests.cluster.fixtures import *  # noqa: F403
