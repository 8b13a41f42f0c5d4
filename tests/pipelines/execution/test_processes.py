"""Steps are processes: they crash, are stopped, hang and end without harm to the run or to the machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from jupyter_ext.cluster.local.processes import readable
from jupyter_ext.pipelines.exchange import CellSource, StepRequest
from jupyter_ext.pipelines.zygote import Zygote


def _strays() -> list[psutil.Process]:
    """Processes of steps: not children of this process but of its fork servers."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.ppid() != os.getpid():
                found.append(process)
    return found


def wait_until(check, seconds=30):
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def running(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("source", "number", "words"),
    [
        (
            "import os\nos.kill(os.getpid(), 9)",
            9,
            "was killed (signal 9), most likely because memory ran out",
        ),
        ("import os\nos.abort()", 6, "crashed (signal 6: aborted)"),
        ("import ctypes\nctypes.string_at(0)", 11, "crashed (signal 11: segmentation fault)"),
        ("import os\nos._exit(3)", None, "ended by itself with exit code 3"),
    ],
)
def test_a_process_that_dies_is_a_failed_step_and_the_run_goes_on(steps, source, number, words):
    result = steps.run("x = 1", source)
    assert result.state == "FAILED"
    assert result.signal == number
    assert words in result.reason
    assert result.error.cell == 2
    steps.ok("print('next')")


def test_interrupt_stops_the_cell_and_is_no_failure(steps):
    handle = steps.start("import time\nprint('in')\ntime.sleep(60)")
    wait_until(lambda: handle.poll() is None and handle.cell == 1 and "in" in steps.log("s1"))
    handle.interrupt()
    result = handle.wait(20)
    assert result.state == "CANCELED"
    assert result.error.line == 3
    wait_until(lambda: not running(result.pid))


def test_kill_ends_what_the_step_started_too(steps):
    handle = steps.start(
        "import subprocess, time\np = subprocess.Popen(['sleep', '600'])\nprint(p.pid)\ntime.sleep(60)"
    )
    wait_until(lambda: handle.poll() is None and steps.log("s1").endswith("\n"))
    child = int(steps.log("s1"))
    assert running(child)
    handle.kill()
    assert handle.wait(10).state == "CANCELED"
    wait_until(lambda: not running(child))


def test_many_steps_at_once_and_none_is_left(steps):
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    handles = [steps.start(f"x = {i}", step=f"many-{i}") for i in range(20)]
    waiting = set(handles)
    while waiting:
        ready = readable(waiting, 20)
        assert ready
        waiting -= {handle for handle in ready if handle.poll() is not None}
    assert [handle.poll().values[0].inline["x"] for handle in handles] == list(range(20))
    wait_until(lambda: {p.pid for p in psutil.Process().children(recursive=True)} <= before)


def test_a_hundred_steps_leave_no_process(steps):
    for index in range(100):
        assert steps.run(f"n = {index}").state == "SUCCEEDED"
    wait_until(lambda: not _strays())


def test_everything_ends_with_the_controller(tmp_path):
    """Also when it is killed: no fork server, no step and nothing that a step started stays."""
    script = (
        "import sys, time\nfrom jupyter_ext.pipelines.zygote import Zygote\nfrom jupyter_ext.pipelines.exchange import *\n"
        "z = Zygote(sys.argv[1]); z.start()\n"
        "h = z.run(StepRequest('r', 's', cells=(CellSource(1, 'a', 'import time; time.sleep(600)'),)))\n"
        "h2 = z.run(StepRequest('r', 't', cells=(CellSource(1, 'b', 'g = (i for i in [])'),)))\nh2.wait()\n"
        "while h.poll() is None and h.cell is None: time.sleep(0.01)\nprint('ready', flush=True)\ntime.sleep(600)\n"
    )
    controller = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert controller.stdout.readline() == b"ready\n"
    family = psutil.Process(controller.pid).children(recursive=True)
    assert len(family) == 3
    controller.kill()
    controller.wait()
    controller.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []


def test_a_fork_that_would_not_be_safe_gets_its_own_interpreter(make_steps, tmp_path, monkeypatch):
    (tmp_path / "starts_thread.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    (tmp_path / "home").mkdir()
    with Zygote(tmp_path / "home", preload=["starts_thread"], cwd=tmp_path) as zygote:
        steps = make_steps(zygote, tmp_path / "home")
        steps.ok("import os, sys\nxs = [os.getppid()]")
        assert steps.namespace["xs"].inline["xs"] == [os.getpid()]
        steps.ok("xs.append(1)")
        assert steps.run("os._exit(4)").reason.endswith("exit code 4")


def test_an_import_that_fails_ahead_fails_where_the_notebook_imports_it(make_steps, tmp_path):
    (tmp_path / "broken.py").write_text("raise RuntimeError('broken module')\n")
    (tmp_path / "home").mkdir()
    with Zygote(tmp_path / "home", preload=["broken", "nosuchmodule"], cwd=tmp_path) as zygote:
        steps = make_steps(zygote, tmp_path / "home")
        steps.ok("x = 1")
        result = steps.run("import broken")
        assert (result.error.type, result.error.message, result.error.line) == (
            "RuntimeError",
            "broken module",
            1,
        )


def test_a_dead_fork_server_does_not_stop_the_run(make_steps, tmp_path):
    with Zygote(tmp_path) as zygote:
        steps = make_steps(zygote, tmp_path)
        steps.ok("x = 1")
        zygote._server.kill()
        zygote._server.wait()
        assert steps.ok("print(x + 1)") == "2"


def test_the_result_is_also_a_file(steps, tmp_path):
    import json

    from jupyter_ext.pipelines.exchange import StepResult

    path = tmp_path / "result.json"
    result = steps.run("x = 1", result_path=str(path))
    assert StepResult.from_dict(json.loads(path.read_text())) == result


def test_a_failed_step_can_be_kept_for_a_look(steps):
    result = steps.run("x = [1]\n1 / 0", keep=True)
    assert result.state == "FAILED"
    assert steps.handle.holds
    steps.handle.kill()
    wait_until(lambda: not steps.handle.holds)


def test_cpu_time_and_memory_are_measured(steps):
    result = steps.run(
        "x = b'1' * (200 << 20)\ndel x\nimport time\nt = time.process_time()\nwhile time.process_time() < t + 0.2:\n    pass"
    )
    assert result.cpu_seconds >= 0.2
    assert result.max_rss > 200 << 20
    assert result.started <= result.finished


def test_the_environment_is_the_one_given(make_steps, tmp_path):
    env = {**os.environ, "KF_GIVEN": "yes"}
    with Zygote(tmp_path, cwd=tmp_path, env=env) as zygote:
        steps = make_steps(zygote, tmp_path)
        assert (
            steps.ok("import os, sys\nprint(os.environ['KF_GIVEN'], os.getcwd(), sys.path[0] == '')")
            == f"yes {tmp_path} True"
        )


def test_stop_signals_to_the_group_reach_steps_not_the_server(tmp_path):
    """The terminal's Ctrl-C and the run's stop signal go to every process; the server waits for the controller."""
    with Zygote(tmp_path) as zygote:
        request = StepRequest("r", "s", cells=(CellSource(1, "a", "import time\ntime.sleep(60)"),))
        handle = zygote.run(request)
        wait_until(lambda: handle.poll() is None and handle.cell == 1)
        for pid in (zygote._server.pid, handle._process()):
            os.kill(pid, signal.SIGTERM)
        assert handle.wait(20).state == "CANCELED"
        again = zygote.run(replace(request, cells=(CellSource(1, "a", "x = 1"),)))
        assert again.wait(20).state == "SUCCEEDED"


def test_a_stop_that_comes_while_a_cell_is_prepared_is_not_lost(tmp_path):
    """IPython swallows an interrupt in what it calls before a cell."""
    hook = (
        "import os, signal, time\n"
        "get_ipython().events.register('pre_run_cell', lambda _: os.kill(os.getpid(), signal.SIGTERM))"
    )
    with Zygote(tmp_path) as zygote:
        cells = (CellSource(1, "a", hook), CellSource(2, "b", "time.sleep(60)"))
        assert zygote.run(StepRequest("r", "s", cells=cells)).wait(20).state == "CANCELED"
