"""What each rank prints, from the first second to after the end."""

from __future__ import annotations

import threading
import time

import pytest

from jupyter_ext.errors import NotFound
from jupyter_ext.training import train

from .conftest import until


def test_each_rank_has_its_own_from_the_first_byte(cluster, folder):
    def fit():
        import os
        import sys

        os.write(1, b"raw\n")
        print("printed")
        print("to stderr", file=sys.stderr)
        os.system("echo by a shell")

    job = train(fit, framework="plain", procs=2).wait(60)
    for rank in (0, 1):
        assert "".join(job.logs(rank)) == "raw\nprinted\nto stderr\nby a shell\n"
    assert min("".join(job.logs()).splitlines()) == "[rank 0] by a shell"
    assert list(cluster.logs("TrainJob", job.name, "rank-1")) == ["raw\nprinted\nto stderr\nby a shell\n"]
    with pytest.raises(NotFound, match="ranks 0 to 1"):
        list(job.logs(rank=2))


def test_followed_from_before_the_start_to_the_end(cluster, folder):
    def fit():
        for number in range(5):
            print(number, flush=True)
            time.sleep(0.1)

    job = train(fit, framework="plain")
    began = []
    chunks = []
    for chunk in job.logs(0, follow=True):
        began.append(job.phase)
        chunks.append(chunk)
    assert "".join(chunks) == "0\n1\n2\n3\n4\n"
    assert began[0] in {"PENDING", "RUNNING"}
    assert job.finished


def test_the_tail_without_the_rest(cluster, folder):
    job = train("for i in range(50000): print('line', i)", framework="plain", namespace={}).wait(60)
    assert "".join(job.logs(0, tail=3)) == "line 49997\nline 49998\nline 49999\n"
    assert "".join(job.logs(tail=1)) == "[rank 0] line 49999\n"


def test_following_ends_when_it_is_told_to(cluster, folder):
    job = train("import time\nprint('x', flush=True)\ntime.sleep(600)", framework="plain", namespace={})
    stop = threading.Event()
    seen = []
    for chunk in job.logs(follow=True, stop=stop):
        seen.append(chunk)
        stop.set()
    assert "".join(seen) == "[rank 0] x\n"
    job.stop(wait=True)


def test_every_attempt_is_kept(cluster, folder):
    def fit():
        import os

        import jupyter_ext as kf

        mark = kf.training.checkpoint_dir() / "mark"
        print("attempt", mark.exists())
        if not mark.exists():
            mark.touch()
            os._exit(3)

    job = train(fit, framework="plain", restarts=1).wait(60)
    assert job.phase == "SUCCEEDED", job.reason
    assert "".join(job.logs(0)) == "attempt False\nattempt True\n"
    assert "".join(job.logs(0, tail=5)) == "attempt True\n"
    assert job.ranks[0]["attempt"] == 2


def test_a_flood_is_no_problem(cluster, folder):
    job = train("print('x' * 30_000_000)\nprint('end')", framework="plain", namespace={})
    assert job.wait(60).phase == "SUCCEEDED"
    assert "".join(job.logs(0, tail=1)) == "end\n"


def test_an_interpreter_that_cannot_start_tells_in_the_jobs_own_log(cluster, folder):
    job = train("1", framework="plain", namespace={}, env={"PYTHONHOME": "/nowhere"}).wait(60)
    assert job.phase == "FAILED"
    until(lambda: "PYTHONHOME" in "".join(cluster.logs("TrainJob", job.name)))
