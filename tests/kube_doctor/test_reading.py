"""Reading patiently, in pages, a few at a time, and nothing but reading."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.cluster.kube_doctor import reading
from jupyter_ext.cluster.kube_doctor.examining import examined
from jupyter_ext.cluster.kube_doctor.reading import Reader, Right, Unseen, grant, right_for
from tests.kube_doctor.fake_api_server import FakeApiServer, status


def asked(server: FakeApiServer, work):
    """What ``work`` makes of a client of this server."""
    from kubernetes_asyncio import client

    from spawner.api import Api

    async def run(address: str):
        api = Api(client.ApiClient(client.Configuration(host=address)), timeout=20)
        try:
            return await work(api)
        finally:
            await api.close()

    with server.serving() as address:
        return asyncio.run(run(address))


def page(names, token: str = ""):
    return (
        200,
        {"metadata": {"continue": token}, "items": [{"metadata": {"name": each}} for each in names]},
        {},
    )


def test_busy_servers_are_asked_again_and_lists_come_in_pages():
    def pods(query, before):
        if before == 0:
            return 429, status(429, "TooManyRequests"), {"Retry-After": "0"}
        assert query["limit"] == "500"
        return page(["b"]) if query.get("continue") == "next" else page(["a"], "next")

    server = FakeApiServer({"/api/v1/pods": pods})
    found = asked(server, lambda api: Reader(api).items("/api/v1/pods"))
    assert [each["metadata"]["name"] for each in found] == ["a", "b"]


def test_a_list_that_grew_too_old_is_begun_again():
    def pods(query, before):
        if query.get("continue") and before == 1:
            return 410, status(410, "Expired"), {}
        return page(["b"]) if query.get("continue") else page(["a"], "next")

    found = asked(FakeApiServer({"/api/v1/pods": pods}), lambda api: Reader(api).items("/api/v1/pods"))
    assert [each["metadata"]["name"] for each in found] == ["a", "b"]


def test_one_that_stays_busy_is_unknown_not_a_failure():
    server = FakeApiServer(
        {"/api/v1/nodes": lambda *_: (503, status(503, "Unavailable"), {"Retry-After": "0"})}
    )

    async def work(api):
        with pytest.raises(Unseen) as unseen:
            await Reader(api).items("/api/v1/nodes")
        return unseen.value.finding("nodes")

    found = asked(server, work)
    assert (found.severity, found.what) == ("unknown", "The nodes could not be looked at")
    assert found.why == "The API server did not give them: Unavailable."


def test_the_same_is_asked_once_and_few_at_a_time():
    together = threading.Barrier(reading.AT_ONCE)

    def slow(*_):
        together.wait(timeout=60)
        return page([])

    paths = [f"/api/v1/namespaces/n{number}/pods" for number in range(2 * reading.AT_ONCE)]
    server = FakeApiServer(dict.fromkeys(paths, slow))

    async def work(api):
        reader = Reader(api)
        await asyncio.gather(*(reader.items(path) for path in paths for _ in range(3)))
        return reader.requests

    assert asked(server, work) == len(paths)
    assert set(server.asked.values()) == {1}
    assert server.most_at_once == reading.AT_ONCE


def test_a_server_that_refuses_everything_gets_questions_only():
    """Also what a user without any right sees: every check says what it may not do, and nothing is sent but questions."""

    def refused(*_):
        return 403, status(403, "Forbidden"), {}

    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    server = FakeApiServer(
        {
            "/version": lambda *_: (200, {"gitVersion": "v1.34.4"}, {}),
            review: lambda *_: (201, {"status": {"userInfo": {"username": "eve"}}}, {}),
        },
        otherwise=refused,
    )
    report = asked(server, lambda api: examined(api, "there"))
    assert report.ok
    assert {each.severity for each in report.checks} <= {"ok", "unknown"}
    assert all(each.fix for each in report.of("unknown") if "may not" in each.why)
    posts = {path for path in server.asked if path in reading._REVIEWS}
    assert server.methods == {"GET", "POST"}
    assert posts


def test_what_writes_is_not_asked():
    async def work():
        with pytest.raises(ValueError, match="writes nothing"):
            await Reader(None).ask("/api/v1/namespaces", {})

    asyncio.run(work())


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/api/v1/nodes", Right("list", "nodes")),
        ("/api/v1/namespaces", Right("list", "namespaces")),
        ("/api/v1/namespaces/a", Right("get", "namespaces")),
        ("/api/v1/namespaces/a/pods", Right("list", "pods", "", "a")),
        ("/api/v1/namespaces/a/services/s", Right("get", "services", "", "a")),
        ("/apis/apps/v1/deployments", Right("list", "deployments", "apps")),
        ("/apis/kubeflow.org/v1/profiles/p", Right("get", "profiles", "kubeflow.org")),
        (
            "/apis/rbac.authorization.k8s.io/v1/namespaces/a/rolebindings",
            Right("list", "rolebindings", "rbac.authorization.k8s.io", "a"),
        ),
        ("/version", Right("get", "/version")),
    ],
)
def test_which_right_a_path_needs(path, right):
    assert right_for(path) == right


def test_how_a_right_is_asked_for():
    assert grant(Right("list", "pods", "", "a"), "system:serviceaccount:hub:hub") == (
        "Ask an administrator for: kubectl create role read-pods --verb=get,list --resource=pods -n a"
        " && kubectl create rolebinding read-pods --role=read-pods --serviceaccount=hub:hub -n a"
    )
    assert "--user='a b; rm'" in grant(Right("list", "nodes"), "a b; rm")


@given(st.text(max_size=300))
def test_no_name_of_a_user_leaves_its_quotes(name):
    import shlex

    words = shlex.split(reading.subject_option(name).replace("\0", ""))
    assert len(words) == 1
