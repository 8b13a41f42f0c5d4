"""Where a model comes from, as far as its surroundings tell: run, step, cell, notebook, commit, packages, data.

Nothing is asked of the network or of another program, and no variable of the environment is recorded.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Invalid, KubeflowError, Where

PREFIX: Final = "lineage."
"""Of the custom properties: ``find("lineage.run = 'flights-7'")``."""

_SECRET: Final = re.compile(
    r"pass(word|wd|phrase)|secret|token|api_?key|credential|private_?key|access_?key", re.IGNORECASE
)
_SIGNED: Final = re.compile(r"[?&](X-Amz-Signature|X-Goog-Signature|sig|token|password)=", re.IGNORECASE)
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}")


def surroundings() -> dict[str, str]:
    """What is known here and now; names as they are after the prefix."""
    found = {**_workload(), **code_of()}
    notebook = os.environ.get("JPY_SESSION_NAME")
    if notebook and "notebook" not in found:
        found["notebook"] = Path(notebook).name
    return {**_cell(), **found}


def code_of(folder: Path | None = None) -> dict[str, str]:
    """Python and the commit: what is known beside where a model comes from."""
    return {"python": platform.python_version(), **_commit(folder or Path.cwd())}


def user() -> str:
    """Who this is, as the machine knows it."""
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _workload() -> dict[str, str]:
    """The run or job that this process belongs to, and the step of it."""
    uid = os.environ.get("JUPYTER_KUBEFLOW_WORKLOAD")
    if not uid:
        return {}
    found = {"uid": uid}
    unit = os.environ.get("JUPYTER_KUBEFLOW_UNIT")
    if unit:
        found["step"] = unit
    try:
        from jupyter_ext.cluster.discover import current

        with current().store.reading() as connection:
            row = connection.execute("SELECT kind, name FROM resources WHERE uid = ?", (uid,)).fetchone()
    except KubeflowError:
        return found
    if row is not None:
        found |= {"kind": row[0], "run": row[1]}
        resource = current().get(row[0], row[1])
        path = resource.spec.get("pipeline", {}).get("path")
        if path:
            found["notebook"] = Path(str(path)).name
    return found


def _cell() -> dict[str, str]:
    """The cell that is running in this kernel."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    if shell is None:
        return {}
    found = {}
    header = getattr(shell, "parent_header", None) or {}
    cell = header.get("metadata", {}).get("cellId") if isinstance(header, Mapping) else None
    if isinstance(cell, str):
        found["cell"] = cell
    count = getattr(shell, "execution_count", None)
    if isinstance(count, int):
        found["execution"] = str(count)
    return found


def _commit(folder: Path) -> dict[str, str]:
    """The commit that is checked out; read from git's files, which is a thousand times faster than asking git."""
    try:
        for place in (folder, *folder.parents):
            git = place / ".git"
            if git.is_file():  # a worktree or a submodule
                git = (place / git.read_text().partition("gitdir:")[2].strip()).resolve()
            if git.is_dir():
                return _head(git)
    except (OSError, ValueError):
        pass
    return {}


def _head(git: Path) -> dict[str, str]:
    head = (git / "HEAD").read_text().strip()
    reference = head.partition("ref:")[2].strip()
    if not reference:
        return {"commit": head} if _COMMIT.fullmatch(head) else {}
    found = {"branch": reference.removeprefix("refs/heads/")}
    common = git / "commondir"
    base = (git / common.read_text().strip()).resolve() if common.exists() else git
    loose = base / reference
    if loose.is_file():
        return {**found, "commit": loose.read_text().strip()}
    packed = base / "packed-refs"
    for line in packed.read_text().splitlines() if packed.is_file() else []:
        commit, _, name = line.partition(" ")
        if name == reference:
            return {**found, "commit": commit}
    return found


def packages() -> dict[str, str]:
    """The imported modules that say their version: what the model was made with."""
    found = {}
    for name, module in list(sys.modules.items()):
        if "." in name or name.startswith("_") or name in sys.stdlib_module_names:
            continue
        version = getattr(module, "__dict__", {}).get("__version__")
        if isinstance(version, str) and version:
            found[name] = version
    return dict(sorted(found.items()))


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, but of names that sound like a secret only that there was one."""
    return {str(name): "***" if _SECRET.search(str(name)) else value for name, value in values.items()}


def checked_uri(uri: str) -> str:
    """The address, unless it has a password or a signature in it; raises Invalid."""
    authority = uri.partition("://")[2].partition("/")[0]
    user_part = authority.rpartition("@")[0]
    if ":" in user_part or _SIGNED.search(uri):
        raise Invalid(
            "the address has a secret in it, which a registry shows to everybody",
            where=Where(field="uri"),
            hint="Give it without; set credentials where the model is read.",
        )
    return uri


def data_of(data: Any, predict: Callable[[Any], Any] | None = None) -> list[dict[str, Any]]:
    """The data sets a model was made from, ``{name: path, frame, array or URI}``, as dataset artifacts.

    ``predict`` tells what the model answers to them, for their profile.
    """
    if data is None:
        return []
    if not isinstance(data, Mapping):
        data = {"data": data}
    return [
        {"artifactType": "dataset-artifact", "name": str(name), **_data(value, predict)}
        for name, value in data.items()
    ]


def _data(value: Any, predict: Callable[[Any], Any] | None) -> dict[str, Any]:
    if isinstance(value, (str, os.PathLike)):
        text = os.fspath(value)
        if "://" in str(text):
            return {"uri": checked_uri(str(text)), "sourceType": str(text).partition("://")[0]}
        path = Path(str(text)).expanduser().absolute()
        if not path.exists():
            raise Invalid(f"there is no data at {path}", where=Where(field="data"))
        from jupyter_ext.registry.files import digest_of

        return {"uri": path.as_uri(), "sourceType": "local", "digest": digest_of(path)}
    return {"sourceType": type(value).__name__, **_in_memory(value), **_profile(value, predict)}


def _profile(value: Any, predict: Callable[[Any], Any] | None) -> dict[str, Any]:
    """What the data looks like, for the comparison with what an endpoint is asked."""
    import json

    from jupyter_ext.registry import profile

    try:
        return {"profile": json.dumps(profile.of(value, predict), separators=(",", ":"), allow_nan=False)}
    except (TypeError, ValueError, KubeflowError):
        return {}  # nothing that has columns or numbers


def _in_memory(value: Any) -> dict[str, Any]:
    """The digest of a frame's or array's content, and its columns."""
    import json

    from blake3 import blake3

    if hasattr(value, "columns") and hasattr(value, "iloc"):
        import pandas as pd

        hashes = pd.util.hash_pandas_object(value, index=True).to_numpy().tobytes()
        columns = {str(name): str(kind) for name, kind in value.dtypes.items()}
        content = blake3(json.dumps(columns).encode())
        content.update(hashes)
        return {"digest": f"b3:{content.hexdigest()}", "schema": json.dumps(columns)}
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    import numpy as np

    array = np.ascontiguousarray(value)
    if array.dtype.hasobject:
        return {}
    content = blake3(f"{array.dtype}{array.shape}".encode())
    content.update(array.tobytes())
    return {"digest": f"b3:{content.hexdigest()}", "profile": json.dumps({"shape": list(array.shape)})}
