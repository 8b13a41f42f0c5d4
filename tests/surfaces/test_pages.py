"""What the pages about training and tuning say is true: their examples run, their commands and YAML are read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_ext import kinds, manifest
from jupyter_ext.cli.parser import parse

PAGES = ("training", "tuning")


def blocks(repository: Path, page: str, language: str) -> list[str]:
    text = (repository / "docs" / f"{page}.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run_from_top_to_bottom(page, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shell = InteractiveShell.instance()
    try:
        shell.run_line_magic("load_ext", "jupyter_ext")
        for block in blocks(repository, page, "python"):
            shell.run_cell(block).raise_error()
    finally:
        shell.run_line_magic("unload_ext", "jupyter_ext")
        InteractiveShell.clear_instance()


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_are_commands(page, repository):
    lines = [
        line for block in blocks(repository, page, "sh") for line in block.replace("\\\n", " ").splitlines()
    ]
    assert lines
    for line in lines:
        words = shlex.split(line)
        assert words[:2] == ["jupyter", "kf"]
        parse(words[2:])


@pytest.mark.parametrize("page", PAGES)
def test_the_yaml_is_what_can_be_applied(page, repository):
    for block in blocks(repository, page, "yaml"):
        for document in manifest.read(block):
            kinds.function(kinds.row(document.resource.kind).check)(document.resource)
