"""The form of a Hub without a cluster: what this machine has, what is left of it, and a start by submitting it."""

from __future__ import annotations

import re

import pytest

from tests.spawner.hub.running import RunningHub, User

pytestmark = pytest.mark.slow


def test_the_form_shows_this_machine_and_starts_a_server(hub: RunningHub, ana: User) -> None:
    """Sizes, the GPU, what is left; a wrong choice brings the page back with the sentence; a right one starts."""
    page = ana.session.get(f"{hub.url}/hub/spawn/ana", timeout=60)
    assert page.status_code == 200, page.text
    for words in ("Small", "Medium", "Large", "A4000", "This machine&#39;s Python"):
        assert words in page.text
    xsrf = re.search(r"_xsrf=([^\"&]+)", page.text)
    assert xsrf
    target = f"{hub.url}/hub/spawn/ana?_xsrf={xsrf[1]}"
    wrong = ana.session.post(target, data={"size": "enormous"}, timeout=60)
    assert wrong.status_code == 400
    assert "is not one of the sizes" in wrong.text
    right = ana.session.post(
        target, data={"size": "small", "accelerator": "none"}, allow_redirects=False, timeout=60
    )
    assert right.status_code == 302, right.text
    assert right.headers["Location"].startswith("/hub/spawn-pending/ana")
    assert ana.ready()["user_options"]["size"] == "small"
    ana.stop()
    ana.gone()


def test_a_link_presets_and_starts_nothing(hub: RunningHub, ana: User) -> None:
    """A GET has no effect, whatever is in its query."""
    page = ana.session.get(f"{hub.url}/hub/spawn/ana?opt-size=large", timeout=60)
    assert page.status_code == 200
    assert not ana.server().get("ready")
    assert not hub.processes()
