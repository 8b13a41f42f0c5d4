"""Refusals, lost answers, cut watches and an API server that is killed: what is there is true afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.spawner.crash import census
from tests.spawner.crash.weather import FAIR, Asked, Trouble, every, first_of

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

COUNT = 12


def _writes(asked: Asked) -> bool:
    return asked.method != "GET"


def _anything(asked: Asked) -> bool:
    return not asked.is_watch


STORM = (
    lambda asked: Trouble(cut_after=1.5) if asked.is_watch else FAIR,
    every(5, Trouble(busy=True), _anything),
    every(7, Trouble(lost=True), _writes),
    every(4, Trouble(after=1.0), _anything),
)


@pytest.mark.timeout(900)
def test_starts_and_stops_in_a_storm(cluster, weather, hub):
    cluster.node("cpu")
    users = [f"user-{number}" for number in range(COUNT)]
    where = dict.fromkeys(users, census.shared_profile(cluster, users[0], users[1:]))
    traits = census.settings(check_fit=False)
    name = traits["hub_name"]
    found = hub(**traits)
    with found.answering():
        found.start()
        assert found.call("POST", "/users", {"usernames": users}).status_code == 201
        weather.rule = first_of(*STORM)
        first = census.start_all(found, where)
        cluster.kill("kube-apiserver")
        cluster.restore()
        census.settled(found)
        for answer in first.values():
            assert answer is not None
            assert answer.status_code in {201, 202, 503}, f"{answer.text}\n{found.whole_log()}"
        for _ in range(10):  # who was refused tries again, as a person does
            missing = {user: where[user] for user in users if user not in census.running(found)}
            if not missing:
                break
            census.start_all(found, missing)
            census.settled(found)
        assert census.running(found) == set(users)
        census.agrees(cluster, found, name, where)
        cluster.kill("kube-apiserver")
        with ThreadPoolExecutor(COUNT) as threads:
            asked = [threads.submit(found.call, "DELETE", f"/users/{user}/server") for user in users]
            cluster.restore()
            assert {each.result().status_code for each in asked} <= {202, 204}
        census.settled(found)
        assert census.running(found) == set()
        cluster.until(lambda: not census.pods(cluster, name))
        assert weather.seen.keys() >= {"busy", "lost", "after", "cut_after"}
