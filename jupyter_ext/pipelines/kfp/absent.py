"""What runs on this machine have, and a Kubeflow Pipelines server has no word for: each says so, and what there is instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Conflict
from jupyter_ext.pipelines.handle import Run

_HERE: Final = "It can be had of runs on this machine: kf.cluster.use('local')."


class Absent(Run):
    """The verbs of a run that are refused by name."""

    def _not_there(self, what: str, hint: str = _HERE) -> Conflict:
        return Conflict(f"{what} cannot be had of {self.name}, which Kubeflow Pipelines runs", hint=hint)

    def reproduce(self, timeout: float | None = None, *, wait: bool = True) -> Any:
        """Raises Conflict: the server keeps no environment to compare with."""
        del timeout, wait
        raise self._not_there("A reproduction", "run.rerun(cache=False) runs it again.")

    def report(self) -> Any:
        """Raises Conflict, as ``reproduce``."""
        raise self._not_there("A report")

    def executed(self) -> dict[str, Any]:
        """Raises Conflict: what cells showed stays in their pods' logs."""
        raise self._not_there("The notebook as executed", "run.notebook() and run.logs() have its parts.")

    def debug(self, step: str | None = None) -> dict[str, Any]:
        """Raises Conflict: run.open(step) loads the inputs."""
        del step
        raise self._not_there(
            "A notebook of a step", "run.open(STEP) loads what it was given into this kernel."
        )

    def export(self, path: str | Path) -> Path:
        """Raises Conflict, as ``executed``."""
        del path
        raise self._not_there("An archive", "run.yaml() and run.logs() have its parts.")
