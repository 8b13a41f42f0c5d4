"""The moments of a start at which something else happens: each leaves what it should and nothing more."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from tests.spawner.attacks.world import Person
from tests.spawner.crash import census
from tests.spawner.crash.weather import FAIR, Trouble, Weather
from tests.spawner.spawning.harness import profile
from tests.spawner.spawning.real_hub import Hub

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

KIND = "moments.example/gpu"
"""Of these tests alone: what other tests left waiting for a GPU would take it."""
GPU = [{"key": "gpu", "resource": KIND, "title": "GPU"}]


@pytest.fixture(scope="module")
def weather(cluster, tmp_path_factory):
    with Weather(cluster, tmp_path_factory.mktemp("weather")).blowing() as found:
        yield found


@pytest.fixture(scope="module")
def traits():
    return census.settings(accelerators=GPU, check_fit=False, scales_up=True)


@pytest.fixture(scope="module")
def one(weather, traits, tmp_path_factory):
    found = Hub(weather, tmp_path_factory.mktemp("hub"), "spawner.spawner.ProfileSpawner", **traits)
    try:
        with found.answering():
            yield found.start()
    finally:
        found.end()


@pytest.fixture
def hub(one, weather):
    """The one Hub, in fair weather, without users."""
    weather.rule = lambda _asked: FAIR
    one.call("POST", "/users", {"usernames": ["ada", "ben"]})
    yield one
    weather.rule = lambda _asked: FAIR
    census.settled(one)
    for user, name in list(census.servers(one)):
        one.call("DELETE", f"/users/{user}/servers/{name}" if name else f"/users/{user}/server")
    census.settled(one)
    for user in ("ada", "ben"):
        one.until(lambda user=user: one.call("DELETE", f"/users/{user}").status_code in {204, 404})


class Held:
    """The creation of one kind of object waits at the door."""

    def __init__(self, weather: Weather, kind: str = "pods") -> None:
        self.came, self.open = threading.Event(), threading.Event()
        self.kind = kind
        weather.rule = self

    def __call__(self, asked):
        if asked.method != "POST" or not asked.path.endswith(f"/{self.kind}"):
            return FAIR
        self.came.set()
        return Trouble(until=self.open)


def test_a_stop_while_the_pod_is_being_made(cluster, hub, weather, traits):
    """The Hub stops a start at once; the API server makes the pod a moment later, and it goes again."""
    cluster.node("cpu")
    where = {"ada": profile(cluster, "ada")}
    held = Held(weather)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(census.start, hub, "ada", where["ada"])
        assert held.came.wait(120)
        assert hub.call("DELETE", "/users/ada/server").status_code in {202, 204}
    held.open.set()
    census.agrees(cluster, hub, traits["hub_name"], where)
    assert not census.pods(cluster, traits["hub_name"])


def test_a_stop_while_the_api_server_is_away(cluster, hub, weather, traits):
    """It is shown as stopping until it is stopped."""
    cluster.node("cpu")
    where = {"ada": profile(cluster, "ada")}
    census.start(hub, "ada", where["ada"])
    hub.until(lambda: "ada" in census.running(hub), 120)
    weather.rule = lambda asked: Trouble(busy=asked.method == "DELETE")
    assert hub.call("DELETE", "/users/ada/server").status_code == 202
    hub.until(lambda: weather.seen.get("busy", 0) >= 3, 120)
    assert hub.server("ada")["pending"] == "stop"
    assert len(census.pods(cluster, traits["hub_name"])) == 1
    weather.rule = lambda _asked: FAIR
    census.agrees(cluster, hub, traits["hub_name"], where)
    assert not census.pods(cluster, traits["hub_name"])


def test_a_double_click_is_one_server(cluster, hub, traits):
    cluster.node("cpu")
    where = {"ada": profile(cluster, "ada")}
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(census.start, hub, "ada", where["ada"]) for _ in range(4)]
        codes = [each.result().status_code for each in asked]
    assert set(codes) <= {201, 202, 400}
    hub.until(lambda: "ada" in census.running(hub), 120)
    census.agrees(cluster, hub, traits["hub_name"], where)


def test_two_of_a_profile_race_for_the_last_gpu_of_its_quota(cluster, hub, traits):
    cluster.node("gpu-quota", capacity={KIND: "4"})
    where = {"ada": profile(cluster, "ada", quota={f"requests.{KIND}": "1"})}
    asked = {"accelerator": "gpu", "count": 1}
    with ThreadPoolExecutor(2) as threads:
        starts = [
            threads.submit(census.start, hub, "ada", where["ada"], name, **asked) for name in ("a", "b")
        ]
        answers = [each.result() for each in starts]
    assert sum(answer.status_code < 300 for answer in answers) == 1
    (refused,) = [answer for answer in answers if 400 <= answer.status_code < 500]
    assert "1 asked for, 1 of 1 in use" in refused.json()["message"]
    assert len(census.pods(cluster, traits["hub_name"])) == 1


def test_two_profiles_race_for_the_last_gpu_of_the_cluster(cluster, hub, traits):
    """The scheduler gives it to one; the other waits, and gets it when it is free."""
    cluster.node("gpu-last", capacity={KIND: "1"})
    where = {user: profile(cluster, user) for user in ("ada", "ben")}
    asked = {"accelerator": "gpu", "count": 1}
    with ThreadPoolExecutor(2) as threads:
        for user, name in where.items():
            threads.submit(census.start, hub, user, name, **asked)

    def placed():
        return [pod for pod in census.pods(cluster, traits["hub_name"]) if pod["spec"].get("nodeName")]

    hub.until(lambda: len(census.pods(cluster, traits["hub_name"])) == 2 and placed(), 120)
    hub.until(lambda: census.running(hub), 120)
    assert len(placed()) == 1
    (first,) = census.running(hub)
    hub.call("DELETE", f"/users/{first}/server")
    hub.until(lambda: census.running(hub) == {"ada", "ben"} - {first}, 120)
    census.agrees(cluster, hub, traits["hub_name"], where)


@pytest.mark.parametrize("kind", ["serviceaccounts", "pods"])
def test_a_profile_that_becomes_somebody_elses_while_a_server_is_made(cluster, hub, weather, kind):
    """Its name is given to another: nothing of the start appears there."""
    cluster.node("cpu")
    name = profile(cluster, "ada")
    held = Held(weather, kind)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(census.start, hub, "ada", name)
        assert held.came.wait(120)
        for path in (f"/apis/kubeflow.org/v1/profiles/{name}", f"/api/v1/namespaces/{name}"):
            cluster.call("DELETE", path)
            cluster.until(lambda path=path: not cluster.exists(path))
        metadata = {"name": name, "annotations": {"owner": "ben"}}
        cluster.call("POST", "/api/v1/namespaces", {"metadata": metadata})
        body = {"apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": {"name": name}}
        body["spec"] = {"owner": {"kind": "User", "name": "ben"}}
        cluster.call("POST", "/apis/kubeflow.org/v1/profiles", body)
        held.open.set()
        assert asked.result() is not None
    census.settled(hub)
    assert not census.running(hub)
    for each_kind in ("pods", "serviceaccounts", "persistentvolumeclaims"):
        found = cluster.call("GET", f"/api/v1/namespaces/{name}/{each_kind}")["items"]
        assert {each["metadata"]["name"] for each in found} <= {"default"}


def test_a_form_whose_lists_fail_says_so(cluster, hub, weather):
    """One sentence on the page, and 503 for the refresh: no fault of the Hub."""
    profile(cluster, "ada")
    ada = Person(SimpleNamespace(url=hub.call("GET", "/").url.removesuffix("/api/")), "ada")
    assert "The form cannot be shown now" not in ada.ask("GET", "/spawn").text
    cluster.until(lambda: ada.ask("GET", "/kubeflow/form/state/ada/").status_code == 200)
    name = profile(cluster, "ben")
    ben = Person(SimpleNamespace(url=ada.base), "ben")
    weather.rule = lambda asked: Trouble(lost=asked.path.endswith(f"/{name}/resourcequotas"))
    page = ben.ask("GET", "/spawn")
    assert page.status_code == 200
    assert "The form cannot be shown now" in page.text
    assert "The cluster did not answer" in page.text
    answer = ben.ask("GET", "/kubeflow/form/state/ben/")
    assert answer.status_code == 503
    assert "The cluster did not answer" in answer.json()["what"]
    sent = {"_xsrf": ben.xsrf, "home": "none"}
    assert ben.ask("POST", f"/spawn?_xsrf={ben.xsrf}", data=sent).status_code == 503
