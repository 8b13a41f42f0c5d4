"""Values on their way between containers, as files of one object graph each.

How objects are taken apart and which names share objects is the code of a local run (``graphs.py`` and what it
needs, which travel beside this file). Names that share an object are written together, so that they share it
afterwards too.
"""

# ruff: noqa: SLF001 - cloudpickle's reducers have no public names

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cloudpickle import cloudpickle

from jupyter_ext.pipelines import graphs
from jupyter_ext.pipelines.aliasing import Walk
from jupyter_ext.pipelines.functions import DefinitionReducer

ANY = "*"
"""Stands for every name."""

Namespace = dict[str, Any]


class _Reducer(DefinitionReducer):
    """Gives classes the identifiers that make one class of them again, wherever they come from.

    A local run links to the class itself instead, and leaves them out because they are random.
    """

    def _class(self, cls: Any) -> Any:
        made = super()._class(cls)
        if isinstance(made, tuple) and made[0] in (
            cloudpickle._make_skeleton_class,
            cloudpickle._make_skeleton_enum,
        ):
            make, arguments, *rest = made
            identifier = cloudpickle._get_or_create_tracker_id(cls)
            return make, (*arguments[:-2], identifier, arguments[-1]), *rest
        return made


def track_classes() -> None:
    """Let graphs be written with ``_Reducer``: for a process that does nothing else."""
    vars(graphs)["DefinitionReducer"] = _Reducer


def grouped(
    names: Iterable[str], others: Iterable[str], namespace: Namespace
) -> tuple[list[list[str]], Mapping[Hashable, Any]]:
    """``names`` in groups that share objects, each with those of ``others`` that share one with it.

    Also the memory that several arrays look at, which writing a group needs.
    """
    wanted = set(names)
    walk = Walk({id(namespace): None})
    for name in sorted({*wanted, *others}):
        walk.add(name, namespace[name])
    groups = [sorted(group.names) for group in walk.groups()]
    return [group for group in groups if not wanted.isdisjoint(group)], walk.shared


def write(
    folder: Path, number: int, names: Iterable[str], namespace: Namespace, shared: Mapping[Hashable, Any]
) -> dict[str, Any]:
    """Write a group; gives its entry in the manifest. Raises what the objects' own reducers raise."""
    encoded = graphs.encode({name: namespace[name] for name in names}, namespace, shared=shared)
    with (folder / f"{number}.graph").open("wb") as file:
        encoded.write(file)
    return {"number": number, "needs": sorted(encoded.needs), "bytes": encoded.size}


def read(folder: Path, entry: Mapping[str, Any], namespace: Namespace) -> dict[str, Any]:
    """Inverse of ``write``. Arrays lie in the mapped file; what the step changes of it is its own."""
    with (folder / f"{entry['number']}.graph").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), os.fstat(file.fileno()).st_size, access=mmap.ACCESS_COPY)
    return graphs.decode(mapped, lambda _: namespace)


def pack(value: Any, namespace: Namespace) -> bytes:
    """One value in memory. Raises what its reducers raise."""
    import io

    file = io.BytesIO()
    graphs.encode({"": value}, namespace).write(file)
    return file.getvalue()


def unpack(content: bytes, namespace: Namespace) -> Any:
    """Inverse of ``pack``."""
    return graphs.decode(content, lambda _: namespace)[""]


def digest(name: str, namespace: Namespace) -> str | None:
    """Equal while the value of a name is; None for what cannot be written."""
    walk = Walk({id(namespace): None})
    walk.add(name, namespace[name])
    walk.groups()
    try:
        encoded = graphs.encode({name: namespace[name]}, namespace, shared=walk.shared)
    except Exception:
        return None
    found = hashlib.blake2b(encoded.pickle, digest_size=16)
    for buffer in encoded.buffers:
        found.update(buffer)
    return found.hexdigest()
