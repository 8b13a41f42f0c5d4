"""Endpoints behind the gateway: what users meet while things change, and a rule that rolls back by itself."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from jupyter_ext import serving
from jupyter_ext.cluster.local import locks
from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving import predicting
from tests.waiting import PATIENCE, until

from .conftest import predictor, service, split

BODY = {"instances": [[1, 2]]}


class Caller:
    """Sends one request after the other, and keeps what came back."""

    def __init__(self, endpoint) -> None:
        self.endpoint, self.seen, self.failures = endpoint, [], []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                answer = self.endpoint.predict(BODY, raw=True)
                self.seen.append((answer.variant, answer.body["predictions"][0]))
            except Exception as error:
                self.failures.append(repr(error))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def test_no_request_fails_while_versions_change(cluster):
    endpoint = serving.submit(service("iris", predictor("v1", "one"))).wait(PATIENCE)
    with Caller(endpoint) as caller:
        until(lambda: ("v1", "one") in caller.seen)
        serving.update(service("iris", predictor("v2", "two")))
        endpoint.wait(PATIENCE)
        until(lambda: caller.seen[-1] == ("v2", "two"))
        endpoint.rollback()
        assert endpoint.predict(BODY, raw=True).variant == "v1"
        serving.update(service("iris", predictor("v1", "one"), (50, predictor("v3", "three"))))
        endpoint.wait(PATIENCE)
        until(lambda: ("v3", "three") in caller.seen)
        endpoint.promote("v3")
        assert endpoint.predict(BODY, raw=True).variant == "v3"
        endpoint.traffic({"v3": 100})
    assert not caller.failures
    assert endpoint.reason == ""


def test_no_request_fails_when_one_of_several_replicas_is_killed(cluster):
    endpoint = serving.submit(service("iris", predictor("v1", "one", minReplicas=2))).wait(PATIENCE)
    until(lambda: endpoint.variant("v1").replicas == 2)
    with Caller(endpoint) as caller:
        for _ in range(3):
            before = endpoint.variant("v1")
            os.kill(before.pids[0], signal.SIGKILL)
            until(lambda before=before: before.pids[0] not in endpoint.variant("v1").pids)
            until(lambda: endpoint.variant("v1").replicas == 2)
    assert not caller.failures
    assert caller.seen


def test_a_killed_controller_and_a_killed_gateway_come_back_to_the_same_address(cluster):
    endpoint = serving.submit(service("iris", predictor("v1", "one"))).wait(PATIENCE)
    url = endpoint.url
    assert endpoint.predict(BODY) is not None
    path = cluster.lock_path(endpoint.resource.uid)
    killed = locks.holder(path)
    os.kill(killed, signal.SIGKILL)
    assert endpoint.predict(BODY, raw=True).status == 200
    until(lambda: locks.holder(path) not in {None, killed} and endpoint.variant("v1").replicas)
    assert endpoint.predict(BODY, raw=True).status == 200
    gateway = cluster.get("Gateway", "serving")
    os.kill(locks.holder(cluster.lock_path(gateway.uid)), signal.SIGKILL)

    def answers() -> bool:
        try:
            return endpoint.predict(BODY, raw=True).status == 200
        except KubeflowError:  # what was on its way when the gateway was killed
            return False

    until(answers)
    assert endpoint.url == url


def test_an_endpoint_that_sleeps_wakes_for_a_request(cluster):
    asked = service("iris", predictor("v1", "one", minReplicas=0), idle="1")
    endpoint = serving.submit(asked).wait(PATIENCE)
    assert endpoint.predict(BODY, raw=True).variant == "v1"
    until(lambda: not endpoint.variant("v1").pids)
    assert endpoint.predict(BODY, raw=True).variant == "v1"


def test_a_rule_rolls_back_a_bad_version_by_itself(cluster):
    endpoint = serving.submit(service("iris", predictor("v1", "one"))).wait(PATIENCE)
    endpoint.rules("roll back if errors > 20 % over 1 minute")
    serving.update(
        service(
            *("iris", predictor("v1", "one"), (50, predictor("v2", "two", status=500))),
            rules='["roll back if errors > 20 % over 1 minute"]',
        )
    )
    endpoint.wait(PATIENCE)
    assert split(endpoint) == {"v1": 50, "v2": 50}

    seen = set()

    def rolled_back() -> bool:
        try:
            endpoint.predict(BODY)
        except predicting.Refused as error:
            seen.add(error.status)
        return endpoint.revisions()[0].by == "rule"

    until(rolled_back)
    assert seen == {500}
    until(lambda: split(endpoint) == {"v1": 100})
    assert "v2" in endpoint.revisions()[0].why
    assert any(each.reason == "RuleBreached" for each in cluster.events("InferenceService", "iris"))
    assert endpoint.rules()[0]["text"].startswith("roll back if errors > 20 %")


@pytest.mark.slow
def test_replicas_follow_the_requests_in_flight(cluster):
    asked = service("iris", predictor("v1", "one", minReplicas=1, maxReplicas=3, scaleTarget=1))
    endpoint = serving.submit(asked).wait(PATIENCE)
    callers = [Caller(endpoint) for _ in range(6)]
    for each in callers:
        each.__enter__()
    until(lambda: endpoint.variant("v1").replicas > 1)
    for each in callers:
        each.__exit__()
    assert not [failure for each in callers for failure in each.failures]
