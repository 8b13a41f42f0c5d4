"""Importers of what is elsewhere: fetched by fsspec where its package for the scheme is here, else refused by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import Unfit
from jupyter_ext.pipelines.compiled import environments, remote
from tests.pipelines.compiled.conftest import Start, outputs, succeeded


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A folder behind a web server of this test: its address."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "data.csv").write_text("1,2")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "web")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_behind_an_address_is_fetched_each_time(ran: Start, served: str, tmp_path: Path) -> None:
    done = succeeded(ran("imported", uri=f"{served}/data.csv?signature=hidden"))
    assert outputs(done, "read") == {"Output": "1,2"}
    path = Path(outputs(done, "importer")["artifact"])
    assert (path.name, path.read_text()) == ("data.csv", "1,2")
    assert "hidden" not in str(done.logs("importer"))
    (tmp_path / "web" / "data.csv").write_text("3,4")
    assert outputs(succeeded(ran("imported", uri=f"{served}/data.csv")), "read") == {"Output": "3,4"}


def test_what_is_not_there_fails_its_step(ran: Start, served: str) -> None:
    done = ran("imported", uri=f"{served}/gone.csv")
    assert done.state == "FAILED"
    assert f"{served}/gone.csv could not be fetched" in done.resource.reason


def test_a_folder_comes_with_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "model" / "deep").mkdir(parents=True)
    (tmp_path / "model" / "deep" / "weights").write_text("w")
    told = {
        "outputs": {
            "artifacts": {"artifact": {"artifacts": [{"uri": str(tmp_path / "out")}]}},
            "outputFile": str(tmp_path / "output.json"),
        }
    }
    request = json.dumps({"uri": f"file://{tmp_path}/model", "metadata": {"a": 1}})
    program = environments.RUNTIME / "fetch_artifact.py"
    subprocess.run(
        [sys.executable, "-P", program, json.dumps(told)],
        env={**os.environ, "KUBEFLOW_FETCH": request},
        check=True,
    )
    (one,) = json.loads((tmp_path / "output.json").read_text())["artifacts"]["artifact"]["artifacts"]
    assert one["metadata"] == {"a": 1}
    assert (Path(one["uri"]) / "deep" / "weights").read_text() == "w"


@pytest.mark.parametrize("scheme", ["oci", "ssh", "memory", "reference", "python", "file2"])
def test_other_schemes_are_refused_by_name(cluster: LocalCluster, scheme: str) -> None:
    with pytest.raises(Unfit, match=f"{scheme}:// cannot be fetched from"):
        remote.require(f"{scheme}://place/thing")


@pytest.mark.parametrize("scheme", sorted(remote.PACKAGES))
def test_a_scheme_needs_its_package(scheme: str) -> None:
    package = remote.PACKAGES[scheme]
    if find_spec(package):
        remote.require(f"{scheme}://bucket/key")
        return
    with pytest.raises(Unfit, match=f"{package} is not installed to fetch it"):
        remote.require(f"{scheme}://bucket/key")


def test_the_clusters_own_store_is_one_of_s3() -> None:
    assert remote.for_fsspec("minio://mlpipeline/v2/x") == "s3://mlpipeline/v2/x"
    assert remote.scheme_of("file:///x") == remote.scheme_of("/x") == remote.scheme_of("x") == ""
