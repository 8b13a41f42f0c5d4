"""Where the processes of trials and their controller leave things for each other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.training.reporting import CHECKPOINT, REPORTS, STOP

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.tuning.ledger import Entry

TRIAL: Final = "JUPYTER_KUBEFLOW_TRIAL"
"""The name of the trial that a process belongs to."""
KATIB_TRIAL: Final = "KATIB_TRIAL_NAME"
UNIT: Final = "JUPYTER_KUBEFLOW_UNIT"
PART: Final = "rank-0"
"""What the log of a trial's one process is called, as in a job of one rank."""


class Folder:
    """The working folder of one experiment."""

    def __init__(self, cluster: LocalCluster, uid: str) -> None:
        self._cluster = cluster
        self.path = cluster.work_folder(uid)

    def result(self, entry: Entry) -> Path:
        """What the trial's process writes when it is done."""
        return self._file(entry, "result")

    def reports(self, entry: Entry) -> Path:
        """What it reports meanwhile."""
        return self._file(entry, "reports")

    def stop(self, entry: Entry) -> Path:
        """The file whose existence tells it to end early."""
        return self._file(entry, "stop")

    def metrics(self, entry: Entry) -> Path:
        """The file that a command writes its metrics into, where it does."""
        return self._file(entry, "metrics")

    def checkpoint(self, name: str) -> Path:
        """The trial's own checkpoint folder; it is made when it is asked for."""
        return self.path / "checkpoints" / name

    def log(self, entry: Entry) -> Path:
        """Where its output goes."""
        return self._cluster.log(entry.uid, PART, entry.attempt).path

    def environment(self, entry: Entry) -> dict[str, str]:
        """What its process finds in the environment."""
        return {
            REPORTS: str(self.reports(entry)),
            STOP: str(self.stop(entry)),
            CHECKPOINT: str(self.checkpoint(entry.name)),
            TRIAL: entry.name,
            KATIB_TRIAL: entry.name,
            UNIT: f"worker {entry.worker}",
        }

    def kept(self, entry: Entry) -> dict[str, Any] | None:
        """The result, if there is one."""
        try:
            found: dict[str, Any] = json.loads(self.result(entry).read_bytes())
        except (OSError, ValueError):
            return None
        return found

    def clear(self, entry: Entry) -> None:
        """Remove what is in the store by now, and a log that nothing was printed into."""
        for path in (self.result(entry), self.reports(entry), self.stop(entry), self.metrics(entry)):
            path.unlink(missing_ok=True)
        log = self.log(entry)
        try:
            if log.stat().st_size == 0:
                log.unlink()
                log.parent.rmdir()
        except OSError:
            pass

    def _file(self, entry: Entry, kind: str) -> Path:
        return self.path / f"{entry.number}.{entry.attempt}.{kind}"


_OWN: Final = frozenset({REPORTS, STOP, CHECKPOINT, TRIAL, KATIB_TRIAL, UNIT})


def environment() -> dict[str, str]:
    """This process's variables for those of its trials, without what is a step's or another trial's own."""
    return {name: value for name, value in os.environ.items() if name not in _OWN}
