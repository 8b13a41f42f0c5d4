"""What must be true of a Hub and its cluster whenever nothing is under way: each pod is some server's, and the reverse."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.spawner.spawning.harness import IMAGES, SIZES, profile
from tests.spawner.spawning.real_hub import Hub

SERVERS = "/users?include_stopped_servers&limit=200"


def settings(**more: Any) -> dict[str, Any]:
    """Of a Hub whose pods are its own in a cluster that others use too, with the patience of a busy machine."""
    return {
        "images": IMAGES,
        "sizes": SIZES,
        "home": False,
        "hub_name": f"hub-{secrets.token_hex(4)}",
        "start_timeout": 240,
        "http_timeout": 120,
        "consecutive_failure_limit": 1,
        "debug": False,
        **more,
    }


def shared_profile(cluster: Any, owner: str, contributors: Sequence[str]) -> str:
    """One profile of many."""
    name = profile(cluster, owner)
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "contributors"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": each} for each in contributors],
    }
    cluster.call("POST", f"/apis/{group}/v1/namespaces/{name}/rolebindings", binding)
    return name


def pods(cluster: Any, hub_name: str) -> list[dict[str, Any]]:
    """Of this Hub, in any namespace, that are not going already."""
    query = {"labelSelector": f"jupyter-kubeflow.org/hub={hub_name}"}
    found = cluster.call("GET", "/api/v1/pods", query=query)["items"]
    return [each for each in found if not each["metadata"].get("deletionTimestamp")]


def servers(hub: Hub) -> dict[tuple[str, str], dict[str, Any]]:
    """The Hub's models, by user and server."""
    rows = hub.call("GET", SERVERS).json()
    return {(row["name"], name): model for row in rows for name, model in (row.get("servers") or {}).items()}


def running(hub: Hub) -> set[str]:
    """Whose server is ready."""
    return {user for (user, _), model in servers(hub).items() if model.get("ready")}


def settled(hub: Hub) -> None:
    """Wait until the Hub does nothing."""
    hub.until(lambda: not any(model.get("pending") for model in servers(hub).values()), 300)


def agrees(cluster: Any, hub: Hub, hub_name: str, where: Mapping[str, str]) -> None:
    """No orphan, nothing twice, nothing in a namespace that was not asked for, and the Hub knows each by its uid."""
    settled(hub)
    found: dict[tuple[str, str], str] = {}
    for pod in pods(cluster, hub_name):
        about = pod["metadata"]
        notes = about["annotations"]
        key = (notes["hub.jupyter.org/username"], notes.get("hub.jupyter.org/servername") or "")
        assert about["namespace"] == where[key[0]], f"{key} runs in a namespace that is not its own"
        assert key not in found, f"{key} has two pods"
        found[key] = about["uid"]
    known = {key: model["state"]["pod_uid"] for key, model in servers(hub).items() if model.get("ready")}
    orphans, lost = found.items() - known.items(), known.items() - found.items()
    assert not orphans, f"pods that are no server's: {sorted(orphans)[:5]}"
    assert not lost, f"servers without their pod: {sorted(lost)[:5]}"


def start(hub: Hub, user: str, namespace: str, server: str = "", **options: Any) -> requests.Response | None:
    """Ask for a server; None if the Hub ended meanwhile."""
    path = f"/users/{user}/servers/{server}" if server else f"/users/{user}/server"
    try:
        return hub.call("POST", path, {"namespace": namespace, **options})
    except requests.ConnectionError:
        return None


def start_all(hub: Hub, where: Mapping[str, str]) -> dict[str, requests.Response | None]:
    """All at once."""
    with ThreadPoolExecutor(len(where) or 1) as threads:
        asked = {user: threads.submit(start, hub, user, name) for user, name in where.items()}
        return {user: each.result() for user, each in asked.items()}
