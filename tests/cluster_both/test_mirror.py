"""Sidebar, REST and command line on a cluster: the server keeps one copy of each kind, however many look."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_ext.cluster.kube.mirror import Mirror
from jupyter_ext.errors import Forbidden, Unavailable
from tests.cluster_both.contract import job
from tests.cluster_both.jupyter import JupyterServer
from tests.spawner.crash.weather import Trouble
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

COMPLETE = {"status": {"conditions": [{"type": "Complete", "status": "True", "reason": "JobsCompleted", "message": "x",
                                       "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}  # fmt: skip


class Counted:
    """What the API server was asked of one plural, through the weather."""

    def __init__(self, weather, plural: str) -> None:
        self.lists = self.watches = 0

        def rule(asked):
            if asked.method == "GET" and asked.path.endswith(f"/{plural}"):
                self.watches += asked.is_watch
                self.lists += not asked.is_watch
            return Trouble()

        weather.rule = rule


def test_many_pages_cost_one_list_and_one_watch(kube, weather, tmp_path):
    for number in range(3):
        kube.create(job(f"old-{number}"))
    asked = Counted(weather, "trainjobs")
    with JupyterServer(tmp_path / "server", weather.kubeconfig) as server:
        assert server.names() == set()
        status, about = server.ask("cluster")
        assert (status, about["used"]["kind"]) == (200, "local")
        context = about["choices"][-1]["context"]
        status, about = server.ask("cluster", "POST", {"context": context, "namespace": kube.namespace})
        assert (status, about["used"]["namespace"]) == (200, kube.namespace), about
        assert kube.namespace in about["profiles"]
        pages = [server.events() for _ in range(3)]
        with ThreadPoolExecutor(16) as tabs:
            found = list(tabs.map(lambda _: server.names(), range(48)))
        assert all(names == {"old-0", "old-1", "old-2"} for names in found)
        until(lambda: asked.watches == 1)
        assert asked.lists == 1
        _changes(kube, server, pages)
        _steered(kube, server)
        _typed(kube, server, context)
        assert asked.lists - _BY_COMMAND <= 1
        assert server.ask("runs")[1]["items"] == []
        assert server.ask("cluster", "POST", {"context": "local"})[1]["used"]["kind"] == "local"
        assert server.names() == set()
        until(lambda: all(page.of("local") for page in pages))
        for page in pages:
            page.close()


_BY_COMMAND = 1
"""`jupyter kf get` is a process of its own, and asks once itself."""


def _changes(kube, server, pages) -> None:
    """What happens in the cluster is heard by each page, and is in the list."""
    before = server.ask("trainjobs")[1]["resourceVersion"]
    kube.create(job("new"))
    until(lambda: all(page.of("new") for page in pages))
    assert "new" in server.names()
    kube.patch("TrainJob", "new", COMPLETE)
    until(lambda: all(("MODIFIED", "SUCCEEDED") in page.of("new") for page in pages))
    listed = server.ask("trainjobs?state=SUCCEEDED")[1]
    assert [item["metadata"]["name"] for item in listed["items"]] == ["new"]
    assert listed["items"][0]["status"]["completionTime"] == "2026-01-01T00:00:00Z"
    assert listed["resourceVersion"] > before
    kube.delete("TrainJob", "new")
    until(lambda: all(("DELETED", page.of("new")[-1][1]) == page.of("new")[-1] for page in pages))
    assert "new" not in server.names()


def _steered(kube, server) -> None:
    """A job's row opens, is suspended, goes on, stops and is deleted, as one of this machine."""
    assert server.ask("trainjobs/old-0")[1]["status"]["phase"] == "PENDING"
    assert server.ask("trainjobs/old-0:suspend", "POST")[0] == 200
    assert kube.get("TrainJob", "old-0").spec["suspend"] is True
    assert server.ask("trainjobs/old-0:resume", "POST")[0] == 200
    assert server.ask("trainjobs/old-0:stop", "POST")[0] == 200
    assert server.ask("trainjobs/old-0/logs:tail") == (200, {"text": ""})
    status, curves = server.ask("trainjobs/old-0:curves", "POST")
    assert (status, curves["series"]) == (200, [])
    assert server.ask("trainjobs/nothing")[0] == 404
    assert server.ask("trainjobs/old-0", "DELETE")[0] == 200
    until(lambda: server.names() == {"old-1", "old-2"})


def _typed(kube, server, context) -> None:
    """The command line uses what was chosen for the profile, and what its options say."""

    def kf(*words: str) -> str:
        environment = server.environment | {"JUPYTER_KUBEFLOW_WORKLOAD": ""}
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_ext.cli", *words],
            env=environment,
            capture_output=True,
            check=False,
        )
        return (done.stdout + done.stderr).decode()

    assert set(kf("get", "trainjobs", "-o", "name").split()) == {"trainjob/old-1", "trainjob/old-2"}
    told = kf("describe", "trainjob/old-1", "--context", context, "--namespace", kube.namespace)
    assert "State:    PENDING" in told
    assert "Nothing" not in kf("logs", "trainjob/old-1", "--context", context, "--namespace", kube.namespace)
    assert "There is no Kubernetes cluster 'nowhere'" in kf("get", "--context", "nowhere")
    assert "There is no TrainJob" in kf(
        "describe", "trainjob/old-1", "--context", context, "--namespace", "default"
    )
    assert "Deleted trainjob/old-1" in kf("delete", "trainjob/old-1", "--namespace", kube.namespace)


def test_a_thousand_are_listed_from_memory_and_a_lost_watch_is_made_up_for(kube, weather, connected):
    """Its first watch ends as one that is too old; what happens before the next list is told all the same, and once."""
    with ThreadPoolExecutor(16) as many:
        list(many.map(lambda number: kube.create(job(f"job-{number:04}")), range(1000)))
    told: list[tuple[str, str]] = []
    may_list, asked = threading.Event(), {"lists": 0, "watches": 0}

    def rule(one):
        if one.method != "GET" or not one.path.endswith("/trainjobs"):
            return Trouble()
        asked["watches" if one.is_watch else "lists"] += 1
        if one.is_watch:
            return Trouble(cut_after=0.5) if asked["watches"] == 1 else Trouble()
        return Trouble(until=may_list) if asked["watches"] else Trouble()

    weather.rule = rule
    distant = connected(kube.namespace, kubeconfig=weather.kubeconfig, patience=240.0)
    mirror = Mirror(distant, "TrainJob", changed=lambda change, of: told.append((change, of.name))).start()
    assert mirror.shows(240)
    pages = [mirror.list(limit=300, text="JOB-0")]
    while pages[-1].more:
        pages.append(mirror.list(limit=300, before=pages[-1].next, text="JOB-0"))
    seen = [one.name for page in pages for one in page]
    assert len(seen) == len(set(seen)) == 1000
    assert [one.name for one in mirror.list(limit=2)] == [one.name for one in kube.list("TrainJob", limit=2)]
    until(lambda: asked["lists"] == 3)  # two pages, and the first of the list after the watch that was cut
    kube.patch("TrainJob", "job-0007", COMPLETE)
    kube.delete("TrainJob", "job-0008")
    kube.create(job("late"))
    may_list.set()
    until(lambda: len(told) == 3)
    assert sorted(told) == [("ADDED", "late"), ("DELETED", "job-0008"), ("MODIFIED", "job-0007")]
    assert [one.name for one in mirror.list(phase="SUCCEEDED")] == ["job-0007"]
    mirror.stop(60)
    assert mirror.is_over


def test_what_one_may_not_see_is_said_and_comes_when_one_may(kube, connected, cluster):
    mirror = Mirror(connected(kube.namespace, user="newcomer"), "TrainJob").start()
    with pytest.raises(Forbidden, match="You may not list trainjobs"):
        mirror.shows()
    kube.create(job("a"))
    root = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{kube.namespace}"
    rule = {
        "apiGroups": ["trainer.kubeflow.org"],
        "resources": ["trainjobs"],
        "verbs": ["get", "list", "watch"],
    }
    cluster.call("POST", f"{root}/roles", {"metadata": {"name": "look"}, "rules": [rule]})
    cluster.call("POST", f"{root}/rolebindings", {
        "metadata": {"name": "look"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "newcomer"}],
    })  # fmt: skip

    def seen() -> list[str]:
        try:
            return [one.name for one in mirror.list()] if mirror.shows() else []
        except (Forbidden, Unavailable):
            return []

    assert until(seen) == ["a"]
    mirror.stop(60)
