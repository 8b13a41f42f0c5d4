"""``jupyter kf spark`` and ``%kf spark``: what is refused, what is scheduled; and a batch with its session in the slow test."""

from __future__ import annotations

import json

import pytest

import jupyter_ext as kf
from jupyter_ext.cli import main


@pytest.fixture
def folder(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etl.py").write_text("import sys\nprint(sys.argv[1:], spark.range(5).count())\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["submit", "absent.py"], "there is no file absent.py"),
        (["submit", "book.ipynb"], "jupyter kf run"),
        (["submit", "etl.py", "--memory", "100m"], "too little memory"),
        (["submit", "etl.py", "--conf", "nonsense"], "not NAME=VALUE"),
        (["submit", "etl.py", "--cores", "4000"], "cannot be had on this machine"),
        (["schedule", "etl.py", "--cron", "often"], "five fields"),
        (["session", "--idle", "soon"], "not a time without use"),
    ],
)
def test_what_is_wrong_is_one_sentence(folder, capsys, words, said):
    assert main(["spark", *words]) == 2
    assert said in capsys.readouterr().err
    assert not kf.spark.applications()


def test_a_schedule_is_made_and_found(folder, capsys, shell):
    words = [
        "spark",
        "schedule",
        "etl.py",
        "--cron",
        "@yearly",
        "--name",
        "yearly",
        "--suspend",
        "--",
        "--day",
        "7",
    ]
    assert main(words) == 0
    assert "scheduledsparkapplication/yearly" in capsys.readouterr().out
    found = kf.spark.schedule_of("yearly")
    assert found.resource.spec["template"]["arguments"] == ["--day", "7"]
    assert main(["get", "scheduledsparkapps", "--json"]) == 0
    assert "yearly" in capsys.readouterr().out
    made = shell.run_line_magic("kf", "spark schedule etl.py --cron @monthly --suspend --name monthly")
    assert made.resource.spec["schedule"] == "@monthly"
    for each in kf.spark.schedules():
        each.delete()


@pytest.mark.slow
def test_a_batch_waits_for_its_end(folder, capsys):
    assert (
        main(["spark", "submit", "etl.py", "--memory=512m", "--driver-memory=512m", "--json", "--", "7"]) == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert said["state"] == "SUCCEEDED"
    assert "['7'] 5" in "".join(kf.spark.get(said["name"]).logs())
