"""What the processes of a job have printed: one of them, or all, line by line as they came."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.local.logs import CHUNK, POLL_SECONDS, LogFile
from jupyter_ext.errors import NotFound

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.training.handle import Job

_NAME: Final = re.compile(r"rank-(\d+)\.(\d+)\.log")


def printed(
    cluster: LocalCluster,
    job: Job,
    rank: int | None,
    tail: int | None,
    *,
    follow: bool,
    stop: threading.Event | None,
) -> Iterator[str]:
    """Text as it is there; of all ranks each line with its rank in front. Raises NotFound for a rank there is not."""
    resource = job.resource
    folder = cluster.log_folder(resource.uid)
    size = len(resource.status.get("ranks") or ())
    if rank is not None and size and not any(each["rank"] == rank for each in job.ranks):
        raise NotFound(f"Job {job.name} has no rank {rank}", hint=f"It has ranks 0 to {size - 1}.")
    over = threading.Event()

    def done() -> bool:
        """Whether nothing more will be written; asked before each read."""
        return bool(stop and stop.is_set()) or over.is_set() or _over(cluster, job, over)

    return _lines(folder, rank, tail, done if follow else None)


def _over(cluster: LocalCluster, job: Job, over: threading.Event) -> bool:
    from jupyter_ext.cluster.local import workload

    try:
        resource = job.resource
    except NotFound:
        return True
    if resource.resting and not workload.alive(cluster, resource.uid):
        over.set()
    return over.is_set()


class _Followed:
    """One rank's log: its attempts one after the other."""

    def __init__(self, folder: Path, rank: int, tail: int | None) -> None:
        self._folder, self._rank = folder, rank
        self._attempt, self._position, self._rest = 1, 0, b""
        if tail is not None:
            while self._path(self._attempt + 1).exists():
                self._attempt += 1
            log = self._path(self._attempt)
            if log.exists():
                self._position = log.stat().st_size - len(LogFile(log).tail(tail).encode())

    def _path(self, attempt: int) -> Path:
        return self._folder / f"rank-{self._rank}.{attempt}.log"

    def read(self) -> bytes:
        """What is new; the next attempt follows when this one is read to its end."""
        try:
            with self._path(self._attempt).open("rb", buffering=0) as file:
                file.seek(self._position)
                block = file.read(CHUNK) or b""
        except FileNotFoundError:
            return b""
        self._position += len(block)
        if not block and self._path(self._attempt + 1).exists():
            self._attempt, self._position = self._attempt + 1, 0
            return self.read()
        return block

    def lines(self, *, last: bool) -> tuple[bytes, bool]:
        """Complete lines that are new, and whether there was anything."""
        block = self.read()
        text = self._rest + block
        whole, newline, rest = text.rpartition(b"\n")
        if last and not block:
            self._rest = b""
            return (text, bool(text))
        self._rest = rest
        return whole + newline, bool(block)


def _lines(
    folder: Path, rank: int | None, tail: int | None, done: Callable[[], bool] | None
) -> Iterator[str]:
    import time

    followed: dict[int, _Followed] = {}
    while True:
        last = done is None or done()
        for number in _ranks(folder) if rank is None else [rank]:
            if number not in followed:
                followed[number] = _Followed(folder, number, tail)
        anything = False
        for number, log in sorted(followed.items()):
            text, some = log.lines(last=last)
            anything |= some
            if text:
                yield _marked(text.decode(errors="replace"), number if rank is None else None)
        if not anything:
            if last:
                return
            time.sleep(POLL_SECONDS)


def _ranks(folder: Path) -> set[int]:
    found = (_NAME.fullmatch(path.name) for path in folder.glob("rank-*.log"))
    return {int(match[1]) for match in found if match}


def _marked(text: str, rank: int | None) -> str:
    if rank is None:
        return text
    return "".join(f"[rank {rank}] {line}" for line in text.splitlines(keepends=True)).rstrip("\r\n") + "\n"
