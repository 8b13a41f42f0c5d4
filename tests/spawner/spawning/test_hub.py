"""A real JupyterHub with ProfileSpawner, driven by its REST API."""

from __future__ import annotations

import pytest

from tests.spawner.spawning.harness import IMAGES, SIZES, profile
from tests.spawner.spawning.real_hub import Hub

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

OURS = "spawner.spawner.ProfileSpawner"
FORM = {"images": IMAGES, "sizes": SIZES, "home": False}
LISTED = [
    {
        "slug": "a",
        "display_name": "A",
        "profile_options": {
            "image": {"choices": {"lab": {"display_name": "Lab", "kubespawner_override": {}}}}
        },
    }
]


@pytest.fixture
def hub(cluster, tmp_path):
    made = []

    def make(spawner=OURS, **traits):
        found = Hub(cluster, tmp_path, spawner, start_timeout=60, **traits)
        made.append(found)
        return found

    yield make
    for each in made:
        each.end()


def test_a_start_a_refusal_and_a_stop(cluster, hub):
    cluster.node("cpu")
    name = profile(cluster, "ada")
    found = hub(**FORM)
    with found.answering():
        found.start()
        assert found.call("POST", "/users/ada").status_code == 201
        refused = found.call("POST", "/users/ada/server", {"namespace": name, "size": "huge"})
        assert refused.status_code == 400
        assert "size" in refused.json()["message"]
        assert found.call("POST", "/users/ada/server", {"namespace": name}).status_code in {201, 202}
        told = found.told("ada")
        assert told[-1]["ready"]
        found.until(lambda: found.server("ada").get("ready"))
        assert (
            cluster.call("GET", f"/api/v1/namespaces/{name}/pods/jupyter-ada")["status"]["phase"] == "Running"
        )
        found.call("DELETE", "/users/ada/server")
        found.until(lambda: not found.server("ada").get("pending") and not found.server("ada").get("ready"))
        assert not cluster.exists(f"/api/v1/namespaces/{name}/pods/jupyter-ada")


def test_bad_options_of_one_user_do_not_end_the_hub(cluster, hub):
    profile(cluster, "ada")
    found = hub(profile_list=LISTED, consecutive_failure_limit=3).start()
    found.call("POST", "/users/ada")
    codes = [found.call("POST", "/users/ada/server", {"image": "nosuch"}).status_code for _ in range(4)]
    assert codes == [400] * 4
    assert found.call("GET", "/").ok


def test_bad_options_of_one_user_end_a_hub_with_kubespawner(cluster, hub):
    found = hub("kubespawner.KubeSpawner", profile_list=LISTED, consecutive_failure_limit=3).start()
    found.call("POST", "/users/ada")
    for _ in range(3):
        assert found.call("POST", "/users/ada/server", {"profile": "a", "image": "nosuch"}).status_code == 500
    assert found.process.wait(30) != 0


def test_a_hub_that_is_killed_in_the_middle_leaves_no_orphan(cluster, hub):
    name = profile(cluster, "ada")  # no node: the pod waits
    path = f"/api/v1/namespaces/{name}/pods/jupyter-ada"
    found = hub(**FORM, check_fit=False, scales_up=True).start()
    found.call("POST", "/users/ada")
    assert found.call("POST", "/users/ada/server", {"namespace": name}).status_code == 202
    uid = found.until(lambda: cluster.exists(path) and cluster.call("GET", path)["metadata"]["uid"])
    found.kill()
    with found.answering():
        found.start()
        cluster.node("cpu")
        found.until(lambda: found.server("ada").get("ready") or not cluster.exists(path))
        if cluster.exists(path):  # it was taken up again: the same pod, and the Hub can stop it
            assert cluster.call("GET", path)["metadata"]["uid"] == uid
            found.call("DELETE", "/users/ada/server")
            found.until(lambda: not cluster.exists(path))
        assert not found.server("ada").get("ready")
