"""``jupyter kf hub`` on the command line."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from spawner.hub import proxy
from spawner.hub import setup as hub
from spawner.refused import Refused
from tests.spawner.hub.running import until

COMMAND = [sys.executable, "-m", "jupyter_ext.cli", "hub"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "0"], "0 is not a port"),
        (["--users", "ana,../../x"], "cannot be a user's name"),
        (["--users", ","], "There is no user's name"),
        (["--config", "/nowhere/at/all.py"], "there is no file"),
        (["--per-user", "gpus=1"], "is not cpu="),
        (["--per-user", "cpu=many"], "is not an amount"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], words: str, tmp_path: Path) -> None:
    """Status 2, and nothing is made."""
    place = tmp_path / "hub"
    done = subprocess.run(
        [*COMMAND, "--folder", str(place), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not place.exists()


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    """Before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["--folder", str(tmp_path / "hub"), "--port", port, "--users", "ana", "--share-root"]
        done = subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 2
    assert f"Port {port} cannot be used" in done.stderr


def test_as_root_users_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the system does not have, and root itself, are refused before the start."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("nobody-has-this-name", "root"):
        with pytest.raises(Refused, match=f"none called {name}"):
            hub.run(hub.Settings(tmp_path / name, (name,), port=_free()))


@pytest.mark.slow
def test_it_starts_says_where_and_ends(tmp_path: Path, proxy_cache: Path) -> None:
    """A second one on the same folder is refused; Ctrl-C ends it all with status 0; everything it wrote is private."""
    place, home = tmp_path / "hub", tmp_path / "home" / "kubeflow"
    (home.parent / "kubeflow-proxy").mkdir(parents=True)
    proxy.command(proxy_cache)
    (home.parent / "kubeflow-proxy" / proxy.VERSION).symlink_to(proxy_cache)
    port = _free()
    arguments = ["--folder", str(place), "--port", str(port), "--users", "ana", "--share-root", "--idle", "0"]
    output = tmp_path / "out"
    env = {**os.environ, "JUPYTER_KUBEFLOW_HOME": str(home)}
    with output.open("wb") as file:
        running = subprocess.Popen(
            [*COMMAND, *arguments], stdout=file, stderr=file, env=env, start_new_session=True
        )
    try:
        until(lambda: "Ctrl-C ends the Hub" in output.read_text() or running.poll() is not None, "it is up")
        text = output.read_text()
        link = next(line.split()[-1] for line in text.splitlines() if "/hub/enter?" in line)
        assert requests.get(link, allow_redirects=False, timeout=60).status_code == 302
        second = subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False, env=env
        )
        assert second.returncode == 2
        assert "runs from" in second.stderr
        for path in place.rglob("*"):
            assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
        if address := _other_address():
            with pytest.raises(requests.ConnectionError):
                requests.get(f"http://{address}:{port}/hub", timeout=5)
    finally:
        running.send_signal(signal.SIGINT)
        status = running.wait(120)
    assert status == 0, output.read_text()[-2000:]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/hub", timeout=5)


def _other_address() -> str:
    """An address of this machine beside the loopback interface, if it has one."""
    try:
        found = socket.gethostbyname(socket.gethostname())
    except OSError:
        return ""
    return "" if found.startswith("127.") else found


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
