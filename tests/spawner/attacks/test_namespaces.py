"""Into whose namespace a server gets, whatever it is called: by the choice, by a header, by a name, by an old right."""

from __future__ import annotations

import pytest

from tests.spawner.attacks.world import Person

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

NAMES = {
    "kube-system": (403, "You have no profile called kube-system"),
    "default": (403, "You have no profile called default"),
    "kubeflow": (403, "You have no profile called kubeflow"),
    "no-such-profile": (403, "You have no profile called no-such-profile"),
    "../kube-system": (400, "not the name of a profile"),
    "kube-system/pods": (400, "not the name of a profile"),
    "%2e%2e": (400, "not the name of a profile"),
    "kube-system?watch=1": (400, "not the name of a profile"),
    "{username}": (400, "not the name of a profile"),
    "ADA": (400, "not the name of a profile"),
    "ada-": (400, "not the name of a profile"),
    "ada.svc": (400, "not the name of a profile"),
    "ada\n": (400, "not the name of a profile"),
    "ada\u0000": (400, "not the name of a profile"),
    "\u0430da": (400, "not the name of a profile"),
    "x" * 64: (400, "not the name of a profile"),
    "x" * 100_000: (400, "not the name of a profile"),
}
"""The third has a letter that only looks like an a."""
SHAPES = ([], ["a", "b"], {"name": "a"}, 7, True, [[]])
SPOOFED = (
    "kubeflow-userid",
    "Kubeflow-UserID",
    "kubeflow-groups",
    "X-Forwarded-User",
    "X-Remote-User",
    "Remote-User",
)


def test_names(unmoved):
    for name, (status, words) in NAMES.items():
        answer = unmoved.start("ada", {"namespace": name, "home": "none"})
        assert answer.status_code == status, (name[:80], answer.text[:300])
        unmoved.is_refused(answer, words)
    for value in SHAPES:
        answer = unmoved.start("ada", {"namespace": value, "home": "none"})
        assert unmoved.is_refused(answer, "not the name of a profile"), value


def test_those_of_others_cannot_be_told_from_none(unmoved):
    """The same words for what is there and what is not; also for who is in it a little."""
    for user in ("ada", "cam", "dee", "eve"):
        there = unmoved.start(user, {"namespace": unmoved.of_ben, "home": "none"})
        nothing = unmoved.start(user, {"namespace": "nobody-1", "home": "none"})
        assert there.status_code == nothing.status_code == 403
        assert there.json()["message"].replace(unmoved.of_ben, "") == nothing.json()["message"].replace(
            "nobody-1", ""
        )


def test_who_may_only_look_starts_nothing(unmoved):
    for options in ({"namespace": unmoved.of_ada}, {}):
        answer = unmoved.start("dee", {**options, "home": "none"})
        assert answer.status_code == 403
        unmoved.is_refused(answer, "look into it")
    unmoved.is_refused(unmoved.start("eve", {"home": "none"}), "You have no profile yet")


def test_headers_make_nobody_somebody(unmoved):
    """The Hub reads its own cookie and token; what a gateway may write is no name here."""
    ben = Person(unmoved, "ben")
    for header in SPOOFED:
        for value in ("ada", "ada, ben", ":ada", "accounts.google.com:ada", "", "ADA"):
            sent = {header: value}
            assert ben.ask("GET", f"/api/user?_xsrf={ben.xsrf}", sent).json()["name"] == "ben"
            nobody = unmoved.hub.anybody("GET", "/user", sent)
            assert nobody.status_code in {401, 403}, (header, value)
    answer = ben.ask(
        "POST",
        f"/api/users/ada/server?_xsrf={ben.xsrf}",
        {"kubeflow-userid": "ada"},
        json={"namespace": unmoved.of_ada, "home": "none"},
    )
    assert answer.status_code in {403, 404}


def test_pages_of_others(unmoved):
    """Form, progress, server and state of somebody else are not there for an ordinary user."""
    ben = Person(unmoved, "ben")
    for path in (
        "/spawn/ada", "/spawn/ada/x", "/spawn-pending/ada", "/kubeflow/form/state/ada/", "/kubeflow/form/state/ada/x",
        "/api/users/ada", "/api/users/ada/server", "/api/users/ada/server/progress", "/api/users/ada/tokens",
        "/kubeflow/form/state/..%2fada/", "/kubeflow/form/state/nobody/", "/api/users",
    ):  # fmt: skip
        answer = ben.ask("GET", path, {"X-XSRFToken": ben.xsrf})
        assert answer.status_code in {403, 404, 405}, (path, answer.status_code)
        assert unmoved.of_ada not in answer.text, path
    own = ben.ask("GET", f"/spawn?namespace={unmoved.of_ada}&opt-namespace={unmoved.of_ada}")
    assert own.status_code == 200
    assert "claim-cam" not in own.text


def test_a_contributor_who_is_taken_out(world, node):
    """Between two starts; and the page of the form says so too."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.of_ada}/rolebindings"
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "of-eve"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "eve"}],
    }
    world.cluster.call("POST", path, binding)
    asked = {"namespace": world.of_ada, "home": "none"}
    world.hub.until(lambda: world.start("eve", asked).status_code in {201, 202})
    world.hub.until(lambda: world.hub.server("eve").get("ready"))
    world.hub.call("DELETE", "/users/eve/server")
    world.hub.until(lambda: not world.hub.server("eve").get("pending"))
    world.cluster.call("DELETE", f"{path}/of-eve")
    before = world.made()
    world.hub.until(lambda: world.start("eve", asked).status_code == 403)
    world.is_refused(world.start("eve", asked), "You have no profile called")
    assert world.made() == before
    world.is_unharmed()
