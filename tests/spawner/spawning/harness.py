"""One spawner with a user, against the test cluster, without a Hub around it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from traitlets.config import Config

from spawner.api import Api
from spawner.profiles.directory import Directory
from spawner.starts import pods as pods_module
from spawner.starts.identity import cluster_role
from spawner.starts.surroundings import Surroundings
from tests.spawner.profiles.controller import have_profiles


@dataclass
class User:
    """As far as a spawner looks at its user."""

    name: str
    id: int = 1
    url: str = "/user/x/"
    groups: list[Any] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


HUB = SimpleNamespace(
    public_host="",
    url="http://127.0.0.1:8081/hub/",
    base_url="/hub/",
    api_url="http://127.0.0.1:8081/hub/api",
)
SIZES = [{"key": "small", "title": "Small", "cpu": "100m", "memory": "128Mi", "default": True}]
IMAGES = [{"key": "lab", "reference": "example.org/lab:1", "title": "Lab", "default": True}]


def spawner(kind: Any, name: str, options: Any = None, server: str = "", **settings: Any) -> Any:
    """A new one, as the Hub would make it."""
    config = Config({kind.__name__: settings})
    made = kind(
        config=config,
        user=User(name),
        hub=HUB,
        orm_spawner=_row(server),
        _mock=True,
        api_token="x",
        oauth_client_id="y",
    )
    made.user_options = {} if options is None else options
    return made


def _row(server: str) -> Any:
    from jupyterhub import orm

    return orm.Spawner(name=server, state={}, user_options={})


def ours(name: str, options: Any = None, server: str = "", **settings: Any) -> Any:
    """A ProfileSpawner with one image and one size."""
    from spawner.spawner import ProfileSpawner

    found = {"start_timeout": 60, "debug": False, **settings}
    if "profile_list" not in found:
        found = {"images": IMAGES, "sizes": SIZES, "home": False, **found}
    return spawner(ProfileSpawner, name, options, server, **found)


def profile(cluster: Any, owner: str, quota: dict[str, str] | None = None) -> str:
    """A profile with its namespace as the Profile controller makes them; gives its name."""
    have_profiles(cluster)
    name = cluster.namespace(owner, labels={"app.kubernetes.io/part-of": "kubeflow-profile"}, owner=owner)
    cluster.call(
        "POST",
        "/apis/kubeflow.org/v1/profiles",
        {
            "apiVersion": "kubeflow.org/v1",
            "kind": "Profile",
            "metadata": {"name": name},
            "spec": {"owner": {"kind": "User", "name": owner}},
        },
    )
    cluster.gone_after(f"/apis/kubeflow.org/v1/profiles/{name}")
    binding = {
        "metadata": {"name": "namespaceAdmin", "annotations": {"user": owner, "role": "admin"}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": owner}],
    }
    cluster.call("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings", binding)
    if quota:
        cluster.call(
            "POST",
            f"/api/v1/namespaces/{name}/resourcequotas",
            {"metadata": {"name": "q"}, "spec": {"hard": quota}},
        )
        path = f"/api/v1/namespaces/{name}/resourcequotas/q"
        cluster.until(lambda: cluster.call("GET", path).get("status", {}).get("hard") == quota)
    cluster.apply("/apis/rbac.authorization.k8s.io/v1/clusterroles/jupyter-kubeflow-server", cluster_role())
    return name


def plain(name: str, options: Any = None, server: str = "", **settings: Any) -> Any:
    """KubeSpawner itself."""
    from kubespawner import KubeSpawner

    return spawner(KubeSpawner, name, options, server, **settings)


@contextlib.asynccontextmanager
async def configured(monkeypatch: Any, configuration: Any):
    """KubeSpawner's configuration is process-wide: set it, and close everything of this loop at the end."""
    from kubernetes_asyncio.client import Configuration
    from kubespawner import KubeSpawner, clients

    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **_: None)
    Configuration.set_default(configuration)
    api = Api.shared()
    try:
        yield api
    finally:
        await Surroundings.of(api).stop()
        await Directory.of(api).stop()
        await pods_module.stop_shared()
        await KubeSpawner._stop_all_reflectors()
        await Api.close_shared()
        for task in asyncio.all_tasks():
            if "close_client_task" in repr(task):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        clients._client_cache.clear()
        Configuration.set_default(None)


def connected(cluster: Any, monkeypatch: Any) -> Any:
    """With the test cluster as its administrator: the Hub's rights are the chart's to test."""
    return configured(monkeypatch, cluster.configuration())


def detached(monkeypatch: Any) -> Any:
    """With no cluster: what is asked of one fails."""
    from kubernetes_asyncio.client import Configuration

    return configured(monkeypatch, Configuration(host="http://127.0.0.1:1"))
