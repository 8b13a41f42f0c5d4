"""What the servers of an endpoint printed, together or one by one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from jupyter_ext.errors import NotFound, Where
from jupyter_ext.serving.fields import nearest

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.logs import LogFile
    from jupyter_ext.cluster.resource import Resource

POLL: Final = 0.1
CHUNK: Final = 1 << 16
CONTROLLER: Final = "controller"
_ENDING: Final = ".1.log"


def logs_of(cluster: LocalCluster, resource: Resource) -> dict[str, LogFile]:
    """The logs that there are, by replica (``v1/0``), and the controller's own."""
    folder = cluster.log_folder(resource.uid)
    found = {}
    for path in sorted(folder.glob(f"*{_ENDING}")):
        variant, _, slot = path.name.removesuffix(_ENDING).rpartition("_")
        part = f"{variant}/{slot}"
        found[part] = cluster.log(resource.uid, part)
    found[CONTROLLER] = cluster.log(resource.uid)
    return found


def printed(
    cluster: LocalCluster,
    resource: Resource,
    part: str | None,
    tail: int | None,
    *,
    follow: bool,
    stop: threading.Event | None,
) -> Iterator[str]:
    """Of one replica (``v1/0``), one variant (``v1``), the ``controller``, or all; several are marked line by line."""
    chosen = _chosen(cluster, resource, part)
    if not follow:
        yield from _once(chosen, tail)
        return
    places = {name: _start(log, tail) if tail is not None else 0 for name, log in chosen.items()}
    while True:
        ended = (stop is not None and stop.is_set()) or _is_over(cluster, resource)
        chosen = _chosen(cluster, resource, part, known=True) or chosen
        for name, log in chosen.items():
            block = _block(log, places.get(name, 0))
            if block is None:
                places[name] = 0
                continue
            if not ended and block and not block.endswith(b"\n"):
                block = block[: block.rfind(b"\n") + 1]
            places[name] = places.get(name, 0) + len(block)
            if block:
                yield _marked(block.decode(errors="replace"), name if len(chosen) > 1 else None)
        if ended:
            return
        time.sleep(POLL)


def _start(log: LogFile, tail: int) -> int:
    """Where the last lines begin."""
    try:
        size = log.path.stat().st_size
    except OSError:
        return 0
    return max(size - len(log.tail(tail).encode()), 0)


def _block(log: LogFile, position: int) -> bytes | None:
    """What comes after a position; None when the file has become shorter."""
    try:
        with log.path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < position:
                return None
            file.seek(position)
            return file.read(CHUNK)
    except FileNotFoundError:
        return b"" if position == 0 else None


def _once(chosen: dict[str, LogFile], tail: int | None) -> Iterator[str]:
    for name, log in chosen.items():
        text = log.read() if tail is None else log.tail(tail)
        if text:
            yield _marked(text, name if len(chosen) > 1 else None)


def _marked(text: str, name: str | None) -> str:
    if name is None:
        return text
    return "".join(f"[{name}] {line}" for line in text.splitlines(keepends=True))


def _is_over(cluster: LocalCluster, resource: Resource) -> bool:
    found = cluster.store.by_uid(resource.uid)
    return found is None or found.resting


def _chosen(
    cluster: LocalCluster, resource: Resource, part: str | None, *, known: bool = False
) -> dict[str, LogFile]:
    there = logs_of(cluster, resource)
    if part is None:
        return {name: log for name, log in there.items() if name != CONTROLLER} or there
    found = {name: log for name, log in there.items() if name == part or name.rpartition("/")[0] == part}
    variants = [str(row.get("name")) for row in resource.status.get("variants") or []]
    if not found and not known and part not in variants:
        raise NotFound(
            f"{resource.name} has no log of {part!r}",
            where=Where(field="part"),
            hint=nearest(part, list(there)),
        )
    return found
