"""A registry in a file of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403 - its fixtures, for this folder only

from jupyter_ext.registry.service import Service
from jupyter_ext.registry.store import Store


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """The rules over an empty file."""
    return Service(Store(tmp_path / "registry.sqlite"))
