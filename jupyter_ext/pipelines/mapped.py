"""Files mapped privately into memory: data is used where it lies, can be written to, and the file never changes.

Whether something was written is seen from the page table, so a frame of a gigabyte that a step only reads is
known to be unchanged in milliseconds.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PAGE = mmap.PAGESIZE
_FILE_BACKED, _SWAPPED, _PRESENT = 1 << 61, 1 << 62, 1 << 63
"""Bits of an entry of ``/proc/self/pagemap`` (Documentation/admin-guide/mm/pagemap.rst)."""


@dataclass(frozen=True)
class Mapping:
    """A private mapping of a whole file; ``memory`` is writable."""

    memory: mmap.mmap | bytes

    @classmethod
    def of(cls, path: Path) -> Mapping:
        """Map the file; an empty one cannot be mapped and is just no bytes."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_size == 0:
                return cls(b"")
            return cls(
                mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
            )
        finally:
            os.close(descriptor)

    @property
    def address(self) -> int:
        """Where the mapping starts."""
        if isinstance(self.memory, bytes):
            return 0
        return ctypes.addressof(ctypes.c_char.from_buffer(self.memory))

    def written(self) -> bool | None:
        """Whether a page of it was changed in memory; None where the system does not tell."""
        if isinstance(self.memory, bytes):
            return False
        if not sys.platform.startswith("linux"):
            return None
        count = -(-len(self.memory) // _PAGE)
        try:
            with Path("/proc/self/pagemap").open("rb", buffering=0) as table:
                table.seek(self.address // _PAGE * 8)
                entries = table.read(count * 8)
        except OSError:
            return None
        return None if len(entries) < count * 8 else _any_private(entries)


def _any_private(entries: bytes) -> bool:
    """A page that was written is no longer backed by the file, or is in swap."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        flags = numpy.frombuffer(entries, dtype="u8")
        private = (flags & _PRESENT != 0) & (flags & _FILE_BACKED == 0)
        return bool((private | (flags & _SWAPPED != 0)).any())
    return any(
        entry & _SWAPPED or (entry & _PRESENT and not entry & _FILE_BACKED)
        for (entry,) in struct.iter_unpack("<Q", entries)
    )


def layout(array: Any) -> tuple[Any, ...]:
    """Where an array's elements lie, and how."""
    interface = array.__array_interface__
    return (interface["data"][0], array.shape, array.strides, array.dtype.str, bool(array.flags.writeable))
