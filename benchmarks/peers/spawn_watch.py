"""What a Hub tells of itself while it is measured: how long its loop was blocked and by whom, and what it asked.

The loop says every 20 ms that it turns. While it does not, a thread looks every 10 ms at what the loop's thread is
doing. What the spawner did, or called, or what its connections to the API server did, is the spawner's; the rest is
the Hub's. Python's collector of garbage, which comes when it likes and looks at everything there is, is counted apart.
Time is counted as it passes and as the thread computes: on a busy machine only the latter means something.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from types import FrameType
from typing import Any, Final

_BEAT: Final = 0.02
_LATE: Final = 0.05
_OF_SPAWNER: Final = (
    "/spawner/",
    "/kubespawner/",
    "/kubernetes_asyncio/",
    "/aiohttp/",
    "/asyncio/sslproto.py",
)
"""Through aiohttp, and asyncio's TLS, the spawner asks the API server; the Hub asks servers through it, too."""
_HUB_ASKS: Final = "/jupyterhub/httpclient.py"

Times = defaultdict[bool, float]
"""Seconds, of the spawner (True) and of the Hub."""


class LoopWatch:
    """Begins in the loop's thread; the figures are in ``folder/watch.json``, at most half a second old."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "watch.json"
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._clock = time.pthread_getcpuclockid(self._thread)
        self._due = time.monotonic() + _BEAT
        self.requests: Counter[str] = Counter()
        self.returned: dict[str, float] = {}
        self.found: dict[str, Any] = {
            "longest": 0.0,
            "spawner": 0.0,
            "spawner_cpu": 0.0,
            "spawner_in": "",
            "late": 0.0,
            "collector": 0.0,
        }
        self._collecting: float | None = None
        self._collected = 0.0
        gc.callbacks.append(self._collector)
        self._loop.call_later(_BEAT, self._beat)
        threading.Thread(target=self._look, daemon=True, name="loop watch").start()

    def _beat(self) -> None:
        self._due = time.monotonic() + _BEAT
        self._loop.call_later(_BEAT, self._beat)

    def _collector(self, phase: str, _info: dict[str, int]) -> None:
        now = time.thread_time()
        began, self._collecting = self._collecting, now if phase == "start" else None
        if phase == "start" or began is None:
            return
        seconds = now - began
        self._collected += seconds
        self.found["collector"] = max(self.found["collector"], seconds)

    def _garbage(self, used: float) -> float:
        """Seconds of the collector until now; ``used`` is the thread's clock.

        Who waits for the interpreter gets it the moment the collector is done, before it could say so itself.
        """
        began = self._collecting
        return self._collected + (max(0.0, used - began) if began is not None else 0.0)

    def _look(self) -> None:
        due, written = self._due, 0.0
        spent, computed, where = Times(float), Times(float), Counter[str]()
        seen, cpu, collected = time.monotonic(), time.clock_gettime(self._clock), self._collected
        while True:
            time.sleep(_BEAT / 2)
            now, used = time.monotonic(), time.clock_gettime(self._clock)
            total = self._garbage(used)
            garbage = max(0.0, total - collected)
            if self._due != due:
                self._note(spent, computed, where)
                due, spent, computed, where = self._due, Times(float), Times(float), Counter()
            elif now - due > 0:
                frame = sys._current_frames().get(self._thread)  # noqa: SLF001 — the way there is
                place = _of_spawner(frame)
                since = max(seen, due)
                spent[bool(place)] += max(0.0, now - since - garbage)
                computed[bool(place)] += max(0.0, used - cpu - garbage)
                where[place] += 1
                del frame
            seen, cpu, collected = now, used, max(total, collected)
            if now - written > 0.5:
                written = now
                self._write()

    def _note(self, spent: Times, computed: Times, where: Counter[str]) -> None:
        whole = sum(spent.values())
        if whole < _LATE:
            return
        found = self.found
        found["late"] += whole
        found["longest"] = max(found["longest"], whole)
        found["spawner_cpu"] = max(found["spawner_cpu"], computed[True])
        if spent[True] > found["spawner"]:
            found["spawner"] = spent[True]
            found["spawner_in"] = ", ".join(f"{name} {count}" for name, count in where.most_common(6) if name)

    def _write(self) -> None:
        returned = dict(self.returned)  # the loop's thread adds to it meanwhile
        text = json.dumps({**self.found, "requests": dict(self.requests), "returned": returned})
        new = self._file.with_suffix(".new")
        new.write_text(text, "utf-8")
        new.replace(self._file)


def _of_spawner(frame: FrameType | None) -> str:
    """The innermost function of the spawner that is at work, or nothing."""
    found = ""
    while frame is not None:
        code = frame.f_code
        if _HUB_ASKS in code.co_filename:
            return ""
        if not found and any(part in code.co_filename for part in _OF_SPAWNER):
            found = f"{Path(code.co_filename).stem}.{code.co_name}"
        frame = frame.f_back
    return found


def count_requests(watch: LoopWatch) -> None:
    """Count what goes to the API server, by either spawner; the Hub itself asks servers, which are on loopback."""
    import aiohttp

    ask = aiohttp.ClientSession._request  # noqa: SLF001 — every verb goes through it

    async def counted(self: aiohttp.ClientSession, method: str, url: Any, **kwargs: Any) -> Any:
        if not str(url).startswith("http://127.0.0.1"):
            watch.requests[method] += 1
        return await ask(self, method, url, **kwargs)

    aiohttp.ClientSession._request = counted  # type: ignore[assignment,method-assign]  # noqa: SLF001
