"""Curves of a cluster's jobs: the numbers in what their pods print, read into this profile's metrics as far as they have come.

Kubeflow Trainer keeps the newest values only, and a pod's log goes with the pod: what was read once stays here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from jupyter_ext.cluster.local.metrics import Point
from jupyter_ext.errors import Invalid, KubeflowError, NotFound
from jupyter_ext.training.lines import Parser
from jupyter_ext.training.reporting import PROGRESS

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.pods import Pod
    from jupyter_ext.cluster.local.metrics import Metrics

SHARE: Final = "system/progress"
"""The name under which is kept how far a job says it has come, from 0 to 1."""
LARGEST: Final = 1 << 20
"""Bytes of a log that are read at once."""
_ROUNDS: Final = 16
"""Such reads of one pod for one look; the next look goes on."""
_PODS: Final = 16
"""Pods whose numbers are read: those of the lowest ranks."""
_AT_ONCE: Final = 8
_DONE: Final = 1 << 62
"""The mark of a pod that prints nothing any more, and was read to its end."""
_NANO: Final = 10**9
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Line(NamedTuple):
    """What a pod printed, and when: nanoseconds since the epoch, by the clock of its node."""

    time: int
    text: str


def catch_up(remote: KubeCluster, metrics: Metrics, uid: str, pods: Sequence[Pod]) -> None:
    """Read what the pods of a job have printed since the last look into its curves."""
    marks = metrics.marks(uid)
    wanted = [(rank, pod) for rank, pod in enumerate(pods[:_PODS]) if marks.get(_source(pod), 0) < _DONE]
    wanted = [(rank, pod) for rank, pod in wanted if pod.has_begun]
    if not wanted:
        return

    def one(item: tuple[int, Pod]) -> None:
        rank, pod = item
        _read(remote, metrics, uid, pod, pod.rank if pod.rank is not None else rank)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="kubeflow-curves") as threads:
        list(threads.map(one, wanted))


def _read(remote: KubeCluster, metrics: Metrics, uid: str, pod: Pod, rank: int) -> None:
    source = _source(pod)
    for _ in range(_ROUNDS):
        mark = metrics.marks(uid).get(source, 0)
        try:
            lines, is_all = printed(remote, pod, mark)
        except KubeflowError:
            return  # the next look tries again; what was read stays
        points, seen = _points(lines, rank)
        if is_all and pod.is_over:
            seen = _DONE
        elif not is_all:
            seen = lines[-1].time if lines else mark + _NANO  # one line that is longer than all that is read
        if not points and seen in {0, mark}:
            return
        # Somebody else may have read the same meanwhile, a kernel or the server: it counts once.
        metrics.append(uid, points, {source: max(seen, mark)}, after={source: mark})
        if is_all:
            return


def _points(lines: Sequence[Line], rank: int) -> tuple[list[Point], int]:
    """The points in the lines, and the time of the last line that had any: what is behind it is read again.

    (A line of Keras says the epoch of a later one.)
    """
    parser = Parser(rank)
    found: list[Point] = []
    seen = 0
    for line in lines:
        if points := parser.feed(f"{line.text}\n", line.time / _NANO):
            found += [_known(point) for point in points]
            seen = line.time
    return found, seen


def _known(point: Point) -> Point:
    """What `reporting.report` prints of the progress is no metric."""
    is_share = point.name == PROGRESS and 0 <= point.value <= 1
    return point._replace(name=SHARE) if is_share else point


def printed(
    remote: KubeCluster, pod: Pod, after: int = 0, container: str | None = None, largest: int = LARGEST
) -> tuple[list[Line], bool]:
    """What a pod has printed after a time, at most so many bytes, and whether that is all; nothing of a pod that has gone."""
    query = {
        "container": container or pod.container,
        "timestamps": "true",
        "limitBytes": str(largest),
    }
    if after:
        moment = datetime.fromtimestamp(after // _NANO, UTC)
        query["sinceTime"] = moment.strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )  # whole seconds: the rest is left out below
    path = f"/api/v1/namespaces/{remote.namespace}/pods/{pod.name}/log"
    try:
        text = str(remote.transport.ask("GET", path, query=query, accept="text/plain, */*"))
    except (Invalid, NotFound):
        return [], True  # its container has not begun, or the pod has gone
    is_all = len(text.encode(errors="replace")) < largest
    whole = text.split("\n")
    if len(whole) > 1 and (not is_all or not whole[-1]):
        whole.pop()  # empty, or without its end: that is read with the next ones
    lines = [_line(each) for each in whole]
    return [line for line in lines if line.time > after], is_all


def _line(text: str) -> Line:
    moment, _, words = text.partition(" ")
    return Line(nanoseconds(moment), words)


def nanoseconds(moment: str) -> int:
    """The time of a line of a log (RFC 3339, with up to nine digits of a second); 0 for what is none."""
    match = _TIME.fullmatch(moment)
    if match is None:
        return 0
    try:
        whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    except ValueError:
        return 0
    return int(whole.timestamp()) * _NANO + int((match[2] or "").ljust(9, "0"))


def _source(pod: Pod) -> str:
    """What a mark is of: a pod that takes the place of another is another one."""
    return f"pod/{(pod.thing.get('metadata') or {}).get('uid') or pod.name}"
