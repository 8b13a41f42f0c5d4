"""Commands of the command line, run in this process."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from jupyter_ext.cli import main

Capture = pytest.CaptureFixture[str]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def caller(capture: Capture) -> Command:
    """Give what runs one command: what it prints, and its exit status."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        try:
            status = main(words)
        except SystemExit as left:
            status = int(left.code or 0)
        said = capture.readouterr()
        return subprocess.CompletedProcess(words, status, said.out, said.err)

    return call
