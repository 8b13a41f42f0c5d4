"""The file in which a server says how it is; replaced in one step, so that nobody reads half of it."""

from __future__ import annotations

import json
import os
import time
import traceback
from pathlib import Path
from typing import Any, Literal

Word = Literal["loading", "ready", "failed", "draining"]


class State:
    """``path`` None: nobody asked."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.word: Word = "loading"
        self._since = time.monotonic()

    def say(self, word: Word, reason: str = "", error: BaseException | None = None) -> None:
        """Write it down."""
        self.word = word
        if self.path is None:
            return
        told = {
            "state": word,
            "reason": reason,
            "error": described(error) if error is not None else None,
            "seconds": round(time.monotonic() - self._since, 3),
            "pid": os.getpid(),
        }
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(told, file)
        new.replace(self.path)


def described(error: BaseException) -> dict[str, Any]:
    """An error as JSON, its end where it is long."""
    text = "".join(traceback.format_exception(error))
    return {"type": type(error).__name__, "message": str(error)[:4000], "traceback": text[-16000:]}
