"""Checkpoints of a job whose processes are pods: put into the profile's store as they are saved, and brought back when pods begin again.

The newest is written over the one before the last, and is the newest once a small file says so: killed at any moment, there is
one that is whole. Standard library only; travels with the job.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import KubeflowError
from jupyter_ext.training import depot

FOLDER: Final = "checkpoint"
NEWEST: Final = "newest.json"
SLOTS: Final = 2


class Kept:
    """The checkpoints of one job in its folder of the store."""

    def __init__(self, store: depot.Depot, folder: str, place: Path) -> None:
        self._store, self._folder, self._place = store, f"{folder}/{FOLDER}", place
        self._slot = 0

    def bring(self) -> int | None:
        """Fetch the newest checkpoint to the job's folder on this node, once for all its processes. Its step; None for none yet.

        Raises depot.Failed.
        """
        import fcntl

        with (self._place / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                newest = self._newest()
            except depot.Missing:
                return None
            self._slot = (newest["slot"] + 1) % SLOTS
            final = self._place / f"step-{newest['step']}.ckpt"
            if not final.exists():
                part = self._place / f".{final.name}.part"
                self._store.fetch(self._key(newest["slot"]), part)
                if depot.digest_of(part) != newest["sha256"]:
                    raise depot.Failed(f"The checkpoint of step {newest['step']} is not what was saved")
                part.replace(final)
        return int(newest["step"])

    def saved(self, path: Path, step: int) -> None:
        """Put a checkpoint that was saved. A store that does not take it is said: the one before is still there."""
        try:
            self._store.put(self._key(self._slot), path)
            facts = {"step": step, "slot": self._slot, "sha256": depot.digest_of(path)}
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(facts, file)
                file.flush()
                self._store.put(f"{self._folder}/{NEWEST}", Path(file.name))
        except (depot.Failed, OSError) as error:
            print(f"The checkpoint of step {step} could not be kept: {error}", file=sys.stderr)  # noqa: T201
        else:
            self._slot = (self._slot + 1) % SLOTS

    def _newest(self) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, NEWEST)
            self._store.fetch(f"{self._folder}/{NEWEST}", path)
            found: dict[str, Any] = json.loads(path.read_text())
        return found

    def _key(self, slot: int) -> str:
        return f"{self._folder}/{slot}.ckpt"


def install(told: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    """Keep what this process saves as a checkpoint, and bring back the newest once it asks for the folder of them."""
    from jupyter_ext.training import checkpoints, reporting

    def begin(place: Path) -> None:
        kept = Kept(depot.Depot(str(told["url"]), keys), str(told["folder"]), place)
        try:
            step = kept.bring()
        except depot.Failed as error:
            raise KubeflowError(f"The checkpoint of this job cannot be had: {error}") from error
        if step is not None:
            print(f"It goes on from the checkpoint of step {step}.", flush=True)  # noqa: T201
        checkpoints.AFTER_SAVING.append(kept.saved)

    reporting.BEFORE_CHECKPOINTS.append(begin)
