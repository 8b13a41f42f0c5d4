"""What every store does, a folder and one that speaks S3's protocol alike."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from jupyter_ext import store
from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound

NOWHERE = "b3:" + "0" * 64


def test_content_is_named_by_its_digest_as_on_this_machine(place, tmp_path):
    here = Blobs(tmp_path / "blobs")
    small, large = b"flights", os.urandom(3 << 20)
    (tmp_path / "large").write_bytes(large)
    assert place.put_bytes(small) == here.put_bytes(small)
    digest = place.put_file(tmp_path / "large")
    assert digest == here.put_bytes(large) == place.put_bytes(large)
    assert place.read(digest) == large
    assert (place.has(digest), place.size(digest)) == (True, len(large))
    assert set(place.digests()) == set(here.digests())
    place.fetch(digest, tmp_path / "new" / "copy")
    assert (tmp_path / "new" / "copy").read_bytes() == large
    assert stat.S_IMODE((tmp_path / "new" / "copy").stat().st_mode) == 0o600
    place.delete(digest)
    place.delete(digest)
    assert not place.has(digest)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["copy"]


def test_what_is_not_there_is_said_by_its_name(place, tmp_path):
    for call in (
        lambda: place.read(NOWHERE),
        lambda: place.size(NOWHERE),
        lambda: place.fetch(NOWHERE, tmp_path / "x"),
        lambda: place.get("runs/a/run.json"),
        lambda: place.about("runs/a/run.json"),
        lambda: place.download("runs/a", tmp_path / "run"),
    ):
        with pytest.raises(NotFound, match="not in the store") as caught:
            call()
        assert place.url in str(caught.value)
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "run").exists()
    assert (place.has(NOWHERE), place.exists("runs/a")) == (False, False)
    assert (place.names(), place.names("runs"), list(place.digests())) == ([], [], [])
    assert place.remove_all("runs") == 0


def test_what_was_changed_in_the_store_is_not_taken_for_what_was_stored(place, tmp_path):
    digest = place.put_bytes(b"true")
    name = digest.removeprefix("b3:")
    with place._asking("") as backend:
        backend.write(f"blobs/{name[:2]}/{name}", b"changed")
    for call in (lambda: place.read(digest), lambda: place.fetch(digest, tmp_path / "x")):
        with pytest.raises(KubeflowError, match="not what was stored"):
            call()
    assert not list(tmp_path.glob("*x*"))
    place.keep(digest, _file(tmp_path / "again", b"true"))
    assert place.read(digest) == b"true", "what has another size is written again"


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_documents_have_names_and_parts_of_them_are_read(place):
    place.write("runs/a/run.json", b"{}")
    place.write("runs/a/run.json", b'{"state": "RUNNING"}')
    place.write("runs/a/logs/train", b"one\ntwo\n")
    place.write("runs/ab", b"")
    assert place.get("runs/a/run.json") == b'{"state": "RUNNING"}'
    assert place.get("runs/a/logs/train", start=4) == b"two\n"
    assert place.get("runs/a/logs/train", start=1, limit=2) == b"ne"
    assert place.get("runs/a/logs/train", start=8) == place.get("runs/ab") == b""
    assert [(found.name, found.bytes) for found in place.names("runs/a")] == [
        ("runs/a/logs/train", 8),
        ("runs/a/run.json", 20),
    ]
    place.put_bytes(b"no document")
    assert [found.name for found in place.names()] == ["runs/a/logs/train", "runs/a/run.json", "runs/ab"]
    assert place.about("runs/a/run.json").changed.tzinfo is not None
    place.remove("runs/ab")
    assert place.remove_all("runs/a") == 2
    assert place.names() == []


def test_one_of_many_creates_a_document(place):
    made = []

    def create(number: int) -> None:
        if place.create("runs/a/lease", b"%d" % number):
            made.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (first,) = made
    assert place.get("runs/a/lease") == b"%d" % first


def test_blobs_go_there_and_come_back_once(place, tmp_path):
    here, elsewhere = Blobs(tmp_path / "here"), Blobs(tmp_path / "elsewhere")
    digests = [here.put_bytes(os.urandom(size)) for size in (0, 1, 5000, 300_000, 9 << 20)]
    done = place.push(here, [*digests, digests[0]])
    assert (done.files, done.bytes) == (5, 305_001 + (9 << 20))
    again = place.push(here, digests)
    asked = 2 if place.url.startswith("s3") else 5
    assert again.skipped == asked, "small ones are written without asking, where asking takes as long"
    assert place.pull(elsewhere, digests) == (5, done.bytes, 0)
    assert place.pull(elsewhere, digests) == (0, 0, 5)
    assert all(elsewhere.read(digest) == here.read(digest) for digest in digests)
    with pytest.raises(NotFound):
        place.pull(elsewhere, [*digests, NOWHERE])
    with pytest.raises(NotFound):
        place.push(here, [NOWHERE])
    assert not list((tmp_path / "elsewhere" / "tmp").iterdir())


def test_a_folder_goes_there_and_comes_back(place, tmp_path):
    (tmp_path / "model" / "deep").mkdir(parents=True)
    (tmp_path / "model" / "model.json").write_text("{}")
    (tmp_path / "model" / "deep" / "weights äö.bin").write_bytes(b"\0" * 70_000)
    (tmp_path / "model" / "out").symlink_to("/etc/hostname")
    assert place.upload(tmp_path / "model", "models/1") == f"{place.url}/models/1"
    assert place.download("models/1", tmp_path / "back") == tmp_path / "back"
    found = {path.relative_to(tmp_path / "back").as_posix() for path in (tmp_path / "back").rglob("*")}
    assert found == {"model.json", "deep", "deep/weights äö.bin"}
    assert (tmp_path / "back" / "deep" / "weights äö.bin").read_bytes() == b"\0" * 70_000
    with pytest.raises(Conflict):
        place.download("models/1", tmp_path / "back")
    place.upload(tmp_path / "model" / "model.json", "models/2.json")
    assert place.download("models/2.json", tmp_path / "2.json").read_text() == "{}"
    with pytest.raises(NotFound):
        place.upload(tmp_path / "nothing", "models/3")


def test_what_nothing_refers_to_is_collected_after_a_while(place):
    kept, lost = place.put_bytes(b"kept"), place.put_bytes(b"lost")
    place.write("runs/a/run.json", b"{}")
    assert place.gc([kept]).removed == 0, "it may be of a run that is under way"
    assert place.gc([kept], grace_seconds=0, dry_run=True).removed == 1
    assert place.has(lost)
    report = place.gc([kept], grace_seconds=0)
    assert (report.removed, report.bytes, report.kept) == (1, 4, 1)
    assert (place.has(kept), place.has(lost)) == (True, False)
    assert place.exists("runs/a/run.json")


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\0", "a\nb", "a*", "a?b", "a[1]", "a#1", "é" * 500, "\ud800",
     "blobs/x", ".tmp/x"],
)  # fmt: skip
def test_a_name_stays_below_the_store(place, name):
    for call in (place.get, place.exists, place.remove, lambda name: place.write(name, b"")):
        with pytest.raises(Invalid):
            call(name)
    with pytest.raises(Invalid):
        place.read(name)


def test_sizes_are_bounded(place):
    with pytest.raises(Invalid, match="put_file"):
        place.write("a", bytes((64 << 20) + 1))
    for bad in ({"limit": 0}, {"limit": (64 << 20) + 1}, {"start": -1}):
        with pytest.raises(Invalid):
            place.get("a", **bad)


def test_a_check_leaves_nothing(place):
    store.check(place)
    assert place.names() == []
