"""Who is there to attack whom, and how attempts are made and judged.

Ada owns a profile; Cam may edit in it, Dee may look into it; Ben has one of his own. One real Hub, whose limit of
failures is one: whatever counts as a failure of the Hub ends it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from tests.spawner.crash import census
from tests.spawner.spawning.harness import profile
from tests.spawner.spawning.real_hub import Hub

PASSWORD = "never used"
PEOPLE = ("ada", "ben", "cam", "dee", "eve")
SETTINGS: dict[str, Any] = {
    "image_other": {"pattern": r"quay\.io/jupyter/.+", "help": "Only images of quay.io/jupyter."},
    "size_other": {"most_cpu": "2", "most_memory": "4Gi"},
    "accelerators": [{"key": "gpu", "resource": "nvidia.com/gpu", "title": "GPU"}],
    "home": {"size": "1Gi"},
    "check_fit": False,
}
_KINDS = (
    "/api/v1/namespaces/{}/pods",
    "/api/v1/namespaces/{}/serviceaccounts",
    "/api/v1/namespaces/{}/persistentvolumeclaims",
    "/api/v1/namespaces/{}/secrets",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
)


@dataclass
class World:
    """The Hub, and what everybody has."""

    cluster: Any
    hub: Hub
    hub_name: str
    of_ada: str
    of_ben: str

    @property
    def url(self) -> str:
        """The Hub's own address, with its prefix."""
        return self.hub.call("GET", "/").url.removesuffix("/api/")

    def made(self) -> dict[str, set[str]]:
        """What there is in the namespaces that somebody may want to reach."""
        found = {
            "pods of this Hub": {pod["metadata"]["name"] for pod in census.pods(self.cluster, self.hub_name)}
        }
        for namespace in (self.of_ada, self.of_ben, "kube-system", "default"):
            for kind in _KINDS[1:] if namespace in {"kube-system", "default"} else _KINDS:
                path = kind.format(namespace)
                found[path] = {each["metadata"]["name"] for each in self.cluster.call("GET", path)["items"]}
        return found

    def start(self, user: str, options: Any, server: str = "") -> requests.Response:
        """By the REST interface, with the rights of a service that may start everybody's servers."""
        base = f"/users/{quote(user, safe='')}"
        path = f"{base}/servers/{quote(server, safe='')}" if server else f"{base}/server"
        return self.hub.call("POST", path, options)

    def is_refused(self, answer: requests.Response, words: str = "") -> str:
        """The message: a clear sentence of a 4xx that names nothing of others, and no failure of the Hub."""
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:500])
        message = str(answer.json()["message"])
        assert message.isprintable(), repr(message)
        assert 10 < len(message) < 700, message
        assert message.rstrip().endswith((".", "?", "!")), message
        assert not re.search(r"Traceback|Error\b|<[a-z]+ object|0x[0-9a-f]{6}", message), message
        assert words in message, message
        for secret in (self.of_ben, "ben-only", "jupyter-ben"):
            assert secret not in message.replace(f"called {self.of_ben}", ""), message
        return message

    def is_unharmed(self) -> None:
        """The Hub has counted nothing and answers."""
        assert self.hub.call("GET", "/").ok
        assert "consecutive spawn failures" not in self.hub.whole_log()


class Person:
    """A browser of one user, as far as the Hub looks at it."""

    def __init__(self, world: World, name: str) -> None:
        self.session = requests.Session()
        self.base = world.url
        self.session.get(f"{self.base}/login", timeout=60)
        form = {"username": name, "password": PASSWORD, "_xsrf": self.xsrf}
        answer = self.session.post(f"{self.base}/login", data=form, allow_redirects=False, timeout=60)
        assert answer.status_code == 302, answer.text[:500]

    @property
    def xsrf(self) -> str:
        """The token that the Hub's own pages send along."""
        return next(cookie.value or "" for cookie in self.session.cookies if cookie.name == "_xsrf")

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> requests.Response:
        """With the cookies and nothing else."""
        return self.session.request(
            method,
            f"{self.base}{path}",
            headers=dict(headers or {}),
            allow_redirects=False,
            timeout=60,
            **more,
        )


def built(cluster: Any, hub: Hub, hub_name: str) -> World:
    """Profiles, roles and volumes."""
    world = World(cluster, hub, hub_name, profile(cluster, "ada"), profile(cluster, "ben"))
    group = "rbac.authorization.k8s.io"
    for user, role in (("cam", "edit"), ("dee", "view")):
        binding = {
            "metadata": {"name": f"of-{user}"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }
        cluster.call("POST", f"/apis/{group}/v1/namespaces/{world.of_ada}/rolebindings", binding)
    volumes = (
        (world.of_ada, "data", {}),
        (world.of_ben, "ben-only", {}),
        (world.of_ada, "claim-cam", {"component": "singleuser-storage"}),
    )
    for namespace, name, labels in volumes:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        claim = {"metadata": {"name": name, "labels": labels}, "spec": spec}
        cluster.call("POST", f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", claim)
    hub.call("POST", "/users", {"usernames": list(PEOPLE)})
    return world
