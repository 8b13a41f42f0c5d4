"""What the pods of a notebook's work are told, and by which it is known that one is in such a pod."""

from __future__ import annotations

import os
from typing import Final

IMAGE: Final = "JUPYTER_KUBEFLOW_JOB_IMAGE"
"""The image of work that names none; it must have jupyter_ext and what the notebook imports."""
STEP: Final = "JUPYTER_KUBEFLOW_STEP"
"""Set in the pod of a pipeline's step: what it starts runs in that pod, or asks for a place of its own."""
_OF_THE_SERVER: Final = ("JUPYTER_IMAGE_SPEC", "JUPYTER_IMAGE")
"""Where KubeSpawner and Kubeflow say which image this server is."""


def image(wanted: str = "") -> str:
    """The image that the environment names, else ``wanted``, else this server's own; empty where none is known."""
    return os.environ.get(IMAGE, "").strip() or wanted.strip() or servers_image()


def servers_image() -> str:
    """The image that this notebook server runs in; empty where nobody said."""
    return next((told for name in _OF_THE_SERVER if (told := os.environ.get(name, "").strip())), "")
