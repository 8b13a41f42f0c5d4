"""A server that is shared with the contributors of its profile: a real Hub says who may open it."""

from __future__ import annotations

import pytest

from tests.spawner.spawning.harness import IMAGES, SIZES, profile
from tests.spawner.spawning.test_hub import hub  # noqa: F401 — a fixture
from tests.spawner.spawning.test_living import contribute

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def opens(found) -> set[str]:
    """The users who have a share of ann's server."""
    answer = found.call("GET", "/shares/ann/")
    return {each["user"]["name"] for each in answer.json()["items"]} if answer.ok else set()


def test_contributors_come_in_and_lose_it_with_the_profile(cluster, hub):  # noqa: F811
    cluster.node("cpu")
    name = profile(cluster, "ann")
    bindings = {
        user: contribute(cluster, name, user, role) for user, role in (("bob", "edit"), ("cem", "view"))
    }
    found = hub(images=IMAGES, sizes=SIZES, home=False, sharing=True, poll_interval=1)
    with found.answering():
        found.start()
        for user in ("ann", "bob", "cem", "dan"):
            found.call("POST", f"/users/{user}")

        def start(**choices: str) -> None:
            answer = found.call("POST", "/users/ann/server", {"namespace": name, **choices})
            assert answer.status_code in {201, 202}, answer.text
            found.until(lambda: found.server("ann").get("ready"), 120)

        def stop() -> None:
            found.call("DELETE", "/users/ann/server")
            found.until(
                lambda: not found.server("ann").get("pending") and not found.server("ann").get("ready"), 120
            )

        assert (
            found.call("POST", "/users/ann/server", {"namespace": name, "shared": "everybody"}).status_code
            == 400
        )
        start(shared="contributors")
        assert opens(found) == {"bob"}  # who may only look opens no kernel, and dan is nobody there
        found.call("POST", "/groups/vision")
        found.call("POST", "/groups/vision/users", {"users": ["dan"]})
        contribute(cluster, name, "vision", kind="Group")
        found.until(lambda: opens(found) == {"bob", "dan"})
        cluster.call("DELETE", bindings["bob"])
        found.until(lambda: opens(found) == {"dan"})
        stop()
        start()
        assert opens(found) == set()
        stop()
