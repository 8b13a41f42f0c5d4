"""How far a starting server is, read from its pod's status and events.

The order is the kubelet's own: volumes are mounted before the first image is pulled. A time that was not observed
is taken from the next one that was: a stage that nothing tells of took no time worth telling.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from spawner.moments import moment

Json = Mapping[str, Any]
State = Literal["waiting", "running", "done", "failed"]

NAMES: Final = ("queued", "scheduled", "mounting", "pulling", "starting", "checking")
MAIN: Final = "notebook"
"""The container that KubeSpawner gives the server."""

_WORDS: Final[dict[str, dict[State, str]]] = {
    "queued": {
        "waiting": "Not asked for yet.",
        "running": "Waiting for a node with room.",
        "done": "A node has room.",
        "failed": "No node can take it.",
    },
    "scheduled": {
        "running": "Node {node} is told.",
        "done": "On node {node}.",
        "failed": "Node {node} refused it.",
    },
    "mounting": {
        "running": "Volumes and network are being attached.",
        "done": "Volumes and network are attached.",
        "failed": "A volume cannot be attached.",
    },
    "pulling": {
        "running": "Pulling image {image}.",
        "done": "Image {image} is on the node.",
        "failed": "Image {image} cannot be pulled.",
    },
    "starting": {
        "running": "The server's process is starting.",
        "done": "The server's process runs.",
        "failed": "The server's process ended.",
    },
    "checking": {
        "running": "Waiting for the server's first answer.",
        "done": "The server answers.",
        "failed": "The server does not answer.",
    },
}
_PULL_FAILURES: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)


@dataclass(frozen=True)
class Stage:
    """One step of a start. Times are UTC; both are None while it has not begun."""

    name: str
    state: State
    started: datetime | None
    ended: datetime | None
    words: str

    @property
    def seconds(self) -> float | None:
        """How long it took, once it is over."""
        if self.started is None or self.ended is None:
            return None
        return max(0.0, (self.ended - self.started).total_seconds())

    def to_dict(self) -> dict[str, Any]:
        """As JSON for a page."""
        return {
            "name": self.name,
            "state": self.state,
            "started": self.started.isoformat() if self.started else None,
            "ended": self.ended.isoformat() if self.ended else None,
            "words": self.words,
        }


def stages(
    pod: Json | None, events: Iterable[Json] = (), answered: datetime | None = None
) -> tuple[Stage, ...]:
    """The six stages of one start; ``answered`` is when the Hub reached the server."""
    if not pod:
        first = Stage("queued", "running", None, None, "Being asked for.")
        return (first, *(_waiting(name) for name in NAMES[1:]))
    told = sorted(events, key=event_time)
    marks = _marks(pod, told, answered)
    failed = _failed_at(pod, told)
    image = _image(pod)
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    found: list[Stage] = []
    over = False
    for index, name in enumerate(NAMES):
        begin, end = marks[index], marks[index + 1]
        if over or begin is None:
            found.append(_waiting(name))
            continue
        state: State = "done" if end is not None else ("failed" if failed == name else "running")
        words = _WORDS[name][state].format(node=node or "?", image=image or "?")
        if name == "queued" and state == "running" and _gated(pod):
            words = "Held back until its queue admits it."
        found.append(Stage(name, state, begin, end, words))
        over = end is None
    return tuple(found)


def current(of: Sequence[Stage]) -> Stage:
    """The stage that is under way, or the last one."""
    return next((stage for stage in of if stage.state in {"running", "failed"}), of[-1])


def _waiting(name: str) -> Stage:
    return Stage(name, "waiting", None, None, "")


def _marks(pod: Json, events: Sequence[Json], answered: datetime | None) -> list[datetime | None]:
    """When each stage began, and at the end when the last was over; later knowledge fills earlier gaps."""
    status = pod.get("status") or {}
    conditions = {str(each.get("type")): each for each in status.get("conditions") or []}
    main = container_status(pod, MAIN)
    state = main.get("state") or {}
    last = main.get("lastState") or {}
    running = (state.get("running") or {}).get("startedAt") or (
        (state.get("terminated") or {}).get("startedAt")
    )
    running = running or (last.get("terminated") or {}).get("startedAt")
    marks: list[datetime | None] = [
        moment((pod.get("metadata") or {}).get("creationTimestamp")),
        _since(conditions.get("PodScheduled")),
        moment(status.get("startTime")),
        _since(conditions.get("PodReadyToStartContainers"))
        or _first(events, {"Pulling", "Pulled", "Created"}),
        _first(events, {"Created"}) or moment(running),
        moment(running) if is_ready(pod) or state.get("terminated") else None,
        answered,
    ]
    if status.get("phase") == "Running" and is_ready(pod):
        marks[5] = marks[5] or _since(conditions.get("ContainersReady"))
    later: datetime | None = None
    for index in range(len(marks) - 1, -1, -1):
        mark = marks[index]
        if mark is None or (later is not None and mark > later):
            marks[index] = later
        later = marks[index]
    return marks


def _failed_at(pod: Json, events: Sequence[Json]) -> str:
    """The stage in which it came to a halt, or nothing."""
    status = pod.get("status") or {}
    reasons = {
        str(((each.get("state") or {}).get("waiting") or {}).get("reason") or "") for each in statuses(pod)
    }
    if status.get("phase") == "Failed":
        return "starting" if any(statuses(pod)) else "scheduled"
    if reasons & _PULL_FAILURES:
        return "pulling"
    if reasons & {
        "CrashLoopBackOff",
        "CreateContainerError",
        "CreateContainerConfigError",
        "RunContainerError",
    }:
        return "starting"
    if events and events[-1].get("reason") in {"FailedMount", "FailedAttachVolume", "FailedMapVolume"}:
        return "mounting"
    return ""


def is_ready(pod: Json) -> bool:
    """Whether every container runs and is ready, and the pod has an address and is not on its way out."""
    status = pod.get("status") or {}
    found = status.get("containerStatuses") or []
    return bool(
        status.get("phase") == "Running"
        and status.get("podIP")
        and not (pod.get("metadata") or {}).get("deletionTimestamp")
        and found
        and all(each.get("ready") for each in found)
    )


def statuses(pod: Json) -> Iterator[Json]:
    """The statuses of all containers, those that run first included."""
    status = pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        yield from status.get(kind) or []


def container_status(pod: Json, name: str) -> Json:
    """The status of one container; empty before the kubelet has said anything."""
    found = (pod.get("status") or {}).get("containerStatuses") or []
    return next((each for each in found if each.get("name") == name), {})


def _gated(pod: Json) -> bool:
    return bool((pod.get("spec") or {}).get("schedulingGates"))


def _image(pod: Json) -> str:
    containers = (pod.get("spec") or {}).get("containers") or []
    main = next(
        (each for each in containers if each.get("name") == MAIN), containers[0] if containers else {}
    )
    return str(main.get("image") or "")


def _since(condition: Json | None) -> datetime | None:
    if not condition or condition.get("status") != "True":
        return None
    return moment(condition.get("lastTransitionTime"))


def _first(events: Iterable[Json], reasons: set[str]) -> datetime | None:
    return next((event_time(each) for each in events if each.get("reason") in reasons), None)


def event_time(event: Json) -> datetime:
    """When an event was last seen: whichever of its four times it has; never raises."""
    series = event.get("series") or {}
    for text in (
        event.get("lastTimestamp"),
        series.get("lastObservedTime"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        (event.get("metadata") or {}).get("creationTimestamp"),
    ):
        found = moment(text)
        if found is not None:
            return found
    return datetime.min.replace(tzinfo=UTC)
