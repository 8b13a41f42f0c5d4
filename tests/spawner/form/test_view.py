"""The form as data and as HTML, without a browser."""

from __future__ import annotations

import asyncio
import html.parser
from types import SimpleNamespace
from typing import Any

import pytest

from spawner.form import page as form
from spawner.form.accelerators import discover
from spawner.form.capacity import Fleet
from spawner.form.choices import Claim, PodDefaultChoice, Queue
from spawner.form.settings import configure
from spawner.form.view import Offer, fragment, problem, view
from spawner.refused import Refused
from tests.spawner.form import nodes

CLUSTER = [nodes.gke_a100("a", 4), nodes.node("c"), nodes.gke_tpu("t", topology="4x4", chips=4)]
EVIL = "\"><script>alert(1)</script>{{7*7}}{user.__class__}'"


def profile(name: str, role: str = "owner", reason: str = "") -> Any:
    return SimpleNamespace(name=name, role=role, reason=reason, may_start=not reason)


def offer(*profiles: Any, settings: dict[str, Any] | None = None, **more: Any) -> Offer:
    mine = profiles or (profile("ada"),)
    schema = configure(
        image_other={"pattern": ".+"}, size_other={"most_cpu": "4", "most_memory": "8Gi"}, prices={"currency": "€", "cpu": "1"},
        **(settings or {}),
    ).extended(
        profiles=tuple(each.name for each in mine), accelerators=discover(CLUSTER),
        claims=[Claim("scratch", "1Gi"), Claim("gone", reason="It is being deleted.")],
        pod_defaults=[PodDefaultChoice("kfp", "Pipelines", (("a", "b"),))], queues=[Queue("q", waiting=2)],
    )  # fmt: skip
    return Offer(schema, Fleet(CLUSTER), user="ada", profiles=mine, needs_profile=True, **more)


class Tags(html.parser.HTMLParser):
    """The elements of a page, checked for balance as they come."""

    VOID = frozenset({"input", "link", "br", "img", "meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def inputs(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.seen if tag == "input" and attrs.get("name") == name]


def drawn(shown: Offer, before: object = None, refused: Refused | None = None) -> Tags:
    return Tags(form.render(view(shown, before or {}, refused), user="ada", base="/hub/"))


def test_every_part_has_a_name_and_what_describes_it_is_there() -> None:
    page = drawn(offer(profile("ada"), profile("team", "edit")))
    ids = [attrs["id"] for _, attrs in page.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    labelled = {attrs["for"] for tag, attrs in page.seen if tag == "label"}
    for tag, attrs in page.seen:
        for each in (attrs.get("aria-describedby") or "").split():
            assert each in ids or each.endswith("-help"), each
        if tag in {"input", "select"} and attrs.get("type") != "hidden":
            assert attrs["id"] in labelled, attrs


def test_exactly_one_of_each_kind_is_chosen() -> None:
    page = drawn(offer())
    for name in ("image", "size", "accelerator", "home"):
        assert sum("checked" in each for each in page.inputs(name)) == 1
    for each in page.inputs("accelerator"):
        assert ("disabled" in each) == (each["value"] == "tpu-v5e-4x4")


def test_what_is_chosen_is_never_drawn_as_disabled() -> None:
    """A disabled choice would not be sent, and the default would start instead, silently."""
    shown = offer(
        quotas=[{"metadata": {"name": "q"}, "status": {"hard": {"requests.nvidia.com/gpu": "0"}, "used": {}}}]
    )
    page = drawn(shown, {"accelerator": "nvidia-a100", "count": 2})
    chosen = next(each for each in page.inputs("accelerator") if each["value"] == "nvidia-a100")
    assert "checked" in chosen
    assert "disabled" not in chosen
    assert "disabled" not in next(each for each in page.inputs("count") if "checked" in each)
    assert view(shown, {"accelerator": "nvidia-a100"})["summary"]["disabled"]


def test_text_of_others_stays_text() -> None:
    settings = {
        "images": [{"key": "x", "reference": "a", "title": EVIL, "description": EVIL, "contains": [EVIL]}],
        "sizes": [{"key": "s", "cpu": "1", "memory": "1Gi", "title": EVIL, "description": EVIL}],
    }
    shown = offer(profile("ada"), profile("team", "edit", EVIL), settings=settings)
    page = drawn(shown, {"image": "other", "image_other": EVIL}, Refused(400, EVIL, field="image_other"))
    assert [attrs.get("src") for tag, attrs in page.seen if tag == "script"] == [
        f"/hub/kubeflow/form/static/form.js?v={form._version()}"
    ]
    assert page.inputs("image_other")[0]["value"] == EVIL
    assert not [attrs for _, attrs in page.seen if any(name.startswith("on") for name in attrs)]


def test_names_in_addresses_are_quoted() -> None:
    text = form.render(view(offer(), {}), user="../a b?c#d", server="x/y", base="/hub/")
    assert 'data-state="/hub/kubeflow/form/state/..%2Fa%20b%3Fc%23d/x%2Fy"' in text


def test_without_a_profile_there_is_an_explanation_and_nothing_to_choose() -> None:
    for shown in (
        Offer(configure(), needs_profile=True, note="None yet.", hint="Ask."),
        offer(profile("a", "view", "You may only look.")),
    ):
        page = drawn(shown)
        assert not [tag for tag, _ in page.seen if tag in {"input", "script", "select"}]


@pytest.mark.parametrize(
    ("status", "title"), [(503, "The form cannot be shown now"), (403, "There is nowhere to start")]
)
def test_a_cluster_that_does_not_answer_is_said_instead_of_the_form(status: int, title: str) -> None:
    class Away:
        user = SimpleNamespace(name="ada")

        async def offer(self, _namespace: str | None) -> Offer:
            raise Refused(status, "The cluster does not answer", hint="Try again.")

    page = asyncio.run(form.page(Away()))
    assert title in page
    assert "The cluster does not answer" in page


def test_without_profiles_at_all_there_is_nothing_to_explain() -> None:
    """A machine without a cluster has no profiles, and needs none."""
    assert "empty" not in view(Offer(configure()), {})


def test_a_refresh_is_small_and_says_what_is_wrong_with_what_is_typed() -> None:
    shown = offer()
    part = fragment(view(shown, {}))
    assert {"image", "size", "accelerator", "count", "quota", "summary", "link", "code", "said"} == set(part)
    assert problem(shown, {}) is None
    assert problem(shown, {"size": "other", "cpu": "9", "memory": "1Gi"}) == {
        "field": "cpu",
        "text": "'9' is outside of 100m to 4.",
    }


def test_a_link_does_not_carry_the_profile_and_code_does() -> None:
    shown = view(offer(), {"data": ["scratch"], "pod_defaults": ["kfp"]})
    assert "namespace" not in shown["link"]
    assert "opt-data=scratch" in shown["link"]
    assert '"namespace": "ada"' in shown["code"]


@pytest.mark.parametrize("count", [0, 1, 2000])
def test_any_number_of_profiles(count: int) -> None:
    shown = (
        offer(*(profile(f"p{n}") for n in range(count))) if count else Offer(configure(), needs_profile=True)
    )
    page = drawn(shown)
    assert sum(tag == "option" and (attrs["value"] or "").startswith("p") for tag, attrs in page.seen) == (
        count if count > 1 else 0
    )
