from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.serving.traffic import Batch, Counts, Histogram, Logged, Traffic

UID = "e-1"
NOW = float(int(time.time()))


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path / "traffic.sqlite")


@pytest.fixture
def went(traffic: Traffic) -> Callable[..., None]:
    """Write requests of a variant as the gateway does."""

    def write(
        variant: str,
        requests: int,
        *,
        errors: int = 0,
        rejected: int = 0,
        seconds: Any = 0.01,
        ago: int = 1,
    ) -> None:
        times = [float(seconds)] * requests if isinstance(seconds, (int, float)) else list(seconds)
        counts = Counts(requests, errors, rejected, latency=Histogram(times))
        traffic.write(Batch(counts={(UID, int(NOW) - ago, variant): counts}))

    return write


@pytest.fixture
def logged(traffic: Traffic) -> Callable[..., Logged]:
    def write(
        variant: str,
        request: bytes | None = None,
        response: bytes | None = None,
        *,
        name: str = "",
        unit: str | None = None,
        path: str = "/v1/models/iris:predict",
        status: int = 200,
    ) -> Logged:
        made = Logged(
            name or f"r-{time.monotonic_ns()}",
            NOW,
            variant,
            path,
            status,
            0.01,
            unit,
            request,
            response,
            None,
        )
        traffic.write(Batch(logged=[(UID, made)]))
        return made

    return write


@pytest.fixture
def now() -> float:
    return NOW
