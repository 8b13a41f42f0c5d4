"""``ProfileSpawner``: KubeSpawner, into the namespaces of Kubeflow profiles.

What is KubeSpawner's stays: its settings, hooks, named servers, names of pods and volumes, ``profile_list``. What
is ours: where a server runs is decided by the profile and nothing else, it runs as an account of its own, no events
reflector is started, a start says what it waits for, and one that cannot succeed ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlparse

from traitlets import Float, TraitError, default, validate

from spawner.api import ApiError, Json

# Loaded with the Hub, so that its first start does not stop the loop for it.
from spawner.form import accelerators, page, settings, verdicts  # noqa: F401
from spawner.living.running import Running
from spawner.profiles import directory, provision  # noqa: F401
from spawner.refused import Refused
from spawner.starts import identity, pods, refusals, starting
from spawner.starts.failing import of_refused, spawn_error
from spawner.starts.making import HUB_LABEL
from spawner.starts.reasons import clip
from spawner.starts.saving import committed
from spawner.starts.stages import current, is_ready
from spawner.starts.starting import Course, Hopeless, Limits

if TYPE_CHECKING:
    from spawner.profiles.membership import Profile

_PROGRESS: Final = {
    "queued": 10,
    "scheduled": 25,
    "mounting": 35,
    "pulling": 50,
    "starting": 75,
    "checking": 90,
}

_QUICK: Final = 1.0
"""Seconds in which no namespace is emptied, deleted, made anew and given to another."""


class ProfileSpawner(Running):
    """A server of one user as a pod in the namespace of one of the user's profiles."""

    events_after = Float(2.0, config=True, help="After how many seconds of a start its events are watched.")
    hopeless_after = Float(
        4.0,
        config=True,
        help="For how many seconds nothing must change before a start that fits nowhere is given up.",
    )

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        # An image's own command may be a plain JupyterLab, which asks no Hub who somebody is.
        return ["jupyterhub-singleuser"]

    @default("server_token_scopes")
    def _default_server_token_scopes(self) -> list[str]:
        # Whoever may look at the pod reads this token there: it must not open the server (JupyterHub's own does).
        return ["users:activity!user"]

    @validate("enable_user_namespaces")
    def _no_namespaces_by_name(self, proposal: Any) -> bool:
        if proposal["value"]:
            raise TraitError(
                "ProfileSpawner enters the namespaces of profiles and never one whose name was made from a user's: "
                "leave enable_user_namespaces off."
            )
        return False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.course = Course()
        self.namespace_uid = ""
        self._limits: Limits | None = None

    # The cluster

    @property
    def pods(self) -> pods.Pods:
        """The pods of all servers of this Hub."""
        return pods.shared(self.cluster, f"component={self.component_label},{HUB_LABEL}={self.hub_name}")

    @property
    def pod_reflector(self) -> Any:
        """For hooks that look at KubeSpawner's reflector: an object with ``pods`` by ``namespace/name``."""
        return _Reflector(self.pods)

    @property
    def event_reflector(self) -> None:
        """There is none."""
        return

    @property
    def events(self) -> list[Json]:
        """The events of the pod that is starting, or was."""
        return self.course.events

    async def _start_watching_pods(self, replace: bool = False) -> None:  # noqa: ARG002 — KubeSpawner's own
        await self.pods.fresh()

    async def _start_watching_events(self, replace: bool = False) -> None:  # noqa: ARG002 — KubeSpawner's own
        return

    # Start

    async def _start(self) -> str:
        self.course = Course()
        try:
            return await self._begin()
        except Refused as refused:
            self.course.reason = of_refused(refused)
        except Hopeless as hopeless:
            self.course.reason = hopeless.reason
        except ApiError as error:
            self.log.warning("The cluster refused the server of %s: %s", self._log_name, error)
            self.course.reason = refusals.refusal(error)
        finally:
            self.course.over = True
            self.course.ring()
        raise spawn_error(self.course.reason, self)

    async def _begin(self) -> str:
        deadline = self.start_timeout - min(2.0, self.start_timeout / 10)
        self._limits = Limits(
            deadline,
            self.events_after,
            self.hopeless_after,
            scales_up=self.scales_up,
            events=self.events_enabled,
        )
        await self.load_user_options()
        asked = time.monotonic()
        profile = await self._profile()
        await self._enter(profile)
        self._options = await self._choose(profile)
        self._began()
        await self.pods.fresh()
        body = await self._body(profile)
        await self._before()
        if time.monotonic() - asked > _QUICK:
            await self._still_there()
        made = await self._create(body)
        self.pod_uid = str(made["metadata"]["uid"])
        await self._save()
        await self._after(made)
        ready = await starting.follow(self.cluster, self.pods, made, self.course, self._limits)
        await self._share(at_start=True)
        return str(self._get_pod_url(ready))

    async def _enter(self, profile: Profile) -> None:
        """From here on everything is in this namespace, and the Hub knows it even if it is killed now."""
        if profile.uid != self.namespace_uid:
            self._pvc_exists = False
        self.namespace, self.namespace_uid, self.pod_uid = profile.namespace, profile.uid, ""
        self.dns_name = self.dns_name_template.format(namespace=self.namespace, name=self.pod_name)
        await self._save()

    async def _save(self) -> None:
        """Write the state now: the Hub itself does so only after a start, and may not live to see it."""

        def change() -> None:
            self.orm_spawner.state = self.get_state()

        await self._commit(change)

    async def _commit(self, change: Callable[[], None]) -> None:
        session = getattr(self.user, "db", None)
        if session is None:
            change()
        else:
            await committed(session, change)

    # While it starts

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Each stage as it comes, and what it waits for, for the Hub's page."""
        began, told, patience = time.monotonic(), "", 0.0
        while True:
            if self._limits is not None:
                self._limits.wanted = True
            course, bell = self.course, self.course.bell
            found = self._step(course)
            if found["message"] != told:
                told = found["message"]
                yield found
            elapsed = time.monotonic() - began
            threshold = self.slow_spawn_message_threshold
            if 0 < threshold <= elapsed and elapsed >= patience + self.slow_spawn_message_frequency:
                patience = elapsed
                words = textwrap.dedent(self.slow_spawn_message).replace("{seconds}", str(int(elapsed)))
                yield {"message": words}
            if course.over or (self._start_future is not None and self._start_future.done()):
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await bell.wait()

    def _step(self, course: Course) -> dict[str, Any]:
        found = course.stages()
        now = current(found)
        words = now.words or "Being asked for."
        markup = f"<strong>{html.escape(now.name.capitalize())}</strong>: {html.escape(words)}"
        if course.reason is not None:
            words = f"{words} {course.reason.text()}"
            markup += f"<br>{course.reason.html()}"
        last = max(course.events, key=lambda each: str(each.get("lastTimestamp") or ""), default=None)
        return {
            "progress": _PROGRESS[now.name],
            "message": clip(words),
            "html_message": markup,
            "raw_event": last,
            "stages": [each.to_dict() for each in found],
            "reason": course.reason.to_dict() if course.reason else None,
        }

    async def why(self) -> dict[str, Any]:
        """For a panel: the stages of the start that is under way or was last, and why it does not get on."""
        course = self.course
        return {
            "stages": [each.to_dict() for each in course.stages()],
            "reason": course.reason.to_dict() if course.reason else None,
            "profile": self.namespace if self.namespace_uid else None,
            "options": self._options.to_json() if self._options is not None else None,
        }

    # While it runs

    def get_state(self) -> dict[str, Any]:
        """With the uids: a name may be another's by the time the Hub is back."""
        state: dict[str, Any] = super().get_state()
        if self.namespace_uid:
            state.update(namespace_uid=self.namespace_uid, pod_uid=self.pod_uid)
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """What was written before the Hub ended."""
        super().load_state(state)
        self.namespace_uid = str(state.get("namespace_uid") or "")
        self.pod_uid = str(state.get("pod_uid") or "")

    def clear_state(self) -> None:
        """A stopped server has no pod; where its home is stays known."""
        super().clear_state()
        self.pod_uid = ""

    async def poll(self) -> int | None:
        """None while the pod is there (or nobody can say that it is not), else how the server ended."""
        if not self.namespace_uid:
            return 0
        if self._creating is not None and not self._creating.done():
            return None
        try:
            await self.pods.fresh()
        except Refused:
            self.log.warning(
                "The cluster does not answer: the server of %s is taken to run as before", self._log_name
            )
            return None
        found = self.pods.rows.get((self.namespace, self.pod_name))
        if found is None or found["metadata"].get("uid") != self.pod_uid:
            try:
                if not await self._find_own():
                    await self._note_end(None)
                    return 1
            except ApiError:
                return None
            if found is None or found["metadata"].get("uid") != self.pod_uid:
                return None
        self._last_seen = found
        ended = starting.exit_code(found)
        if ended is not None:
            await self._note_end(found)
            if self.delete_stopped_pods and not await self._stopped(now=True):
                return None
            return ended
        if is_ready(found) and self.server:
            await self._follow_address(found)
        if not await self._may_stay() and await self._stopped(now=False):
            self.log.warning(
                "The server of %s is stopped: its user left the profile %s", self._log_name, self.namespace
            )
            return 0
        await self._share()
        return None

    async def _follow_address(self, found: Json) -> None:
        """A pod that was moved has another address."""
        new, known = urlparse(self._get_pod_url(found)), urlparse(self.server.url)
        port = new.port or (443 if new.scheme == "https" else 80)
        if (new.hostname, port) != (known.hostname, known.port or (443 if known.scheme == "https" else 80)):
            self.log.warning("The pod of %s has another address now", self._log_name)

            def change() -> None:
                self.server.ip, self.server.port = new.hostname, port

            await self._commit(change)

    async def stop(self, now: bool = False) -> None:
        """Delete the pod, and just this pod; volumes, account and choices stay. Raises TimeoutError.

        It goes on until the API server has answered: the Hub forgets a server whose stop failed, and its pod would
        run on as nobody's. Until then the server is shown as stopping, and found again if the Hub is killed.
        """
        if self._creating is not None and not self._creating.done():
            await asyncio.wait([self._creating])
        pause = 1.0
        while not await self._stopped(now):
            await asyncio.sleep(pause)
            pause = min(2 * pause, 30.0)

    async def _stopped(self, now: bool) -> bool:
        """Whether its pod is gone now; False where the API server did not say. Raises TimeoutError."""
        if not self.namespace_uid:
            return True
        grace = 0 if now else self.delete_grace_period
        try:
            if not self.pod_uid and not await self._find_own():
                return True
            key, uid = (self.namespace, self.pod_name), self.pod_uid
            if await starting.delete_pod(self.cluster, *key, uid, grace):
                await self._until_gone(key, uid, grace)
        except (ApiError, Refused) as error:
            self.log.warning("The server of %s cannot be stopped yet: %s", self._log_name, error)
            return False
        return True

    async def _find_own(self) -> bool:
        """Whether the API server has this server's pod; the watch tells of it late, and of nothing while it is cut.

        A Hub that was killed while it made a pod knows no uid: the pod says whose it is. Raises ApiError.
        """
        try:
            found = await self.cluster.get(f"/api/v1/namespaces/{self.namespace}/pods/{self.pod_name}")
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        uid = str(found["metadata"]["uid"])
        if self.pod_uid:
            return uid == self.pod_uid
        notes = found["metadata"].get("annotations") or {}
        labels = found["metadata"].get("labels") or {}
        if notes.get("hub.jupyter.org/username") != self.user.name or labels.get(HUB_LABEL) != self.hub_name:
            return False
        self.pod_uid = uid
        await self._save()
        return True

    async def _until_gone(self, key: tuple[str, str], uid: str, grace: int) -> None:
        """Wait; a node that does not answer is not waited for longer than it was given."""
        await self.pods.fresh()
        began, forced = time.monotonic(), False
        with self.pods.following(key) as follower:
            while (found := follower.pod) is not None and found["metadata"].get("uid") == uid:
                elapsed = time.monotonic() - began
                if elapsed > grace + 60:
                    raise TimeoutError(f"The pod {key[1]} is not gone after {elapsed:.0f} seconds")
                if (elapsed > grace + 30 and not forced) or not self.pods.is_current:
                    forced = forced or elapsed > grace + 30
                    if not await starting.delete_pod(self.cluster, *key, uid, 0 if forced else grace):
                        return
                await follower.change(1.0)

    async def delete_forever(self) -> None:
        """A deleted server's home and account go with it, unless its namespace is not the one it had."""
        if not self.namespace_uid:
            return
        try:
            found = await self.cluster.get(f"/api/v1/namespaces/{self.namespace}")
        except ApiError as error:
            if error.status == 404:
                return
            raise
        if found["metadata"].get("uid") != self.namespace_uid:
            self.log.warning("The namespace %s was made anew: nothing in it is deleted", self.namespace)
            return
        await identity.remove(self.cluster, self.account)
        await super().delete_forever()


class _Reflector:
    """What hooks of KubeSpawner read of its reflector."""

    def __init__(self, found: pods.Pods) -> None:
        self.pods = {f"{namespace}/{name}": row for (namespace, name), row in found.rows.items()}
