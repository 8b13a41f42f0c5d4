"""Helm itself, built from its Go module, on the chart of the repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.place import REPOSITORY

CHART = REPOSITORY / "spawner/chart"
KUBEFLOW = CHART / "values-kubeflow.yaml"
LEAST: Mapping[str, Any] = {"image": "registry.example.org/ours:1", "authentication": {"class": "dummy"}}


class Helm:
    """One user of Helm: a folder for what it keeps and a kubeconfig."""

    def __init__(self, program: Path, folder: Path, kubeconfig: Path) -> None:
        self.folder = folder
        self._program = program
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(kubeconfig),
            **{
                f"HELM_{name}_HOME": str(folder / f"helm-{name.lower()}")
                for name in ("CACHE", "CONFIG", "DATA")
            },
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The program's end and its output."""
        line = [str(self._program), *arguments]
        return subprocess.run(
            line, env=self._environment, capture_output=True, text=True, check=False, timeout=400
        )

    def done(self, *arguments: str) -> str:
        """The output of what must succeed."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stderr + ended.stdout
        return ended.stdout

    def values(self, values: Mapping[str, Any]) -> str:
        """The file with them."""
        path = self.folder / "values.yaml"
        path.write_text(yaml.safe_dump(dict(values)))
        return str(path)

    def template(self, values: Mapping[str, Any], *more: str, namespace: str = "jh") -> list[dict[str, Any]]:
        """The objects that the values make."""
        text = self.done(
            *("template", "hub", str(CHART), "--namespace", namespace, *more),
            *("--values", self.values(values)),
        )
        return [thing for thing in yaml.safe_load_all(text) if thing]

    def refusal(self, values: Mapping[str, Any]) -> str:
        """What Helm says to values that cannot be installed."""
        ended = self.run("template", "hub", str(CHART), "--values", self.values(values))
        assert ended.returncode != 0, ended.stdout
        return ended.stderr
