"""Data of this machine for jobs on a cluster: what a pod gets is what was named, whatever the files are called."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.errors import Invalid, Unfit
from jupyter_ext.store.artifacts import key_of
from jupyter_ext.training import depot, kube_data, spec
from jupyter_ext.training.kube_depot import Depot

NAME = some.text(
    some.characters(exclude_characters="/\\", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12
).filter(lambda name: name not in {".", ".."})


def noted(**data):
    return {spec.DATA: json.dumps({name: str(place) for name, place in data.items()})}


@given(some.dictionaries(some.tuples(NAME, NAME), some.binary(max_size=64), max_size=5))
def test_a_folder_comes_as_it_was(tmp_path_factory, files):
    base = tmp_path_factory.mktemp("data")
    for (folder, name), content in files.items():
        (base / "given" / f"d-{folder}").mkdir(parents=True, exist_ok=True)
        (base / "given" / f"d-{folder}" / name).write_bytes(content)
    (base / "given").mkdir(exist_ok=True)
    blobs = Blobs(base / "blobs")
    url = f"file://{base}/store"
    told = kube_data.brought(blobs, noted(rows=base / "given"), Depot(url))["rows"]
    assert told == kube_data.brought(blobs, noted(rows=base / "given"), Depot(url))["rows"]
    there = base / "store" / key_of(told["digest"])
    there.parent.mkdir(parents=True)
    there.write_bytes(blobs.read(told["digest"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(base))
        place = depot.Depot(url, {}).given(told)
        assert place == depot.Depot(url, {}).given(told)
    found = {file.relative_to(place): file.read_bytes() for file in place.rglob("*") if file.is_file()}
    assert place.name == "given"
    assert found == {Path(f"d-{folder}", name): content for (folder, name), content in files.items()}


def test_what_somebody_changed_in_the_store_is_not_given(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "rows.csv").write_text("1")
    blobs = Blobs(tmp_path / "blobs")
    url = f"file://{tmp_path}/store"
    told = kube_data.brought(blobs, noted(rows=tmp_path / "rows.csv"), Depot(url))["rows"]
    there = tmp_path / "store" / told["key"]
    there.parent.mkdir(parents=True)
    there.write_text("2")
    with pytest.raises(depot.Failed, match="somebody changed it"):
        depot.Depot(url, {}).given(told)
    assert not list(tmp_path.glob("jupyter-kubeflow-data-*/rows.csv"))


def test_without_a_store_it_is_refused_by_name(tmp_path):
    (tmp_path / "rows.csv").write_text("1")
    for place in (None, Depot(why="There is none.")):
        with pytest.raises(Unfit, match="is on this machine only") as error:
            kube_data.brought(Blobs(tmp_path / "blobs"), noted(rows=tmp_path / "rows.csv"), place)
        assert error.value.where.field == "data.rows"
    assert kube_data.brought(Blobs(tmp_path / "blobs"), noted(rows="s3://team/rows"), None) == {}


def test_what_is_gone_since_is_named(tmp_path):
    with pytest.raises(Invalid, match=r"rows\.csv cannot be read") as error:
        kube_data.brought(
            Blobs(tmp_path / "blobs"), noted(rows=tmp_path / "rows.csv"), Depot("file:///store")
        )
    assert error.value.where.field == "data.rows"


def test_another_content_at_the_same_path_is_another(tmp_path):
    path, blobs = tmp_path / "rows.csv", Blobs(tmp_path / "blobs")
    found = []
    for text in ("1", "2"):
        path.write_text(text)
        os.utime(path, ns=(0, int(text)))
        found.append(kube_data.brought(blobs, noted(rows=path), Depot("file:///store"))["rows"]["sha256"])
    assert len(set(found)) == 2
