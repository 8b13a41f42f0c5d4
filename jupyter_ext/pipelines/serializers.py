"""Which format a value is stored in: chosen by its type alone, and recorded in the reference.

"json" for plain data, "module" for modules, "arrow" for pandas and pyarrow tables, "polars" for polars frames,
"npy" for arrays, and "pickle" for every other object graph (see ``graphs``). A format is used only where it
gives exactly the same value back.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from jupyter_ext.cluster.local.blobs import PREFIX, Blobs
from jupyter_ext.pipelines import arrays, frames
from jupyter_ext.pipelines.mapped import Mapping

LITERAL_BYTES = 1024
"""Content up to this size stands in the reference itself."""
_JSON_ITEMS = 4096
_LONG_INT = 10**600
"""Beyond this, Python refuses to write an integer in decimal, or is slow."""


SPARK = "jupyter_ext.spark.handing"
"""Reads and writes frames and sessions of Spark; loaded for those only."""
FOREIGN = ("spark", "spark-session")
"""Formats that are read there."""


class Content(Protocol):
    """Something that can be written to a file, once or more often, always the same."""

    def write(self, file: IO[bytes], /) -> None:
        """Write all of it."""


@dataclass(frozen=True)
class Format:
    """How values of one format are read, and how a change is noticed without writing them again."""

    read: Callable[[Mapping], Any]
    fingerprint: Callable[[Any], Any]


@dataclass(frozen=True)
class Stored:
    """Where content went: a digest, its size, and the content itself if it is small."""

    digest: str
    size: int
    literal: str | None = None


def content_of(obj: Any) -> tuple[str, Content] | None:
    """Format and content of a value that is stored on its own; None if it belongs into a graph."""
    if arrays.fits(obj) and obj.nbytes > LITERAL_BYTES:
        return "npy", _Array(obj)
    if frames.fits(obj):
        try:
            return "arrow", frames.plan(obj)
        except frames.Unfitting:
            return None
    kind = type(obj).__module__.partition(".")[0]
    if kind == "pyarrow" and type(obj).__name__ == "Table":
        return "table", _Table(obj)
    if kind == "polars" and type(obj) is sys.modules["polars"].DataFrame and _plain_polars(obj):
        return "polars", _Polars(obj)
    if kind == "pyspark" or type(obj).__module__ == SPARK:
        handing = importlib.import_module(SPARK)
        form = handing.fits(obj)
        return (form, handing.Content(obj)) if form else None
    return None


@dataclass(frozen=True)
class _Array:
    array: Any

    def write(self, file: IO[bytes], /) -> None:
        arrays.write(self.array, file)


@dataclass(frozen=True)
class _Table:
    table: Any

    def write(self, file: IO[bytes], /) -> None:
        import pyarrow as pa

        with pa.PythonFile(file, mode="w") as sink, pa.ipc.new_file(sink, self.table.schema) as writer:
            writer.write_table(self.table)


def _read_table(mapping: Mapping) -> Any:
    import pyarrow as pa

    return pa.ipc.open_file(pa.py_buffer(mapping.memory)).read_all()


@dataclass(frozen=True)
class _Polars:
    frame: Any

    def write(self, file: IO[bytes], /) -> None:
        self.frame.write_ipc(file, compression="uncompressed")


def _plain_polars(frame: Any) -> bool:
    return not any(str(kind) == "Object" for kind in frame.dtypes)


def _read_polars(mapping: Mapping) -> Any:
    import polars as pl

    return pl.read_ipc(io.BytesIO(memoryview(mapping.memory)))


def _unchanging(_: Any) -> Any:
    """For values that cannot be changed."""
    return ()


FORMATS = {
    "npy": Format(arrays.read, arrays.fingerprint),
    "arrow": Format(frames.read, frames.fingerprint),
    "table": Format(_read_table, _unchanging),
    "polars": Format(_read_polars, lambda frame: None),  # noqa: ARG005 - only its content tells
}


def read_foreign(serializer: str, path: Path) -> Any:
    """A frame of Spark, or the session of this step."""
    handing = importlib.import_module(SPARK)
    return handing.read(path) if serializer == "spark" else handing.read_session()


# Plain data and modules


def json_of(obj: Any) -> str | None:
    """The value as JSON, if it is small and JSON gives exactly the same value and types back."""
    budget = [_JSON_ITEMS]
    if not _exact(obj, set(), budget):
        return None
    text = json.dumps(obj, separators=(",", ":"))
    return text if len(text) <= LITERAL_BYTES else None


def _exact(obj: Any, seen: set[int], budget: list[int]) -> bool:
    kind = type(obj)
    budget[0] -= 1
    if budget[0] < 0:
        return False
    if kind is float:
        return math.isfinite(obj)
    if kind is int:
        return bool(-_LONG_INT < obj < _LONG_INT)
    if obj is None or kind in (bool, str):
        return True
    if kind not in (list, dict) or id(obj) in seen:
        return False  # an object that is met twice is one object, which JSON cannot say
    seen.add(id(obj))
    if kind is list:
        return all(_exact(item, seen, budget) for item in obj)
    return all(type(key) is str and _exact(value, seen, budget) for key, value in obj.items())


def module_text(name: str, submodules: tuple[str, ...]) -> str:
    """A module by its name, with the submodules that cells imported through it."""
    return json.dumps({"module": name, "also": sorted(submodules)}, separators=(",", ":"))


def read_literal(serializer: str, literal: str) -> Any:
    """The value of a literal of plain data, or a module. Raises ImportError."""
    data = json.loads(literal)
    if serializer == "json":
        return data
    module = importlib.import_module(data["module"])
    for name in data["also"]:
        importlib.import_module(name)
    return module


# Where content goes


class _Hashing(io.RawIOBase):
    """A file that only computes the digest of what is written to it."""

    def __init__(self) -> None:
        from blake3 import blake3

        self._hasher = blake3()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        view = memoryview(data)
        self._hasher.update(view)
        self.size += view.nbytes
        return view.nbytes

    def digest(self, prefix: str, length: int) -> str:
        return prefix + str(self._hasher.hexdigest())[:length]


def small_digest(text: str) -> str:
    """The digest of a literal."""
    from blake3 import blake3

    return "in:" + str(blake3(text.encode(errors="surrogatepass")).hexdigest())[:32]


def digest_of(content: Content, size: int | None = None) -> str:
    """The digest that storing the content would give."""
    if size is not None and size <= LITERAL_BYTES:
        return small_digest(_encoded(content))
    file = _Hashing()
    content.write(file)  # type: ignore[arg-type] # writing is all that is asked of it
    return file.digest(PREFIX, 64)


def store(blobs: Blobs, content: Content, size: int | None = None) -> Stored:
    """Write the content to a blob, or into the reference if its ``size`` is known to be small."""
    if size is not None and size <= LITERAL_BYTES:
        text = _encoded(content)
        return Stored(small_digest(text), size, text)
    with blobs.writer() as writer:
        content.write(writer.file)
    return Stored(writer.digest, writer.size)


def _encoded(content: Content) -> str:
    file = io.BytesIO()
    content.write(file)
    return base64.b85encode(file.getvalue()).decode()


def literal_bytes(literal: str) -> bytes:
    """The inverse of how small content stands in a reference."""
    return base64.b85decode(literal)
