"""Registering is killed at each of its syncs, renames, links and commits, before and after: nothing is half there."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from jupyter_ext import registry
from jupyter_ext.registry.place import home, local

CODE = textwrap.dedent("""
    import json, os, signal, sys
    from pathlib import Path
    from jupyter_ext import registry
    from jupyter_ext.cluster.local.database import Connection
    from jupyter_ext.registry.place import local

    folder, when = Path(sys.argv[1]), sys.argv[2]
    local()  # its file is made

    def attempt(number):
        folder.mkdir(exist_ok=True)
        for name in ("a.json", "b.bin"):
            (folder / name).write_text(json.dumps([number, name]) * 2000)
        registry.register(folder, "m", metrics={"n": number}, alias="last", format="xgboost")

    def child(number):
        left = number

        def strike(call):
            def inner(*args, **words):
                nonlocal left
                left -= 1
                if when == "before" and left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                found = call(*args, **words)
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return found
            return inner

        for name in ("fsync", "rename", "replace", "link", "mkdir"):
            setattr(os, name, strike(getattr(os, name)))
        execute = Connection.execute
        commit = strike(execute)
        Connection.execute = lambda self, text, *more: (commit if text == "COMMIT" else execute)(self, text, *more)
        attempt(number)
        os._exit(0)

    for number in range(200):
        pid = os.fork()
        if not pid:
            child(number)
        status = os.waitpid(pid, 0)[1]
        whole = [version.metrics["n"] for version in registry.find()]
        for version in registry.find():
            for name in ("a.json", "b.bin"):
                text = (version.path() / name).read_text()
                assert text == json.dumps([int(version.metrics["n"]), name]) * 2000, (version, name)
        if not os.WIFSIGNALED(status):
            assert status == 0
            break
    print(json.dumps({"kills": number, "whole": whole}))
""")


@pytest.mark.parametrize("when", ["before", "after"])
def test_nothing_is_half_there_wherever_it_is_killed(tmp_path, when):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "model"), when],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["kills"] > 5, "it was killed at many places"
    assert told["whole"][0] == told["kills"], "the last attempt, which was not killed, is there"
    assert registry.get("m@last").metrics["n"] == told["kills"]
    # Every name that a link of a model has, has its content; what a kill left behind is collected.
    report = local().gc(grace_seconds=0)
    assert local().gc(grace_seconds=0)["removed"] == 0
    assert report["kept"] > 0
    assert [path.name for path in (home() / "registry").rglob("tmp-*") if path.is_file()] == []
    for version in registry.find():
        assert version.path().is_dir()
