"""Kills at any moment: what was asked for last is what serves in the end, with nothing left over."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from functools import partial

import pytest

from jupyter_ext import serving
from jupyter_ext.cluster.local import locks
from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving.places import sockets
from tests.waiting import PATIENCE, processes_of, until

from .conftest import answers, predictor, routing, service, split

BODY = {"instances": [[1, 2]]}


def kill_one(cluster, endpoint, chosen: random.Random) -> None:
    """The controller, one of the servers, or the gateway."""
    victims = [each.pid for each in processes_of(endpoint.resource.uid)]
    gateway = locks.holder(cluster.lock_path(cluster.store.get("Gateway", "serving").uid))
    victims += [gateway] if gateway else []
    if victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(chosen.choice(victims), signal.SIGKILL)


def said(endpoint, variant: str) -> set[str]:
    """What its replicas answer; nothing while one that was just killed is not yet missed."""
    with contextlib.suppress(OSError):
        return answers(endpoint, variant)
    return set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whoever_is_killed_the_last_word_counts(cluster, seed):
    chosen = random.Random(seed)
    endpoint = serving.submit(service("iris", predictor("v1", "one"), (10, predictor("v2", "two")))).wait(
        PATIENCE
    )
    uid = endpoint.resource.uid
    verbs = [
        lambda: endpoint.traffic({"v1": 50, "v2": 50}, wait=False),
        lambda: endpoint.promote(wait=False),
        lambda: endpoint.rollback(wait=False),
        lambda: endpoint.traffic({"v1": 0, "v2": 100}, wait=False),
    ]
    for _ in range(8):
        with contextlib.suppress(KubeflowError):  # no earlier revision, no second variant
            chosen.choice(verbs)()
        kill_one(cluster, endpoint, chosen)
        until(lambda: endpoint.phase == "RUNNING")
    expected = {name: share for name, share in endpoint.revisions()[0].traffic.items() if share}
    until(
        lambda: split(endpoint) == expected and all(each["ready"] for each in routing(endpoint)["variants"])
    )
    for name, word in (("v1", "one"), ("v2", "two")):
        if name in expected:
            assert until(partial(said, endpoint, name)) == {word}

    def served() -> bool:
        with contextlib.suppress(KubeflowError):
            return endpoint.predict(BODY, raw=True).status == 200
        return False

    until(served)
    assert [each.number for each in endpoint.revisions()] == list(range(len(endpoint.revisions()), 0, -1))
    endpoint.delete()
    until(lambda: not processes_of(uid))
    assert not list(sockets(cluster).glob(f"{uid[:8]}-*"))
    assert not [each for each in cluster.leases.held() if each[0] == "iris"]


def test_a_controller_that_dies_again_and_again_says_so(cluster):
    """What readers see when it is given up: nothing of it runs, and a start mends it."""
    from jupyter_ext.serving import status

    endpoint = serving.submit(service("iris", predictor("v1", "one"))).wait(PATIENCE)
    lost = status.lost(endpoint.resource, "FAILED", "It was restarted 20 times already.")
    assert [each["state"] for each in lost.status["variants"]] == ["failed"]
    assert not any(each["ready"] for each in lost.status["routing"]["variants"])
    assert lost.status["routing"]["generation"] > routing(endpoint)["generation"]
    ready = next(each for each in lost.status["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["message"]) == ("False", "It was restarted 20 times already.")
