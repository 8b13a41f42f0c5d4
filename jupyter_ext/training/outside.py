"""An exported job in a container of a cluster: unpack, install, call. It travels with the job.

Ranks come from torchrun, from MPI, or from the runtime's own variables. Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

TUNED: Final = "JUPYTER_KUBEFLOW_TUNED"
"""JSON: {name: [type, value as text, *choices]}."""
OBJECTIVE: Final = "JUPYTER_KUBEFLOW_OBJECTIVE"
"""The name under which a trial's value is printed."""
LAST_WORDS: Final = Path("/dev/termination-log")
"""Kubernetes keeps the last 4096 bytes of it with the pod's status, after the process and its log are gone."""
RETURNED: Final = "jupyter-kubeflow/returned "
"""Before what rank 0 returned, as JSON."""
ENDED: Final = "jupyter-kubeflow/ended "
"""The last line of a trial that went well, before its metrics as JSON: the cluster takes seconds to tell that its pod has ended."""
_DATA: Final = "JUPYTER_KUBEFLOW_DATA_"
_CHECKPOINT: Final = "JUPYTER_KUBEFLOW_CHECKPOINT"
_TRIAL: Final = "JUPYTER_KUBEFLOW_TRIAL"
_FRAMEWORK: Final = "jupyter-kubeflow.org/framework"
_MOST_WORDS: Final = 4000
# Those of PET_* come from Kubeflow Trainer's runtimes, and count where nobody starts torchrun.
_RANKS: Final = {
    "RANK": ("OMPI_COMM_WORLD_RANK", "DMLC_TASK_ID", "JAX_PROCESS_ID", "PET_NODE_RANK"),
    "WORLD_SIZE": ("OMPI_COMM_WORLD_SIZE", "DMLC_NUM_WORKER", "JAX_NUM_PROCESSES", "PET_NNODES"),
    "LOCAL_RANK": ("OMPI_COMM_WORLD_LOCAL_RANK",),
    "MASTER_ADDR": ("PET_MASTER_ADDR",),
    "MASTER_PORT": ("PET_MASTER_PORT",),
}
_TRACKER: Final = {
    "DMLC_TRACKER_URI": "MASTER_ADDR",
    "DMLC_TRACKER_PORT": "MASTER_PORT",
    "DMLC_NUM_WORKER": "WORLD_SIZE",
    "DMLC_TASK_ID": "RANK",
}


def main(folder: str) -> None:
    """Run the code that was unpacked beside the bootstrap; ends the process."""
    base = Path(folder)
    job: dict[str, Any] = json.loads((base / "job.json").read_text())
    for name, others in _RANKS.items():
        found = next((os.environ[other] for other in others if other in os.environ), None)
        if found is not None:
            os.environ.setdefault(name, found)
    if os.getpid() == 1:  # the first process of a container is not ended by a signal that it does not handle
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    keys = _keys(job)
    if job["packages"]:
        _install(job["packages"])
    sys.path.append(str(base / "spare"))

    import io
    import zipfile

    from jupyter_ext.training import rank
    from jupyter_ext.training.loading import Snapshot
    from jupyter_ext.training.reporting import Pruned

    if job.get("annotations", {}).get(_FRAMEWORK) == "xgboost":
        _tracked()
    if "DMLC_TRACKER_URI" in os.environ:
        from jupyter_ext.training.frameworks import collective

        collective.install(serve=True)
    if "JAX_PROCESS_ID" in os.environ:
        from jupyter_ext.training.frameworks import coordinator

        coordinator.install()
    if job.get("annotations", {}).get(_FRAMEWORK) == "tensorflow":
        from jupyter_ext.training.frameworks import tf_config

        tf_config.install()
    _have_checkpoints(job.get("result") or {}, keys)
    zipfile.ZipFile(io.BytesIO(_code(base, job, keys))).extractall(base / "code")
    data = {**job["data"], **_given(job, keys)}
    for name, place in data.items():
        os.environ.setdefault(f"{_DATA}{name.upper()}", place)
    snapshot = None
    try:
        snapshot = Snapshot(base / "code")
        value = snapshot.call({**job["args"], **tuned()}, data)
    except Pruned:
        sys.exit(0)
    except Exception as error:
        described = rank.described(error, snapshot)
        sys.stderr.write("\n".join([*described["traceback"], ""]))
        sys.stderr.flush()
        leave(_failed(described))
        os._exit(1) if threads_hang() else sys.exit(1)
    if os.environ.get("RANK", "0") == "0":
        _say(value, job, keys, base)


def _tracked() -> None:
    """Where the tracker is, in XGBoost's words, for pods that are told in PyTorch's: those of an XGBoostJob."""
    told = {name: os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")}
    if all(told.values()):
        for name, source in _TRACKER.items():
            os.environ.setdefault(name, told[source])


def _keys(job: Mapping[str, Any]) -> dict[str, str]:
    """What opens the profile's store, where the job has something there."""
    if not {"stored", "result", "brought"} & job.keys():
        return {}
    from jupyter_ext.training import depot

    return depot.taken()


def _code(base: Path, job: Mapping[str, Any], keys: Mapping[str, str]) -> bytes:
    """The snapshot: it came with the job, or lies in the store. Ends the process where it cannot be had."""
    if "stored" not in job:
        return (base / "code.zip").read_bytes()
    from jupyter_ext.training import depot

    try:
        return depot.Depot(job["stored"]["url"], keys).code(job["stored"])
    except depot.Failed as error:
        _give_up(f"The code cannot be had: {error}")
        raise


def _given(job: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, str]:
    """Where the files and folders are that came by the store. Ends the process where one cannot be had."""
    found: dict[str, str] = {}
    for name, told in job.get("brought", {}).items():
        from jupyter_ext.training import depot

        try:
            found[name] = str(depot.Depot(told["url"], keys).given(told))
        except (depot.Failed, OSError) as error:
            _give_up(f"The data {name} cannot be had: {error}")
    return found


def _have_checkpoints(told: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    """A folder for checkpoints, the same for all processes of the job on this node; with a store they outlive its pods."""
    name = str(told.get("folder") or "job").rpartition("/")[2]
    place = Path(tempfile.gettempdir(), f"jupyter-kubeflow-checkpoint-{name}")
    place.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault(_CHECKPOINT, str(place))
    if told.get("url"):
        from jupyter_ext.training import kept

        kept.install(told, keys)


def _give_up(why: str) -> None:
    """End the process, and say why in its log and its pod's status."""
    words = f"Rank {os.environ.get('RANK', '0')} failed: {why}"
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
    leave(words[: _MOST_WORDS // 4])
    os._exit(1) if threads_hang() else sys.exit(1)


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


def _say(value: Any, job: Mapping[str, Any], keys: Mapping[str, str], base: Path) -> None:
    """Print what was returned: there is no notebook to bring it to. A trial's is what its objective is read from."""
    objective = os.environ.get(OBJECTIVE)
    if objective:
        _measured(value, objective)
    elif value is not None:
        leave(_words(value, job.get("result"), keys, base))
        print(repr(value)[:10_000])  # noqa: T201


def _measured(value: Any, objective: str) -> None:
    """Print the metrics of a trial."""
    given = {} if value is None else value if isinstance(value, dict) else {objective: value}
    numbers = {str(name): float(number) for name, number in given.items() if name != "model"}
    words = said(numbers)
    if value is not None:
        leave(words)
    for name, number in numbers.items():
        print(f"{name}={number!r}", flush=True)  # noqa: T201
    if words and os.environ.get(_TRIAL) and os.environ.get("WORLD_SIZE", "1") == "1":
        print(f"{ENDED}{words.removeprefix(RETURNED)}", flush=True)  # noqa: T201


def _words(value: Any, told: Mapping[str, Any] | None, keys: Mapping[str, str], base: Path) -> str:
    """What is left with the pod of a result; one that JSON cannot give back as it was goes to the store, where there is one."""
    words = said(value)
    if told is None or (words and (_is_plain(value) or not told.get("url"))):
        return words
    from jupyter_ext.training import depot

    try:
        return depot.left(value, told, keys, base)
    except depot.Failed as error:
        if not words:
            # The work is done, but who waits for the result would get nothing and believe that it was that.
            _give_up(f"Its result could not be stored: {error}")
        return words


def _is_plain(value: Any) -> bool:
    """Whether JSON gives it back with the same types."""
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(type(key) is str and _is_plain(each) for key, each in value.items())
    return type(value) in {str, int, float, bool, type(None)}


def said(value: Any) -> str:
    """What a notebook can read again; nothing for what is no JSON, or too much: a pod's status is no place for data."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return ""
    return f"{RETURNED}{text}" if len(text) <= _MOST_WORDS - len(RETURNED) and text.isascii() else ""


def _failed(error: dict[str, Any]) -> str:
    """A failed rank in one sentence."""
    name = str(error.get("label") or error.get("file") or "").rpartition("/")[2]
    at = ", ".join(part for part in (name, f"line {error['line']}" if error.get("line") else "") if part)
    first = (str(error.get("message") or "").strip().splitlines() or [""])[0]
    what = f"{error.get('type', 'Error')}: {first}" if first else str(error.get("type", "Error"))
    return f"Rank {os.environ.get('RANK', '0')} failed{f' at {at}' if at else ''}: {what}"[: _MOST_WORDS // 4]


def leave(text: str) -> None:
    """Leave a word with the pod, where this is one."""
    if text and os.environ.get("KUBERNETES_SERVICE_HOST"):
        with suppress(OSError), LAST_WORDS.open("w") as file:
            file.write(text)


def threads_hang() -> bool:
    """Whether threads of user code would keep a process that has failed from ending."""
    import threading

    return any(not each.daemon for each in threading.enumerate() if each is not threading.main_thread())


def _install(packages: list[str]) -> None:
    """Once on each node: whoever comes second waits, and finds everything there."""
    import fcntl

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
