"""Servers on one machine: whose they are, what they may use, who waits for whom, and what outlives what."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.spawner.hub.running import GPU, RunningHub, User, until

pytestmark = pytest.mark.slow
GPU_KEY = "nvidia-rtx-a4000"


def environment(pid: int) -> dict[str, str]:
    """What a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def servers(hub: RunningHub) -> dict[str, int]:
    """The single-user servers by user and name."""
    found = {}
    for pid, line in hub.processes().items():
        if "jupyterhub.singleuser" in line:
            facts = environment(pid)
            found[f"{facts['JUPYTERHUB_USER']}/{facts['JUPYTERHUB_SERVER_NAME']}"] = pid
    return found


def keepers(hub: RunningHub) -> list[int]:
    """The keepers' processes."""
    return [pid for pid, line in hub.processes().items() if "keeper.py" in line]


def accelerator(hub: RunningHub) -> str:
    """The key of the machine's GPU in the form; a wrong one is answered with those that there are."""
    user = hub.user(hub.settings["users"][-1])
    answer = user.start(accelerator="nothing-like-it")
    assert answer.status_code == 400
    words = answer.json()["message"]
    return next(word.strip(".,") for word in words.split("one of")[-1].split() if word.startswith("nvidia"))


def test_two_users_have_servers_of_their_own(hub: RunningHub, ana: User, ben: User) -> None:
    """Folders 0700, files 0600, tokens and profiles apart, and the other's server is closed."""
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda user: user.start(size="small"), (ana, ben)))
    assert {answer.status_code for answer in answers} <= {201, 202}, [answer.text for answer in answers]
    ana.ready()
    ben.ready()
    found = servers(hub)
    assert set(found) == {"ana/", "ben/"}
    first, second = environment(found["ana/"]), environment(found["ben/"])
    for name in (
        "HOME",
        "JUPYTER_DATA_DIR",
        "JUPYTER_KUBEFLOW_HOME",
        "JUPYTERHUB_API_TOKEN",
        "JUPYTER_KUBEFLOW_PROFILE",
    ):
        assert first[name] != second[name]
    assert "CONFIGPROXY_AUTH_TOKEN" not in first
    assert hub.secrets()["ben"]["password"] not in str(first)
    for path in hub.folder.rglob("*"):
        if path.is_symlink() or "/data/" in str(path) or "/cache/" in str(path):
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, f"{path} {mode:o}"
    page = ana.session.get(f"{hub.url}/user/ben/api/contents", timeout=60)
    assert page.status_code in {403, 404}
    assert ana.start(user="ben").status_code in {403, 404}
    assert ana.stop(user="ben").status_code in {403, 404}
    ana.session.get(f"{hub.url}/user/ana/lab", timeout=60)
    own = ana.session.get(f"{hub.url}/user/ana/api/status", timeout=60)
    assert own.status_code == 200, own.text
    other = requests.get(
        f"{hub.url}/user/ben/api/status",
        headers={"Authorization": f"token {first['JUPYTERHUB_API_TOKEN']}"},
        timeout=60,
    )
    assert other.status_code in {403, 404}
    assert ana.stop().status_code in {202, 204}
    ana.gone()
    assert "ana/" not in servers(hub)
    assert "ben/" in servers(hub)
    ben.stop()
    ben.gone()


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": "nope"}, {"size": ["small", "large"]}, {"size": {"a": 1}}, {"accelerator": "../x"}, {"unknown": 1},
        {"cpu": "NaN"}, {"size": "small", "count": -1},
    ],
)  # fmt: skip
def test_what_is_not_offered_is_refused(ana: User, wrong: dict[str, object]) -> None:
    """With 400, in words, and the Hub goes on."""
    answer = ana.start("wrong", **wrong)
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"] not in {"", "Invalid user options"}


def test_a_link_starts_nothing(hub: RunningHub, ana: User) -> None:
    """A GET with options in its query shows the form: it has no effect."""
    ana.session.get(f"{hub.url}/hub/spawn/ana/linked?opt-size=small", timeout=60)
    assert "linked" not in str(servers(hub))


def test_the_one_gpu_goes_to_one_and_the_other_learns_who_has_it(
    hub: RunningHub, ana: User, ben: User
) -> None:
    """Both ask at once; the second waits, says for whom, and gets it when the first one stops."""
    key = accelerator(hub)
    with ThreadPoolExecutor() as pool:
        pool.map(lambda user: user.start("gpu", size="small", accelerator=key), (ana, ben))

        def waiting() -> dict[str, object] | None:
            return next((s for s in hub.states() if s["phase"] == "waiting" and s["words"]), None)

        loser = until(waiting, "one of them waits")
        winner = until(
            lambda: next((s for s in hub.states() if s["phase"] == "running"), None), "the other one runs"
        )
    assert loser["words"] == f"Waiting for 1 GPU. It is held by {winner['user']}/gpu."
    first, second = (ana, ben) if winner["user"] == "ana" else (ben, ana)
    first.ready("gpu")
    assert environment(servers(hub)[f"{first.name}/gpu"])["CUDA_VISIBLE_DEVICES"] == GPU.format(0)
    told = second.call("GET", f"/hub/api/users/{second.name}/servers/gpu/progress", stream=True)
    line = next(line for line in told.iter_lines() if b"held by" in line)
    assert f"held by {first.name}/gpu" in line.decode()
    told.close()
    first.stop("gpu")
    first.gone("gpu")
    second.ready("gpu")
    assert environment(servers(hub)[f"{second.name}/gpu"])["CUDA_VISIBLE_DEVICES"] == GPU.format(0)
    assert second.start("plain", size="small").status_code in {201, 202}
    second.ready("plain")
    assert environment(servers(hub)[f"{second.name}/plain"])["CUDA_VISIBLE_DEVICES"] == ""
    for name in ("gpu", "plain"):
        second.stop(name)
        second.gone(name)


def test_who_waits_may_give_up(hub: RunningHub, ana: User, ben: User) -> None:
    """A start that is stopped leaves the queue, and nothing stays behind."""
    key = accelerator(hub)
    ana.start("gpu", size="small", accelerator=key)
    ana.ready("gpu")
    with ThreadPoolExecutor() as pool:
        pool.submit(ben.start, "gpu", size="small", accelerator=key)
        until(lambda: any(s["phase"] == "waiting" and s["words"] for s in hub.states()), "ben waits")
        ben.stop("gpu")
    until(lambda: len(keepers(hub)) == 1, "ben's keeper is gone")
    ana.stop("gpu")
    ana.gone("gpu")
    until(lambda: not hub.processes(), "nothing is left")


def test_stopping_ends_all_that_was_started(hub: RunningHub, ana: User) -> None:
    """Also what left the server's session, as a detached run does."""
    ana.start(size="small")
    ana.ready()
    server = servers(hub)["ana/"]
    mark = {"JUPYTER_KUBEFLOW_SERVER": environment(server)["JUPYTER_KUBEFLOW_SERVER"]}
    import subprocess

    detached = subprocess.Popen(["sleep", "1000"], start_new_session=True, env={**os.environ, **mark})
    ana.stop()
    assert detached.wait(30) < 0
    ana.gone()
    assert not hub.processes()


def test_a_killed_keeper_takes_its_server_along(hub: RunningHub, ana: User) -> None:
    """The lease is free again, and the Hub says that the server stopped."""
    key = accelerator(hub)
    ana.start(size="small", accelerator=key)
    ana.ready()
    os.kill(keepers(hub)[0], signal.SIGKILL)
    ana.gone()
    until(lambda: not hub.processes(), "the server ended too")
    ana.start(size="small", accelerator=key)
    ana.ready()
    ana.stop()
    ana.gone()


def test_killing_the_hub_leaves_servers_and_the_next_one_finds_them(
    make_hub: Callable[..., RunningHub],
) -> None:
    """The same process goes on, behind the new Hub's proxy, and can be stopped there."""
    hub = make_hub(users="ana").start()
    ana = hub.user("ana")
    ana.start(size="small")
    ana.ready()
    before = servers(hub)["ana/"]
    hub.kill()
    assert servers(hub)["ana/"] == before
    hub.start()
    again = hub.user("ana")
    assert again.ready()["ready"]
    assert servers(hub)["ana/"] == before
    again.session.get(f"{hub.url}/user/ana/lab", timeout=60)
    assert again.session.get(f"{hub.url}/user/ana/api/status", timeout=60).status_code == 200
    assert ana.call("GET", "/hub/api/user").status_code == 403  # who was signed in before is not any more
    again.stop()
    again.gone()
    assert not hub.processes()


def test_killing_the_hub_during_a_start_leaves_nothing(make_hub: Callable[..., RunningHub]) -> None:
    """Neither one that waits nor one that starts: the next Hub knows of none, and the GPU is free."""
    hub = make_hub(users="ana,ben").start()
    key = accelerator(hub)
    ana, ben = hub.user("ana"), hub.user("ben")
    with ThreadPoolExecutor() as pool:
        for user in (ana, ben):
            pool.submit(lambda user=user: _quietly(user.start, size="small", accelerator=key))
        until(lambda: {s["phase"] for s in hub.states()} >= {"waiting", "starting"}, "one starts, one waits")
        hub.kill()
    until(lambda: not hub.processes(), "nothing is left")
    hub.start()
    ana = hub.user("ana")
    assert not ana.server().get("ready")
    ana.start(size="small", accelerator=key)
    ana.ready()
    ana.stop()
    ana.gone()


def _quietly(start: Callable[..., object], **options: object) -> None:
    with suppress(requests.RequestException):  # the Hub was killed while it answered
        start(**options)


def test_limits_of_a_user_and_of_patience(make_hub: Callable[..., RunningHub]) -> None:
    """Beyond the share: 403 with what the user has. No waiting: 409 with who has it."""
    hub = make_hub(gpus=2, users="ana,ben,cem", per_user={"nvidia.com/gpu": "1"}, wait_seconds=0).start()
    key = accelerator(hub)
    ana, ben, cem = (hub.user(name) for name in ("ana", "ben", "cem"))
    for user in (ana, ben):
        user.start(size="small", accelerator=key)
        user.ready()
    seen = {environment(pid)["CUDA_VISIBLE_DEVICES"] for pid in servers(hub).values()}
    assert seen == {GPU.format(0), GPU.format(1)}
    more = ana.start("more", size="small", accelerator=key)
    assert more.status_code == 403, more.text
    assert "one user may have 1" in more.json()["message"]
    none = cem.start(size="small", accelerator=key)
    assert none.status_code == 409, none.text
    assert "held by ana and ben" in none.json()["message"]


def test_a_server_that_fails_says_why(make_hub: Callable[..., RunningHub], tmp_path: Path) -> None:
    """The end of its log is in the answer."""
    config = tmp_path / "more.py"
    config.write_text('c.Spawner.cmd = ["python3", "-c", "raise SystemExit(\'no such licence\')"]\n')
    hub = make_hub(users="ana", config=str(config)).start()
    answer = hub.user("ana").start(size="small")
    assert answer.status_code == 500
    assert "no such licence" in answer.json()["message"]
    assert "ended with status 1" in answer.json()["message"]
