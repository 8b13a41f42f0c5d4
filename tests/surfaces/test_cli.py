"""The command line as others script it: exit statuses, JSON, one sentence for an error."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from jupyter_ext.cli.progress import Progress
from jupyter_ext.cli.text import ago, one_line, seconds, table
from tests.surfaces.commands import caller

OBJECT = {
    "type": "object",
    "required": ["run", "state", "seconds", "steps", "metrics"],
    "properties": {
        "run": {"type": ["string", "null"]},
        "state": {
            "enum": [
                "PENDING",
                "RUNNING",
                "SUCCEEDED",
                "SKIPPED",
                "FAILED",
                "CANCELING",
                "CANCELED",
                "PAUSED",
            ]
        },
        "seconds": {"type": ["number", "null"]},
        "metrics": {"type": "object", "additionalProperties": {"type": ["number", "string"]}},
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "state", "seconds", "cached", "outputs"],
                "properties": {"cached": {"type": "boolean"}, "outputs": {"type": "object"}},
            },
        },
        "error": {"type": "object"},
    },
}


@pytest.fixture
def kf(tmp_path: Path, monkeypatch, capsys):
    """Run one command in this process: what it prints and its exit status."""
    monkeypatch.chdir(tmp_path)

    return caller(capsys)


@pytest.fixture
def shell(tmp_path: Path):
    """Run one command as a shell does."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "jupyter_ext.cli", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    return call


@pytest.fixture
def write(tmp_path: Path):
    """Write a notebook into the folder that commands run in."""

    def put(name: str, content) -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return put


def the_object(found: subprocess.CompletedProcess[str]) -> dict:
    parsed = json.loads(found.stdout)
    jsonschema.validate(parsed, OBJECT)
    return parsed


def test_help_imports_nothing_of_the_library():
    code = (
        "import sys\nfrom jupyter_ext.cli import main\n"
        "try: main(['run', '--help'])\nexcept SystemExit as left: assert left.code == 0\n"
        "print([name for name in ('sqlite3', 'tornado', 'IPython', 'asyncio', 'jupyter_ext.pipelines') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert found.stdout.endswith("[]\n")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["run"],
        ["run", "a.ipynb", "-p", "x"],
        ["runs", "--limit", "0"],
        ["schedule"],
        ["compare"],
        ["show", "a", "b"],
    ],
)
def test_wrong_usage_is_2(kf, words):
    found = kf(*words)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr


def test_looking_at_runs(kf, put_run):
    put_run("good")
    put_run(
        "bad",
        phase="FAILED",
        reason="Step train failed at cell 4, line 2: ValueError: no",
        metrics={"loss": float("nan")},
    )
    listed = kf("runs")
    assert listed.returncode == 0
    assert "good" in listed.stdout
    assert "ValueError: no" in listed.stdout
    names = [run["run"] for run in json.loads(kf("runs", "--json", "--state", "failed").stdout)["runs"]]
    assert names == ["bad"]
    shown = kf("show", "bad")
    assert "cell 4, line 2" in shown.stdout
    assert kf("show").stdout.startswith("bad"), "the newest by default"
    found = the_object(kf("show", "bad", "--json"))
    assert (found["run"], found["state"], found["metrics"]) == ("bad", "FAILED", {"loss": "NaN"})
    assert "FAILED" in kf("compare", "good", "bad").stdout
    assert json.loads(kf("compare", "good", "bad", "--json").stdout)["runs"] == ["good", "bad"]


def test_what_does_not_exist_is_one_sentence(kf, cluster):
    for words in (
        ("show", "none"),
        ("logs", "none"),
        ("stop", "none"),
        ("show",),
        ("delete", "none"),
        ("run", "none.ipynb"),
    ):
        found = kf(*words)
        assert found.returncode == 2, words
        assert found.stderr.count("\n") == 1, found.stderr
        assert "Traceback" not in found.stderr


def test_a_reader_that_leaves_is_no_error(put_run):
    for number in range(200):
        put_run(f"run-{number}")
    line = f"{sys.executable} -m jupyter_ext.cli runs --limit 200 | head -1"
    found = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30, check=False)
    assert found.stdout.startswith("RUN")
    assert found.stderr == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


STEPS = [
    {"name": "load", "state": "SUCCEEDED", "seconds": 0.1234, "cached": True},
    {"name": "train", "state": "RUNNING", "startedAt": "2020-01-01T00:00:00.000000Z"},
    {
        "name": "train[0]",
        "state": "FAILED",
        "seconds": 2.0,
        "parent": "train",
        "reason": "no\nmore",
        "attempt": 2,
    },
]


def test_on_a_terminal_each_step_keeps_its_line(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "20")
    stream = Terminal()
    progress = Progress(stream)
    progress.show(STEPS)
    first = stream.getvalue()
    assert first.count("\n") == 3
    assert "load" in first
    assert "cached" in first
    assert "attempt 2  no" in first
    assert "more" not in first
    progress.show(STEPS)
    assert stream.getvalue()[len(first) :].startswith("\x1b[3A")


def test_elsewhere_each_change_is_a_line():
    stream = io.StringIO()
    progress = Progress(stream)
    progress.show([{"name": "a", "state": "PENDING"}, {"name": "b", "state": "PENDING"}])
    assert stream.getvalue() == ""
    progress.show([{"name": "a", "state": "RUNNING"}, {"name": "b", "state": "PENDING"}])
    progress.show([{"name": "a", "state": "RUNNING"}, {"name": "b", "state": "PENDING"}])
    progress.show([{"name": "a", "state": "SUCCEEDED", "seconds": 1.0}, {"name": "b", "state": "RUNNING"}])
    lines = stream.getvalue().splitlines()
    assert [line.split()[:2] for line in lines] == [["a", "running"], ["a", "succeeded"], ["b", "running"]]
    assert "\x1b" not in stream.getvalue()


def test_numbers_have_units():
    assert [seconds(x) for x in (None, 0.0123, 3.44, 310, 7500)] == [
        "",
        "12 ms",
        "3.4 s",
        "5 min 10 s",
        "2 h 5 min",
    ]
    assert ago("2020-01-01T00:00:00.000000Z").endswith(" d ago")
    assert ago(None) == ""
    assert table([("a", "b"), ("ccc", "d")]) == "a    b\nccc  d"
    assert one_line("x" * 200, 10) == "x" * 9 + "…"


# What follows runs notebooks.


def test_a_run_that_succeeds(kf, shell, write, small, tmp_path):
    write("small.ipynb", small)
    found = shell("run", "small.ipynb", "-p", "n=4", "--json", "--output", "done.ipynb")
    assert found.returncode == 0, found.stderr
    run = the_object(found)
    assert run["state"] == "SUCCEEDED"
    outputs = {name: value for step in run["steps"] for name, value in step["outputs"].items()}
    assert outputs["total"] == 6
    assert outputs["numbers"] == [0, 1, 2, 3]
    done = json.loads((tmp_path / "done.ipynb").read_text())
    assert done["cells"][1]["outputs"][0]["text"] == "made 4\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    again = kf("run", "small.ipynb", "-p", "n=4")
    assert again.returncode == 0
    assert "cached" in again.stdout
    assert "SUCCEEDED" in again.stdout
    assert "made 4" in kf("logs").stdout or "made 4" in kf("logs", run["run"]).stdout
    exported = kf("export", run["run"])
    assert exported.returncode == 0
    assert json.loads((tmp_path / f"{run['run']}.ipynb").read_text())["cells"] == done["cells"]
    removed = json.loads(kf("gc", "--dry-run", "--json").stdout)
    assert removed["dryRun"] is True
    assert kf("delete", run["run"]).returncode == 0
    assert kf("show", run["run"]).returncode == 2


def test_a_run_that_fails(kf, shell, write, tmp_path):
    write(
        "bad.py",
        "# %% [markdown]\n# ## One\n# %%\nx = 1\nprint('seen')\n# %% [markdown]\n# ## Two\n# %%\ny = x\n1 / 0\n",
    )
    found = shell("run", "bad.py", "--json", "--output", "bad-done.ipynb")
    assert found.returncode == 1
    run = the_object(found)
    assert run["state"] == "FAILED"
    assert run["error"]["type"] == "ZeroDivisionError"
    assert run["error"]["line"] == 2
    done = json.loads((tmp_path / "bad-done.ipynb").read_text())
    assert "seen" in json.dumps(done)
    assert "ZeroDivisionError" in json.dumps(done)
    plain = kf("run", "bad.py")
    assert plain.returncode == 1
    assert plain.stderr.count("\n") == 1
    assert "line 2" in plain.stderr
    opened = kf("open")
    assert opened.returncode == 0
    assert "open('two')" in opened.stdout
    assert kf("open", "-o", "debug.ipynb").returncode == 0
    assert "open('two')" in (tmp_path / "debug.ipynb").read_text()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = (", []),
        ("print(nothing_like_it)", []),
        ("n = 1", ["-p", "m=1"]),
        ("n = 1", ["--from", "nowhere"]),
        ("n = 1", ["--output", "nowhere/done.ipynb"]),
        ("n = 1", ["--output", "done.txt"]),
        ("n = 1", ["-p", "n=1", "-p", "n=2"]),
    ],
)
def test_bad_input_is_2_and_one_sentence_before_anything_runs(kf, write, source, words):
    write("bad.py", f"# %%\n{source}\n")
    for more in ([], ["--json"]):
        found = kf("run", "bad.py", *words, *more)
        assert found.returncode == 2
        assert found.stderr.count("\n") == 1, found.stderr
        assert "Traceback" not in found.stderr
    assert the_object(found)["run"] is None
    assert the_object(found)["error"]["what"]
    assert json.loads(kf("runs", "--json").stdout)["runs"] == []


def test_ctrl_c_stops_the_run(write, kf, tmp_path):
    write("slow.py", "# %%\nimport time\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "jupyter_ext.cli", "run", "slow.py", "--output", "done.ipynb"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if "running" in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Stopping" in errors
    assert "Traceback" not in errors
    assert json.loads(kf("runs", "--json").stdout)["runs"][0]["state"] == "CANCELED"
    assert (tmp_path / "done.ipynb").exists()


def test_a_run_that_is_not_waited_for(kf, write, small):
    write("small.ipynb", small)
    found = kf("run", "small.ipynb", "--no-wait", "--json")
    assert found.returncode == 0
    name = the_object(found)["run"]
    followed = kf("logs", "-f", name)
    assert "made 3" in followed.stdout
    deadline = time.monotonic() + 100
    while json.loads(kf("show", name, "--json").stdout)["state"] != "SUCCEEDED":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert kf("stop", name).returncode == 0, "a finished run is stopped already"


def test_check_and_compile(kf, write, small, tmp_path):
    write("small.ipynb", small)
    checked = kf("check", "small.ipynb")
    assert checked.returncode == 0
    assert "add" in checked.stdout
    assert "after load" in checked.stdout
    assert json.loads(kf("check", "small.ipynb", "--json").stdout)["parameters"][0]["name"] == "n"
    write("bad.py", "# %%\nprint(nothing_like_it)\n")
    assert kf("check", "bad.py").returncode == 2
    compiled = kf("compile", "small.ipynb", "-o", "out.yaml")
    assert compiled.returncode == 0, compiled.stderr
    assert "2.1.0" in (tmp_path / "out.yaml").read_text()


def test_schedules(kf, write, small):
    write("small.ipynb", small)
    made = kf(
        "schedule", "add", "small.ipynb", "--cron", "0 6 * * 1-5", "--name", "morning", "-p", "n=2", "--json"
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["spec"]["cron"] == "0 6 * * 1-5"
    assert "morning" in kf("schedule", "list").stdout
    assert kf("schedule", "pause", "morning").returncode == 0
    assert json.loads(kf("schedule", "list", "--json").stdout)["schedules"][0]["spec"]["enabled"] is False
    assert kf("schedule", "resume", "morning").returncode == 0
    wrong = kf("schedule", "add", "small.ipynb", "--cron", "at six")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert kf("schedule", "delete", "morning").returncode == 0
    assert kf("schedule", "delete", "morning").returncode == 2


def test_doctor(kf, cluster):
    found = kf("doctor", "--json")
    assert found.returncode in {0, 1}
    checks = json.loads(found.stdout)["checks"]
    assert checks
    assert all(check["fix"] for check in checks if not check["ok"])


def test_the_entry_points_are_installed():
    scripts = Path(sys.executable).parent
    for name in ("jupyter-kubeflow", "jupyter-kf"):
        assert os.access(scripts / name, os.X_OK)
