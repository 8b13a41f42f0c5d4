"""Where a profile's files are, and folders that nobody else can read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from jupyter_ext.cluster.resource import valid_name

HOME: Final = "JUPYTER_KUBEFLOW_HOME"
PROFILE: Final = "JUPYTER_KUBEFLOW_PROFILE"


def home_folder() -> Path:
    """``$JUPYTER_KUBEFLOW_HOME``, else ``kubeflow`` in Jupyter's data directory."""
    chosen = os.environ.get(HOME)
    return Path(chosen).expanduser().absolute() if chosen else _data_folder() / "kubeflow"


def _data_folder() -> Path:
    """What ``jupyter --data-dir`` prints; its import is avoided where its rule is simple."""
    chosen = os.environ.get("JUPYTER_DATA_DIR")
    if chosen:
        return Path(chosen).absolute()
    if os.environ.get("JUPYTER_PLATFORM_DIRS") or sys.platform == "win32":
        from jupyter_core.paths import jupyter_data_dir

        return Path(jupyter_data_dir())
    user = Path("~").expanduser().resolve()
    if sys.platform == "darwin":
        return user / "Library" / "Jupyter"
    return Path(os.environ.get("XDG_DATA_HOME") or user / ".local" / "share") / "jupyter"


def profile_name() -> str:
    """``$JUPYTER_KUBEFLOW_PROFILE``, else ``default``. Raises Invalid when it is no valid namespace."""
    return valid_name(os.environ.get(PROFILE) or "default", PROFILE)


def make_private(folder: Path) -> Path:
    """Make the folder and its missing parents with mode 0700; existing ones are left as they are."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder
