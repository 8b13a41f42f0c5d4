"""The form in a real browser, on a real Hub's own spawn page."""

from __future__ import annotations

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.spawner.form.conftest import WORLD, Form, FormHub
from tests.spawner.form.queues import cluster_queue

pytestmark = pytest.mark.ui
A100 = "NVIDIA A100, 40 GiB"
RUNNING = re.compile(r"/user/ada/|/hub/spawn-pending/ada")


def test_defaults_start_a_server_and_are_remembered(form: Form, hub: FormHub) -> None:
    form.open()
    expect(form.radio("Image", "Standard")).to_be_checked()
    assert "pandas" in form.about("Image", "Standard")
    assert "Already on the nodes" in form.about("Image", "Standard")
    form.radio("Size", "Medium").check()
    form.radio("Accelerator", A100).check()
    form.radio("How many", "2").check()
    expect(form.verdict).to_contain_text("This fits: 24 of 24 free")
    form.press_start()
    form.page.wait_for_url(RUNNING)
    answer = hub.started("ada")
    assert answer is not None
    assert (answer["namespace"], answer["size"], answer["accelerator"], answer["count"]) == (
        "ada",
        "medium",
        "nvidia-a100",
        2,
    )
    hub.ask("DELETE", "/hub/api/users/ada/server")
    form.open()
    expect(form.radio("Size", "Medium")).to_be_checked()
    expect(form.radio("How many", "2")).to_be_checked()


def test_what_cannot_be_had_is_disabled_with_the_reason(form: Form, hub: FormHub) -> None:
    hub.world(pods=[[f"a100-{n}", {"nvidia.com/gpu": "8"}, "ada" if n == 0 else "others"] for n in range(3)])
    form.open()
    expect(form.radio("Accelerator", A100)).to_be_disabled()
    assert "3 nodes have this accelerator; all 24 are in use, 8 by your own profile." in form.about(
        "Accelerator", A100
    )
    expect(form.radio("Size", "Huge")).to_be_disabled()
    assert "of this profile has 12 CPU of 16 CPU left" in form.about("Size", "Huge")
    assert "on 4 machines that only work together" in form.about("Accelerator", "TPU v5e 4x4, 16 GiB a chip")


def test_what_fits_is_refreshed_without_a_reload(form: Form, hub: FormHub) -> None:
    form.open()
    expect(form.radio("Accelerator", A100)).to_be_enabled()
    hub.world(pods=[[f"a100-{n}", {"nvidia.com/gpu": "8"}, "others"] for n in range(3)])
    form.radio("Size", "Medium").check()
    expect(form.radio("Accelerator", A100)).to_be_disabled()
    hub.world()
    form.radio("Size", "Small").check()
    expect(form.radio("Accelerator", A100)).to_be_enabled()


def test_what_was_taken_meanwhile_is_said_at_once_and_at_the_start(form: Form, hub: FormHub) -> None:
    form.open()
    form.radio("Accelerator", A100).check()
    expect(form.verdict).to_contain_text("This fits")
    hub.world(pods=[[f"a100-{n}", {"nvidia.com/gpu": "8"}, "others"] for n in range(3)])
    form.radio("Size", "Medium").check()
    expect(form.verdict).to_contain_text(
        "This cannot be had now. 3 nodes have this accelerator; all 24 are in use."
    )
    expect(form.radio("Accelerator", A100)).to_be_checked()
    expect(form.radio("Accelerator", A100)).to_be_enabled()


def test_a_link_presets_and_starts_nothing(form: Form, hub: FormHub) -> None:
    form.open("?opt-size=medium&opt-accelerator=nvidia-a100&opt-count=3&opt-image=nosuch")
    expect(form.page.get_by_text("Nothing starts until you press Start.")).to_be_visible()
    expect(
        form.page.get_by_text("'nosuch' is not one of the images. The default is chosen instead.")
    ).to_be_visible()
    expect(form.radio("Size", "Medium")).to_be_checked()
    expect(form.radio("How many", "3")).to_be_checked()
    expect(form.radio("Image", "Standard")).to_be_checked()
    assert hub.started("ada") is None
    _, user = hub.ask("GET", "/hub/api/users/ada")
    assert user["server"] is None
    assert user["pending"] is None


def test_the_link_of_the_page_leads_back_to_the_same_choices(form: Form) -> None:
    form.open()
    form.radio("Size", "Medium").check()
    form.radio("Accelerator", A100).check()
    expect(form.page.locator("#kf-link")).to_have_attribute("href", re.compile("opt-accelerator=nvidia-a100"))
    form.page.get_by_text("As a link, as code").click()
    form.page.get_by_role("button", name="Copy link").click()
    address = form.page.evaluate("navigator.clipboard.readText()")
    assert "namespace" not in address
    form.page.goto(address)
    expect(form.radio("Size", "Medium")).to_be_checked()
    expect(form.radio("Accelerator", A100)).to_be_checked()


def test_the_code_of_the_page_starts_the_same(form: Form, hub: FormHub) -> None:
    form.open()
    form.radio("Size", "Medium").check()
    expect(form.page.locator("#kf-code")).to_contain_text('"size": "medium"')
    code = form.page.locator("#kf-code").text_content()
    assert code is not None
    compile(code, "copied", "exec")
    body = json.loads(code[code.index("json.dumps(") + 11 : code.index(").encode")])
    status, _ = hub.ask("POST", "/hub/api/users/ada/server", body)
    assert status in {201, 202}
    assert (hub.started("ada") or {})["size"] == "medium"


def test_the_rest_interface_refuses_what_was_not_offered(hub: FormHub) -> None:
    hub.ask("POST", "/hub/api/users/ada")
    for body, name in (
        ({"namespace": "kube-system"}, "namespace"), ({"namespace": "ada", "image": "evil"}, "image"),
        ({"namespace": "ada", "privileged": True}, "privileged"), ({"namespace": "ada", "image": ["standard", "torch"]}, "image"),
        ({"namespace": "ada", "accelerator": "nvidia-a100", "count": "1e3"}, "count"),
        ({"namespace": "ada", "image": "{userid.__class__.__mro__}"}, "image"),
    ):  # fmt: skip
        status, answer = hub.ask("POST", "/hub/api/users/ada/server", body)
        assert (status, name in answer["message"]) == (400, True), (body, answer)
    assert hub.started("ada") is None


def test_a_wrong_answer_comes_back_as_it_was_typed(form: Form, hub: FormHub) -> None:
    form.open()
    form.radio("Image", "Another image").check()
    form.page.get_by_label("Image reference").fill("docker.io/evil:1")
    form.radio("Size", "Medium").check()
    problem = form.page.locator("#kf-problem-image_other")
    expect(problem).to_contain_text("'docker.io/evil:1' is not an image that is allowed here")
    form.press_start()
    expect(form.page.locator(".spawn-error-msg")).to_contain_text("Only images of quay.io/jupyter")
    expect(problem).to_contain_text("is not an image that is allowed here")
    expect(form.radio("Size", "Medium")).to_be_checked()
    assert hub.started("ada") is None


def test_a_size_of_ones_own_says_what_is_wrong_as_it_is_typed(form: Form, hub: FormHub) -> None:
    form.open()
    form.radio("Size", "Own size").check()
    form.page.get_by_label("CPU", exact=True).fill("99")
    form.page.get_by_label("Memory", exact=True).fill("3Gi")
    expect(form.page.locator("#kf-problem-cpu")).to_contain_text("'99' is outside of 100m to 16")
    form.page.get_by_label("CPU", exact=True).fill("2")
    expect(form.page.locator("#kf-problem-cpu")).to_be_hidden()
    expect(form.page.locator("#kf-words")).to_contain_text("2 CPU, 3 GiB")
    form.press_start()
    form.page.wait_for_url(RUNNING)
    assert (hub.started("ada") or {})["memory"] == "3Gi"


def test_another_profile_brings_its_own_volumes(form: Form) -> None:
    form.open()
    expect(form.page.get_by_role("checkbox", name="data-of-ada (1 TiB)")).to_be_visible()
    profile = form.page.get_by_label("Profile", exact=True)
    expect(profile.locator("option[value=archive]")).to_be_disabled()
    profile.focus()
    profile.select_option("team-vision")
    expect(form.page.get_by_role("checkbox", name="data-of-team-vision (1 TiB)")).to_be_visible()
    expect(form.page.get_by_role("checkbox", name="data-of-ada (1 TiB)")).to_have_count(0)
    expect(profile).to_be_focused()


def test_one_profile_is_named_and_none_is_explained(form: Form, hub: FormHub) -> None:
    hub.world(profiles=[["ada", "owner", ""]])
    form.open()
    expect(form.page.get_by_label("Profile", exact=True)).to_have_count(0)
    expect(form.page.get_by_text("Profile ada")).to_be_visible()
    hub.world(profiles=[], note="You have no profile yet.", hint="Ask the owner of a profile to add you.")
    form.open()
    expect(form.page.get_by_role("heading", name="There is nowhere to start a server yet")).to_be_visible()
    expect(form.page.get_by_text("Ask the owner of a profile to add you.")).to_be_visible()
    expect(form.page.get_by_role("button", name="Start")).to_be_hidden()


def test_it_works_without_a_script(plain_form: Form, hub: FormHub) -> None:
    plain_form.open()
    plain_form.radio("Size", "Medium").check()
    plain_form.radio("Accelerator", A100).check()
    plain_form.page.get_by_role("checkbox", name="scratch (200 GiB)").check()
    plain_form.press_start()
    plain_form.page.wait_for_url(RUNNING)
    answer = hub.started("ada") or {}
    assert (answer["accelerator"], answer["count"], answer["data"]) == ("nvidia-a100", 1, ["scratch"])


def test_the_keyboard_does_everything(form: Form, hub: FormHub) -> None:
    form.open()
    form.radio("Size", "Small").focus()
    form.page.keyboard.press("ArrowDown")
    expect(form.radio("Size", "Medium")).to_be_checked()
    form.page.keyboard.press("Tab")
    expect(form.radio("Accelerator", "None")).to_be_focused()
    form.page.keyboard.press("Control+Enter")
    form.page.wait_for_url(RUNNING)
    assert (hub.started("ada") or {})["size"] == "medium"


def test_text_of_others_is_text(form: Form, hub: FormHub) -> None:
    evil = "<img src=x onerror=window.hacked=1>{{7*7}}\u05d0\u05d1"
    settings = WORLD["settings"] | {
        "images": [{"key": "x", "reference": "a", "title": evil, "description": evil, "contains": [evil]}]
    }
    hub.world(settings=settings)
    form.open()
    expect(form.radio("Image", evil)).to_be_checked()
    form.page.get_by_label("Profile", exact=True).select_option("team-vision")
    expect(form.page.get_by_role("checkbox", name="data-of-team-vision (1 TiB)")).to_be_visible()
    assert form.page.evaluate("window.hacked") is None
    assert form.page.locator("#kf-form img").count() == 0


def test_others_see_nothing_of_it(form: Form, hub: FormHub) -> None:
    form.open()
    address = form.page.locator("#kf-form").get_attribute("data-state")
    assert address == "/hub/kubeflow/form/state/ada/"
    answer = form.page.request.get(f"{hub.url}{address}?opt-size=medium")
    assert answer.ok
    assert answer.json()["summary"]["level"] == "fits"
    assert answer.headers["cache-control"] == "no-store"
    form.page.context.clear_cookies()
    form.sign_in("eve")
    for path in (address, "/hub/kubeflow/form/state/nobody/", "/hub/kubeflow/form/state/..%2fada/"):
        assert form.page.request.get(f"{hub.url}{path}").status == 404
    for path in ("../form.py", "..%2f..%2fform.py", "form.js.map", "%2e%2e/templates/form.html"):
        assert form.page.request.get(f"{hub.url}/hub/kubeflow/form/static/{path}").status in {403, 404}


def test_a_hub_that_is_away_is_said(form: Form) -> None:
    form.open()
    form.page.route("**/kubeflow/form/state/**", lambda route: route.abort())
    form.radio("Size", "Medium").check()
    expect(form.page.get_by_text("The Hub does not answer.")).to_be_visible()
    form.page.unroute("**/kubeflow/form/state/**")
    form.radio("Size", "Small").check()
    expect(form.page.get_by_text("The Hub does not answer.")).to_be_hidden()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_and_nothing_sticks_out(
    form: Form, hub: FormHub, repository, dark: bool, width: int
) -> None:
    hub.world(
        pods=[["a100-0", {"nvidia.com/gpu": "8"}, "ada"], ["t4-0", {"nvidia.com/gpu.shared": "40"}, "others"]]
    )
    form.page.emulate_media(color_scheme="dark" if dark else "light")
    form.page.set_viewport_size({"width": width, "height": 900})
    form.open("?opt-size=other&opt-cpu=99&opt-accelerator=nvidia-a100&opt-image=other")
    form.radio("Size", "Own size").check()
    form.page.get_by_label("CPU", exact=True).fill("99")
    expect(form.page.locator("#kf-problem-cpu")).to_be_visible()
    form.page.get_by_text("As a link, as code").click()
    found = Axe().run(form.page, context="#kf-form").response["violations"]
    assert not found, json.dumps(
        [(each["id"], [node["html"] for node in each["nodes"]]) for each in found], indent=1
    )
    assert form.page.evaluate("document.documentElement.scrollWidth") <= width
    pictures = repository / "test-results"
    pictures.mkdir(exist_ok=True)
    form.page.screenshot(path=pictures / f"spawn-{width}-{'dark' if dark else 'light'}.png", full_page=True)


def test_a_queue_a_home_that_grows_and_sharing(form: Form, hub: FormHub) -> None:
    """What is left behind a queue comes with its choice; all three are in what starts, and are remembered."""
    rows = {"a100": {"cpu": ("96", "80"), "memory": ("640Gi", "0")}}
    ours = {"settings": {**WORLD["settings"], "sharing": True}, "home": {"claim_size": "10Gi"}}
    hub.world(
        **ours,
        cluster_queues=[cluster_queue("team", rows)],
        shared_with=[{"title": "ann", "url": "/user/ann/"}],
    )
    form.open()
    expect(form.page.get_by_role("link", name="ann")).to_have_attribute("href", "/user/ann/")
    form.page.get_by_label("Queue").select_option("interactive")
    expect(form.page.locator("#kf-quota")).to_contain_text("CPU of queue interactive: 16 of 96 left")
    expect(form.group("Files")).to_contain_text("It can grow, and never shrinks.")
    form.page.get_by_label("Size of the home folder").select_option("50Gi")
    form.page.get_by_label("Contributors of the profile may open it too").check()
    form.press_start()
    form.page.wait_for_url(RUNNING)
    started = hub.started("ada")
    assert started is not None
    assert (started["queue"], started["home_size"], started["shared"]) == (
        "interactive",
        "50Gi",
        "contributors",
    )
