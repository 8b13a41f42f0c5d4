from __future__ import annotations

import asyncio

import pytest
from jupyterhub.spawner import SpawnException

from tests.cluster import nodes
from tests.spawner.spawning.harness import connected, ours, profile

pytestmark = pytest.mark.cluster

LAZY = {"events_after": 0.0, "hopeless_after": 0.5}
GPU = {"accelerators": [], "when_busy": "wait", "check_fit": False}


def run(work):
    return asyncio.run(asyncio.wait_for(work, 150))


@pytest.fixture
def here(cluster, monkeypatch):
    """Runs a story in a loop that is connected to the cluster."""

    def told(story):
        async def whole():
            async with connected(cluster, monkeypatch) as api:
                return await story(api)

        return run(whole())

    return told


@pytest.fixture
def paper(cluster):
    """A node whose pods nobody runs: the test writes what its kubelet would say."""
    node = {
        "metadata": {"name": "paper", "labels": {"kubernetes.io/hostname": "paper"}},
        "status": {},
    }
    cluster.call("POST", "/api/v1/nodes", node)
    cluster.gone_after("/api/v1/nodes/paper")
    amounts = {"cpu": "32", "memory": "64Gi", "pods": "110"}
    status = {
        "capacity": amounts,
        "allocatable": amounts,
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}],
    }
    cluster.call("PATCH", "/api/v1/nodes/paper/status", {"status": status}, patch="merge")
    cluster.call("PATCH", "/api/v1/nodes/paper", {"spec": {"taints": None}}, patch="merge")
    return "paper"


async def until(ask):
    while not (found := await ask()):  # noqa: ASYNC110 — the cluster has no bell
        await asyncio.sleep(0.05)
    return found


def test_a_server_runs_in_the_users_profile(cluster, here):
    cluster.node("cpu")
    name = profile(cluster, "ada")

    async def story(api):
        server = ours("ada", {})
        url = await server.start()
        told = [each async for each in server.progress()]
        made = await api.get(f"/api/v1/namespaces/{name}/pods/{server.pod_name}")
        state = server.get_state()
        assert await server.poll() is None
        await server.stop()
        assert await server.poll() == 1
        return url, told, made, state

    url, told, made, state = here(story)
    assert url.startswith("http://10.")
    assert told[-1]["stages"][4]["state"] == "done"
    assert made["spec"]["serviceAccountName"] == "jupyter-ada"
    assert state["namespace"] == name
    assert state["pod_uid"] == made["metadata"]["uid"]
    managers = {each["manager"] for each in made["metadata"]["managedFields"]}
    assert "jupyter-kubeflow-hub" in managers
    assert not cluster.exists(f"/api/v1/namespaces/{name}/pods/jupyter-ada")


def test_somebody_elses_profile_is_not_entered(cluster, here):
    name = profile(cluster, "ada")

    async def story(_api):
        await ours("eve", {"namespace": name}).start()

    with pytest.raises(SpawnException) as caught:
        here(story)
    assert (caught.value.status_code, caught.value.reason) == (403, "refused")


def test_an_image_that_is_not_there_ends_the_start_at_once(cluster, here, paper):
    name = profile(cluster, "ada")

    async def story(api):
        server = ours("ada", {}, node_selector={"kubernetes.io/hostname": paper}, **LAZY)
        path = f"/api/v1/namespaces/{name}/pods/{server.pod_name}"
        starting = asyncio.ensure_future(server.start())

        async def placed():
            found = await api.get(path) if server.pod_uid else {}
            return (found.get("spec") or {}).get("nodeName")

        await until(placed)
        said = "rpc error: code = NotFound desc = <b>example.org/lab:1</b>: not found"
        status = {
            "name": "notebook",
            "image": "example.org/lab:1",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": said}},
        }
        await api.patch(f"{path}/status", {"status": {"containerStatuses": [status]}})
        with pytest.raises(SpawnException) as caught:
            await starting
        assert await server.poll() is None  # the Hub stops it now
        await server.stop(now=True)
        return caught.value

    failure = here(story)
    assert failure.reason == "image-not-found"
    assert "The image example.org/lab:1 does not exist." in failure.message
    assert "&lt;b&gt;" in failure.message_html
    assert not cluster.exists(f"/api/v1/namespaces/{name}/pods/jupyter-ada")


def test_a_namespace_that_wants_restricted_pods_gets_one(cluster, here):
    """Elsewhere it is left to the image who it runs as: the kubelet refuses one whose user is a name."""
    cluster.node("cpu")
    name, usual = profile(cluster, "ada"), profile(cluster, "ben")
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    cluster.call("PATCH", f"/api/v1/namespaces/{name}", label, patch="merge")

    async def story(api):
        for owner, place in (("ada", name), ("ben", usual)):
            server = ours(owner)
            await server.start()
            made = await api.get(f"/api/v1/namespaces/{place}/pods/{server.pod_name}")
            yield made["spec"]["securityContext"].get("runAsNonRoot")
            await server.stop(now=True)

    async def both(api):
        return [each async for each in story(api)]

    assert here(both) == [True, None]


def test_a_quota_that_is_full_refuses_and_leaves_no_home_behind(cluster, here):
    name = profile(cluster, "ada", quota={"pods": "0"})

    async def story(_api):
        await ours("ada", {}, home=True, check_fit=False).start()

    with pytest.raises(SpawnException) as caught:
        here(story)
    assert caught.value.reason == "quota"
    assert "servers and jobs: 1 asked for, 0 of 0 in use" in caught.value.message
    path = f"/api/v1/namespaces/{name}/persistentvolumeclaims"
    cluster.until(
        lambda: not cluster.call("GET", path)["items"]
    )  # its finalizer is the controller's to take off


def test_two_race_for_the_last_gpu_and_the_loser_is_told_why(cluster, here):
    labels, _, taints = nodes.A100.parts()
    cluster.node("gpu", labels, {"nvidia.com/gpu": "1"}, taints)
    profile(cluster, "ada"), profile(cluster, "ben")

    def gpu(user):
        return ours(
            user,
            {},
            profile_list=[{"display_name": "GPU", "kubespawner_override": {}}],
            extra_resource_limits={"nvidia.com/gpu": "1"},
            extra_resource_guarantees={"nvidia.com/gpu": "1"},
            tolerations=[{"operator": "Exists"}],
            **LAZY,
        )

    async def story(_api):
        servers = [gpu("ada"), gpu("ben")]
        starts = [asyncio.ensure_future(server.start()) for server in servers]
        await asyncio.wait(starts, return_when=asyncio.FIRST_COMPLETED)
        first = 0 if starts[0].done() else 1
        loser = servers[1 - first]

        async def reason():
            found = (await loser.why())["reason"]
            return found if found and "in use" in found["why"] else None

        told = await until(reason)
        assert not starts[1 - first].done()
        await servers[first].stop()
        await starts[1 - first]
        await loser.stop()
        return told

    told = here(story)
    assert told["why"] == "1 node has this GPU; it is in use, none by your own profile."
    assert not told["is_hopeless"]


def test_a_profile_that_is_deleted_ends_its_start(cluster, here, paper):
    name = profile(cluster, "ada")

    async def story(api):
        server = ours("ada", {}, node_selector={"kubernetes.io/hostname": paper}, **LAZY)
        starting = asyncio.ensure_future(server.start())

        async def made():
            return server.pod_uid

        await until(made)
        await api.delete(f"/api/v1/namespaces/{name}")
        with pytest.raises(SpawnException) as caught:
            await starting
        await server.stop(now=True)
        return caught.value

    assert here(story).reason == "deleted"


def test_a_stop_during_a_start_leaves_nothing(cluster, here, paper):
    name = profile(cluster, "ada")

    async def story(_api):
        server = ours("ada", {}, node_selector={"kubernetes.io/hostname": paper})
        starting = asyncio.ensure_future(server.start())
        while server._creating is None:  # noqa: ASYNC110 — the very moment
            await asyncio.sleep(0.005)
        starting.cancel()  # as the Hub does at its time limit, here in the middle of the creation
        with pytest.raises(asyncio.CancelledError):
            await starting
        await server.stop(now=True)

    here(story)
    assert not cluster.exists(f"/api/v1/namespaces/{name}/pods/jupyter-ada")


def test_state_is_true_after_the_hub_was_killed(cluster, here):
    cluster.node("cpu")
    name = profile(cluster, "ada")

    async def story(api):
        first = ours("ada", {})
        await first.start()
        kept = dict(first.orm_spawner.state)
        again = ours("ada", {})
        again.load_state(kept)
        assert await again.poll() is None
        path = f"/api/v1/namespaces/{name}/pods/{again.pod_name}"
        pod = await api.get(path)
        await api.delete(path, {"gracePeriodSeconds": 0})
        pod["metadata"] = {key: pod["metadata"][key] for key in ("name", "labels", "annotations")}
        pod["spec"].pop("nodeName")
        await api.post(f"/api/v1/namespaces/{name}/pods", pod)  # another of the same name
        other = ours("ada", {})
        other.load_state(kept)

        async def ended():
            return await other.poll() == 1

        await until(ended)
        await other.stop()
        assert await api.get(path)  # which is not this server's to delete
        lost = ours("ada", {})  # killed between the request and its answer: no uid was written
        lost.load_state({**kept, "pod_uid": ""})
        assert await lost.poll() is None
        await lost.stop()

    here(story)
    assert not cluster.exists(f"/api/v1/namespaces/{name}/pods/jupyter-ada")


def test_an_old_pod_of_the_same_server_is_replaced_and_a_foreign_one_left(cluster, here):
    cluster.node("cpu")
    name = profile(cluster, "ada")
    path = f"/api/v1/namespaces/{name}/pods"

    async def story(api):
        first = ours("ada", {})
        await first.start()
        uid = first.pod_uid
        again = ours("ada", {})  # a Hub that lost its database
        await again.start()
        assert again.pod_uid != uid
        await again.stop()
        # Of a name that no pod had yet: KWOK deletes by name, and still has the former pods in mind.
        metadata = {"name": "jupyter-ada--work"}
        foreign = {"metadata": metadata, "spec": {"containers": [{"name": "x", "image": "x"}]}}
        made = await api.post(path, foreign)
        with pytest.raises(SpawnException, match="already a pod called jupyter-ada--work"):
            await ours("ada", {}, "work").start()
        left = await api.get(f"{path}/jupyter-ada--work")
        assert left["metadata"]["uid"] == made["metadata"]["uid"]
        assert "deletionTimestamp" not in left["metadata"]

    here(story)


def test_another_size_of_a_stopped_server_keeps_its_home(cluster, here):
    cluster.node("cpu")
    name = profile(cluster, "ada")
    sizes = [
        {"key": "small", "title": "S", "cpu": "1", "memory": "1Gi", "default": True},
        {"key": "large", "title": "L", "cpu": "2", "memory": "4Gi"},
    ]

    async def story(api):
        server = ours("ada", {"size": "small"}, "work", sizes=sizes, home=True)
        path = f"/api/v1/namespaces/{name}"
        # no disk is made here: the pod stays pending, which is enough to look at it
        starting = asyncio.ensure_future(server.start())

        async def made():
            return server.pod_uid

        await until(made)
        claim = await api.get(f"{path}/persistentvolumeclaims/claim-ada--work")
        starting.cancel()
        await server.stop(now=True)
        server.clear_state()
        server.user_options = {"size": "large"}
        starting = asyncio.ensure_future(server.start())
        await until(made)
        pod = await api.get(f"{path}/pods/jupyter-ada--work")
        starting.cancel()
        await server.stop(now=True)
        after = await api.get(f"{path}/persistentvolumeclaims/claim-ada--work")
        assert after["metadata"]["uid"] == claim["metadata"]["uid"]
        return pod["spec"]["containers"][0]["resources"]["requests"]

    assert here(story)["memory"] == "4Gi"


def test_hooks_templates_and_lists_of_kubespawner_work(cluster, here):
    cluster.node("cpu")
    name = profile(cluster, "ada")
    seen = []

    def modify(server, pod):
        pod.metadata.labels["hooked"] = server.user.name
        return pod

    def after(_server, pod):
        seen.append(pod["metadata"]["uid"])

    listed = [
        {"display_name": "Small", "kubespawner_override": {"image": "small:1"}},
        {
            "display_name": "Large",
            "slug": "large",
            "kubespawner_override": {"mem_guarantee": "1G", "environment": {"MORE": "yes"}},
        },
    ]

    async def story(api):
        server = ours(
            "ada",
            {"profile": "large"},
            profile_list=listed,
            modify_pod_hook=modify,
            after_pod_created_hook=after,
            extra_labels={"team": "of-{username}"},
            environment={"WHO": "{unescaped_username}"},
            volumes={"shm": {"name": "shm", "emptyDir": {"medium": "Memory"}}},
            volume_mounts={"shm": {"name": "shm", "mountPath": "/dev/shm"}},
            services_enabled=True,
        )
        url = await server.start()
        made = await api.get(f"/api/v1/namespaces/{name}/pods/jupyter-ada")
        service = await api.get(f"/api/v1/namespaces/{name}/services/jupyter-ada")
        await server.stop()
        return url, made, service

    url, made, service = here(story)
    labels, main = made["metadata"]["labels"], made["spec"]["containers"][0]
    variables = {each["name"]: each.get("value") for each in main["env"]}
    assert url == f"http://jupyter-ada.{name}.svc.cluster.local:8888"
    assert (labels["hooked"], labels["team"]) == ("ada", "of-ada")
    assert (variables["WHO"], variables["MORE"]) == ("ada", "yes")
    assert main["resources"]["requests"]["memory"] == "1073741824"
    assert seen == [made["metadata"]["uid"]]
    assert service["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"privileged": True}, "privileged"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "host-path"),
        ({"extra_pod_config": {"hostNetwork": True}}, "host-namespaces"),
        ({"extra_labels": {"hub.jupyter.org/network-access-hub": "true"}}, "labels"),
    ],
)
def test_a_pod_that_breaks_a_rule_is_never_sent(cluster, here, settings, rule):
    name = profile(cluster, "ada")

    async def story(_api):
        await ours("ada", {}, check_fit=False, **settings).start()

    with pytest.raises(SpawnException, match=f"breaks the rules {rule}"):
        here(story)
    assert not cluster.exists(f"/api/v1/namespaces/{name}/serviceaccounts/jupyter-ada")


def test_a_servers_account_may_do_little(cluster, here):
    cluster.node("cpu")
    name = profile(cluster, "ada")

    async def story(_api):
        server = ours("ada", {})
        await server.start()
        await server.stop()

    here(story)
    me = f"system:serviceaccount:{name}:jupyter-ada"

    def may(verb, group, resource, subresource=""):
        asked = {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": name,
        }
        spec = {"user": me, "groups": ["system:serviceaccounts"], "resourceAttributes": asked}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        found = cluster.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
        return bool(found["status"].get("allowed"))

    assert may("create", "trainer.kubeflow.org", "trainjobs")
    assert may("get", "", "pods", "log")
    for verb, group, resource, sub in [
        ("get", "", "secrets", ""),
        ("create", "", "pods", ""),
        ("create", "", "pods", "exec"),
        ("create", "rbac.authorization.k8s.io", "rolebindings", ""),
        ("create", "", "serviceaccounts", "token"),
        ("impersonate", "", "serviceaccounts", ""),
    ]:
        assert not may(verb, group, resource, sub), (verb, resource, sub)


def test_an_account_that_somebody_else_made_is_not_used(cluster, here):
    name = profile(cluster, "ada")
    cluster.call(
        "POST",
        f"/api/v1/namespaces/{name}/serviceaccounts",
        {"metadata": {"name": "jupyter-ada", "labels": {"x": "y"}}},
    )

    async def story(_api):
        await ours("ada", {}, check_fit=False).start()

    with pytest.raises(SpawnException, match="jupyter-ada of this profile"):
        here(story)
