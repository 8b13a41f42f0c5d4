"""Why a process is gone, as far as can be known afterwards."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.local.machine import boot, oom_kills
from jupyter_ext.cluster.local.record import Row

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

_LOG_END: Final = 1 << 16


def cause_of_death(cluster: LocalCluster, row: Row, code: int | None) -> str:
    """Why the process is gone, as far as can be known, as one sentence.

    ``code`` is the exit code, or minus the signal, where this process was its parent.
    """
    if row.outcome:
        return row.outcome
    if row.boot and row.boot != boot():
        return "The machine was restarted while it ran."
    crash = _crash(cluster, row)
    if crash:
        return f"Its process crashed ({crash})."
    if row.running_since is None:
        last = cluster.log(row.uid).tail(1).strip() if row.process else ""
        return f"Its process did not start ({last or 'it left no word'})."
    if code is not None and code >= 0:
        return f"Its process ended with exit code {code} before it was done."
    number = -code if code else int(signal.SIGKILL)
    if number != signal.SIGKILL:
        return f"Its process was ended by signal {number} ({signal.Signals(number).name})."
    certain = row.oom_kills is not None and oom_kills() > row.oom_kills
    return f"Its process was killed (signal 9, {'' if certain else 'likely '}out of memory)."


def _crash(cluster: LocalCluster, row: Row) -> str:
    """What faulthandler wrote into the log during this attempt."""
    mark = b"Fatal Python error: "
    try:
        with cluster.log(row.uid).path.open("rb") as file:
            file.seek(max(row.log_start, file.seek(0, os.SEEK_END) - _LOG_END))
            text = file.read()
    except FileNotFoundError:
        return ""
    return text.rpartition(mark)[2].partition(b"\n")[0].decode(errors="replace") if mark in text else ""
