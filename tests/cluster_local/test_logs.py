from __future__ import annotations

import os
import stat
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ext.cluster.local.logs import CHUNK, TAIL_LIMIT, LogFile, log_path
from jupyter_ext.cluster.resource import Resource

stopped = threading.Event()
stopped.set()


@pytest.fixture
def log(tmp_path):
    return LogFile(tmp_path / "uid" / "train.1.log")


def test_nothing_written_reads_as_nothing(log):
    assert (log.read(), log.tail(5), list(log.follow(stopped))) == ("", "", [])


def test_written_pieces_append_and_are_private(log):
    log.write("a\n")
    log.write("b")
    assert log.read() == "a\nb"
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=30), max_size=12),
    st.integers(0, 15),
    st.booleans(),
)
def test_tail_is_the_last_lines(log, lines, count, ended):
    text = "\n".join(lines) + ("\n" if ended and lines else "")
    log.path.parent.mkdir(exist_ok=True)
    log.path.write_bytes(text.encode())
    # As `tail -n` counts: a last line without its newline is a line, nothing after the last newline is none.
    whole = text.split("\n")
    whole = [line + "\n" for line in whole[:-1]] + ([whole[-1]] if whole[-1] else [])
    assert log.tail(count) == "".join(whole[-count:] if count else [])
    assert "".join(log.follow(stopped, tail=count)) == log.tail(count)
    assert "".join(log.follow(stopped)) == text


def test_tail_across_many_blocks(log):
    log.write("".join(f"line {number} {'x' * 90}\n" for number in range(5000)))
    assert [line.split()[1] for line in log.tail(1500).splitlines()] == [
        str(number) for number in range(3500, 5000)
    ]


def test_a_huge_line_fills_neither_memory_nor_browser(log):
    log.write("first\n" + "é" * (3 * TAIL_LIMIT))
    assert TAIL_LIMIT - CHUNK <= len(log.tail(10).encode()) <= TAIL_LIMIT + CHUNK
    chunks = list(log.follow(stopped))
    assert max(len(chunk.encode()) for chunk in chunks) <= CHUNK + 4
    assert "".join(chunks) == "first\n" + "é" * (3 * TAIL_LIMIT)


def test_follow_sees_what_comes_from_another_process_and_ends_after_the_last_word(log, forked):
    stop = threading.Event()

    def write() -> None:
        descriptor = log.open()
        for number in range(200):
            for piece in (f"{number} é".encode()[:-1], "é".encode()[1:], b"\n"):
                os.write(descriptor, piece)

    follower = log.follow(stop, poll=0.001)
    pid = forked(write)

    def end() -> None:
        os.waitpid(pid, 0)
        stop.set()

    waiter = threading.Thread(target=end)
    waiter.start()
    assert "".join(follower) == "".join(f"{number} é\n" for number in range(200))
    waiter.join()


def test_follow_begins_anew_after_truncation(log):
    answers = iter([False, False, False, True])
    log.write("old, and longer\n")
    follower = log.follow(lambda: next(answers), poll=0)
    assert next(follower) == "old, and longer\n"
    log.path.write_text("new\n")
    assert "".join(follower) == "new\n"


def test_bytes_that_are_no_text_are_shown_as_such(log):
    descriptor = log.open()
    os.write(descriptor, b"\xff\xfe\n")
    os.close(descriptor)
    assert log.read() == log.tail(1) == "".join(log.follow(stopped)) == "\ufffd\ufffd\n"


@pytest.mark.parametrize("step", ["../../x", "..", "train[0]", "a/b", "", "ä" * 300])
def test_no_step_name_leaves_the_folder(tmp_path, step):
    path = log_path(tmp_path, "uid", step)
    assert path.resolve().parent == tmp_path / "uid"
    LogFile(path).write("x")


def test_the_cluster_shows_the_last_attempt(cluster):
    uid = cluster.store.create(Resource.new("Run", "a")).uid
    cluster.log(uid).write("workload\n")
    cluster.log(uid, "train").write("first\n")
    cluster.log(uid, "train", 2).write("second\nline\n")
    assert list(cluster.logs("Run", "a")) == ["workload\n"]
    assert list(cluster.logs("Run", "a", "train")) == ["second\nline\n"]
    assert list(cluster.logs("Run", "a", "train", tail=1)) == ["line\n"]
    assert list(cluster.logs("Run", "a", "train", tail=1, follow=True, stop=stopped)) == ["line\n"]
