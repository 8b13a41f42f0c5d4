"""What cells print and show, as a notebook stores it, and as lines of a log while they run.

Both ways out of a process are caught: Python's ``sys.stdout`` and the file descriptors under it, to which C
libraries and subprocesses write. The order between the two is kept as far as the operating system tells it.
"""

from __future__ import annotations

import base64
import codecs
import io
import json
import os
import re
import select
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

CELL_LIMIT = 10 << 20
"""Characters of printed text that one cell keeps; the log has all of it."""
_LOG_BUFFER = 1 << 13
_READ = 1 << 16
_BACKSPACES = re.compile("[^\n]\x08")


def terminal_text(text: str) -> str:
    """The text as a terminal would show it: what a carriage return or a backspace overwrote is gone."""
    if "\r" not in text and "\b" not in text:
        return text
    text = text.replace("\r\n", "\n")
    while "\b" in text:
        shorter = _BACKSPACES.sub("", text)
        text = shorter if shorter != text else text.replace("\b", "")
    return "\n".join(_overwritten(line) if "\r" in line else line for line in text.split("\n"))


def _overwritten(line: str) -> str:
    ends_with_return = line.endswith("\r")
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown + "\r" if ends_with_return and not shown else shown


class CellOutputs:
    """The outputs of one cell in the notebook format."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self._size = 0
        self._clear_next = False

    def stream(self, name: str, text: str) -> None:
        """Printed text; adjoining pieces become one output."""
        self._cleared()
        if self._size > CELL_LIMIT:
            return
        self._size += len(text)
        if self._size > CELL_LIMIT:
            text += f"\n… what this cell printed after {CELL_LIMIT >> 20} MB is only in the step's log.\n"
        if self.items and self.items[-1]["output_type"] == "stream" and self.items[-1]["name"] == name:
            self.items[-1]["text"].append(text)
        else:
            self.items.append({"output_type": "stream", "name": name, "text": [text]})

    def add(self, item: dict[str, Any]) -> None:
        """Any other output."""
        self._cleared()
        self.items.append(item)

    def clear(self, *, wait: bool) -> None:
        """``clear_output``: now, or when something new comes."""
        if wait:
            self._clear_next = True
        else:
            self._forget()

    def finished(self) -> list[dict[str, Any]]:
        """As stored: joined text, and without the marks of displays that could be updated."""
        result = []
        for item in self.items:
            kept = {key: value for key, value in item.items() if key != "display_id"}
            if kept["output_type"] == "stream":
                kept["text"] = terminal_text("".join(kept["text"]))
                if not kept["text"]:
                    continue
            result.append(kept)
        return result

    def _cleared(self) -> None:
        if self._clear_next:
            self._forget()

    def _forget(self) -> None:
        self._clear_next = False
        self.items.clear()
        self._size = 0


class Recorder:
    """Collects the outputs of the cells of a step, and writes its log.

    ``start`` replaces the standard streams and descriptors of the process until ``stop``.
    """

    def __init__(self, log_path: str | None) -> None:
        self.cell = CellOutputs()
        self.artifacts: list[dict[str, Any]] = []
        self._cells: list[CellOutputs] = [self.cell]
        self._lock = threading.RLock()
        self._log = -1
        if log_path is not None:
            self._log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._pending: list[str] = []
        self._pending_size = 0
        self._pipes: dict[int, tuple[str, Any]] = {}
        self._saved: list[tuple[int, int]] = []
        self._streams: tuple[Any, Any] | None = None
        self._owner = 0
        self._wake = -1
        self._follower: threading.Thread | None = None

    # Cells

    def next_cell(self) -> CellOutputs:
        """What comes from now on belongs to another cell."""
        self.drain()
        with self._lock:
            self.cell = CellOutputs()
            self._cells.append(self.cell)
            return self.cell

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any], display_id: str | None) -> None:
        """Rich output of ``display``."""
        item = {"output_type": "display_data", "data": encoded(data), "metadata": dict(metadata)}
        self._add(item | ({"display_id": display_id} if display_id else {}))

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], display_id: str) -> None:
        """Replace every display that has this identifier, in whichever cell of the step."""
        self.drain()
        with self._lock:
            for cell in self._cells:
                for item in cell.items:
                    if item.get("display_id") == display_id:
                        item.update(data=encoded(data), metadata=dict(metadata))

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any], count: int) -> None:
        """The value of a cell's last expression."""
        self._add(
            {
                "output_type": "execute_result",
                "execution_count": count,
                "data": encoded(data),
                "metadata": dict(metadata),
            }
        )

    def error(self, name: str, value: str, traceback: Iterable[str]) -> None:
        """An exception that ended a cell; it stands in the log as well."""
        lines = list(traceback)
        self._add({"output_type": "error", "ename": name, "evalue": value, "traceback": lines})
        with self._lock:
            self._to_log("\n".join(lines) + "\n")

    def clear(self, *, wait: bool) -> None:
        """``clear_output``."""
        self.drain()
        with self._lock:
            self.cell.clear(wait=wait)

    def _add(self, item: dict[str, Any]) -> None:
        self.drain()
        with self._lock:
            self.cell.add(item)

    # Text

    def write(self, name: str, text: str) -> None:
        """Text that Python printed. In a fork of this process it goes to the descriptor instead."""
        if os.getpid() != self._owner:
            os.write(1 if name == "stdout" else 2, text.encode(errors="replace"))
            return
        with self._lock:
            self.drain()
            self._take(name, text)

    def _take(self, name: str, text: str) -> None:
        self.cell.stream(name, text)
        self._to_log(text)

    def _to_log(self, text: str) -> None:
        if self._log < 0:
            return
        self._pending.append(text)
        self._pending_size += len(text)
        if "\n" in text or "\r" in text or self._pending_size > _LOG_BUFFER:
            self.flush_log()

    def flush_log(self) -> None:
        """Write what has been collected for the log."""
        with self._lock:
            data = "".join(self._pending).encode(errors="replace")
            self._pending.clear()
            self._pending_size = 0
            while data and self._log >= 0:
                try:
                    data = data[os.write(self._log, data) :]
                except OSError:
                    return  # a full disk must not end the user's computation

    # Descriptors

    def start(self) -> None:
        """Take over the standard streams."""
        self._owner = os.getpid()
        for name, number in (("stdout", 1), ("stderr", 2)):
            _flush(getattr(sys, f"__{name}__"))
            read, write = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(read, False)
            self._saved.append((number, os.dup(number)))
            os.dup2(write, number)
            os.close(write)
            self._pipes[read] = (name, codecs.getincrementaldecoder("utf-8")(errors="replace"))
        self._streams = (sys.stdout, sys.stderr)
        sys.stdout, sys.stderr = Stream(self, "stdout"), Stream(self, "stderr")
        stop, self._wake = os.pipe2(os.O_CLOEXEC)
        self._follower = threading.Thread(target=self._follow, args=(stop,), name="outputs", daemon=True)
        self._follower.start()

    def stop(self) -> None:
        """Give the standard streams back."""
        if self._follower is not None:
            os.close(self._wake)
            self._follower.join()
        if self._streams is not None:
            sys.stdout, sys.stderr = self._streams
        self.drain()
        for number, saved in self._saved:
            os.dup2(saved, number)
            os.close(saved)
        self.drain()
        self.flush_log()
        for descriptor in (*self._pipes, *([self._log] if self._log >= 0 else [])):
            os.close(descriptor)
        self._pipes.clear()
        self._log = -1

    def drain(self) -> None:
        """Take what is in the pipes now."""
        for stream in (sys.__stdout__, sys.__stderr__):
            _flush(stream)
        with self._lock:
            for read, (name, decoder) in self._pipes.items():
                while data := _available(read):
                    text = decoder.decode(data)
                    if text:
                        self._take(name, text)

    def _follow(self, stop: int) -> None:
        """Keep the pipes from filling up, and the log current, while a cell is busy elsewhere."""
        poll = select.poll()
        for read in (*self._pipes, stop):
            poll.register(read, select.POLLIN)
        while True:
            ready = poll.poll(200 if self._pending else 2000)
            if any(number == stop for number, _ in ready):
                os.close(stop)
                return
            self.drain() if ready else self.flush_log()


def _available(read: int) -> bytes:
    try:
        return os.read(read, _READ)
    except (BlockingIOError, OSError):
        return b""


def _flush(stream: Any) -> None:
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        pass


class Stream(io.TextIOBase):
    """``sys.stdout`` and ``sys.stderr`` while a step runs."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._name = name
        self.name = f"<{name}>"

    @property
    def buffer(self) -> Any:
        """Bytes go to the descriptor."""
        return _Raw(self.fileno())

    def fileno(self) -> int:
        """The real descriptor, for subprocesses."""
        return 1 if self._name == "stdout" else 2

    def isatty(self) -> bool:
        """Never a terminal."""
        return False

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str, /) -> int:
        """Print."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            self._recorder.write(self._name, text)
        return len(text)

    def flush(self) -> None:
        """Nothing waits here; the log is brought up to date."""
        self._recorder.flush_log()


class _Raw(io.RawIOBase):
    def __init__(self, number: int) -> None:
        self._number = number

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: Any, /) -> int:
        return os.write(self._number, data)


def encoded(data: Mapping[str, Any]) -> dict[str, Any]:
    """A mime bundle that JSON can hold: bytes in base64, numbers that JSON has no word for as text."""
    result: dict[str, Any] = {}
    for mime, value in data.items():
        if isinstance(value, bytes):
            result[mime] = base64.b64encode(value).decode("ascii")
        elif isinstance(value, str):
            result[mime] = value
        else:
            result[mime] = json.loads(json.dumps(value, default=str), parse_constant=_word)
    return result


_word: Callable[[str], str | None] = {"NaN": None, "Infinity": "Infinity", "-Infinity": "-Infinity"}.get
