"""A Hub is killed in the middle of a hundred starts, and the next one knows what is there."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.spawner.crash import census
from tests.spawner.crash.weather import FAIR, Asked, Trouble

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

COUNT, GRANTED, SILENT = 100, 80, 5


class Interrupted:
    """The first pods are made; of a few the Hub is never told; the rest is not made."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.over = threading.Event()

    def __call__(self, asked: Asked) -> Trouble:
        name = asked.makes_pod
        if not name:
            return FAIR
        if name not in self.order:
            self.order.append(name)
        place = self.order.index(name)
        if place < GRANTED:
            return FAIR
        return Trouble(silent=True) if place < GRANTED + SILENT else Trouble(until=self.over)


@pytest.mark.timeout(900)
def test_a_hub_killed_during_a_hundred_starts_finds_each_again_or_leaves_nothing(cluster, weather, hub):
    cluster.node("cpu", count=2)
    where = {}
    for number in range(4):
        users = [f"user{number}-{each}" for each in range(COUNT // 4)]
        where |= dict.fromkeys(users, census.shared_profile(cluster, users[0], users[1:]))
    traits = census.settings(check_fit=False)
    name = traits["hub_name"]
    found = hub(**traits)
    weather.rule = Interrupted()
    with found.answering():
        found.start()
        assert found.call("POST", "/users", {"usernames": list(where)}).status_code == 201
        with ThreadPoolExecutor(1) as thread:
            asked = thread.submit(census.start_all, found, where)
            found.until(lambda: len(census.pods(cluster, name)) == GRANTED + SILENT, 300)
            found.until(lambda: len(census.running(found)) >= GRANTED // 2, 300)
            found.kill()
            asked.result()
        made = {pod["metadata"]["uid"] for pod in census.pods(cluster, name)}
        weather.rule.over.set()
        weather.rule = lambda _asked: FAIR
        found.start()
        census.agrees(cluster, found, name, where)
        kept = {pod["metadata"]["uid"] for pod in census.pods(cluster, name)}
        assert kept <= made, "a start that the Hub does not know of went on"
        assert len(kept) >= GRANTED, "servers that ran were lost"
        missing = {user: where[user] for user in where if user not in census.running(found)}
        for answer in census.start_all(found, missing).values():
            assert answer is not None
            assert answer.status_code in {201, 202}, answer.text
        census.agrees(cluster, found, name, where)
        assert census.running(found) == set(where)


@pytest.mark.timeout(600)
def test_a_hub_that_is_killed_and_started_while_the_api_server_is_away_forgets_no_server(
    cluster, hub, request
):
    cluster.node("cpu")
    users = ["away1", "away2", "away3"]
    name = census.shared_profile(cluster, users[0], [*users[1:], "later"])
    where = dict.fromkeys([*users, "later"], name)
    traits = census.settings(check_fit=False)
    found = hub(**traits)
    with found.answering():
        found.start()
        assert found.call("POST", "/users", {"usernames": list(where)}).status_code == 201
        census.start_all(found, dict.fromkeys(users, name))
        census.settled(found)
        assert census.running(found) == set(users)
        cluster.kill("kube-apiserver")
        request.addfinalizer(cluster.restore)
        found.kill()
        found.start()
        # It looks at each for a while; nobody can say that they are gone.
        found.until(lambda: census.running(found) == set(users), 240)
        refused = census.start(found, "later", name)
        assert refused is not None
        assert refused.status_code == 503, refused.text
        assert "cluster does" in refused.text or "cluster did" in refused.text, refused.text
        cluster.restore()
        census.agrees(cluster, found, traits["hub_name"], where)
        assert census.running(found) == set(users)
        found.until(
            lambda: (answer := census.start(found, "later", name)) and answer.status_code in {201, 202}, 120
        )
        census.agrees(cluster, found, traits["hub_name"], where)
        assert census.running(found) == set(where)
