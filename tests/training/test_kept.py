"""Checkpoints of a job in pods: what is in the store is whole and the newest, whenever a pod was killed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from jupyter_ext.training import depot
from jupyter_ext.training.kept import Kept


class Killed(depot.Depot):
    """A store whose pod is gone after so many requests: the last one was not made."""

    left = 1 << 30

    def put(self, key: str, path: Path) -> None:
        """As every store does, as long as there is a pod."""
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        super().put(key, path)


def _saved(kept: Kept, folder: Path, step: int) -> None:
    path = folder / f"step-{step}.ckpt"
    path.write_text(f"state {step}")
    kept.saved(path, step)


@given(some.lists(some.integers(0, 7), max_size=4))
def test_what_is_brought_back_is_the_newest_that_was_kept(tmp_path_factory, lives):
    """Each life of the pods goes on from what the last one kept, and is killed after some requests."""
    base = tmp_path_factory.mktemp("kept")
    (base / "store").mkdir()
    step = newest = 0
    for number, requests in enumerate(lives):
        folder = base / str(number)
        folder.mkdir()
        store = Killed(f"file://{base}/store", {})
        store.left = requests
        kept = Kept(store, "results/job-1", folder)
        assert kept.bring() == (newest or None)
        if newest:
            assert (folder / f"step-{newest}.ckpt").read_text() == f"state {newest}"
        with suppress(KeyboardInterrupt):
            while True:
                step += 1
                _saved(kept, folder, step)
        newest = newest if requests < 2 else step - 1
        step = newest
    assert len(list((base / "store").rglob("*.ckpt"))) <= 2


def test_a_store_that_is_full_is_said_and_the_training_goes_on(tmp_path, capsys):
    kept = Kept(depot.Depot(f"file://{tmp_path}/none", {}), "results/job-1", tmp_path)
    _saved(kept, tmp_path, 3)
    assert "The checkpoint of step 3 could not be kept: The folder" in capsys.readouterr().err


def test_what_somebody_changed_is_not_taken(tmp_path):
    (tmp_path / "store").mkdir()
    store = depot.Depot(f"file://{tmp_path}/store", {})
    _saved(Kept(store, "results/job-1", tmp_path), tmp_path, 3)
    (changed,) = (tmp_path / "store").rglob("*.ckpt")
    changed.write_text("other")
    again = tmp_path / "again"
    again.mkdir()
    with pytest.raises(depot.Failed, match="step 3 is not what was saved"):
        Kept(store, "results/job-1", again).bring()
    assert not list(again.glob("step-*"))
