"""The home volume of a stopped server grows where its storage class lets it; a real API server says when."""

from __future__ import annotations

import pytest

from spawner.form.view import view
from spawner.refused import Refused
from tests.cluster.answers import Answer
from tests.spawner.spawning.harness import ours, profile
from tests.spawner.spawning.test_starting import here, run  # noqa: F401 — a fixture

pytestmark = pytest.mark.cluster

HOME = {"size": "1Gi", "sizes": ["1Gi", "5Gi", "20Gi"]}
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"


def home(cluster, namespace: str, *, grows: bool, name: str = "claim-ada") -> str:
    """A claim with its disk, of a class that lets volumes grow or does not; gives its path."""
    kind = f"{namespace}-{'grows' if grows else 'stays'}"
    cluster.call(
        "POST",
        CLASSES,
        {"metadata": {"name": kind}, "provisioner": "example.org/none", "allowVolumeExpansion": grows},
    )
    cluster.gone_after(f"{CLASSES}/{kind}")
    volume = {
        "metadata": {"name": kind},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": kind,
            "hostPath": {"path": "/nowhere"}, "claimRef": {"namespace": namespace, "name": name},
        },
    }  # fmt: skip
    cluster.call("POST", "/api/v1/persistentvolumes", volume)
    cluster.gone_after(f"/api/v1/persistentvolumes/{kind}")
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": kind,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    labels = {"component": "singleuser-storage"}
    cluster.call("POST", claims, {"metadata": {"name": name, "labels": labels}, "spec": spec})
    path = f"{claims}/{name}"
    cluster.until(lambda: (cluster.call("GET", path).get("status") or {}).get("phase") == "Bound")
    return path


def size_of(cluster, path: str) -> str:
    return cluster.call("GET", path)["spec"]["resources"]["requests"]["storage"]


def test_a_home_grows_where_its_class_lets_it(cluster, here):  # noqa: F811
    cluster.node("cpu")
    name = profile(cluster, "ada")
    path = home(cluster, name, grows=True)

    async def story(_api):
        server = ours("ada", home=HOME)
        shown = view(await server.offer(name), {})["home"]
        assert shown["words"] == "Your files are there already, 1 GiB. It can grow, and never shrinks."
        assert [(each["key"], each["checked"]) for each in shown["sizes"]] == [
            ("1Gi", True),
            ("5Gi", False),
            ("20Gi", False),
        ]
        server.user_options = {"home_size": "5Gi"}
        entered = await server._profile()
        server.namespace = entered.namespace
        server._options = await server._choose(entered)
        await server._ensure_claim()
        assert size_of(cluster, path) == "5Gi"
        # What was chosen before is remembered and no longer smaller than what there is: nothing changes.
        again = ours("ada", {"home_size": "1Gi"}, home=HOME)
        again.namespace = entered.namespace
        again._options = await again._choose(entered)
        await again._ensure_claim()
        return size_of(cluster, path)

    assert here(story) == "5Gi"


def test_a_home_that_cannot_grow_says_why(cluster, here):  # noqa: F811
    name = profile(cluster, "ada")
    path = home(cluster, name, grows=False)
    reason = f"Its size stays: the storage class {name}-stays lets no volume grow."

    async def story(_api):
        server = ours("ada", {"home_size": "5Gi"}, home=HOME)
        shown = view(await server.offer(name), {})["home"]
        assert shown["words"] == f"Your files are there already, 1 GiB. {reason}"
        assert len(shown["sizes"]) == 1
        with pytest.raises(Refused) as refused:
            await server._choose(await server._profile())
        return refused.value

    refused = here(story)
    assert (refused.status, refused.field, refused.hint) == (400, "home_size", reason)
    with pytest.raises(Answer) as answer:  # and so says the API server
        cluster.call("PATCH", path, {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}, patch="merge")
    assert answer.value.status in {403, 422}


def test_growth_counts_against_the_quota(cluster, here):  # noqa: F811
    cluster.node("cpu")
    name = profile(cluster, "ada", quota={"requests.storage": "6Gi"})
    home(cluster, name, grows=True)
    path = f"/api/v1/namespaces/{name}/resourcequotas/q"
    cluster.until(
        lambda: cluster.call("GET", path)["status"].get("used", {}).get("requests.storage") == "1Gi"
    )

    async def story(_api):
        server = ours("ada", home=HOME)
        offer = await server.offer(name)
        return [
            offer.situation.judge(offer.schema, offer.schema.check({"home_size": size}))
            for size in ("5Gi", "20Gi")
        ]

    fits, too_much = here(story)
    assert not fits.disabled
    assert too_much.disabled
    assert "19 GiB of storage" in too_much.reason


def test_nodes_that_no_server_may_come_to_do_not_count(cluster, here):  # noqa: F811
    """KubeSpawner's node_selector and tolerations are part of what fits."""
    cluster.node("cpu")
    name = profile(cluster, "ada")
    node = cluster.call("GET", "/api/v1/nodes")["items"][0]["metadata"]["name"]
    cluster.call(
        "PATCH", f"/api/v1/nodes/{node}", {"metadata": {"labels": {"pool": "notebooks"}}}, patch="merge"
    )

    async def story(_api):
        found = []
        for selector in ({"pool": "notebooks"}, {"pool": "elsewhere"}):
            server = ours(
                "ada",
                node_selector=selector,
                tolerations=[{"key": "pool", "operator": "Exists", "tolerationSeconds": 60}],
            )
            offer = await server.offer(name)
            found.append(offer.situation.judge(offer.schema, offer.schema.check({})))
        entered = await server._profile()
        server.namespace = entered.namespace
        server._options = server.schema().extended(profiles=(name,)).check({"namespace": entered.name})
        return found, (await server._body(entered))["spec"]

    (fits, never), spec = here(story)
    assert fits.level == "fits"
    assert (never.level, never.reason) == ("never", "No node has these labels now.")
    assert spec["nodeSelector"] == {"pool": "elsewhere"}
    assert [each for each in spec["tolerations"] if each.get("key") == "pool"] == [
        {"key": "pool", "operator": "Exists", "tolerationSeconds": 60}
    ]
