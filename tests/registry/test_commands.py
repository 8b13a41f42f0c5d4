"""``jupyter kf register``, ``models`` and ``registry serve``, as they are typed."""

from __future__ import annotations

import json

import pytest

from jupyter_ext import registry as kf
from jupyter_ext.cli import models
from jupyter_ext.cli.parser import parse
from jupyter_ext.errors import Invalid, NotFound


def run(*words: str) -> int:
    args = parse(words)
    return models.COMMANDS[args.command](args)


@pytest.fixture
def file(tmp_path):
    """A model in a file."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x")
    return str(path)


def test_register_list_and_show(file, capsys):
    assert run("models") == 0
    assert "jupyter kf register" in capsys.readouterr().out
    run(
        "register",
        file,
        "--name",
        "iris",
        "--metric",
        "accuracy=0.9",
        "--alias",
        "champion",
        "--data",
        f"train={file}",
    )
    assert capsys.readouterr().out.startswith("iris:1 (champion)  onnx  file://")
    run("register", file, "--name", "iris", "--version", "rc", "--metric", "accuracy=0.5", "--json")
    assert json.loads(capsys.readouterr().out)["version"] == "rc"
    run("models")
    assert "iris   rc      champion=1" in capsys.readouterr().out
    run("models", "--versions", "--filter", "accuracy > 0.8", "--json")
    [found] = json.loads(capsys.readouterr().out)["versions"]
    assert (found["model"], found["version"], found["metrics"], found["aliases"]) == (
        "iris", "1", {"accuracy": 0.9}, ["champion"],
    )  # fmt: skip
    run("models", "--versions")
    assert "accuracy=0.5" in capsys.readouterr().out
    run("models", "iris@champion")
    assert "iris:1" in capsys.readouterr().out
    run("models", "iris")
    assert "## Version 1 (champion)" in capsys.readouterr().out
    run("models", "iris", "--json")
    assert [one["version"] for one in json.loads(capsys.readouterr().out)["versions"]] == ["rc", "1"]
    run("models", "--filter", "name = 'none'")
    assert capsys.readouterr().out == "No model fits.\n"


def test_what_is_typed_wrong_is_said(file):
    for words in (["--metric", "x"], ["--metric", "x=y"], ["--data", "=x"]):
        with pytest.raises(Invalid):
            run("register", file, "--name", "m", *words)
    with pytest.raises(Invalid):
        run("models", "--filter", "name =")
    with pytest.raises(NotFound):
        run("models", "none")
    for words in (
        ["registry"],
        ["models", "--limit", "0"],
        ["registry", "serve", "--port", "x"],
        ["register", file],
    ):
        with pytest.raises(SystemExit):
            run(*words)
    with pytest.raises(Invalid):
        run("registry", "serve", "--host", "0.0.0.0", "--port", "0")
    assert kf.models() == []
