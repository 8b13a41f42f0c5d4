"""Helm with a folder of its own, for the cluster of the session."""

from __future__ import annotations

import pytest

from tests.spawner.chart.helm import Helm
from tests.spawner.profiles.conftest import definition, plain

__all__ = ["definition", "helm", "plain"]


@pytest.fixture
def helm(cluster, helm_program, tmp_path) -> Helm:
    return Helm(helm_program, tmp_path, cluster.kubeconfig)
