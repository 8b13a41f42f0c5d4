"""One server of S3's protocol for a session, and buckets of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from jupyter_ext import store
from jupyter_ext.store.artifacts import Store
from tests.store.server import Server, serve


@pytest.fixture(autouse=True)
def _no_credentials_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "JUPYTER_KUBEFLOW_STORE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Shared: look only at your own bucket."""
    with serve() as one:
        yield one


@pytest.fixture
def bucket(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket; the environment has what it takes."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server.bucket(f"b{os.urandom(6).hex()}")


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path) -> Store:
    """An empty store of each kind."""
    if request.param == "folder":
        return store.at((tmp_path / "store").as_uri())
    return store.at(f"{request.getfixturevalue('bucket')}/team/flights")
