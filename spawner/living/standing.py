"""Whether the user of a running server may still be in its profile.

Looked at with each poll of the Hub, in the lists that the pages read too; only a *no* is asked of the API server once
more. Changing somebody's role means that the binding goes and another comes, so nobody is put out at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from spawner.profiles.directory import Directory
from spawner.profiles.membership import enter
from spawner.refused import Refused

if TYPE_CHECKING:
    from spawner.api import Api


@dataclass(frozen=True)
class Notice:
    """The user may no longer be there: what is said, since when it is known, and when the server is stopped."""

    words: str
    since: datetime
    stops_at: datetime

    def is_due(self, now: datetime) -> bool:
        """Whether the time is over."""
        return now >= self.stops_at

    def to_dict(self) -> dict[str, Any]:
        """Of the same shape as a verdict on an idle server."""
        return {
            "action": "warn",
            "words": f"{self.words} Save what you need elsewhere: this server is stopped.",
            "stopsAt": self.stops_at.isoformat(),
            "idleSince": None,
            "keepable": False,
        }


async def look(
    api: Api,
    profile: str,
    user: str,
    groups: Iterable[str],
    uid: str,
    *,
    grace: timedelta,
    before: Notice | None = None,
    now: datetime | None = None,
) -> Notice | None:
    """The notice, if there is reason for one; the one that was there ``before`` while nobody can say."""
    groups = tuple(groups)
    try:
        role = await Directory.of(api).role_in(profile, user, groups)
        reason = "" if role in {"owner", "edit"} else await _confirmed(api, profile, user, groups, uid)
    except Refused:
        return before
    if not reason:
        return None
    if before is not None:
        return before
    now = now or datetime.now(UTC)
    return Notice(reason, now, now + grace)


async def _confirmed(api: Api, profile: str, user: str, groups: tuple[str, ...], uid: str) -> str:
    """Why the API server lets nobody of this name in; empty if it does, or for a reason that is not the user's."""
    try:
        await enter(api, profile, user, groups, uid)
    except Refused as refused:
        if refused.status >= 500:
            raise
        if refused.status != 403:
            return ""
        if "look" in refused.message:
            return f"You may only look into the profile {profile} now."
        return f"You are no longer one of those who may start servers in the profile {profile}."
    return ""
