"""What the pods of a resource print: of one, or of all with its name before each line."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.kube.streaming import Reader
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.pods import Pod
    from jupyter_ext.cluster.kube.transport import Transport

LOOK_SECONDS: Final = 1.0
"""Between two looks for pods that came, while a log is followed."""
WAITING: Final = 10_000
"""Lines that wait for who reads them."""
LARGEST: Final = 32 << 20
"""Bytes of one pod's log: what is before is left out."""
_WAIT: Final = 0.1

Find = Callable[[], list["Pod"]]
"""Gives the pods as they are now."""


def chosen(pods: list[Pod], part: str | None) -> list[Pod]:
    """The pods that ``part`` means: a part's name, ``rank-N``, or a pod's name. Raises NotFound."""
    if part is None:
        return pods
    number = part.removeprefix("rank-")
    found = [pod for pod in pods if part in {pod.part, pod.name}]
    if not found and number != part and number.isdecimal():
        found = [pod for pod in pods if pod.rank == int(number)][:1]
    if not found:
        known = ", ".join(pod.part for pod in pods[:20]) or "none yet"
        raise NotFound(f"There is no part {part!r}", where=Where(field="part"), hint=f"There are: {known}.")
    return found


def text(transport: Transport, namespace: str, pods: list[Pod], tail: int | None) -> Iterator[str]:
    """What there is, pod after pod."""
    for pod in pods:
        printed = _printed(transport, namespace, pod, tail)
        yield (
            printed if len(pods) == 1 else "".join(f"[{pod.part}] {line}\n" for line in printed.splitlines())
        )


def _printed(transport: Transport, namespace: str, pod: Pod, tail: int | None) -> str:
    query = {"container": pod.container, "limitBytes": str(LARGEST)}
    if tail is not None:
        query["tailLines"] = str(tail)
    try:
        return str(transport.ask("GET", _path(namespace, pod), query=query, accept="text/plain, */*"))
    except (Invalid, NotFound):
        return ""  # its container has not begun, or the pod has gone


def _path(namespace: str, pod: Pod) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{pod.name}/log"


def follow(
    transport: Transport,
    namespace: str,
    find: Find,
    part: str | None,
    tail: int | None,
    is_over: Callable[[], bool],
    stop: Callable[[], bool],
) -> Iterator[str]:
    """Lines as they come, of pods that come later too, until ``stop``, or ``is_over`` and every pod has ended."""
    lines: queue.Queue[str | Exception] = queue.Queue(WAITING)
    followed: dict[str, _Followed] = {}
    looked = -LOOK_SECONDS
    over = False
    try:
        while not stop():
            if time.monotonic() - looked >= LOOK_SECONDS:
                over, looked = (
                    _look(transport, namespace, find, part, tail, is_over, followed, lines),
                    time.monotonic(),
                )
            try:
                line = lines.get(timeout=_WAIT)
            except queue.Empty:
                if over and not any(each.is_alive() for each in followed.values()) and lines.empty():
                    return
                continue
            if isinstance(line, Exception):
                raise line
            yield line
    finally:
        for each in followed.values():
            each.end()


def _look(
    transport: Transport, namespace: str, find: Find, part: str | None, tail: int | None,
    is_over: Callable[[], bool], followed: dict[str, _Followed], lines: queue.Queue[str | Exception],
) -> bool:  # fmt: skip
    """Begin to follow pods that are new. Whether no more will come; a server that is away is looked for again."""
    try:
        over = is_over()
        pods = find()
    except Unavailable:
        return False
    try:
        several, pods = len(pods) > 1, chosen(pods, part)
    except NotFound:
        if over:
            raise
        return False
    for pod in pods:
        if pod.name not in followed and pod.has_begun:
            begun = _Followed(transport, namespace, pod, tail, lines, marked=several and part is None)
            followed[pod.name] = begun
            begun.start()
    return over


class _Followed(Reader):
    """One pod's log. Where the connection ends before the container does, it goes on after the last line."""

    def __init__(
        self, transport: Transport, namespace: str, pod: Pod, tail: int | None,
        lines: queue.Queue[str | Exception], *, marked: bool,
    ) -> None:  # fmt: skip
        super().__init__(f"kubeflow-log-{pod.name}", transport, _path(namespace, pod))
        self._pod, self._tail = pod, tail
        self._object = f"/api/v1/namespaces/{namespace}/pods/{pod.name}"
        self._lines, self._mark = lines, f"[{pod.part}] " if marked else ""
        self._last = ""

    def run(self) -> None:
        """Read until the container has ended."""
        while not self._over.is_set():
            try:
                over = self._ended()  # asked before: what it prints until its end is read after
                self._read()
                if over:
                    return
            except Unavailable:
                self._over.wait(LOOK_SECONDS)
            except (Invalid, NotFound):
                return
            except KubeflowError as error:
                self._give(self._lines, error)
                return
            self._over.wait(_WAIT)

    def _ended(self) -> bool:
        from jupyter_ext.cluster.kube.pods import Pod

        thing = self._transport.ask("GET", self._object)
        return Pod(self._pod.name, self._pod.part, None, self._pod.container, thing).is_over

    def _read(self) -> None:
        query = {"container": self._pod.container, "follow": "true", "timestamps": "true"}
        if self._last:
            query["sinceTime"] = self._last
        elif self._tail is not None:
            query["tailLines"] = str(self._tail)
        for line in self._asked(query, None):
            # Two lines may have one time only if the clock stands still: it has nanoseconds.
            moment, _, words = line.decode(errors="replace").partition(" ")
            if moment > self._last:
                self._last = moment
                self._give(self._lines, f"{self._mark}{words}\n")
