"""The home page as one value: true, quick, and no part takes another with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_ext import home
from jupyter_ext.cluster.local import LocalCluster, machine
from jupyter_ext.cluster.local.devices import Lease, Request
from jupyter_ext.cluster.local.machine import Gpu
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Unavailable
from jupyter_ext.home import capacity, components, storage

Put = Callable[..., Resource]
GPUS = tuple(Gpu(f"GPU-{number}", number, "NVIDIA L4", 24 << 30) for number in range(3))


@pytest.fixture
def cluster(kubeflow_home) -> LocalCluster:
    return LocalCluster(kubeflow_home)


@pytest.fixture
def put(cluster: LocalCluster) -> Put:
    """Put a resource into the store as if it had happened."""

    def made(
        kind: str, name: str, phase: str = "SUCCEEDED", owner: str | None = None, **status: Any
    ) -> Resource:
        new = Resource.new(kind, name, {}, namespace=cluster.namespace, owner=owner)
        return cluster.store.create(new.with_(status={"phase": phase, **status}))

    return made


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]


def test_an_empty_profile(cluster):
    page = home.summary(cluster)
    assert page["profile"] == {"name": "default", "cluster": cluster.name, "kind": "local"}
    assert page["work"] == {"active": [], "failed": [], "recent": [], "counts": {}, "schedules": []}
    assert page["endpoints"] == []
    assert page["capacity"]["cpu"]["free"] == page["capacity"]["cpu"]["total"] > 0
    assert not {"quota", "contributors", "links"} & set(page)
    assert "servers" not in names(page["components"])


def test_work_of_every_kind(cluster, put):
    run = put("Run", "flights", "PENDING", reason="Waiting for 1 GPU.")
    put("TrainJob", "mnist", "FAILED", reason="Cell 3, line 2: no such file.")
    put("TrainJob", "of-a-run", "FAILED", owner=run.uid)
    put("Experiment", "sweep", "SUCCEEDED")
    put("SparkApplication", "etl", "CANCELED")
    put(
        "InferenceService",
        "iris",
        "RUNNING",
        variants=[{"name": "v1", "percent": 100, "state": "ready"}, {"name": "v0", "state": "retired"}],
    )
    put("RecurringRun", "nightly", "RUNNING", nextTime="2027-01-01T06:00:00Z")
    page = home.summary(cluster)
    work = page["work"]
    assert names(work["active"]) == ["flights"]
    assert work["active"][0]["reason"] == "Waiting for 1 GPU."
    assert names(work["failed"]) == ["mnist"]
    assert names(work["recent"]) == ["etl", "sweep", "mnist", "flights"]
    assert work["counts"]["TrainJob"] == {"FAILED": 1}
    assert names(work["schedules"]) == ["nightly"]
    assert [variant["name"] for variant in page["endpoints"][0]["variants"]] == ["v1"]
    assert "trainjob/mnist FAILED: Cell 3, line 2: no such file." in repr(page)


def test_what_failed_long_ago_is_no_news(cluster, put):
    put("Run", "old", "FAILED", completionTime="2020-01-01T00:00:00Z")
    work = home.summary(cluster)["work"]
    assert names(work["failed"]) == []
    assert names(work["recent"]) == ["old"]


def test_who_has_what(cluster, put):
    job = put("TrainJob", "mnist", "RUNNING")
    run = put("Run", "flights", "RUNNING")
    lease = cluster.leases.acquire(job.uid, "mnist", "attempt-1", Request(500, 1 << 20))
    assert isinstance(lease, Lease)
    inside = cluster.leases.acquire(run.uid, "flights", "load", Request(250, 1 << 20), (job.uid, "attempt-1"))
    assert isinstance(inside, Lease)
    whole = cluster.leases.machine().cpu_milli
    cluster.leases.acquire(run.uid, "flights", "train", Request(whole))
    found = home.summary(cluster)["capacity"]
    assert found["holders"] == [
        {"kind": "TrainJob", "name": "mnist", "unit": "attempt-1", "cpu": 500, "memory": 1 << 20, "gpus": 0}
    ]
    assert [(each["name"], each["unit"]) for each in found["waiting"]] == [("flights", "train")]
    assert found["cpu"] == {"total": whole, "free": whole - 500}


def test_gpus_by_holder_and_use(cluster, put, monkeypatch):
    """The driver cannot be had here: what it would list and measure is given; the leases are real."""
    monkeypatch.setattr(machine, "gpus", lambda: GPUS)
    monkeypatch.setattr(machine, "may_have_gpus", lambda: True)
    monkeypatch.setattr(capacity, "gpu_use", lambda: {"GPU-0": 0.93, "GPU-1": 0.01, "GPU-2": 0.0})
    for name in ("busy", "idle"):
        job = put("TrainJob", name, "RUNNING")
        assert isinstance(cluster.leases.acquire(job.uid, name, "a", Request(gpus=1)), Lease)
    found = home.summary(cluster)["capacity"]["gpus"]
    assert [(each["state"], (each["holder"] or {}).get("name")) for each in found] == [
        ("used", "busy"), ("idle", "idle"), ("free", None),
    ]  # fmt: skip
    assert "(idle)" in repr(home.summary(cluster))


def test_a_part_that_breaks_takes_no_other_with_it(cluster, monkeypatch):
    def broken() -> None:
        raise Unavailable("the disk does not answer", hint="Mount it again.")

    monkeypatch.setattr(cluster, "capabilities", broken)
    page = home.summary(cluster)
    assert page["components"]["error"]["message"] == "the disk does not answer. Mount it again."
    assert page["capacity"]["cpu"]["total"] > 0
    assert "Mount it again" in repr(page)


def test_what_is_not_installed_says_how_to_get_it(cluster, monkeypatch):
    monkeypatch.setattr(components, "find_spec", lambda _: None)
    found = {each["name"]: each for each in home.summary(cluster)["components"]}
    assert found["spark"]["state"] == "missing"
    assert found["tuning"]["state"] == found["training"]["state"] == "degraded"
    assert all("pip install" in found[name]["remedy"] for name in ("spark", "tuning", "training"))
    assert found["pipelines"]["state"] == "available"


def test_storage_is_counted_by_what_is_in_it(cluster):
    cluster.blobs.put_bytes(b"x" * 5000)
    (cluster.log_folder("uid") / "workload.log").write_text("y" * 700)
    outside = cluster.base.parent / "outside"
    outside.write_bytes(b"z" * 100_000)
    (cluster.home / "link").symlink_to(outside)
    found = storage.count(cluster.home)
    assert found["parts"]["values"] == 5000
    assert found["parts"]["logs"] == 700
    assert found["parts"]["records"] < 100_000 + 1_000_000
    assert found["total"] == sum(found["parts"].values())
    assert found["whole"]


def test_a_count_of_very_many_files_says_that_it_is_not_whole(cluster, monkeypatch):
    monkeypatch.setattr(storage, "MOST", 3)
    for number in range(6):
        cluster.blobs.put_bytes(str(number).encode())
    assert storage.count(cluster.home)["whole"] is False


def test_a_hub_is_linked(cluster, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_BASE_URL", "/at/")
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    assert home.summary(cluster)["links"] == [{"title": "JupyterHub", "url": "/at/hub/home"}]


def test_it_does_not_grow_with_what_there_is(cluster, put):
    """Work, not time: what it reads of 400 is what it reads of 4,000, so a list that is read whole is noticed."""
    for number in range(400):
        put("Run", f"run-{number}", ("SUCCEEDED", "FAILED")[number % 2])
    page = home.summary(cluster)
    assert page["work"]["counts"]["Run"] == {"SUCCEEDED": 200, "FAILED": 200}
    assert len(page["work"]["recent"]) == 20
    read = []
    real = cluster.store.list

    def counted(*args: Any, **more: Any) -> Any:
        found = real(*args, **more)
        read.append(len(found))
        return found

    cluster.store.list = counted
    home.summary(cluster)
    assert sum(read) <= 60 * 2


def test_three_lines_of_python(tmp_path):
    code = "from jupyter_ext import home\npage = home.summary()\nprint(page['profile']['name'], len(page['components']))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split()[0] == "default"
