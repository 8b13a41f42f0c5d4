"""No request fails while everything around it changes.

Several connections send one request after the other. Each change is made when a number of requests has been answered
since the one before, so the length of the test is a number of requests, not a time.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections import Counter
from urllib.parse import urlsplit

import pytest

from jupyter_ext import serving
from jupyter_ext.serving import traffic
from tests.serving.core.conftest import cluster, predictor, service, split  # noqa: F401
from tests.waiting import until

EACH = 120
"""Requests between two changes."""
SENDERS = 4


class Load:
    """Requests on kept connections, until it is told to end."""

    def __init__(self, endpoint, body: dict) -> None:
        self.url, self.token = urlsplit(endpoint.url), endpoint.token
        self.name, self.body = endpoint.name, json.dumps(body)
        self.answered: Counter[str] = Counter()
        self.failed: list[str] = []
        self.wanted = EACH
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._send, args=(number,)) for number in range(SENDERS)]

    def _send(self, number: int) -> None:
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=120)
        path = f"{self.url.path}/v1/models/{self.name}:predict"
        sent = 0
        while not self.ended.is_set():
            if self.answered.total() > self.wanted:
                self.ended.wait(0.05)  # enough for now: leave the processors to the servers that start
            sent += 1
            headers = {"Authorization": f"Bearer {self.token}", "X-User": f"u{number}-{sent % 50}"}
            try:
                connection.request("POST", path, self.body, headers)
                answer = connection.getresponse()
                text = answer.read()
            except OSError as error:
                self.failed.append(repr(error))
                connection.close()
                continue
            if answer.status == 200:
                self.answered[answer.headers["X-Variant"]] += 1
            else:
                self.failed.append(f"{answer.status} {text[:300]!r}")
        connection.close()

    def more(self, variant: str | None = None, count: int = EACH) -> None:
        """Wait until as many more were answered, and by this variant one."""
        before, mine = self.answered.total(), self.answered[variant or ""]
        self.wanted = before + count
        until(lambda: self.failed or self.answered.total() >= before + count)
        until(lambda: self.failed or variant is None or self.answered[variant] > mine)
        assert not self.failed

    def __enter__(self):
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for each in self.threads:
            each.join()


def changes(endpoint, load: Load, deploy) -> None:
    """A second version gets more and more, a replica is killed, it is promoted and rolled back; requests in between."""
    load.more("v1")
    deploy("v2", 20)
    load.more("v2")
    endpoint.traffic({"v1": 40, "v2": 60}, sticky="header:x-user")
    load.more("v2")
    pids = next(each.pids for each in endpoint.variants if each.name == "v1")
    os.kill(pids[0], signal.SIGKILL)
    load.more("v1")
    until(lambda: len(next(each.pids for each in endpoint.variants if each.name == "v1")) == 2)
    endpoint.promote("v2")
    load.more("v2")
    assert split(endpoint) == {"v2": 100}
    endpoint.rollback()
    load.more("v1")


def further_changes(endpoint, load: Load, deploy) -> None:
    """A third that is mirrored to, one that is taken away, and one that replaces all."""
    deploy("v3", 0)
    endpoint.mirror("v3", 50)
    load.more("v1")
    endpoint.traffic({"v1": 10, "v2": 30, "v3": 60})
    load.more("v3")
    endpoint.remove("v2")
    load.more("v3")
    deploy("v4", None)
    load.more("v4")
    endpoint.rollback()
    load.more("v3")


def counted(cluster, endpoint, load: Load) -> None:  # noqa: F811
    """What was answered was also recorded, all of it and without errors."""
    uid, store = endpoint.resource.uid, traffic.of(cluster)
    answered = {name: count for name, count in load.answered.items() if name != "v3"}  # which got copies too
    until(lambda: all(store.total(uid, name).requests >= count for name, count in answered.items()))
    assert {name: store.total(uid, name).requests for name in answered} == answered
    assert store.total(uid).errors == 0


@pytest.mark.slow
def test_servers_of_any_kind(cluster):  # noqa: F811
    asked = predictor("v1", "one", minReplicas=2)
    endpoint = serving.submit(service("iris", asked)).wait(60)
    until(lambda: len(endpoint.variants[0].pids) == 2)
    canaries: list = []

    def deploy(variant: str, percent: int | None) -> None:
        if percent is None:
            serving.update(service("iris", predictor(variant, variant, minReplicas=2)))
        else:
            now = [(share, each) for share, each in canaries if each["name"] != variant]
            canaries[:] = [*now, (percent, predictor(variant, variant, minReplicas=1))]
            serving.update(service("iris", asked, *canaries, sticky="header:x-user"))
        endpoint.wait(60)

    with Load(endpoint, {"instances": [[1, 2]]}) as load:
        changes(endpoint, load, deploy)
        further_changes(endpoint, load, deploy)
    assert not load.failed
    counted(cluster, endpoint, load)


@pytest.mark.slow
def test_registered_models(cluster):  # noqa: F811
    from sklearn.linear_model import LinearRegression

    from jupyter_ext import registry

    rows = [[0.0], [1.0], [2.0]]
    for slope in (1, 2):
        model = LinearRegression().fit(rows, [slope * row[0] for row in rows])
        registry.register(model, "line", version=str(slope), example=rows)
    endpoint = serving.serve("line:1", replicas=2)
    until(lambda: len(endpoint.variants[0].pids) == 2)

    def deploy(variant: str, percent: int) -> None:
        serving.serve(f"line:{variant[1:]}", percent=percent, sticky="header:x-user")

    with Load(endpoint, {"instances": [[1.0]]}) as load:
        changes(endpoint, load, deploy)
    assert not load.failed
    counted(cluster, endpoint, load)
