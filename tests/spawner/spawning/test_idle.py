"""Idle servers in a cluster: a real Hub tells the service where a pod is and what was chosen; DCGM says what its GPU does."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from spawner.hub.culler import Culler, Setup
from spawner.hub.culling import Rule
from spawner.hub.setup import idle_role
from tests.cluster import nodes
from tests.spawner.spawning.harness import IMAGES, SIZES, profile
from tests.spawner.spawning.test_hub import hub  # noqa: F401 — a fixture

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


class FakeExporter:
    """What NVIDIA's DCGM exporter answers to Prometheus, for one pod."""

    def __init__(self, namespace: str) -> None:
        self.namespace, self.per_cent = namespace, 0

    @contextmanager
    def serving(self):
        here = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                labels = f'gpu="0",UUID="GPU-1",namespace="{here.namespace}",pod="jupyter-ada",container="notebook"'
                body = f"DCGM_FI_DEV_GPU_UTIL{{{labels}}} {here.per_cent}\n".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/metrics"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def test_a_gpu_at_work_protects_and_a_choice_may_opt_out(cluster, hub):  # noqa: F811
    cluster.node("gpu", *nodes.T4.parts())
    cluster.node("cpu")
    name = profile(cluster, "ada")
    never = [{"key": "night", "title": "Night", "cpu": "100m", "memory": "128Mi", "idle_minutes": 0}]
    found = hub(images=IMAGES, sizes=[*SIZES, *never], home=False)
    exporter = FakeExporter(name)
    with found.answering(), exporter.serving() as metrics:
        found.start()
        found.call("POST", "/users/ada")
        # Nothing may be idle at all: whatever goes on is kept by a GPU at work or by its choice.
        rule = Rule(idle=timedelta(microseconds=1), warning=timedelta(0))
        address = f"http://127.0.0.1:{found._port + 1}/hub/api"

        def judged() -> str:
            async def once() -> str:
                culler = Culler(Setup(address, found._token, dcgm=metrics, rule=rule))
                await culler.round()
                verdict = culler.verdicts.get(("ada", ""))
                return verdict.words if verdict else ""

            return asyncio.run(once())

        def start(**choices: str) -> None:
            assert found.call("POST", "/users/ada/server", {"namespace": name, **choices}).status_code in {
                201,
                202,
            }
            found.until(lambda: found.server("ada").get("ready"), 120)

        def gone() -> None:
            found.until(
                lambda: not found.server("ada").get("pending") and not found.server("ada").get("ready"), 120
            )

        exporter.per_cent = 37
        start(accelerator="nvidia-tesla-t4")
        assert judged() == "Its GPU is 37% busy."
        exporter.per_cent = 0
        assert judged().startswith("Nothing happened in it")
        gone()
        start(size="night")
        assert judged() == "It is not stopped when it is idle."
        found.call("DELETE", "/users/ada/server")
        gone()


def test_only_in_a_cluster_may_it_see_what_a_spawner_keeps():
    assert "admin:server_state" in idle_role(in_cluster=True)["scopes"]
    assert "admin:server_state" not in idle_role()["scopes"]
