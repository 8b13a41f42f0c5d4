"""``TF_CONFIG`` on a cluster, where no runtime of upstream writes it: from what a job's pods are told to meet each other.

Kubeflow Trainer's torch policy gives each pod its number, how many there are, and the first one's name in the network; the
names of a JobSet's pods differ in their last number only. It travels with the job: standard library only.
"""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from typing import Final

NAME: Final = "TF_CONFIG"
_PORT: Final = "29500"


def install(environment: MutableMapping[str, str] | None = None) -> None:
    """Say who the workers are, and which of them this is; nothing for one alone, or where somebody has said it."""
    told = os.environ if environment is None else environment
    count, first = int(told.get("WORLD_SIZE") or 1), told.get("MASTER_ADDR", "")
    if count < 2 or told.get(NAME):
        return
    host, dot, domain = first.partition(".")
    stem, dash, number = host.rpartition("-")
    if not dash or number != "0":
        raise ValueError(f"{first!r} is no address of a first pod, so the others' are not known")
    port = told.get("MASTER_PORT") or _PORT
    workers = [f"{stem}-{index}{dot}{domain}:{port}" for index in range(count)]
    task = {"type": "worker", "index": int(told.get("RANK") or 0)}
    told[NAME] = json.dumps({"cluster": {"worker": workers}, "task": task})
