"""A Kubernetes cluster keeps the contract."""

from __future__ import annotations

import pytest

from tests.cluster_both.contract import Contract

pytestmark = pytest.mark.cluster


@pytest.fixture
def both(kube):
    return kube


class TestKubeCluster(Contract):
    """Every test of the contract."""
