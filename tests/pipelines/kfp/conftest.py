"""One FakeKfp for the tests that share it, and the choice of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_ext.pipelines.kfp import place
from tests.pipelines.kfp.fake import FakeKfp


@pytest.fixture(autouse=True)
def _no_other_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (place.URL, place.ENDPOINT, place.TOKEN_FILE, *place.INSIDE, "JUPYTER_KUBEFLOW_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    place.forget()
    yield
    place.forget()


@pytest.fixture(scope="session")
def kfp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeKfp]:
    made = FakeKfp(tmp_path_factory.mktemp("fake-kfp"))
    yield made
    made.close()


@pytest.fixture
def chosen(kfp: FakeKfp, monkeypatch: pytest.MonkeyPatch) -> FakeKfp:
    """Runs go to the double, and what they leave to its bucket."""
    monkeypatch.setenv(place.URL, kfp.url)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_JOB_IMAGE", "python:3")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", kfp.root.as_uri())
    kfp.broken.clear()
    kfp.lost.clear()
    return kfp
