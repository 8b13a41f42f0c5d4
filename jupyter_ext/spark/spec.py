"""One Spark application or session as plain data, and amounts of memory in Spark's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.training import spec as shared

PREFIX: Final = shared.PREFIX
CODE: Final = shared.CODE
ENTRY: Final = shared.ENTRY
ARGS: Final = shared.ARGS
ORIGIN: Final = shared.ORIGIN
FOLDER: Final = shared.FOLDER
CREATOR: Final = shared.CREATOR
IDLE: Final = PREFIX + "idle"
"""On a session: how long it stays up without use, as it was said; ``0`` for ever."""

SESSION: Final = "spark"
"""The name of a profile's own session."""
LEAST_MEMORY: Final = 471859200
"""Bytes: Spark refuses a heap below it (``UnifiedMemoryManager``: one and a half times 300 MB)."""
_OVERHEAD: Final = 0.1
_LEAST_OVERHEAD: Final = 384 << 20
"""What a JVM needs beside its heap, as Spark counts it (``spark.driver.memoryOverhead``)."""
_UNITS: Final = {
    word: power
    for words, power in (("b", 0), ("k kb ki", 10), ("m mb mi", 20), ("g gb gi", 30), ("t tb ti", 40))
    for word in words.split()
}


@dataclass(frozen=True)
class Part:
    """What the driver, or one executor, asks for: cores, and bytes of heap."""

    cores: int = 1
    memory: int = 1 << 30
    env: Mapping[str, str] = field(default_factory=dict)
    java_options: str = ""


@dataclass(frozen=True)
class AppSpec:
    """What an application or a session asks for, after defaults.

    ``code`` is the digest of a snapshot of Python code; without it ``file`` is what runs. ``retries``: how often a
    failed attempt is repeated, ``interval`` seconds apart; ``idle``: seconds after which a session that nobody uses ends,
    0 for never.
    """

    name: str
    uid: str
    driver: Part
    executor: Part
    instances: int = 1
    file: str = ""
    main_class: str = ""
    arguments: tuple[str, ...] = ()
    args: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    conf: Mapping[str, str] = field(default_factory=dict)
    deps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    retries: int = 0
    interval: float = 5.0
    serves: bool = False
    idle: float = 0.0

    @property
    def apart(self) -> bool:
        """Whether executors are processes of their own; one executor is part of the driver's process."""
        return self.instances > 1

    @property
    def cores(self) -> int:
        """How many tasks run at a time."""
        return self.instances * self.executor.cores

    @property
    def heap(self) -> int:
        """Bytes of the driver's heap: with the executor's share where that is part of it."""
        return self.driver.memory + (0 if self.apart else self.executor.memory)

    @property
    def memory(self) -> int:
        """Bytes of everything together."""
        alone = with_overhead(self.heap)
        return alone + self.instances * with_overhead(self.executor.memory) if self.apart else alone

    @property
    def master(self) -> str:
        """How Spark is told to run."""
        if self.apart:
            return f"local-cluster[{self.instances},{self.executor.cores},{self.executor.memory >> 20}]"
        return f"local[{self.cores}]"


def with_overhead(heap: int) -> int:
    """Bytes that a JVM with such a heap takes."""
    return heap + max(_LEAST_OVERHEAD, int(heap * _OVERHEAD))


def memory(value: object, name: str) -> int:
    """Bytes in Spark's own words: ``"512m"``, ``"2g"``; a bare number is MiB. Raises Invalid for less than Spark takes."""
    found = re.fullmatch(r"\s*(\d{1,15})\s*([a-zA-Z]{0,2})\s*", str(value))
    power = _UNITS.get(found[2].lower() or "m") if found else None
    if found is None or power is None or isinstance(value, bool):
        hint = "Write it as Spark does: 512m, 2g."
        raise Invalid(f"{value!r} is not an amount of memory", where=Where(field=name), hint=hint)
    size = int(found[1]) << power
    if size < LEAST_MEMORY:
        hint = "Spark itself needs 450m; 1g is a good beginning."
        raise Invalid(f"{value} is too little memory for Spark", where=Where(field=name), hint=hint)
    return size


def say(size: int) -> str:
    """Bytes in Spark's words, rounded up to MiB."""
    whole = -(-size >> 20)
    return f"{whole >> 10}g" if whole % 1024 == 0 else f"{whole}m"
