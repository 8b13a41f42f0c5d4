"""The image of the pods that a notebook's work runs in."""

from __future__ import annotations

import os
from typing import Final

IMAGE: Final = "JUPYTER_KUBEFLOW_JOB_IMAGE"
"""The image of work that names none; it must have jupyter_ext and what the notebook imports."""
_OF_THE_SERVER: Final = ("JUPYTER_IMAGE_SPEC", "JUPYTER_IMAGE")
"""Where KubeSpawner and Kubeflow say which image this server is."""


def named(wanted: str = "") -> str:
    """The image that the environment names, else ``wanted``, else this server's own; empty where none is known."""
    own = (os.environ.get(name, "").strip() for name in _OF_THE_SERVER)
    return os.environ.get(IMAGE, "").strip() or wanted.strip() or next(filter(None, own), "")
