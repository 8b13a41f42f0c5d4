"""What a server may ask and do with its own token: the panel of its user's servers, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests

from jupyter_ext import servers as library
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound
from spawner.hub.servers import Hub, row
from spawner.refused import Refused
from tests.spawner.hub.running import RunningHub, User, until
from tests.spawner.hub.test_local_servers import accelerator, environment, servers


def test_without_a_hub_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said as a reason, not as a fault."""
    for name in ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    assert not library.capability().available
    with pytest.raises(NotFound, match="not started by a JupyterHub"):
        library.panel()


def test_a_row_tells_state_and_place() -> None:
    """From the Hub's model; the token is in no text of the object."""
    hub = Hub("http://127.0.0.1:1/hub/api", "secret-token", "a.b@x", "gpu")
    assert "secret-token" not in repr(hub)
    found = row(
        "gpu", {"ready": False, "pending": "spawn", "user_options": {"size": "small"}}, hub, None, "Waiting."
    )
    assert (found["state"], found["words"], found["isCurrent"]) == ("starting", "Waiting.", True)
    assert found["url"] == "/user/a.b%40x/gpu/"
    assert row("", {}, hub, None, "")["state"] == "stopped"
    assert row("", {"ready": True, "pending": "stop"}, hub, None, "")["state"] == "stopping"


@pytest.mark.parametrize("name", ["../../ben", "a/b", "A", "x" * 60, "a?b", "a\nb", "-a", "ä"])
def test_names_cannot_lead_elsewhere(name: str) -> None:
    """Refused before anything is asked."""
    hub = Hub("http://127.0.0.1:1/hub/api", "t", "ana")
    for act in (hub.start, hub.stop, hub.keep):
        with pytest.raises(Refused) as refused:
            replace_idle(act, name)
        assert refused.value.status in {400, 404}


def test_choices_are_bounded() -> None:
    """They go into an address."""
    hub = Hub("http://127.0.0.1:1/hub/api", "t", "ana")
    with pytest.raises(Refused, match="too many choices") as refused:
        hub.form("gpu", {"data": ["x" * 1000] * 10})
    assert refused.value.status == 400
    with pytest.raises(Refused, match="does not answer"):
        hub.form("gpu", {"data": [], "size": "small"})


def replace_idle(act: object, name: str) -> object:
    """Call it; keep needs an idle service before it looks at the name."""
    owner = act.__self__  # type: ignore[attr-defined]
    return getattr(replace(owner, idle="http://127.0.0.1:1/services/idle/"), act.__name__)(name)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_panel_of_a_real_hub(
    hub: RunningHub, ana: User, ben: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """List, start, why it waits, resize while stopped, stop; with the token of a server and no other right."""
    key = accelerator(hub)
    for user in (ana, ben):
        user.start(size="small", **({"accelerator": key} if user is ben else {}))
        user.ready()
    for name, value in environment(servers(hub)["ana/"]).items():
        if name.startswith("JUPYTERHUB_") or name == "JUPYTER_KUBEFLOW_HUB_PUBLIC":
            monkeypatch.setenv(name, value)
    assert library.capability().available
    found = library.panel()
    assert found["user"] == "ana"
    current = next(each for each in found["servers"] if each["isCurrent"])
    assert (current["name"], current["state"], current["options"]["size"]) == ("", "running", "small")
    assert "ben" not in str(found["servers"])
    assert found["left"], "what is left of this machine"
    headers = {"Authorization": f"token {environment(servers(hub)['ana/'])['JUPYTERHUB_API_TOKEN']}"}
    route = requests.get(f"{hub.url}/user/ana/kubeflow/v1/servers", headers=headers, timeout=60)
    assert route.status_code == 200, route.text
    assert route.json()["user"] == "ana"
    wrong = {"name": "wrong", "options": {"size": "enormous"}}
    route = requests.post(
        f"{hub.url}/user/ana/kubeflow/v1/servers:start", json=wrong, headers=headers, timeout=60
    )
    assert (route.status_code, "not one of the sizes" in route.json()["message"]) == (400, True)
    started = library.start("second", {"size": "small"})
    assert started["state"] in {"running", "starting"}
    ana.ready("second")
    with pytest.raises(Conflict, match="while it is stopped"):
        library.resize("second", {"size": "medium"})
    assert library.stop("second")["state"] in {"stopped", "stopping"}
    ana.gone("second")
    assert library.resize("second", {"size": "medium"})["options"] == {"size": "medium"}
    offered = library.form("second", {"size": "medium", "data": []})
    assert {"small", "medium"} <= {card["key"] for card in offered["size"] if card["title"]}
    assert (offered["problem"], offered["summary"]["disabled"]) == (None, False)
    assert library.form("second", {"size": "other", "cpu": "9"})["problem"]
    assert not any(each["words"] for each in library.panel(why=["second"])["servers"]), "nothing failed"
    library.start("second")
    assert ana.ready("second")["user_options"] == {"size": "medium"}
    library.stop("second")
    ana.gone("second")
    library.start("waiter", {"size": "small", "accelerator": key})

    def waiter() -> str:
        return next((each["words"] for each in library.panel()["servers"] if each["name"] == "waiter"), "")

    assert until(waiter, "why it waits") == "Waiting for 1 GPU. It is held by ben."
    library.stop("waiter")
    with pytest.raises(Invalid, match="not one of the sizes"):
        library.start("wrong", {"size": "enormous"})
    monkeypatch.setenv("JUPYTERHUB_USER", "ben")
    with pytest.raises(KubeflowError) as refused:
        library.stop("")
    assert refused.value.status in {403, 404}
    assert ben.server()["ready"]
    for user in (ana, ben):
        user.stop()
        user.gone()
