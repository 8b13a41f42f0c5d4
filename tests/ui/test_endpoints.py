"""A model is served from the panel, tried, split with its next version, rolled back and looked into."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.screen import violations

REGISTER = """
import pathlib, sys
import numpy as np
from sklearn.linear_model import LogisticRegression
import jupyter_ext as kf

values = np.random.default_rng(0).normal(size=(200, 3))
answers = (values[:, 0] + values[:, 1] > 0).astype(int)
for strength in (1.0, 0.01):
    model = LogisticRegression(C=strength).fit(values, answers)
    kf.registry.register(model, "flights", example=values[:2], data={"train": values})
broken = pathlib.Path(sys.argv[1]) / "broken.joblib"
broken.write_bytes(b"this is no model")
kf.registry.register(str(broken), "flights", format="sklearn")
kf.registry.promote("flights:1")
"""
# It would end by itself, but later than the tests.
CLOSE = """
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import workload

cluster = discover.current()
for gateway in cluster.list("Gateway"):
    workload.stop(cluster, gateway.uid, grace=2)
"""
VIEW = ".jk-Endpoint:visible"
PATH = "kubeflow/v1/inferenceservices"


@pytest.fixture(scope="module")
def models(server, tmp_path_factory):
    """Three versions of one model; the third cannot be loaded."""
    folder = tmp_path_factory.mktemp("models")

    def python(code: str) -> None:
        arguments = [sys.executable, "-c", code, str(folder)]
        subprocess.run(arguments, env=server.environment, cwd=folder, check=True, timeout=120)

    python(REGISTER)
    yield
    python(CLOSE)


@pytest.fixture
def endpoints(lab, server, models):
    """Serve by REST; what a test made is gone after it."""

    def serve(endpoint: str, version: str = "1", **words: object) -> str:
        server.post(PATH, {"model": f"flights:{version}", "endpoint": endpoint, **words})
        until(server, endpoint, lambda status: status["phase"] == "RUNNING")
        return endpoint

    yield serve
    for item in server.get(f"{PATH}?limit=500")["items"]:
        server.delete(f"{PATH}/{item['metadata']['name']}")


def until(server, name: str, done, seconds: float = 90) -> dict:
    """Wait until the endpoint's status is like this; returns it."""
    deadline = time.monotonic() + seconds
    while not done(status := server.get(f"{PATH}/{name}")["status"]):
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    return status


def beside(server, name: str, version: str, percent: int) -> None:
    """Put another version beside the first, and wait until it is ready."""
    server.post(PATH, {"model": f"flights:{version}", "endpoint": name, "percent": percent})
    until(server, name, lambda status: states(status).get(f"v{version}") == "ready")


def states(status: dict) -> dict[str, str]:
    return {row["name"]: row["state"] for row in status["variants"]}


def split(status: dict) -> dict[str, int]:
    return {row["name"]: row["percent"] for row in status["variants"] if row["percent"]}


def show(lab, name: str) -> Locator:
    """Open the endpoint's view."""
    lab.page.evaluate(
        "name => window.jupyterapp.commands.execute('kubeflow:open-endpoint', { name }).then(() => null)",
        name,
    )
    view = lab.page.locator(VIEW)
    expect(view.get_by_role("heading", name=name, exact=True)).to_be_visible()
    return view


def tab(view: Locator, name: str) -> Locator:
    view.get_by_role("tab", name=re.compile(f"^{name}")).first.click()
    return view.get_by_role("tabpanel", name=re.compile(f"^{name}")).first


def test_an_empty_section_says_what_to_do(lab, endpoints):
    part = lab.section("Endpoints")
    expect(part.get_by_text(re.compile("No endpoints yet"))).to_be_visible()
    expect(part.get_by_text("kf.serving.serve(")).to_be_visible()
    part.get_by_role("button", name="Serve a model", exact=True).click()
    form = part.get_by_role("form", name="Serve a model")
    expect(form.get_by_role("button", name="Serve", exact=True)).to_have_attribute(
        "title", "Choose a model first."
    )
    lab.page.keyboard.press("Escape")
    expect(form).to_have_count(0)


@pytest.mark.slow
def test_a_model_is_served_from_the_form_and_answers(lab, server, endpoints, pictures):
    part = lab.section("Endpoints")
    part.get_by_role("button", name="Serve a model", exact=True).click()
    form = part.get_by_role("form", name="Serve a model")
    form.get_by_role("combobox", name="Model", exact=True).select_option("flights")
    form.get_by_role("combobox", name="Version").select_option("@champion")
    replicas = form.get_by_role("textbox", name="Replicas")
    replicas.fill("3:1")
    expect(replicas).to_have_accessible_description("The least number comes first: 1:3.")
    replicas.fill("1")
    form.get_by_role("combobox", name="Log requests").select_option("all")
    code = form.get_by_role("group", name="The same as code")
    expect(code).to_contain_text("flights@champion")
    code.get_by_role("tab", name="Command").click()
    expect(code).to_contain_text("jupyter kf serve")
    lab.page.screenshot(path=pictures / "endpoint-form.png")
    replicas.focus()
    lab.page.keyboard.press("Control+Enter")
    expect(form).to_have_count(0)

    row = part.locator('[data-run="flights"]')
    expect(row.get_by_text("Serving", exact=True)).to_have_count(1, timeout=60_000)
    row.get_by_role("button", name=re.compile("flights")).first.click()
    view = lab.page.locator(VIEW)
    expect(view.locator("[data-variant=v1]")).to_have_attribute("data-state", "ready")

    # The example is there to be sent, and what is wrong with it is said before.
    tester = tab(view, "Try it")
    request = tester.get_by_role("textbox", name="Request as JSON")
    expect(request).to_have_value(re.compile("instances"))
    request.fill('{"instances": [[1, 2,]]}')
    expect(request).to_have_accessible_description(re.compile("Line 1, column 22"))
    expect(tester.get_by_role("button", name="Send", exact=True)).to_have_attribute("aria-disabled", "true")
    request.fill('{"instances": [[1, 2, 3]]}')
    request.press("Control+Enter")
    answer = tester.get_by_role("region", name="Answer")
    expect(answer).to_contain_text("predictions")
    expect(answer).to_contain_text("answered by v1")
    answer.get_by_role("group", name="Was it right?").get_by_role("button", name="Yes").click()
    expect(answer).to_contain_text("Counted as “correct”")
    request.fill('{"instances": [[1, 2]]}')
    request.press("Control+Enter")
    expect(answer).to_contain_text("3")
    expect(answer.locator(".jk-ErrorLine")).to_be_visible()

    # It is in the log, with what was sent.
    log = tab(view, "Requests")
    late = log.get_by_role("button", name="Show 1 new request")
    expect(log.locator("[data-request]").nth(1).or_(late)).to_be_visible()
    if late.is_visible():  # the log was opened between the two: rows never jump
        late.click()
    expect(log.locator("[data-request]")).to_have_count(2)
    log.get_by_role("button", name="Failed").click()
    expect(log.locator("[data-request]")).to_have_count(1)
    log.get_by_role("button", name="Failed").click()
    expect(log.locator("[data-request]")).to_have_count(2)
    log.locator("[data-request] [data-row]").last.click()
    expect(log.get_by_role("region", name="Request", exact=True)).to_contain_text("[1, 2, 3]")
    lab.page.keyboard.press("Escape")
    expect(log.locator("[data-request]")).to_have_count(2)
    expect(view.get_by_role("figure", name="Rate over time")).to_be_visible()


@pytest.mark.slow
def test_the_split_is_dragged_typed_applied_and_rolled_back(lab, server, endpoints, pictures):
    name = endpoints("split-it")
    beside(server, name, "2", 0)
    view = show(lab, name)
    traffic = view.get_by_role("region", name="Traffic")
    divider = traffic.get_by_role("slider", name="Between v1 and v2")
    expect(divider).to_have_attribute("aria-valuenow", "100")

    # By pointer, and nothing happens before it is applied.
    bar = traffic.get_by_role("group", name=re.compile("^Traffic:")).bounding_box()
    box = divider.bounding_box()
    assert bar
    assert box
    lab.page.mouse.move(box["x"] + 7, box["y"] + 20)
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + 7 - bar["width"] * 0.3, box["y"] + 20, steps=4)
    lab.page.mouse.up()
    expect(divider).to_have_attribute("aria-valuenow", "70")
    expect(traffic.get_by_role("status")).to_contain_text("v2 takes 30 % instead of 0 %")
    assert split(server.get(f"{PATH}/{name}")["status"]) == {"v1": 100}

    # By keys, and as numbers.
    divider.focus()
    lab.page.keyboard.press("PageUp")
    lab.page.keyboard.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "81")
    share = traffic.get_by_role("spinbutton", name="Percent of v2")
    share.fill("120")
    expect(traffic.get_by_role("status")).to_contain_text("a whole number from 0 to 100")
    expect(traffic.get_by_role("button", name="Apply")).to_have_attribute("aria-disabled", "true")
    share.fill("25")
    expect(traffic.get_by_role("spinbutton", name="Percent of v1")).to_have_value("75")
    traffic.get_by_role("combobox", name="Who stays with a variant").select_option("header")
    lab.page.screenshot(path=pictures / "endpoint-split.png")
    traffic.get_by_role("button", name="Apply").click()
    expect(traffic.get_by_role("button", name="Apply")).to_have_count(0)
    status = until(server, name, lambda status: split(status) == {"v1": 75, "v2": 25})
    assert status["routing"]["sticky"] == "header:x-user"

    # And back again, in one click and one confirmation that says what it brings.
    revisions = tab(view, "Revisions")
    expect(revisions.locator("[data-revision]")).to_have_count(3)
    row = revisions.locator('[data-revision="2"]')
    row.get_by_role("button", name="Roll back").click()
    question = row.get_by_role("alertdialog")
    expect(question).to_contain_text("v1 takes 100 % instead of 75 %")
    question.get_by_role("button", name="Roll back").click()
    expect(divider).to_have_attribute("aria-valuenow", "100")
    expect(revisions.locator("[data-revision]")).to_have_count(4)
    until(server, name, lambda status: split(status) == {"v1": 100})

    # Promoted, the other one is the stable one.
    view.locator("[data-variant=v2]").get_by_role("button", name="Promote").click()
    view.get_by_role("alertdialog").get_by_role("button", name="Promote").click()
    until(server, name, lambda status: split(status) == {"v2": 100})
    expect(view.locator("[data-variant]").first).to_have_attribute("data-variant", "v2")


@pytest.mark.slow
def test_a_version_that_does_not_load_is_told_while_the_old_one_serves(lab, server, endpoints, pictures):
    name = endpoints("goes-on")
    view = show(lab, name)
    view.get_by_role("button", name="Add a version…").click()
    form = lab.section("Endpoints").get_by_role("form", name="Serve a model")
    expect(form.get_by_role("textbox", name="Endpoint")).to_have_value(name)
    form.get_by_role("combobox", name="Version").select_option("3")
    expect(form.get_by_role("textbox", name="Share of traffic")).to_have_value("10")
    form.get_by_role("button", name="Serve there").click()
    failed = view.get_by_role("region", name="What failed")
    expect(failed).to_contain_text("v3 could not be loaded", timeout=60_000)
    expect(failed).to_contain_text("goes on: v1 100")
    expect(view.locator("[data-variant=v3]")).to_have_attribute("data-state", "failed")
    lab.page.screenshot(path=pictures / "endpoint-failed.png")

    tester = tab(view, "Try it")
    tester.get_by_role("button", name="Send", exact=True).click()
    expect(tester.get_by_role("region", name="Answer")).to_contain_text("answered by v1")
    failed.get_by_role("button", name="Remove v3").click()
    expect(failed).to_have_count(0)


@pytest.mark.slow
def test_rules_are_read_while_they_are_typed(lab, server, endpoints):
    name = endpoints("ruled")
    view = show(lab, name)
    rules = tab(view, "Rules")
    rules.get_by_role("button", name="Add a rule").click()
    text = rules.get_by_role("textbox", name="One rule a line")
    text.fill("roll back if erors > 2 %")
    expect(rules.locator("mark")).to_have_text("erors")
    expect(rules.get_by_role("button", name="Save rules")).to_have_attribute("aria-disabled", "true")
    text.fill("roll back if errors > 2 % over 5 minutes")
    expect(rules.locator("mark")).to_have_count(0)
    text.press("Control+Enter")
    expect(rules.get_by_role("list", name="Rules")).to_contain_text("errors > 2 %")


@pytest.mark.slow
def test_an_endpoint_is_stopped_started_and_deleted(lab, server, endpoints):
    name = endpoints("stops")
    view = show(lab, name)
    view.get_by_role("button", name="Stop", exact=True).click()
    view.get_by_role("alertdialog").get_by_role("button", name="Stop").click()
    expect(view.locator(".jk-Header [data-health]")).to_have_attribute("data-health", "stopped")
    view.get_by_role("button", name="Start", exact=True).click()
    expect(view.locator(".jk-Header [data-health]")).to_have_attribute(
        "data-health", "serving", timeout=60_000
    )
    view.get_by_role("button", name="Delete", exact=True).click()
    view.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(lab.section("Endpoints").get_by_text("No endpoints yet")).to_be_visible(timeout=30_000)


@pytest.mark.slow
def test_axe_finds_nothing_and_pictures_of_all(lab, server, endpoints, pictures):
    name = endpoints("looked-at", log=True)
    beside(server, name, "2", 30)
    for _ in range(12):
        server.post(f"{PATH}/{name}:predict", {"data": {"instances": [[1, 2, 3]]}})
    lab.section("Endpoints")
    view = show(lab, name)
    found = {}
    for dark in (False, True):
        lab.theme(dark=dark)
        theme = "dark" if dark else "light"
        for width in (1280, 1920):
            lab.page.set_viewport_size({"width": width, "height": 800})
            lab.page.screenshot(path=pictures / f"endpoint-{width}-{theme}.png")
        for text in ("Try it", "Requests", "Compare", "Rules", "Drift", "Revisions", "Log", "Code"):
            panel = tab(view, text)
            expect(panel.get_by_text("Loading…")).to_have_count(0)
            found[f"{text}, {theme}"] = violations(lab.page, VIEW.replace(":visible", ""))
            lab.page.screenshot(path=pictures / f"endpoint-{text.lower().replace(' ', '-')}-{theme}.png")
        found[f"panel, {theme}"] = violations(lab.page, ".jk-Panel")
        lab.section("Endpoints").get_by_role("button", name="New endpoint").click()
        expect(lab.panel.get_by_role("form", name="Serve a model")).to_be_visible()
        found[f"form, {theme}"] = violations(lab.page, ".jk-Panel")
        lab.page.keyboard.press("Escape")
    assert {place: texts for place, texts in found.items() if texts} == {}
