"""What the embedded cluster needs of a machine, checked by doing it, with a fix for each problem."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.discover import current, place, remote
from jupyter_ext.cluster.local import LocalCluster, locks, machine
from jupyter_ext.cluster.local.home import home_folder, make_private, profile_name
from jupyter_ext.cluster.resource import format_cpu, say_memory
from jupyter_ext.errors import KubeflowError

EXTENSION: Final = "@jupyter-kubeflow/labextension"
LEAST_SPACE: Final = 1 << 30
LEAST_MEMORY: Final = 1 << 30
LEAST_SQLITE: Final = (3, 38, 0)
_PATIENCE: Final = 60
_OPTIONAL: Final = ("pyarrow", "numpy", "pandas", "polars", "sklearn", "matplotlib", "torch", "xgboost")
"""Libraries whose values are passed between steps in a format of their own."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. What is not ``required`` only makes something better."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    required: bool = True


@dataclass(frozen=True)
class Report:
    """Everything that was looked at."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether all that is required is there."""
        return all(check.ok for check in self.checks if check.required)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}

    def __str__(self) -> str:
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            mark = "✓" if check.ok else "✗" if check.required else "-"
            lines.append(f"{mark} {check.name:<{width}}  {check.detail}")
            if not check.ok and check.fix:
                lines.append(f"  {'':<{width}}  → {check.fix}")
        lines.append(
            "Everything needed is there." if self.ok else "Something needed is missing; see ✗ above."
        )
        return "\n".join(lines)


def examine() -> Report:
    """Run every check; one that breaks says so and the others go on."""
    checks: list[Check] = []
    for name, look in _CHECKS.items():
        try:
            checks.append(look())
        except KubeflowError as error:
            checks.append(Check(name, False, error.what, error.hint or ""))
        except Exception as error:
            checks.append(Check(name, False, f"{type(error).__name__}: {error}", "Report this as a defect."))
    return Report(tuple(checks))


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(
        "python",
        sys.version_info >= (3, 11) and os.name == "posix",
        f"{version}, {sys.executable}",
        "Use Python 3.11 or later, on Linux, macOS or WSL.",
    )


def _cluster() -> Check:
    where = place()
    if where.kind == "kubernetes":
        return _kubernetes(where.reason, is_chosen=where.is_chosen)
    return Check("cluster", True, f"{where.kind}, profile {profile_name()}. {where.reason}")


def _kubernetes(reason: str, *, is_chosen: bool) -> Check:
    """What the cluster can do, each with the reason; a pod whose cluster can do nothing does all by itself."""
    from jupyter_ext.cluster.kube.capabilities import survey

    cluster = remote()
    assert cluster is not None
    try:
        found = survey(cluster)
    except KubeflowError as error:
        return Check(
            "cluster", False, f"{cluster.name}. {reason} {error.what}.", error.hint or "", required=is_chosen
        )
    said = [f"{cluster.name}, as {found.user or 'somebody'}, Kubernetes {found.version}. {reason}"]
    said += [f"{name}: {can.state}. {can.reason}" for name, can in found.capabilities.items()]
    return Check("cluster", True, "\n      ".join(said))


def _jupyterlab() -> Check:
    version = _version("jupyterlab")
    return Check(
        "jupyterlab",
        version is not None and int(version.partition(".")[0]) >= 4,
        version or "not installed in this environment",
        f"{sys.executable} -m pip install 'jupyterlab>=4'",
        required=False,
    )


def _labextension() -> Check:
    from jupyter_core.paths import jupyter_path

    from jupyter_ext import __version__

    for folder in jupyter_path("labextensions"):
        manifest = Path(folder, EXTENSION, "package.json")
        if manifest.is_file():
            version = json.loads(manifest.read_text())["version"]
            return Check(
                "sidebar",
                version == __version__,
                f"{version} in {folder}"
                + ("" if version == __version__ else f", but the package is {__version__}"),
                f"{sys.executable} -m pip install --force-reinstall jupyter-kubeflow",
                required=False,
            )
    fix = "Install the wheel of jupyter-kubeflow, or run `make lab` in a clone."
    return Check("sidebar", False, "the JupyterLab extension is not installed", fix, required=False)


def _server_extension() -> Check:
    from jupyter_core.paths import jupyter_config_path

    fix = "jupyter server extension enable jupyter_ext"
    for folder in jupyter_config_path():  # the first that says anything wins, as in the server
        files = [Path(folder, "jupyter_server_config.json")]
        files += sorted(Path(folder, "jupyter_server_config.d").glob("*.json"), reverse=True)
        for file in files:
            enabled = _enabled(file)
            if enabled is not None:
                word = "enabled" if enabled else "disabled"
                return Check("server extension", enabled, f"{word} by {file}", fix, required=False)
    return Check("server extension", False, "no configuration enables it", fix, required=False)


def _enabled(file: Path) -> bool | None:
    try:
        settings = json.loads(file.read_text())
        found = settings["ServerApp"]["jpserver_extensions"]["jupyter_ext"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return bool(found)


def _data_folder() -> Check:
    home = make_private(home_folder())
    with tempfile.NamedTemporaryFile(dir=home):
        facts = home.stat()
    mode = stat.S_IMODE(facts.st_mode)
    private = mode & 0o077 == 0 and facts.st_uid == os.geteuid()
    detail = f"{home}, mode {mode:04o}" + ("" if private else ": others can read values and logs")
    return Check("data folder", private, detail, f"chmod 700 '{home}'")


def _space() -> Check:
    home = make_private(home_folder())
    free = shutil.disk_usage(home).free
    files = os.statvfs(home)
    fix = "Free some space, for example with `jupyter kubeflow gc`, or set JUPYTER_KUBEFLOW_HOME to another disk."
    if files.f_files and files.f_favail < 1000:
        return Check("disk space", False, f"only {files.f_favail} more files can be made", fix)
    return Check("disk space", free >= LEAST_SPACE, f"{say_memory(free)} free", fix)


def _locks() -> Check:
    """Whether a lock of this process is seen by another: what tells living workloads from dead ones."""
    program = (
        "import sys; from pathlib import Path; sys.path.append(sys.argv[2]);"
        "from jupyter_ext.cluster.local import locks; print(locks.holder(Path(sys.argv[1])))"
    )
    root = str(Path(__file__).parents[2])
    with tempfile.TemporaryDirectory(dir=make_private(home_folder())) as folder:
        path = Path(folder, "doctor.lock")
        taken = locks.take(path)
        try:
            seen = _ask(program, str(path), root)
        finally:
            locks.free(path)
        freed = _ask(program, str(path), root)
    ok = taken and seen == str(os.getpid()) and freed == "None"
    return Check(
        "file locks",
        ok,
        "seen by other processes"
        if ok
        else f"another process sees {seen or 'nothing'}, then {freed or 'nothing'}",
        "Set JUPYTER_KUBEFLOW_HOME to a local file system: this one does not keep POSIX record locks.",
    )


def _fork() -> Check:
    program = (
        "import os; child = os.fork(); child or os._exit(7);"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), os.getsid(0) == os.getpid())"
    )
    answer = _ask(program)
    ok = answer == "7 True"
    return Check(
        "processes",
        ok,
        "sessions and forks work" if ok else f"a forked child answers {answer or 'nothing'}",
        "Allow more processes (ulimit -u, or the container's limit of processes).",
    )


def _ask(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_PATIENCE, check=False, start_new_session=True
    )
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]


def _sqlite() -> Check:
    cluster = current()
    with cluster.store.reading() as connection:
        journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
        health = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    size = cluster.store.path.stat().st_size
    detail = f"{sqlite3.sqlite_version}, {journal} journal, {say_memory(size)}, {health}"
    if health != "ok":
        return Check("store", False, detail, f"Move {cluster.store.path} away and start anew.")
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        return Check("store", False, detail, "Use a Python with SQLite 3.38 or later.")
    fix = "Set JUPYTER_KUBEFLOW_HOME to a local file system: this one cannot share memory between processes."
    return Check("store", journal == "wal", detail, fix)


def _workloads() -> Check:
    cluster: LocalCluster = current()
    query = "SELECT uid FROM workloads WHERE ended IS NULL"
    with cluster.store.reading() as connection:
        uids = [uid for (uid,) in connection.execute(query)]
    running = sum(locks.holder(cluster.lock_path(uid)) is not None for uid in uids)
    waiting = len(uids) - running
    detail = f"{running} running" + (
        f", {waiting} to be looked after by the next list of runs" if waiting else ""
    )
    return Check("workloads", True, detail)


def _machine() -> Check:
    cpu, memory = machine.cpu_milli(), machine.memory_bytes()
    return Check(
        "cpu and memory",
        memory >= LEAST_MEMORY,
        f"{format_cpu(cpu)} CPUs, {say_memory(memory)} of memory",
        "Give the machine or the container at least 1Gi of memory.",
    )


def _gpus() -> Check:
    found = machine.gpus()
    if found:
        names = ", ".join(f"{gpu.name} ({say_memory(gpu.memory)})" for gpu in found)
        return Check("gpu", True, f"{len(found)}: {names}", required=False)
    if any(Path("/dev").glob("nvidia[0-9]*")):
        fix = "Install the driver's nvidia-smi, or check that it works and CUDA_VISIBLE_DEVICES."
        return Check(
            "gpu", False, "there is an NVIDIA device, but nvidia-smi shows none", fix, required=False
        )
    return Check("gpu", True, "none", required=False)


def _git() -> Check:
    program = shutil.which("git")
    fix = "Install git: runs then record the commit they ran from."
    return Check("git", program is not None, program or "not found", fix, required=False)


def _packages() -> Check:
    there = {name: importlib.util.find_spec(name) is not None for name in _OPTIONAL}
    detail = "installed: " + (", ".join(name for name, found in there.items() if found) or "none")
    missing = [name for name, found in there.items() if not found]
    if missing:
        detail += "; supported too: " + ", ".join(missing)
    fix = f"{sys.executable} -m pip install 'jupyter-kubeflow[local]': frames are then mapped instead of copied."
    return Check("packages", there["pyarrow"], detail, fix, required=False)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


_CHECKS: Final[dict[str, Callable[[], Check]]] = {
    "python": _python,
    "cluster": _cluster,
    "jupyterlab": _jupyterlab,
    "sidebar": _labextension,
    "server extension": _server_extension,
    "data folder": _data_folder,
    "disk space": _space,
    "file locks": _locks,
    "processes": _fork,
    "store": _sqlite,
    "workloads": _workloads,
    "cpu and memory": _machine,
    "gpu": _gpus,
    "git": _git,
    "packages": _packages,
}
