"""The part of the spawner that looks after a server while it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from traitlets import Bool, Float

from spawner.api import ApiError, Json
from spawner.living import again, ending, sharing, standing
from spawner.refused import Refused
from spawner.starts.making import Making


class Running(Making):
    """Knows what was chosen for the server that runs, whether its user may stay, and why it ended."""

    namespace_uid: str

    removed_minutes = Float(
        5.0,
        config=True,
        help="For how many minutes the server of somebody goes on who is no longer in its profile. Below 0: for ever.",
    )

    restart_lost = Bool(
        True,
        config=True,
        help="Whether a server whose machine was lost is started again by itself, at most once in ten minutes.",
    )

    _pace: ClassVar[again.Pace] = again.Pace()
    _restarts: ClassVar[set[asyncio.Task[bool]]] = set()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lost_its_machine = False
        self.notice: standing.Notice | None = None
        self.ended_words = ""
        self.chosen: dict[str, Any] = {}
        self._last_seen: Json | None = None

    def _began(self) -> None:
        """A server starts: what was of the last one is forgotten."""
        self.notice, self.ended_words, self._last_seen = None, "", None
        self._lost_its_machine = False
        options = self._options
        self.chosen = {}
        if options is not None:
            self.chosen = {
                "idle_minutes": options.idle_minutes,
                "accelerators": options.count,
                "shared": options.shared,
            }

    def start_polling(self) -> None:
        """Called by the Hub for each server that runs, also for those that it finds when it is started."""
        from spawner.form import page

        super().start_polling()
        page.attach_to_hub()

    async def _may_stay(self) -> bool:
        """Whether its user may go on; takes note of it where not, and is over when the time is."""
        if self.removed_minutes < 0:
            return True
        self.notice = await standing.look(
            self.cluster,
            self.namespace,
            self.user.name,
            self._groups(),
            self.namespace_uid,
            grace=timedelta(minutes=self.removed_minutes),
            before=self.notice,
        )
        if self.notice is None or not self.notice.is_due(datetime.now(UTC)):
            return True
        self.ended_words = f"Your server was stopped. {self.notice.words}"
        return False

    async def _share(self, *, at_start: bool = False) -> None:
        """Let those open it who may: the profile's contributors, if that was chosen, else nobody."""
        db = getattr(self.user, "db", None)
        wanted = bool(self.chosen.get("shared"))
        if db is None or not self.sharing or not (wanted or at_start):
            return
        people: list[Any] = []
        if wanted:
            try:
                people = await sharing.contributors(self.cluster, db, self.namespace, self.user.name)
            except Refused:
                return  # nobody knows now: who has a share keeps it, and nobody gets one
        sharing.settle(db, self.orm_spawner, people)

    async def _note_end(self, pod: Json | None) -> None:
        """Find out why a server ended by itself, while its node can still be asked about."""
        if self.ended_words:
            return  # it was stopped here, and the reason is known
        pod = pod or self.pods.ended.get(self.pod_uid) or self._last_seen
        name = str(((pod or {}).get("spec") or {}).get("nodeName") or "")
        node, is_gone = None, False
        if name:
            try:
                node = await self.cluster.get(f"/api/v1/nodes/{name}")
            except ApiError as error:
                is_gone = error.status == 404
        self.ended_words = ending.words(pod, node, is_node_gone=is_gone)
        # Somebody who asked for its stop just now does not want it back.
        self._lost_its_machine = self.ended_words == ending.LOST_NODE and not self._stop_pending

    def run_post_stop_hook(self) -> Any:
        """The Hub has forgotten the server: one that lost its machine begins again."""
        done = super().run_post_stop_hook()
        if self._lost_its_machine and self.restart_lost:
            self._lost_its_machine = False
            self._begin_again()
        return done

    def _begin_again(self) -> None:
        """In the background: the Hub is in the middle of its end."""
        if not self._pace.takes(self.user.name, self.name, time.monotonic()):
            self.log.warning(
                "%s lost its machine twice within ten minutes: not started again", self._log_name
            )
            return
        task = asyncio.ensure_future(again.start_again(self))
        self._restarts.add(task)
        task.add_done_callback(self._restarts.discard)

    # What the Hub keeps

    def get_state(self) -> dict[str, Any]:
        """With what the service for idle servers, and the next page, have to know."""
        state: dict[str, Any] = super().get_state()
        if self.chosen:
            state["chosen"] = self.chosen
        if self.ended_words:
            state["ended"] = self.ended_words
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """What was written before the Hub ended."""
        super().load_state(state)
        chosen = state.get("chosen")
        self.chosen = dict(chosen) if isinstance(chosen, Mapping) else {}
        self.ended_words = str(state.get("ended") or "")

    def clear_state(self) -> None:
        """A stopped server has no choices that count."""
        super().clear_state()
        self.chosen, self._last_seen, self.notice = {}, None, None
