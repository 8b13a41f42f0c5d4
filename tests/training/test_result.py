"""What comes back: values, exceptions with their place, and what cannot come back."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import pytest

import jupyter_ext as kf
from jupyter_ext.errors import Conflict
from jupyter_ext.training import JobFailed, train

from .conftest import until


class Odd(Exception):
    def __init__(self, code, *, hint):
        super().__init__(f"odd {code}")
        self.code, self.hint = code, hint


def test_the_value_of_rank_0_comes_back(cluster, folder):
    def fit(a, b=2):
        return {"rank": kf.training.world().rank, "sum": a + b, "size": kf.training.world().size}

    job = train(fit, framework="plain", nodes=2, procs=1, args={"a": 40})
    assert job.result(60) == {"rank": 0, "sum": 42, "size": 2}
    assert job.resource.status["result"]["type"] == "dict"
    assert [(each["rank"], each["node"], each["state"]) for each in job.ranks] == [
        (0, 0, "SUCCEEDED"),
        (1, 1, "SUCCEEDED"),
    ]
    assert job.progress == 1.0


def test_arguments_that_json_cannot_say(cluster, folder):
    import numpy as np

    class Settings:
        depth = 3

    job = train(
        lambda rows, settings, names: (rows.sum(), settings.depth, names),
        framework="plain",
        args={"rows": np.arange(4), "settings": Settings(), "names": ("a", "b")},
    )
    assert job.result(60) == (6, 3, ("a", "b"))


def test_classes_of_the_notebook_come_back_and_can_be_pickled_there(cluster, folder):
    code = """
import pickle
class Net:
    def __init__(self, k): self.k = k
def fit():
    with open("net.pkl", "wb") as file:
        pickle.dump(Net(3), file)
    return Net(4)
fit()
"""
    job = train(code, framework="plain", namespace={})
    assert job.result(60).k == 4
    assert b"__main__" in (folder / "net.pkl").read_bytes()


def test_an_exception_comes_back_with_rank_file_and_line(cluster, folder):
    def inner(values):
        return values["missing"]

    def fit():
        if kf.training.world().rank == 1:
            inner({})
        threading.Event().wait(60)

    job = train(fit, framework="plain", procs=2)
    with pytest.raises(JobFailed) as caught:
        job.result(60)
    error = caught.value
    assert (error.rank, error.error["type"]) == (1, "KeyError")
    assert error.error["file"] == __file__
    assert error.where.line == inner.__code__.co_firstlineno + 1
    assert isinstance(error.__cause__, KeyError)
    assert 'return values["missing"]' in error.traceback
    assert "rank.py" not in error.traceback
    assert job.reason == f"Rank 1 failed at test_result.py, line {error.where.line}: KeyError: 'missing'."
    states = {each["rank"]: each["state"] for each in job.ranks}
    assert states == {0: "CANCELED", 1: "FAILED"}
    assert "KeyError" in "".join(job.logs(rank=1))


def test_an_exception_in_a_cell_has_its_cell_and_line(cluster, folder):
    job = train("x = 1\n\nraise ValueError('no ' + str(x))", framework="plain", namespace={}, cell=4)
    with pytest.raises(JobFailed) as caught:
        job.result(60)
    assert (caught.value.where.cell, caught.value.where.line) == (4, 3)
    assert job.reason == "Rank 0 failed at cell 4, line 3: ValueError: no 1."
    assert "raise ValueError('no ' + str(x))" in caught.value.traceback


def test_exceptions_that_do_not_unpickle_are_told_all_the_same(cluster, folder):
    def fit():
        raise Odd(7, hint="none")

    with pytest.raises(JobFailed, match="Odd: odd 7") as caught:
        train(fit, framework="plain").result(60)
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(Odd(7, hint="none")))
    assert caught.value.__cause__ is None


def test_a_value_that_cannot_come_back_is_no_failure(cluster, folder):
    job = train(lambda: (item for item in range(3)), framework="plain").wait(60)
    assert job.phase == "SUCCEEDED"
    assert "a generator, cannot be brought back" in job.reason
    with pytest.raises(Conflict, match="generator"):
        job.result()


@pytest.mark.parametrize(
    ("source", "phase", "words"),
    [
        ("import sys\nsys.exit()", "SUCCEEDED", "Done."),
        ("import sys\nsys.exit(3)", "FAILED", "sys.exit(3)"),
        ("import sys\nsys.exit('no data')", "FAILED", "no data"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "FAILED", "killed by SIGSEGV"),
        ("import os\nos._exit(5)", "FAILED", "ended with exit code 5"),
        ("raise KeyboardInterrupt", "FAILED", "KeyboardInterrupt"),
    ],
)
def test_every_end_is_told(cluster, folder, source, phase, words):
    job = train(source, framework="plain", namespace={}).wait(60)
    assert (job.phase, words in job.reason) == (phase, True), job.reason


def test_coroutines_are_awaited(cluster, folder):
    async def fit():
        import asyncio

        await asyncio.sleep(0)
        return "awaited"

    assert train(fit, framework="plain").result(60) == "awaited"


def test_a_script_runs_as_a_program(cluster, folder):
    (folder / "near.py").write_text("K = 'near'\n")
    script = folder / "train.py"
    script.write_text(
        "import sys, near, json\nfrom pathlib import Path\n"
        "assert __name__ == '__main__'\n"
        "Path('said.json').write_text(json.dumps([sys.argv, near.K, __file__]))\n"
    )
    job = train(script, framework="plain", args={"lr": 0.5, "deep": True}).wait(60)
    assert job.phase == "SUCCEEDED", job.reason
    said = (folder / "said.json").read_text()
    assert said == f'[["{script}", "--lr=0.5", "--deep=True"], "near", "{script}"]'


def test_a_script_that_is_changed_meanwhile_is_the_one_that_was_submitted(cluster, folder):
    script = folder / "train.py"
    script.write_text("import time, pathlib\npathlib.Path('a').touch()\n")
    job = train(script, framework="plain")
    script.write_text("raise RuntimeError('changed')\n")
    assert job.wait(60).phase == "SUCCEEDED"
    until((folder / "a").exists)


def test_data_is_given_by_name(cluster, folder):
    (folder / "rows.csv").write_text("1,2")

    def fit(rows, scale=2):
        import os

        return Path(rows).read_text(), os.environ["JUPYTER_KUBEFLOW_DATA_ROWS"] == rows, scale

    job = train(fit, framework="plain", data={"rows": "rows.csv"}, args={"scale": 3})
    assert job.result(60) == ("1,2", True, 3)


def test_environment_and_folder_are_the_notebooks(cluster, folder, monkeypatch):
    import os

    monkeypatch.setenv("FROM_THE_NOTEBOOK", "1")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")

    def fit():
        return str(Path.cwd()), os.environ["FROM_THE_NOTEBOOK"], os.environ["MINE"], os.environ["MPLBACKEND"]

    job = train(fit, framework="plain", env={"MINE": "$(echo x) `x` \\d ${y}"})
    assert job.result(60) == (str(folder), "1", "$(echo x) `x` \\d ${y}", "Agg")
