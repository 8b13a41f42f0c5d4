"""The same Hub with JupyterHub 5.5, in an environment of its own on top of this one."""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import environments
from tests.spawner.hub.running import RunningHub
from tests.spawner.hub.test_local_servers import accelerator, environment, servers

pytestmark = [pytest.mark.slow, pytest.mark.contract]


@pytest.fixture(scope="session")
def python_5() -> Path:
    """An interpreter with JupyterHub 5.5 before everything that this one has."""
    try:
        python = environments.python("jupyterhub-5")
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    place = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (Path(place.strip()) / "tests_own.pth").write_text(line)
    return python


def test_start_wait_refuse_and_restart(make_hub: Callable[..., RunningHub], python_5: Path) -> None:
    """Sign in, a server with the GPU, a wrong choice, no GPU for the second, and a Hub that is killed."""
    hub = make_hub(users="ana,ben", wait_seconds=0, python=python_5).start()
    assert "JupyterHub version 5.5" in hub.log()
    key = accelerator(hub)
    ana, ben = hub.user("ana"), hub.user("ben")
    assert ana.start(size="small", accelerator=key).status_code in {201, 202}
    ana.ready()
    wrong = ben.start(size="enormous")
    assert (wrong.status_code, "not one of the sizes" in wrong.json()["message"]) == (400, True)
    refused = ben.start(size="small", accelerator=key)
    assert (refused.status_code, "held by ana" in refused.json()["message"]) == (409, True)
    page = ana.session.get(f"{hub.url}/hub/spawn/ana/second", timeout=60)
    assert page.status_code == 200
    assert "Small" in page.text
    before = servers(hub)["ana/"]
    assert environment(before)["JUPYTERHUB_USER"] == "ana"
    hub.kill()
    hub.start()
    again = hub.user("ana")
    again.ready()
    assert servers(hub)["ana/"] == before
    again.stop()
    again.gone()
    assert not hub.processes()
