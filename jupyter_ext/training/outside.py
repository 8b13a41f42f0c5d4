"""An exported job in a container of a cluster: unpack, install, call. It travels with the job.

Ranks come from torchrun, from MPI, or from the runtime's own variables. Standard library only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Final

TUNED: Final = "JUPYTER_KUBEFLOW_TUNED"
"""JSON: {name: [type, value as text, *choices]}."""
OBJECTIVE: Final = "JUPYTER_KUBEFLOW_OBJECTIVE"
"""The name under which a trial's value is printed."""
_RANKS: Final = {
    "RANK": ("OMPI_COMM_WORLD_RANK", "DMLC_TASK_ID", "JAX_PROCESS_ID"),
    "WORLD_SIZE": ("OMPI_COMM_WORLD_SIZE", "DMLC_NUM_WORKER", "JAX_NUM_PROCESSES"),
    "LOCAL_RANK": ("OMPI_COMM_WORLD_LOCAL_RANK",),
}


def main(folder: str) -> None:
    """Run the code that was unpacked beside the bootstrap; ends the process."""
    base = Path(folder)
    job: dict[str, Any] = json.loads((base / "job.json").read_text())
    for name, others in _RANKS.items():
        found = next((os.environ[other] for other in others if other in os.environ), None)
        if found is not None:
            os.environ.setdefault(name, found)
    if job["packages"]:
        _install(job["packages"])
    sys.path.append(str(base / "spare"))

    import zipfile

    from jupyter_ext.training import rank
    from jupyter_ext.training.loading import Snapshot
    from jupyter_ext.training.reporting import Pruned

    if "DMLC_TRACKER_URI" in os.environ:
        from jupyter_ext.training.frameworks import collective

        collective.install(serve=True)
    if "JAX_PROCESS_ID" in os.environ:
        from jupyter_ext.training.frameworks import coordinator

        coordinator.install()
    zipfile.ZipFile(base / "code.zip").extractall(base / "code")
    snapshot = None
    try:
        snapshot = Snapshot(base / "code")
        value = snapshot.call({**job["args"], **tuned()}, job["data"])
    except Pruned:
        sys.exit(0)
    except Exception as error:
        sys.stderr.write("\n".join([*rank.described(error, snapshot)["traceback"], ""]))
        sys.stderr.flush()
        os._exit(1) if threads_hang() else sys.exit(1)
    if os.environ.get("RANK", "0") == "0":
        _say(value)


def tuned() -> dict[str, Any]:
    """The parameters of a trial: Katib puts only text into a manifest, so what they are travels beside it."""
    found: dict[str, Any] = {}
    given: dict[str, list[Any]] = json.loads(os.environ.get(TUNED, "{}"))
    for name, (kind, text, *choices) in given.items():
        if kind in {"int", "double"}:
            found[name] = int(text) if kind == "int" else float(text)
        else:
            found[name] = next((choice for choice in choices if _text(choice) == text), text)
    return found


def _text(choice: Any) -> str:
    return repr(choice) if isinstance(choice, float) else str(choice)


def _say(value: Any) -> None:
    """Print what was returned: there is no notebook to bring it to. A trial's is what its objective is read from."""
    objective = os.environ.get(OBJECTIVE)
    if value is None:
        return
    if not objective:
        print(repr(value)[:10_000])  # noqa: T201
        return
    for name, number in (value if isinstance(value, dict) else {objective: value}).items():
        print(f"{name}={float(number)!r}", flush=True)  # noqa: T201


def threads_hang() -> bool:
    """Whether threads of user code would keep a process that has failed from ending."""
    import threading

    return any(not each.daemon for each in threading.enumerate() if each is not threading.main_thread())


def _install(packages: list[str]) -> None:
    """Once on each node: whoever comes second waits, and finds everything there."""
    import fcntl
    import tempfile

    with Path(tempfile.gettempdir(), "jupyter-kubeflow-install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *packages,
        ]
        try:
            subprocess.run(command, check=True)
        except (OSError, subprocess.CalledProcessError):
            traceback.print_exc()
            sys.exit(1)
