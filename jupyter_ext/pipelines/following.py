"""Follow what a run prints, from the first line to the last, across attempts and steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.pipelines.status import DONE

if TYPE_CHECKING:
    from jupyter_ext.pipelines.handle import Run

PATH_OF = Callable[[Mapping[str, Any]], Path | None]
CHUNK = 1 << 16
POLL_SECONDS = 0.1


def follow(run: Run, path_of: PATH_OF, step: str | None, stop: threading.Event | None) -> Iterator[str]:
    """Yield pieces of text as they are written; ends when the step (or the run) is done and all is read."""
    read: dict[Path, int] = {}
    stop = stop or threading.Event()
    while not stop.is_set():
        done = run.finished
        statuses = run.steps
        if step is not None:
            statuses = [s for s in statuses if step in (s["name"], s.get("parent"))]
            done = done or (bool(statuses) and all(s["state"] in DONE for s in statuses))
        found = False
        for status in statuses:
            path = path_of(status)
            if path is None:
                continue
            for text in _more(path, read):
                found = True
                yield text
        if done and not found:
            return
        if not found:
            stop.wait(POLL_SECONDS)


def _more(path: Path, read: dict[Path, int]) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            file.seek(read.get(path, 0))
            while chunk := file.read(CHUNK):
                # Never cut a character in two: leave an incomplete one for the next look.
                whole = _complete(chunk)
                if not whole:
                    return
                read[path] = read.get(path, 0) + len(whole)
                yield whole.decode("utf-8", errors="replace")
                file.seek(read[path])
    except FileNotFoundError:
        return


def _complete(chunk: bytes) -> bytes:
    for back in range(1, min(4, len(chunk)) + 1):
        byte = chunk[-back]
        if byte & 0xC0 == 0xC0:
            length = 2 if byte & 0xE0 == 0xC0 else 3 if byte & 0xF0 == 0xE0 else 4
            return chunk[:-back] if back < length else chunk
        if byte & 0x80 == 0:
            break
    return chunk
