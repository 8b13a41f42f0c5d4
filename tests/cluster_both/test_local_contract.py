"""The embedded cluster keeps the contract."""

from __future__ import annotations

import pytest

from jupyter_ext.cluster.local import LocalCluster
from tests.cluster_both.contract import Contract


@pytest.fixture
def both(tmp_path):
    return LocalCluster(tmp_path / "home")


class TestLocalCluster(Contract):
    """Every test of the contract."""
