from __future__ import annotations

import asyncio
import json
import threading

import pytest

from jupyter_ext import pipelines

TIMEOUT = 30


@pytest.fixture
def slow(jp_root_dir):
    """Prints, waits for a file, prints more."""
    (jp_root_dir / "slow.py").write_text(
        "# %%\nimport time, pathlib\nprint('first ü')\nwhile not pathlib.Path('go').exists(): time.sleep(0.02)\n"
        "print('second')\nfor n in range(20000): print('line', n)\n"
    )
    return jp_root_dir / "slow.py"


async def frames(socket):
    """Read to the end: the text, and the frame that ended it. The server closes the socket."""
    text, last = "", None
    while (message := await asyncio.wait_for(socket.read_message(), TIMEOUT)) is not None:
        frame = json.loads(message)
        text += frame.get("text", "")
        last = frame
    socket.close()
    return text, last


async def test_a_log_is_followed_while_it_grows_until_the_run_ends(api, jp_ws_fetch, slow):
    status, run = await api("runs", method="POST", body={"path": "slow.py"})
    assert status == 201
    name = run["metadata"]["name"]
    socket = await jp_ws_fetch("kubeflow", "v1", "runs", name, "logs")
    first = json.loads(await asyncio.wait_for(socket.read_message(), TIMEOUT))
    assert "first ü" in first["text"]
    assert "second" not in first["text"]
    (slow.parent / "go").touch()
    text, last = await frames(socket)
    assert text.endswith("line 19999\n")
    assert last == {"end": True}
    _, tail = await api("runs", name, "logs:tail", params={"lines": "2"})
    assert tail == {"text": "line 19998\nline 19999\n"}


async def test_a_browser_that_leaves_ends_its_thread(api, jp_ws_fetch, slow):
    _, run = await api("runs", method="POST", body={"path": "slow.py"})
    name = run["metadata"]["name"]
    socket = await jp_ws_fetch("kubeflow", "v1", "runs", name, "logs")
    await asyncio.wait_for(socket.read_message(), TIMEOUT)
    socket.close()
    for _ in range(200):
        if not any(thread.name == "kubeflow-log" for thread in threading.enumerate()):
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("the follower goes on")
    status, _ = await api("runs", f"{name}:stop", method="POST", body={})
    assert status == 200
    await asyncio.get_running_loop().run_in_executor(None, pipelines.get(name).wait, TIMEOUT)


async def test_the_log_of_what_does_not_exist(api, jp_ws_fetch, put_run):
    socket = await jp_ws_fetch("kubeflow", "v1", "runs", "none", "logs")
    text, last = await frames(socket)
    assert (text, last["error"]["status"]) == ("", 404)
    put_run("one")
    socket = await jp_ws_fetch("kubeflow", "v1", "runs", "one", "logs", params={"step": "nowhere"})
    _, last = await frames(socket)
    assert last == {"end": True} or last["error"]["status"] == 404
