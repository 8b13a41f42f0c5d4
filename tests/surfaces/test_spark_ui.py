"""Spark's interface through the server: who may, what goes on, what comes back; and the real one in the slow test."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import HTTPResponse

import jupyter_ext as kf
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.server import spark_ui
from jupyter_ext.spark.launch import Connection

HTML = {"Accept": "text/html"}


class FakeSpark(BaseHTTPRequestHandler):
    """As much of Spark's interface as the way to it needs: pages that tell what they were asked."""

    asked: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        type(self).asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        place = urlsplit(self.path).path
        if place == "/":
            self._answer(302, Location=f"http://{self.headers['Host']}/jobs/?a=1")
        elif place == "/away/":
            self._answer(302, Location="http://evil.example/")
        elif place == "/large/":
            self._answer(200, b"x" * (spark_ui.LARGEST + 1))
        else:
            root = self.headers["X-Forwarded-Context"]
            page = f'<script src="{root}/static/a.js"></script>'.encode()
            self._answer(200, page, **{"Content-Type": "text/html", "Set-Cookie": "mine=1; Path=/"})

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def fake(cluster) -> Iterator[tuple[type[FakeSpark], Resource]]:
    """An application that runs, as far as the store knows, and something that listens where it says."""
    kind = type("Listening", (FakeSpark,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made = cluster.store.create(Resource.new("SparkApplication", "etl", {}, status={"phase": "RUNNING"}))
    folder = cluster.work_folder(made.uid)
    Connection.new(server.server_address[1]).write(folder)
    yield kind, made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetch(http_server_client, jp_serverapp, jp_auth_header, stopped):
    """One request, whose redirects are not followed."""

    async def get(place: str, headers: dict[str, str] | None = None, **more: Any) -> HTTPResponse:
        path = place if place.startswith("/") else jp_serverapp.base_url + place
        asked = {**jp_auth_header, **(headers or {})}
        how = {"follow_redirects": False, "raise_error": False, "request_timeout": 120, **more}
        return await http_server_client.fetch(path, headers=asked, **how)

    return get


async def opened(fetch, place: str = "kubeflow/v1/sparkapplications/etl/ui/") -> str:
    answer = await fetch(place)
    assert answer.code == 302, answer.body
    return answer.headers["Location"]


async def test_a_view_shows_what_spark_says_and_nothing_else_goes_on(fetch, fake, jp_base_url):
    kind, _ = fake
    view = await opened(fetch)
    assert view.startswith(f"{jp_base_url}kubeflow/v1/sparkui/")
    redirected = await fetch(view, headers={"Authorization": ""})
    assert redirected.code == 302
    assert redirected.headers["Location"] == f"{view}jobs/?a=1"
    page = await fetch(f"{view}jobs/?id=1&token=secret", headers={"Authorization": "", "Cookie": "a=b"})
    assert page.code == 200
    assert page.body.decode() == f'<script src="{view}static/a.js"></script>'
    path, headers = kind.asked[-1]
    assert path == "/jobs/?id=1"
    assert headers["authorization"].startswith("Bearer ")
    assert not {"cookie", "origin", "referer"} & headers.keys()
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts ")
    assert "allow-same-origin" not in policy
    assert re.search(rf"connect-src [\w.:]+{view}; ", policy)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in page.headers
    asked = {"Authorization": "", "Origin": "null", "Access-Control-Request-Method": "GET"}
    before = await fetch(f"{view}api/v1/applications", method="OPTIONS", headers=asked)
    assert before.code == 204
    assert before.headers["Access-Control-Allow-Origin"] == "null"
    assert before.headers["Access-Control-Allow-Methods"] == "GET"
    assert "X-Requested-With" in before.headers["Access-Control-Allow-Headers"]


async def test_a_view_is_for_one_resource_and_an_hour(fetch, fake, cluster, monkeypatch, caplog):
    _, made = fake
    view = await opened(fetch)
    token = view.rstrip("/").rpartition("/")[2]
    forged = ("A" if token[0] != "A" else "B") + token[1:]
    assert (await fetch(view.replace(token, forged), headers={"Authorization": ""})).code == 403
    with monkeypatch.context() as patch:
        patch.setattr(spark_ui, "LASTS_DAYS", -1)
        old = await fetch(view, headers={"Authorization": "", **HTML})
    assert old.code == 403
    assert "is over. Open it again" in old.body.decode()
    assert token not in caplog.text
    cluster.store.update("SparkApplication", "etl", lambda found: found.with_(status={"phase": "SUCCEEDED"}))
    assert (await fetch(view)).code == 410
    cluster.store.delete("SparkApplication", made.name)
    assert (await fetch(view)).code == 404


async def test_what_leads_elsewhere_or_has_no_end_is_not_given_on(fetch, fake):
    view = await opened(fetch)
    assert (await fetch(f"{view}away/")).code == 503
    large = await fetch(f"{view}large/")
    assert large.code == 503
    assert b"32 MB" in large.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_only_reading_goes_on(fetch, fake, method):
    kind, _ = fake
    view = await opened(fetch)
    count = len(kind.asked)
    body = None if method == "DELETE" else ""
    answer = await fetch(f"{view}stages/stage/kill/", method=method, body=body)
    assert answer.code in {403, 405}
    assert len(kind.asked) == count


async def test_what_has_no_interface_is_one_sentence(fetch, cluster):
    place = "kubeflow/v1/sparkapplications/gone/ui/"
    assert (await fetch(place)).code == 404
    cluster.store.create(
        Resource.new("SparkApplication", "gone", {}, status={"phase": "PENDING", "reason": "Starting."})
    )
    assert b"has no web interface yet: Starting" in (await fetch(place, headers=HTML)).body
    cluster.store.update("SparkApplication", "gone", lambda found: found.with_(status={"phase": "FAILED"}))
    ended = await fetch(place, headers=HTML)
    assert ended.code == 410
    assert b"has ended" in ended.body
    assert ended.headers["Content-Type"].startswith("text/html")
    assert b'"status":410' in (await fetch(place)).body.replace(b" ", b"")


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_real_interface(fetch, api, kubeflow_home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, made = await api(
        "sparkconnects", method="POST", body={"cores": 1, "memory": "512m", "driverMemory": "512m"}
    )
    assert status == 201, made
    server = kf.spark.session_of("spark")
    try:
        assert kf.spark.session(timeout=240).range(3).count() == 3
        assert (await api("sparkconnects", method="POST", body={}))[0] == 409
        view = await opened(fetch, "kubeflow/v1/sparkconnects/spark/ui/")
        jobs = await fetch(view)
        assert jobs.headers["Location"] == f"{view}jobs/"
        page = (await fetch(f"{view}jobs/")).body.decode()
        links = re.findall(r'(?:src|href)="(/[^"]*)"', page)
        assert len(links) > 10
        assert all(link.startswith(view) for link in links), links
        script = next(link for link in links if link.endswith(".js"))
        assert (await fetch(script)).headers["Content-Type"].endswith("javascript")
        for name in (
            "stages/",
            "storage/",
            "environment/",
            "executors/",
            "SQL/",
            "connect/",
            "api/v1/applications",
        ):
            assert (await fetch(view + name)).code == 200, name
        [told] = [one for one in server.resource.status["executors"] if one["id"] == "driver"]
        assert told["state"] == "RUNNING"
        _, code = await api("sparkconnects", "spark:code", method="POST", body={})
        assert "kf.spark.session(cores=1, memory='512m'" in code["python"]
    finally:
        server.stop()
        server.wait(240)
    assert (await fetch("kubeflow/v1/sparkconnects/spark/ui/")).code == 410
