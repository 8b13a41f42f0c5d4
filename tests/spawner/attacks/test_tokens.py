"""Where a server's tokens are, who can read them there, and what they are good for."""

from __future__ import annotations

import json

import pytest

from tests.cluster.answers import Answer

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

# With the token of Ada's server: what a reader of her pod must not do. Answers of the Hub.
DENIED = [
    ("GET", "/users"),
    ("GET", "/users/ada/tokens"),
    ("POST", "/users/ada/tokens"),
    ("POST", "/users/ada/server"),
    ("DELETE", "/users/ada/server"),
    ("GET", "/users/ada/server/progress"),
    ("PATCH", "/users/ada"),
    ("POST", "/users/mallory"),
    ("GET", "/users/ben"),
    ("POST", "/users/ben/server"),
    ("GET", "/groups"),
    ("GET", "/services"),
    ("GET", "/proxy"),
    ("POST", "/shutdown"),
]
# What somebody with the role "view" in Ada's profile must not do there. Answers of the API server.
UNSEEN = [
    ("GET", "secrets"),
    ("POST", "pods/jupyter-ada/exec"),
    ("POST", "pods/jupyter-ada/attach"),
    ("POST", "pods/jupyter-ada/portforward"),
    ("POST", "serviceaccounts/jupyter-ada/token"),
    ("DELETE", "pods/jupyter-ada"),
    ("POST", "rolebindings"),
]


@pytest.fixture
def running(world, node):
    """Ada's server."""
    world.start("ada", {"namespace": world.of_ada, "home": "none"})
    world.hub.until(lambda: world.hub.server("ada").get("ready"), 120)
    yield world
    world.hub.call("DELETE", "/users/ada/server")
    world.hub.until(lambda: not world.hub.server("ada").get("pending"), 120)
    world.is_unharmed()


def test_the_token_that_a_viewer_reads_in_the_pod_opens_nothing(running):
    """Who may look at pods reads their variables: the token there reports activity, and is over with the server."""
    dee = running.cluster.caller("dee")
    pod = dee("GET", f"/api/v1/namespaces/{running.of_ada}/pods/jupyter-ada")
    variables = {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0]["env"]}
    headers = {"Authorization": f"token {variables['JUPYTERHUB_API_TOKEN']}"}
    me = running.hub.anybody("GET", "/user", headers).json()
    assert me["name"] == "ada"
    assert {scope.partition("!")[0] for scope in me["scopes"]} <= {
        "users:activity",
        "read:users:activity",
        "read:users:name",
        "read:users:groups",
    }
    for method, path in DENIED:
        answer = running.hub.anybody(method, path, headers)
        assert answer.status_code in {403, 404}, (method, path, answer.status_code)
    for method, what in UNSEEN:
        group = "/apis/rbac.authorization.k8s.io/v1" if what == "rolebindings" else "/api/v1"
        with pytest.raises(Answer) as caught:
            dee(method, f"{group}/namespaces/{running.of_ada}/{what}", {} if method == "POST" else None)
        assert caught.value.status == 403, (method, what)
    running.hub.call("DELETE", "/users/ada/server")
    running.hub.until(lambda: running.hub.anybody("GET", "/user", headers).status_code in {401, 403})


def test_no_token_is_written_anywhere_else(running):
    """Not in the log of the Hub, the state that it keeps, the events and the rest of the pod."""
    path = f"/api/v1/namespaces/{running.of_ada}"
    pod = running.cluster.call("GET", f"{path}/pods/jupyter-ada")
    container = pod["spec"]["containers"][0]
    tokens = {
        each["value"]
        for each in container["env"]
        if "TOKEN" in each["name"] and len(each.get("value", "")) > 20
    }
    tokens = {each for each in tokens if not each.startswith("/")}
    assert tokens
    container["env"] = []
    places = {
        "the pod": json.dumps({**pod, "metadata": {**pod["metadata"], "managedFields": []}}),
        "events": json.dumps(running.cluster.call("GET", f"{path}/events")),
        "the Hub's log": running.hub.whole_log(),
        "the Hub's model": json.dumps(running.hub.server("ada")),
        "progress": json.dumps(running.hub.told("ada")),
    }
    for name, text in places.items():
        assert not [token for token in tokens if token in text], name


def test_the_pod_is_confined_and_its_account_its_own(running):
    """As it is at the API server: what the rules promise, after everything that may have changed it."""
    pod = running.cluster.call("GET", f"/api/v1/namespaces/{running.of_ada}/pods/jupyter-ada")
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert spec["serviceAccountName"] == "jupyter-ada"
    assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"))
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    sources = [
        source
        for volume in spec["volumes"]
        for source in (volume.get("projected") or {}).get("sources") or []
    ]
    audiences = {
        source["serviceAccountToken"].get("audience") for source in sources if "serviceAccountToken" in source
    }
    assert audiences <= {None, "pipelines.kubeflow.org"}
    assert not any("hostPath" in volume for volume in spec["volumes"])
