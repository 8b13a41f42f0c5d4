"""The home page: opened when asked, true while it is looked at, readable in every state."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from jupyter_ext import home
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.cluster.resource import Resource
from tests.ui.screen import Lab, cell, notebook, violations
from tests.ui.test_narrow import BAD_PLACES

HOME = re.compile(r"kubeflow/v1/home(\?|$)")
OURS = ".jk-Home"
LONG = "a-name-that-is-as-long-as-names-may-be-and-has-no-place-to-break"
REASON = "Waiting for 1 GPU. It is held by resnet-sweep, about 12 min left. Stop it, or run on CPU."
GPUS = (
    ("used", "resnet-sweep", 0.93),
    ("used", "resnet-sweep", 0.88),
    ("idle", "forgotten", 0.01),
    ("free", None, 0.0),
)


def open_home(lab: Lab) -> Locator:
    lab.command("kubeflow:open-home")
    page = lab.page.get_by_role("region", name="Kubeflow home", exact=True)
    expect(page).to_be_visible()
    return page


def answer(lab: Lab, page: Any) -> Locator:
    """Open the page over this answer of the server."""
    lab.page.route(HOME, lambda route: route.fulfill(json=page))
    return open_home(lab)


@pytest.fixture
def elsewhere(tmp_path: Path) -> LocalCluster:
    """A profile of its own: what the library says of it is what the server would answer."""
    return LocalCluster(tmp_path / "kubeflow")


def put(cluster: LocalCluster, kind: str, name: str, phase: str, **status: Any) -> Resource:
    spec = {"displayName": name} if kind == "Run" else {}
    made = Resource.new(kind, name, spec, namespace=cluster.namespace)
    return cluster.store.create(made.with_(status={"phase": phase, **status}))


def full(cluster: LocalCluster, name: str = "{}") -> dict[str, Any]:
    """What the library says of a busy profile; the GPUs, which are not to be had here, are added."""

    def named(text: str) -> str:
        return name.format(text)

    put(cluster, "Run", named("flights"), "RUNNING", progress=0.4, startTime="2026-01-01T10:00:00Z")
    put(cluster, "TrainJob", named("mnist"), "PENDING", reason=REASON)
    put(
        cluster,
        "Run",
        named("taxi"),
        "FAILED",
        reason="Cell 7, line 3: KeyError: 'fare'. The frame has no such column.",
    )
    for number in range(6):
        put(
            cluster,
            "Experiment",
            named(f"sweep-{number}"),
            "SUCCEEDED",
            completionTime="2026-01-01T10:00:00Z",
        )
    put(cluster, "RecurringRun", named("nightly"), "RUNNING", nextTime="2099-01-01T06:00:00Z")
    variants = [
        {"name": "v1", "percent": 90, "model": "iris", "version": 3},
        {"name": "v2", "percent": 10, "model": "iris", "version": 4},
    ]
    put(cluster, "InferenceService", named("iris"), "RUNNING", variants=variants)
    put(
        cluster,
        "InferenceService",
        named("prices"),
        "FAILED",
        reason="The model cannot be loaded: it needs scikit-learn.",
    )
    page: dict[str, Any] = json.loads(json.dumps(home.summary(cluster)))
    page["capacity"] |= {
        "cpu": {"total": 16_000, "free": 5_500},
        "memory": {"total": 64 << 30, "free": 20 << 30},
        "gpus": [
            {"uuid": f"GPU-{at}", "index": at, "name": "NVIDIA L4", "memory": 24 << 30, "state": state, "use": use,
             "holder": {"kind": "TrainJob", "name": named(holder), "unit": "a"} if holder else None}
            for at, (state, holder, use) in enumerate(GPUS)
        ],
        "holders": [
            {"kind": "TrainJob", "name": named("resnet-sweep"), "unit": "a", "cpu": 8000, "memory": 32 << 30, "gpus": 2},
            {"kind": "TrainJob", "name": named("forgotten"), "unit": "a", "cpu": 2000, "memory": 8 << 30, "gpus": 1},
            {"kind": "Run", "name": named("flights"), "unit": "load", "cpu": 500, "memory": 4 << 30, "gpus": 0},
        ],
        "waiting": [{"kind": "TrainJob", "name": named("mnist"), "unit": "a", "cpu": 1000, "memory": 0, "gpus": 1}],
    }  # fmt: skip
    page["endpoints"][-1] |= {"rate": 41.5, "errors": 0.02}
    page["storage"] |= {
        "parts": {"values": 3_400_000_000, "logs": 210_000_000, "work": 0, "records": 40_000_000},
        "total": 3_650_000_000,
    }
    return page


def is_sound(page: Locator) -> None:
    """Nothing sticks out or is cut off, and axe finds nothing."""
    assert page.evaluate(BAD_PLACES) == []
    assert violations(page.page, OURS) == []


def test_it_opens_from_everywhere_and_never_by_itself(lab):
    page = lab.page.get_by_role("region", name="Kubeflow home", exact=True)
    lab.show_panel()
    expect(page).to_have_count(0)
    card = lab.page.locator(".jp-LauncherCard").filter(has_text="Kubeflow Home")
    if not card.count():
        lab.command("launcher:create")
    card.first.click()
    expect(page).to_be_visible()
    expect(page.get_by_role("region", name="Capacity")).to_contain_text("cores free")
    lab.command("application:close")
    expect(page).to_have_count(0)
    lab.panel.get_by_role("button", name="Kubeflow home").press("Enter")
    expect(page).to_be_visible()
    lab.panel.get_by_role("button", name="Kubeflow home").click()
    expect(page).to_have_count(1)  # the same again
    names = lab.page.evaluate("() => window.jupyterapp.commands.label('kubeflow:open-home')")
    assert names == "Kubeflow Home"


def test_a_run_comes_goes_and_says_why(lab, server, tmp_path):
    """Real work on the real server: who holds what, and why it failed, without a reload."""
    gate = tmp_path / "gate"
    page = open_home(lab)
    expect(page.get_by_role("region", name="Capacity")).to_be_visible()
    source = f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)\nassert False, 'the gate is shut'"
    path = lab.write(
        "home.ipynb",
        notebook(cell("# Home run", kind="markdown"), cell("## Wait", kind="markdown"), cell(source)),
    )
    name = server.post("kubeflow/v1/runs", {"path": path})["metadata"]["name"]
    row = f'[data-run="{name}"]'
    try:
        expect(page.get_by_role("list", name="Running and waiting").locator(row)).to_have_attribute(
            "data-state", "RUNNING"
        )
        expect(page.get_by_role("list", name="Who has it")).to_contain_text(name)
    finally:
        gate.touch()
    server.settle([name])
    failed = page.get_by_role("list", name="Failed in the last day").locator(row)
    expect(failed).to_contain_text("the gate is shut")
    expect(page.get_by_role("list", name="Running and waiting").locator(row)).to_have_count(0)
    failed.get_by_role("button").press("Enter")
    expect(lab.view).to_contain_text("the gate is shut")
    server.delete(f"kubeflow/v1/runs/{name}")
    lab.command("kubeflow:open-home")
    expect(page.locator(row)).to_have_count(0)


def test_an_empty_profile_teaches_the_first_step(lab, elsewhere, pictures):
    page = answer(lab, home.summary(elsewhere))
    steps = page.get_by_role("region", name="First steps")
    expect(steps.get_by_role("listitem")).to_have_count(3)
    expect(page.get_by_role("region", name="Endpoints")).to_have_count(0)
    is_sound(page)
    lab.page.screenshot(path=pictures / "home-empty.png")
    steps.get_by_role("listitem").filter(has_text="Training").get_by_role("button").last.click()
    expect(lab.panel.get_by_role("region", name="Training", exact=True)).to_contain_text("Framework")


@pytest.mark.slow
def test_a_busy_profile_in_both_themes_and_every_width(lab, elsewhere, pictures):
    page = answer(lab, full(elsewhere))
    gpus = page.get_by_role("list", name="GPUs").get_by_role("listitem")
    expect(gpus.nth(2)).to_contain_text("held by forgotten, idle, 1 %")
    expect(gpus.nth(3)).to_contain_text("free")
    expect(page.get_by_role("list", name="Who waits")).to_contain_text("waits for 1 core, 1 GPU")
    expect(page.get_by_role("list", name="Running and waiting")).to_contain_text(REASON)
    expect(page.get_by_role("list", name="Endpoints")).to_contain_text("41.5 requests/s")
    expect(
        page.get_by_role("button", name="Show all").or_(page.get_by_title("Show all: Runs"))
    ).to_contain_text("1 failed")
    is_sound(page)
    lab.page.screenshot(path=pictures / "home-full-light.png")
    lab.theme(dark=True)
    is_sound(page)
    lab.page.screenshot(path=pictures / "home-full-dark.png")
    lab.theme(dark=False)
    lab.command("application:toggle-left-area")
    for width, height in ((1920, 1080), (620, 900), (420, 800)):
        lab.page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(BAD_PLACES) == []
        lab.page.screenshot(path=pictures / f"home-full-{width}.png")


def test_long_names_and_what_cannot_be_looked_at(lab, elsewhere, pictures):
    found = full(elsewhere, LONG[:40] + "-{}")
    found["components"] = [
        {"name": "spark", "state": "missing", "reason": "PySpark is not installed.", "remedy": "pip install 'jupyter-kubeflow[spark]'"},
        {"name": "tuning", "state": "degraded", "reason": "Only grid, random and Sobol search: Optuna is not installed.", "remedy": "pip install 'jupyter-kubeflow[local]'"},
        {"name": "pipelines", "state": "available", "reason": "Runs as processes on this machine.", "remedy": ""},
    ]  # fmt: skip
    found["storage"] = {"error": {"message": "The disk does not answer. Mount it again."}}
    page = answer(lab, found)
    names = page.get_by_role("list", name="Components").get_by_role("listitem")
    expect(names.first).to_contain_text("Missing")
    expect(names.first).to_contain_text("pip install 'jupyter-kubeflow[spark]'")
    expect(page.get_by_role("region", name="Storage")).to_contain_text("Mount it again")
    expect(page.get_by_role("region", name="Capacity")).to_be_visible()
    is_sound(page)
    lab.page.screenshot(path=pictures / "home-long.png")


def test_a_server_that_does_not_answer_keeps_what_was_shown(lab, elsewhere, pictures):
    pages: list[Any] = [full(elsewhere)]

    def fulfil(route: Any) -> None:
        if pages:
            route.fulfill(json=pages[0])
        else:
            route.fulfill(
                status=503,
                json={
                    "message": "The store is locked. Try again.",
                    "what": "",
                    "where": {},
                    "hint": None,
                    "status": 503,
                },
            )

    lab.page.route(HOME, fulfil)
    page = open_home(lab)
    expect(page.get_by_role("list", name="Endpoints")).to_be_visible()
    pages.clear()
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("status").filter(has_text="The store is locked")).to_be_visible()
    expect(page.get_by_role("list", name="Endpoints")).to_be_visible()
    is_sound(page)
    lab.page.screenshot(path=pictures / "home-broken.png")
    pages.append(full(LocalCluster(elsewhere.base / "again")))
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("The store is locked")).to_have_count(0)


def test_the_keyboard_goes_everywhere(lab, elsewhere):
    page = answer(lab, full(elsewhere))
    rows = page.get_by_role("list", name="Recent").get_by_role("button")
    expect(rows.first).to_be_visible()
    rows.first.focus()
    lab.page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    lab.page.keyboard.press("End")
    expect(rows.last).to_be_focused()
    reached = set()
    page.get_by_role("button", name="Check setup").focus()
    for _ in range(60):
        reached.add(lab.page.evaluate("() => document.activeElement.textContent.trim()"))
        lab.page.keyboard.press("Tab")
    assert {"Copy as code", "Refresh", "resnet-sweep"} <= reached
    page.get_by_role("button", name="Copy as code").click()
    assert "home.summary()" in lab.page.evaluate("() => navigator.clipboard.readText()")


def crowded(cluster: LocalCluster) -> dict[str, Any]:
    """A profile of a cluster with more of everything than anybody reads, under names that do not fit."""
    page = full(cluster, LONG[:40] + "-{}")
    amounts = {"cpu": 3.5, "memory": 5.5 * 2**30, "gpus": 2.0, "pods": 4}
    people = [{"name": f"{LONG}-{at}@example.com", **amounts} for at in range(50)]
    kinds = ("User", "Group", "User")
    return page | {
        "quota": [{"name": "q", "rows": [
            {"resource": "requests.memory", "used": 12.0 * 2**30, "hard": 16.0 * 2**30},
            {"resource": "count/inferenceservices.serving.kserve.io", "used": 7, "hard": 20},
            {"resource": f"{LONG}.storageclass.storage.k8s.io/requests.storage", "used": 2.0**40, "hard": 2.0**41},
        ]}],
        "use": {"people": people, "kinds": [{"kind": "TrainJob", **amounts}], "total": amounts},
        "contributors": [
            {"name": f"{LONG}-{at}@example.com", "kind": kinds[at % 3], "role": "view" if at % 2 else "edit", "isOwner": not at}
            for at in range(500)
        ],
        "profiles": {"count": 500, "isAdmin": True, "rows": [
            {"name": f"{at}-{LONG}", "owner": f"{at}-{LONG}@example.com", "isUsed": not at, **amounts} for at in range(500)
        ]},
        "endpoints": [{**page["endpoints"][at % 2], "name": f"{LONG}-{at}", "title": f"{LONG}-{at}"} for at in range(50)],
    }  # fmt: skip


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_hundreds_of_rows_stay_in_their_place(lab, elsewhere, pictures, dark):
    lab.theme(dark=dark)
    page = answer(lab, crowded(elsewhere))
    shade = "dark" if dark else "light"
    lab.page.set_viewport_size({"width": 1280, "height": 2400})
    for card, name in (("People", "People"), ("All profiles", "Profiles"), ("Endpoints", "Endpoints")):
        rows = page.get_by_role("region", name=card).get_by_role("list", name=name).get_by_role("listitem")
        expect(rows).to_have_count(8)
    is_sound(page)
    lab.page.screenshot(path=pictures / f"home-crowded-{shade}.png")
    profiles = page.get_by_role("region", name="All profiles")
    profiles.get_by_role("button", name="Show all 500").press("Enter")
    rows = profiles.get_by_role("list", name="Profiles").get_by_role("listitem")
    expect(rows).to_have_count(500)
    assert profiles.evaluate("card => card.offsetHeight") < 600
    expect(profiles.get_by_role("searchbox")).to_be_focused()
    lab.page.keyboard.type("417- name")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("417-")
    page.get_by_role("region", name="People").get_by_role("button", name="Show all 500").click()
    assert violations(page.page, OURS) == []
    lab.page.screenshot(path=pictures / f"home-crowded-open-{shade}.png")
    lab.page.get_by_role("searchbox", name="Filter: Profiles").fill("nobody")
    expect(profiles).to_contain_text("Nothing matches “nobody”.")
    profiles.get_by_role("button", name="Show fewer").click()
    expect(rows).to_have_count(8)
    lab.page.set_viewport_size({"width": 700, "height": 2400})
    assert page.evaluate(BAD_PLACES) == []
    lab.page.screenshot(path=pictures / f"home-crowded-small-{shade}.png")
