"""Where the processes of trials and their controller leave things for each other."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
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


class Folder:
    """The working folder of one experiment."""

    def __init__(self, cluster: LocalCluster, uid: str) -> None:
        self.path = cluster.work_folder(uid)
        self._logs = str(cluster.log_folder(uid))

    def result(self, entry: Entry) -> str:
        """What the trial's process writes when it is done."""
        return self._file(entry, "result")

    def reports(self, entry: Entry) -> str:
        """What it reports meanwhile."""
        return self._file(entry, "reports")

    def stop(self, entry: Entry) -> str:
        """The file whose existence tells it to end early."""
        return self._file(entry, "stop")

    def metrics(self, entry: Entry) -> str:
        """The file that a command writes its metrics into, where it does."""
        return self._file(entry, "metrics")

    def checkpoint(self, name: str) -> Path:
        """The trial's own checkpoint folder; it is made when it is asked for."""
        return self.path / "checkpoints" / name

    def inherit(self, name: str, parent: str) -> None:
        """Let a trial begin with a copy of another's checkpoint."""
        self.drop(name)
        if self.checkpoint(parent).is_dir():
            shutil.copytree(self.checkpoint(parent), self.checkpoint(name), symlinks=True)

    def drop(self, name: str) -> None:
        """Remove a trial's checkpoint."""
        shutil.rmtree(self.checkpoint(name), ignore_errors=True)

    def log(self, entry: Entry) -> str:
        """Where its output goes; see ``log_part``."""
        return f"{self._logs}/{log_part(entry.number)}.{entry.attempt}.log"

    def environment(self, entry: Entry) -> dict[str, str]:
        """What its process finds in the environment."""
        return {
            REPORTS: self.reports(entry),
            STOP: self.stop(entry),
            CHECKPOINT: str(self.checkpoint(entry.name)),
            TRIAL: entry.name,
            KATIB_TRIAL: entry.name,
            UNIT: f"worker {entry.worker}",
        }

    def kept(self, entry: Entry) -> dict[str, Any] | None:
        """The result, if there is one."""
        try:
            with open(self.result(entry), "rb") as file:  # noqa: PTH123 - for every trial
                found: dict[str, Any] = json.load(file)
        except (OSError, ValueError):
            return None
        return found

    def clear(self, entry: Entry) -> None:
        """Remove what is in the store by now, and a log that nothing was printed into."""
        log = self.log(entry)
        kinds = ("result", "reports", "stop", "metrics")
        paths = [self._file(entry, kind) for kind in kinds]
        try:
            if os.stat(log).st_size == 0:  # noqa: PTH116 - for every trial
                paths.append(log)
        except OSError:
            pass
        for path in paths:
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - as above

    def _file(self, entry: Entry, kind: str) -> str:
        return f"{self.path}/{entry.number}.{entry.attempt}.{kind}"


def log_part(number: int) -> str:
    """What a trial's log is called among those of its experiment."""
    return f"trial-{number}"


_OWN: Final = frozenset({REPORTS, STOP, CHECKPOINT, TRIAL, KATIB_TRIAL, UNIT})


def environment() -> dict[str, str]:
    """This process's variables for those of its trials, without what is a step's or another trial's own."""
    return {name: value for name, value in os.environ.items() if name not in _OWN}
