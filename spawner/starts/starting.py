"""One start: the objects of a server are made, and it is followed until its pod is ready or will never be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from spawner.api import ApiError, Json
from spawner.refused import Refused
from spawner.starts import identity, refusals, rules
from spawner.starts.events import PodEvents
from spawner.starts.explain import explain
from spawner.starts.reasons import Facts, Reason
from spawner.starts.stages import Stage, container_status, is_ready, stages
from spawner.starts.surroundings import Surroundings

if TYPE_CHECKING:
    from spawner.api import Api
    from spawner.starts.pods import Pods

START: Final = "jupyter-kubeflow.org/start"
"""Which start made a pod: an answer that was lost is told from a pod that is in the way."""
_SLOW: Final = frozenset(
    {"claim-missing", "claim-deleted", "volume-zone", "too-large", "taint", "no-such-node", "container-error"}
)
_QUICK_LOOK: Final = 2.0
_LOOKED_AT: Final = 0.7
"""Seconds after which the events of a start are watched whose page is open: each watch is a connection of its own, and
a start that is over by then needs none."""


class Hopeless(Exception):
    """A start that is given up."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text())
        self.reason = reason


class Course:
    """What is known of a start, for those who look at it: stages, reason, and a bell that rings on each change."""

    def __init__(self) -> None:
        self.pod: Json | None = None
        self.events: list[Json] = []
        self.reason: Reason | None = None
        self.began = time.monotonic()
        self.over = False
        self.bell = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits."""
        bell, self.bell = self.bell, asyncio.Event()
        bell.set()

    def stages(self) -> tuple[Stage, ...]:
        """As of now."""
        return stages(self.pod, self.events)


async def create(api: Api, path: str, body: Mapping[str, Any], seconds: float) -> Json | None:
    """Make an object, again while the refusal is a passing one; None if one of that name is there."""
    deadline = time.monotonic() + seconds
    pause = 0.1
    while True:
        try:
            return await api.post(path, body, {"fieldManager": identity.FIELDS})
        except ApiError as error:
            if error.status == 409 and error.reason == "AlreadyExists":
                return None
            if not refusals.is_passing(error) or time.monotonic() + pause > deadline:
                raise
            await asyncio.sleep(error.retry_after or pause)
            pause = min(2 * pause, 3.0)


async def create_pod(api: Api, namespace: str, body: Json, owner: str, seconds: float) -> Json:
    """Make the pod. One of that name that is this server's own is replaced, any other is left and refused."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    name = str(body["metadata"]["name"])
    mark = body["metadata"]["annotations"][START]
    deadline = time.monotonic() + seconds
    while True:
        made = await create(api, path, body, max(0.1, deadline - time.monotonic()))
        if made is not None:
            return made
        try:
            found = await api.get(f"{path}/{name}")
        except ApiError as error:
            if error.status == 404:
                continue
            raise
        notes = found["metadata"].get("annotations") or {}
        if notes.get(START) == mark:
            return found
        if notes.get("hub.jupyter.org/username") != owner or time.monotonic() > deadline:
            raise Refused(
                409,
                f"There is already a pod called {name} in this profile",
                hint="It is not this server's: have it deleted, or give the server another name.",
            )
        await delete_pod(api, namespace, name, str(found["metadata"]["uid"]), grace=0)
        await asyncio.sleep(0.2)


async def delete_pod(
    api: Api, namespace: str, name: str, uid: str, grace: int, seconds: float = 30.0
) -> bool:
    """Ask for the deletion of just this pod; False if it is gone already. Raises ApiError."""
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": grace}
    if uid:
        body["preconditions"] = {"uid": uid}
    deadline = time.monotonic() + seconds
    pause = 0.1
    while True:
        try:
            await api.delete(path, body)
            return True
        except ApiError as error:
            if error.status in {404, 409}:
                return False
            if not refusals.is_passing(error) or time.monotonic() + pause > deadline:
                raise
            await asyncio.sleep(error.retry_after or pause)
            pause = min(2 * pause, 3.0)


def check_rules(pod: Json, own: rules.Own, waived: tuple[str, ...]) -> None:
    """Raises Refused for the first rule that a pod breaks, naming all of them."""
    found = rules.denied(pod, own, waived)
    if found:
        message = " ".join(each.message for each in found[:4])
        names = ", ".join(sorted({each.rule for each in found}))
        raise Refused(
            403, message, hint=f"Tell the administrator: the configuration breaks the rules {names}."
        )


async def follow(api: Api, pods: Pods, made: Json, course: Course, limits: Limits) -> Json:
    """Wait for the pod ``made``; gives it once it is ready, raises Hopeless when it never will be, or in time."""
    about = made["metadata"]
    key, uid = (str(about["namespace"]), str(about["name"])), str(about["uid"])
    course.pod = made
    with pods.following(key) as follower:
        events = PodEvents(api, key[0], uid, str(about.get("resourceVersion") or ""), follower.wake)
        watch = Watch(api, events, course, limits)
        try:
            while True:
                now = follower.pod
                is_seen = now is not None and now["metadata"].get("uid") == uid
                if now is not None and is_seen:
                    course.pod = now
                    if is_ready(now):
                        return now
                elif pods.is_current and course.pod is not made:
                    raise Hopeless(_gone())
                if not (is_seen and pods.is_current) and time.monotonic() - watch.checked > _QUICK_LOOK:
                    await _look(api, pods, key, uid)
                    watch.checked = time.monotonic()
                    continue
                await watch.judge()
                await follower.change(watch.pause())
        finally:
            course.events = events.all()
            await events.stop()


def _gone() -> Reason:
    return Reason(
        "deleted", "The pod was deleted while it started.", "", "Start the server again.", is_hopeless=True
    )


async def _look(api: Api, pods: Pods, key: tuple[str, str], uid: str) -> None:
    """Ask for the pod itself: the watch has not told of it yet, or is broken."""
    try:
        found = await api.get(f"/api/v1/namespaces/{key[0]}/pods/{key[1]}")
    except ApiError as error:
        if error.status == 404:
            raise Hopeless(_gone()) from error
        return
    if found["metadata"].get("uid") != uid:
        raise Hopeless(_gone())
    pods.put(found)


class Limits:
    """How long is waited for what (seconds)."""

    def __init__(
        self, timeout: float, events_after: float, hopeless_after: float, *, scales_up: bool, events: bool
    ) -> None:
        self.deadline = time.monotonic() + timeout
        self.timeout = timeout
        self.events_after = events_after
        self.hopeless_after = hopeless_after
        self.scales_up = scales_up
        self.events = events
        self.wanted = False


class Watch:
    """The judgement on a start that is under way."""

    def __init__(self, api: Api, events: PodEvents, course: Course, limits: Limits) -> None:
        self._api = api
        self._events = events
        self._course = course
        self._limits = limits
        self._began = time.monotonic()
        self._since: tuple[str, float] = ("", 0.0)
        self._looked = 0.0
        self._shown: object = None
        self.checked = time.monotonic()

    def pause(self) -> float:
        """How long to sleep when nothing changes."""
        left = self._limits.deadline - time.monotonic()
        return max(0.02, min(left, 1.0 if self._course.reason or not self._events.watches else 5.0, 5.0))

    async def judge(self) -> None:
        """Look at everything that is known; raises Hopeless."""
        now, limits = time.monotonic(), self._limits
        patience = min(_LOOKED_AT, limits.events_after) if limits.wanted else limits.events_after
        if limits.events and now - self._began > patience:
            self._events.start()
        course = self._course
        course.events = self._events.all()
        pod = course.pod or {}
        reason = explain(Facts(pod, course.events, scales_up=limits.scales_up))
        if reason is not None and reason.code in {
            "capacity",
            "taint",
            "no-such-node",
            "unschedulable",
            "claim-unbound",
        }:
            reason = await self._around(pod, reason)
        course.reason = reason
        self._tell()
        if reason is not None and reason.is_hopeless and self._lasts(reason, now):
            raise Hopeless(reason)
        if now > limits.deadline:
            raise Hopeless(self._late())

    async def _around(self, pod: Json, reason: Reason) -> Reason:
        """The same question with nodes and other pods in view, at most once a second."""
        now = time.monotonic()
        if now - self._looked < 1.0 and self._course.reason is not None:
            return self._course.reason
        self._looked = now
        try:
            facts = await Surroundings.of(self._api).facts(
                pod, self._course.events, scales_up=self._limits.scales_up
            )
        except ApiError:
            return reason
        return explain(facts) or reason

    def _lasts(self, reason: Reason, now: float) -> bool:
        """Whether it is hopeless for good: the scheduler may not know a new claim or node for a moment."""
        if reason.code not in _SLOW:
            return True
        if self._since[0] != reason.code:
            self._since = (reason.code, now)
        return now - self._since[1] >= self._limits.hopeless_after

    def _tell(self) -> None:
        course = self._course
        shown = (
            course.reason,
            tuple((each.name, each.state) for each in course.stages()),
            len(course.events),
        )
        if shown != self._shown:
            self._shown = shown
            course.ring()

    def _late(self) -> Reason:
        course = self._course
        if course.reason is not None:
            return course.reason
        stage = next((each for each in course.stages() if each.state != "done"), None)
        return Reason(
            "timeout",
            f"The server was not ready within {self._limits.timeout:.0f} seconds.",
            f"It came as far as: {stage.words}" if stage and stage.words else "",
            "Start it again; if this lasts, tell the administrator.",
            is_hopeless=True,
            status=504,
        )


def exit_code(pod: Json) -> int | None:
    """None while the pod may still serve, else how the server ended (1 where nobody knows)."""
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return 1
    phase = (pod.get("status") or {}).get("phase")
    ended = (container_status(pod, "notebook").get("state") or {}).get("terminated")
    if phase in {"Failed", "Succeeded"} or ended:
        return int((ended or {}).get("exitCode", 0 if phase == "Succeeded" else 1))
    return None
