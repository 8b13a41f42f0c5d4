"""Which operator makes training jobs: Kubeflow Trainer, or where that is not installed the training operator before it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from jupyter_ext.errors import Invalid, Where

TRAINING: Final = "JUPYTER_KUBEFLOW_TRAINING"
"""``trainer`` or ``v1``: whose jobs are made on a cluster that has both. Without it Kubeflow Trainer's, where it is installed."""


def older_training(has: Callable[[str], bool]) -> bool:
    """Whether training jobs become the training operator's v1 kinds: there is no TrainJob, or somebody wants it so.

    Raises Invalid for a choice that there is not.
    """
    wanted = os.environ.get(TRAINING, "").strip().lower()
    if wanted not in {"", "trainer", "v1"}:
        what = f"{TRAINING} is {wanted[:40]!r}"
        raise Invalid(what, where=Where(field=TRAINING), hint="It may be trainer or v1.")
    return wanted == "v1" or (not wanted and not has("TrainJob"))
