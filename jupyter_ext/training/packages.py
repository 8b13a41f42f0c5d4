"""More packages for one job: an environment on top of the notebook's, made once for each set of requirements.

What the notebook's environment has already is used from there. The environment is never changed after it was
made: the next job with the same requirements starts at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.errors import Invalid, KubeflowError, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

_MARK: Final = "complete"


def check(packages: Sequence[str]) -> None:
    """Raise Invalid for what is no requirement; it is a name with a version, never an option of pip."""
    from packaging.requirements import InvalidRequirement, Requirement

    for number, text in enumerate(packages):
        where = Where(field=f"packages[{number}]")
        try:
            found = Requirement(text)
        except InvalidRequirement as error:
            raise Invalid(
                f"{text!r} is not a package", where=where, hint="Write a name, such as 'einops>=0.8'."
            ) from error
        if found.url and not found.url.startswith(("https://", "git+https://", "file://")):
            raise Invalid(f"{text!r} has an address that is not https", where=where)
    if "python" in {text.strip().lower() for text in packages}:
        raise Invalid("The version of Python is the notebook's", where=Where(field="packages"))


def interpreter(cluster: LocalCluster, packages: Sequence[str], waiting: Callable[[str], None]) -> str:
    """The interpreter of the environment, made if need be.

    ``waiting`` is called again and again with the reason while that takes; what it raises ends the installation.
    Raises KubeflowError with pip's last words.
    """
    wanted = sorted(set(packages))
    if _satisfied(wanted):
        return sys.executable
    key = hashlib.sha256("\n".join([sys.executable, sys.version, *wanted]).encode()).hexdigest()[:24]
    folder = cluster.home / "environments" / key
    python = folder / "bin" / "python"
    if (folder / _MARK).exists():
        return str(python)
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    with (folder.parent / f"{key}.lock").open("w") as lock:
        _lock(lock.fileno(), lambda: waiting("Another job installs the same packages."))
        if not (folder / _MARK).exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, wanted, lambda: waiting(f"Installing {', '.join(wanted)}."))
            (folder / _MARK).write_text("\n".join(wanted))
    return str(python)


def _satisfied(packages: Sequence[str]) -> bool:
    """Whether the notebook's environment has all of them in these versions."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    for text in packages:
        requirement = Requirement(text)
        if requirement.url or requirement.extras:
            return False
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            return False
        if not requirement.specifier.contains(found, prereleases=True):
            return False
    return True


def _lock(descriptor: int, waiting: Callable[[], None]) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
        else:
            return


def _make(folder: Path, packages: Sequence[str], waiting: Callable[[], None]) -> None:
    import importlib.util
    import venv

    waiting()
    own_pip = importlib.util.find_spec("pip") is not None
    venv.EnvBuilder(symlinks=True, with_pip=not own_pip).create(folder)
    library = next(folder.glob("lib/python*/site-packages"))
    # What is installed for the notebook comes after what is installed here.
    parents = [path for path in (*site.getsitepackages(), site.getusersitepackages()) if os.path.isdir(path)]  # noqa: PTH112
    lines = [f"import site; site.addsitedir({path!r})" for path in parents]
    (library / "zz_notebook.pth").write_text("\n".join([*lines, ""]))
    python = str(folder / "bin" / "python")
    words = ["-m", "pip", "--no-input", "--disable-pip-version-check"]
    command = [sys.executable, *words, "--python", python] if own_pip else [python, *words]
    _run([*command, "install", "--", *packages], packages, waiting)


def _run(command: Sequence[str], packages: Sequence[str], waiting: Callable[[], None]) -> None:
    """Run pip; its output goes to the job's own log."""
    import tempfile

    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise Unavailable(f"pip cannot be started ({error})", hint="python -m ensurepip") from error
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    code = process.wait(0.2)
                    break
                waiting()
        except BaseException:
            process.kill()
            process.wait()
            raise
        output.seek(0)
        text = output.read().decode(errors="replace")
    sys.stderr.write(text)
    if code:
        errors = [line.removeprefix("ERROR: ") for line in text.splitlines() if line.startswith("ERROR")]
        said = errors[-1] if errors else (text.strip().splitlines() or ["no word"])[-1]
        hint = "Check their names and versions, and that a package index can be reached."
        where = Where(field="packages")
        raise KubeflowError(f"{', '.join(packages)} could not be installed ({said})", where=where, hint=hint)
