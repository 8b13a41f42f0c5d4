"""How the processes of a run begin: in the notebook's surroundings, and leaving no trace of how they were started."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from jupyter_ext.pipelines.zygote import Zygote
from tests.pipelines.runs.notebooks import Write, finished, printed

LOOK = """
import os, sys
seed = os.environ.get("PYTHONHASHSEED")
told = sorted(name for name in os.environ if name.endswith(("_AHEAD", "_HASH_SEED")))
first = sys.path[0]
order = [hash("a"), list({"a", "b", "c"})]
print(seed, told, repr(first))
"""


def test_a_step_sees_nothing_of_how_its_process_was_started(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    again = "%%step again\nprint(order == [hash('a'), list({'a', 'b', 'c'})])"
    assert printed(finished(write(f"%%step look\n{LOOK}", again))) == "None [] ''\nTrue\n"


def test_the_hash_seed_of_the_user_is_kept(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert printed(finished(write(LOOK))) == "7 [] ''\n"


def test_a_file_beside_the_notebook_replaces_only_what_the_notebook_imports(
    write: Write, tmp_path: Path
) -> None:
    for name in ("random", "tempfile", "logging"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('loaded by the machinery')")
    (tmp_path / "own.py").write_text("VALUE = 5")
    made = finished(write("import own\nprint('own is', own.VALUE)"))
    assert made.state == "SUCCEEDED", made.reason
    assert printed(made) == "own is 5\n"


def test_a_server_that_is_not_needed_is_ended(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    zygote = Zygote(tmp_path)
    zygote.warm()
    assert set(psutil.Process().children()) > before
    zygote.close()
    assert set(psutil.Process().children()) == before
