"""Where the sockets and the folders of endpoints are."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.local.home import make_private
from jupyter_ext.errors import Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

KIND: Final = "InferenceService"
ENDPOINT: Final = "jupyter-kubeflow.org/endpoint"
"""Label, on a Kubernetes cluster, of all that belongs to an endpoint, with its name."""
GATEWAY: Final = "serving"
"""The name of a profile's Gateway."""
_LONGEST: Final = 100
"""Bytes of a socket's path: ``sockaddr_un`` has 104 on macOS and 108 on Linux, with the final zero."""
_NAME: Final = 40
"""Bytes that are left for a socket's own name."""


def sockets(cluster: LocalCluster) -> Path:
    """The folder of the profile's Unix sockets: of this user alone, and short enough for ``sun_path``.

    It is ``<profile>/sockets`` where that is short enough, else one in the folder for temporary files. Raises
    Unavailable when somebody else made that one.
    """
    at_home = cluster.home / "sockets"
    if len(os.fsencode(at_home)) + 1 + _NAME <= _LONGEST:
        return make_private(at_home)
    mark = hashlib.sha256(os.fsencode(cluster.home)).hexdigest()[:12]
    base = Path(tempfile.gettempdir())
    name = f"jk-{os.getuid()}-{mark}"
    if len(os.fsencode(base / name)) + 1 + _NAME > _LONGEST:
        base = Path("/tmp")  # noqa: S108 - whose the folder is, is looked at below
    return _own(base / name)


def _own(folder: Path) -> Path:
    """The folder, made or found; nobody else's, and not reached by a link."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Unavailable(
            "The folder for sockets belongs to somebody else, or others may enter it",
            where=Where(object=str(folder)),
            hint="Remove it, or set TMPDIR to a folder of your own.",
        )
    return folder
