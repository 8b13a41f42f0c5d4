from __future__ import annotations

import os
import random
import resource as limits
import signal
import stat
import threading
import time
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, KubeflowError, NotFound

ANY = "b3:" + "0" * 64


def files(blobs):
    return [path for path in blobs.root.rglob("*") if path.is_file() and path.name != "gc.lock"]


def age(blobs, *digests, seconds=7200):
    for digest in digests:
        os.utime(blobs.path(digest), (time.time() - seconds,) * 2)


@pytest.fixture
def blobs(cluster):
    return cluster.blobs


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=6))
def test_what_is_put_is_read_back_by_its_digest(blobs, contents):
    for content in contents:
        digest = blobs.put_bytes(content)
        assert digest == "b3:" + blake3(content).hexdigest()
        assert blobs.read(digest) == content == blobs.path(digest).read_bytes()
        assert (blobs.has(digest), blobs.size(digest)) == (True, len(content))
    assert {blobs.put_bytes(content) for content in contents} <= set(blobs.digests())
    assert not list(blobs.root.glob("tmp/*"))


def test_three_ways_to_put_agree(blobs, tmp_path):
    content = random.Random(1).randbytes(3_000_000)
    (tmp_path / "file").write_bytes(content)
    with blobs.writer() as through_file:
        for begin in range(0, len(content), 100_000):
            through_file.file.write(content[begin : begin + 100_000])
    with blobs.writer() as through_path:
        through_path.path.write_bytes(content)
    with blobs.writer() as closed:
        closed.file.write(content)
        closed.file.close()
    digest = blobs.put_file(tmp_path / "file")
    assert {through_file.digest, through_path.digest, closed.digest} == {digest}
    assert {through_file.size, through_path.size} == {len(content)}
    assert len(files(blobs)) == 1


def test_files_and_folders_are_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        blobs = Blobs(tmp_path / "new" / "blobs")
        path = blobs.path(blobs.put_bytes(b"x"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (path.parent, blobs.root, blobs.root.parent, blobs.root / "tmp"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "digest", ["", "b3:", "0" * 64, "b3:" + "0" * 63, "b3:" + "G" * 64, "b3:../" + "0" * 61]
)
def test_what_is_no_digest_is_refused(blobs, digest):
    for ask in (blobs.path, blobs.read, blobs.has, blobs.size, blobs.touch):
        with pytest.raises(Invalid):
            ask(digest)


def test_an_unknown_digest_is_not_found(blobs):
    assert not blobs.has(ANY)
    assert not blobs.touch(ANY)
    for ask in (blobs.path, blobs.read, blobs.size):
        with pytest.raises(NotFound, match="is not here"):
            ask(ANY)


def test_a_writer_that_fails_leaves_nothing(blobs):
    def fail() -> None:
        with blobs.writer() as writer:
            writer.file.write(b"half")
            writer.file.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert files(blobs) == []


def _fill(blobs):
    """Write random blobs until the disk is full."""
    dice, put = random.Random(3), []

    def write() -> None:
        while len(put) < 100:
            put.append(blobs.put_bytes(dice.randbytes(300_000)))

    with pytest.raises(KubeflowError, match="disk is full") as error:
        write()
    assert error.value.hint
    return put


def test_a_full_disk_is_one_sentence_and_nothing_is_left_half_written(tiny_disk):
    blobs = Blobs(tiny_disk / "blobs")
    put = _fill(blobs)
    assert len(put) > 5
    assert {"b3:" + blake3(path.read_bytes()).hexdigest() for path in files(blobs)} == set(put)
    with pytest.raises(KubeflowError, match="disk is full"), blobs.writer() as writer:
        writer.file.write(bytes(4 << 20))
    assert len(files(blobs)) == len(put)
    blobs.gc(set(), grace_seconds=-1)
    blobs.put_bytes(bytes(1000))


def test_a_limit_on_file_sizes_is_like_a_full_disk(blobs, forked):
    def child() -> None:
        limits.setrlimit(limits.RLIMIT_FSIZE, (100_000, 100_000))
        _fill(blobs)
        assert files(blobs) == []

    assert os.waitpid(forked(child), 0)[1] == 0


def test_a_full_disk_under_arrow_is_told_the_same(tiny_disk):
    arrow = pytest.importorskip("pyarrow")
    blobs = Blobs(tiny_disk / "blobs")
    table = arrow.table({"x": arrow.array(range(2_000_000))})
    with (
        pytest.raises(KubeflowError, match="disk is full"),
        blobs.writer() as writer,
        arrow.ipc.new_file(str(writer.path), table.schema) as sink,
    ):
        sink.write_table(table)
    assert files(blobs) == []


def test_a_blob_that_a_power_cut_shortened_is_written_again(blobs):
    digest = blobs.put_bytes(b"whole")
    blobs.path(digest).write_bytes(b"wh")
    assert blobs.put_bytes(b"whole") == digest
    assert blobs.read(digest) == b"whole"


def test_gc_spares_what_is_referenced_or_young(blobs):
    referenced, young, old, touched, again = (
        blobs.put_bytes(word) for word in (b"r", b"y", b"old", b"t", b"again")
    )
    age(blobs, referenced, old, touched, again)
    blobs.touch(touched)
    blobs.put_bytes(b"again")
    planned = blobs.gc({referenced}, dry_run=True)
    assert (planned.removed, planned.bytes, planned.kept) == (1, 3, 4)
    assert blobs.has(old)
    assert blobs.gc({referenced}) == planned
    assert not blobs.has(old)
    assert all(map(blobs.has, (referenced, young, touched, again)))


def test_gc_clears_what_killed_writers_left(blobs):
    with blobs.writer() as writer:
        left = writer.path.with_name("left")
        left.write_bytes(b"x")
        os.utime(left, (0, 0))
        blobs.gc(set(), grace_seconds=0)
        assert not left.exists()
        assert writer.path.exists()


def test_gc_against_a_writer_that_puts_the_same_again(blobs, forked):
    """What put returned is there, however slow a collector of another process is to remove it."""

    def collect() -> None:
        unlink = Path.unlink

        def slowly(path: Path, missing_ok: bool = False) -> None:
            time.sleep(0.003)  # between the look at its age and the removal
            unlink(path, missing_ok)

        Path.unlink = slowly
        while True:
            Blobs(blobs.root).gc(set(), grace_seconds=60)

    collectors = [forked(collect) for _ in range(2)]
    dice, removed = random.Random(1), 0
    while removed < 15:
        content = b"%d" % dice.randrange(5)
        before = blobs.has("b3:" + blake3(content).hexdigest())
        digest = blobs.put_bytes(content)
        time.sleep(0.004 * dice.random())
        assert blobs.has(digest)
        removed += not before
        os.utime(blobs.path(digest), (0, 0))
    for pid in collectors:
        os.kill(pid, signal.SIGKILL)


def test_killed_writers_leave_whole_blobs_only(blobs, forked):
    reading, writing = os.pipe()

    def put() -> None:
        dice = random.Random(os.getpid())
        while True:
            blobs.put_bytes(dice.randbytes(dice.randrange(1, 400_000)))
            os.write(writing, b".")

    dice = random.Random(5)
    for _ in range(30):
        pid = forked(put)
        os.read(reading, 1)
        time.sleep(dice.random() * 0.005)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    whole = [path for path in files(blobs) if path.parent.name != "tmp"]
    assert len(whole) > 10
    assert all(blake3(path.read_bytes()).hexdigest() == path.name for path in whole)
    os.close(reading)
    os.close(writing)


def test_a_forked_child_hashes_large_files_too(blobs, forked, tmp_path):
    (tmp_path / "large").write_bytes(bytes(20 << 20))
    digest = blobs.put_file(tmp_path / "large")
    (tmp_path / "larger").write_bytes(bytes(21 << 20))
    pid = forked(blobs.put_file, tmp_path / "larger")
    assert os.waitpid(pid, 0)[1] == 0
    assert blobs.size(digest) == 20 << 20
    assert len(files(blobs)) == 2


def test_threads_put_the_same_at_once(blobs):
    digests: list[str] = []
    threads = [
        threading.Thread(target=lambda: digests.append(blobs.put_bytes(b"same" * 10_000))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(digests)) == 1
    assert len(files(blobs)) == 1


def test_the_cluster_finds_references_wherever_they_are(cluster):
    blobs = cluster.blobs
    spec, status, cached, inner, free = map(blobs.put_bytes, (b"a", b"b", b"c", b"in", b"free"))
    outer = blobs.put_bytes(b'{"parts": ["%s"]}' % inner.encode())
    resource = Resource.new(
        "Run", "a", {"x": spec}, status={"steps": [{"outputs": [{"digest": status}, outer]}]}
    )
    made = cluster.store.create(resource)
    cluster.store.put("cache", "k", {"of": {"value": cached}})
    kept = {spec, status, cached, inner, outer}
    age(blobs, *kept, free)
    assert cluster.gc(dry_run=True).removed == 1
    report = cluster.gc()
    assert (report.removed, report.kept) == (1, 5)
    assert set(blobs.digests()) == kept
    cluster.log(made.uid).write("x")
    cluster.work_folder(made.uid)
    cluster.delete("Run", "a")
    assert not cluster.log(made.uid).path.parent.exists()
    assert cluster.gc(grace_seconds=0).kept == 1
    assert set(blobs.digests()) == {cached}


def test_gc_removes_the_folders_of_resources_that_are_gone(cluster):
    made = cluster.store.create(Resource.new("Run", "a"))
    for uid in ("gone", made.uid):
        cluster.log(uid, "step").write("x")
    cluster.gc(grace_seconds=0)
    assert not cluster.log("gone", "step").path.exists()
    assert cluster.log(made.uid, "step").path.exists()
