"""Makes profiles true: by server-side apply, as often as one likes, and never beside the Profile controller.

A plan (`plan`) says first what would be done (`planning.planned`). What is written is what the plan names, under a
field manager of our own; what changed meanwhile (another owner, a namespace made anew, a Profile kind that
appeared) stops that one profile and not the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spawner.access import unanswered
from spawner.api import APPLY, MERGE, ApiError
from spawner.names import check_subject, namespace_name
from spawner.profiles.declared import Owner, Wanted, Wish
from spawner.profiles.drift import stray
from spawner.profiles.membership import (
    NAMESPACES,
    PROFILES,
    Answer,
    NoProfile,
    OneProfile,
    Profile,
    answer,
    enter,
    is_installed,
    place_of,
)
from spawner.profiles.objects import KINDS
from spawner.profiles.planning import Change, planned
from spawner.profiles.policy import Platform
from spawner.profiles.survey import Survey, survey
from spawner.refused import Refused

if TYPE_CHECKING:
    from spawner.api import Api

Json = dict[str, Any]

FIELD_MANAGER: Final = "jupyter-kubeflow-provisioner"
_TRIES: Final = 5
_FORCED: Final = {"fieldManager": FIELD_MANAGER, "force": "true"}


@dataclass(frozen=True)
class Outcome:
    """What became of one change; ``reason`` says why it was not done."""

    change: Change
    is_done: bool
    reason: str = ""


class _Stopped(Exception):
    """This profile is not gone on with."""


async def plan(api: Api, wishes: Sequence[Wish], platform: Platform | None = None) -> list[Change]:
    """What is to be done for these profiles; raises Refused 503."""
    return planned(wishes, await _there(api, wishes), platform)


async def apply(api: Api, changes: Iterable[Change], at_once: int = 8) -> list[Outcome]:
    """Do it, profile beside profile, the objects of each in order; what was done and what not, in words."""
    groups: dict[str, list[Change]] = {}
    for change in changes:
        if change.is_work:
            groups.setdefault(change.profile, []).append(change)
    limit = asyncio.Semaphore(at_once)

    async def one(group: list[Change]) -> list[Outcome]:
        async with limit:
            return await _apply_one(api, group)

    found = await asyncio.gather(*(one(group) for group in groups.values()))
    return [outcome for outcomes in found for outcome in outcomes]


async def first_login(
    api: Api,
    user: str,
    defaults: Wanted | None = None,
    platform: Platform | None = None,
    prefix: str = "user-",
) -> Profile:
    """The user's own profile, made if there is none; the same however often and by however many Hubs it is asked.

    Raises Refused: 409 where Kubeflow makes profiles, or where the name is taken by what is not the user's.
    """
    check_subject(user)
    platform = platform or Platform()
    if await is_installed(api):
        raise Refused(
            409,
            "Profiles are made by Kubeflow on this cluster, not at the first login",
            hint="Register in Kubeflow's dashboard, or ask an administrator for a profile.",
        )
    own = [profile for profile in await _own(api, user) if profile.is_ready]
    if own:
        return await enter(api, own[0].name, user)
    name = namespace_name(user, prefix, also=(platform.hub_namespace,))
    fields = (defaults or Wanted()).model_dump(by_alias=True)
    wish = Wish(**{**fields, "name": name, "owner": Owner(name=user)})
    changes = await plan(api, [wish], platform)
    blocked = next((change for change in changes if change.action == "blocked"), None)
    if blocked is not None:
        message = f"Your profile cannot be made. {blocked.why}"
        raise Refused(409, message, hint="An administrator can declare one for you under another name.")
    failed = next((outcome for outcome in await apply(api, changes) if not outcome.is_done), None)
    if failed is not None:
        raise Refused(503, f"Your profile could not be made: {failed.reason}", hint="Try again in a minute.")
    return await _entered(api, name, user)


async def welcome(
    api: Api,
    user: str,
    groups: Iterable[str] = (),
    defaults: Wanted | None = None,
    platform: Platform | None = None,
) -> Answer:
    """`profiles.answer`, with a profile made for somebody who has none; for a Hub that is told to do so.

    Where Kubeflow makes profiles, the answer stays that there is none.
    """
    found = await answer(api, user, groups)
    if not isinstance(found, NoProfile) or found.profiles or await is_installed(api):
        return found
    return OneProfile(await first_login(api, user, defaults, platform))


async def _own(api: Api, user: str) -> list[Profile]:
    from spawner.profiles.directory import Directory

    return [profile for profile in await Directory.of(api).profiles_of(user) if profile.role == "owner"]


async def _entered(api: Api, name: str, user: str) -> Profile:
    """Go in; the API server needs a moment to see a binding that it has just stored."""
    pause = 0.02
    while True:
        try:
            return await enter(api, name, user)
        except Refused as refused:
            if refused.status != 403 or pause > 3:
                raise
        await asyncio.sleep(pause)
        pause *= 2


async def _there(api: Api, wishes: Sequence[Wish]) -> Survey:
    return await survey(api, [wish.namespace for wish in wishes])


async def _apply_one(api: Api, group: list[Change]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    stopped = ""
    try:
        await _check(api, group)
    except (ApiError, Refused, _Stopped) as error:
        stopped = _reason(error)
    for change in group:
        if stopped:
            outcomes.append(Outcome(change, is_done=False, reason=stopped))
            continue
        try:
            await _do(api, change)
            outcomes.append(Outcome(change, is_done=True))
        except (ApiError, Refused, _Stopped) as error:
            outcomes.append(Outcome(change, is_done=False, reason=_reason(error)))
            if change.kind in {"Namespace", "Profile"} or isinstance(error, _Stopped):
                stopped = f"not tried, since {change.kind} {change.name} could not be written"
    return outcomes


async def _check(api: Api, group: list[Change]) -> None:
    """Whether the plan still holds: the namespace is the same one."""
    first = group[0]
    if not first.uid:
        return
    place = place_of(await _asked(api.get(f"{NAMESPACES}/{first.profile}")))
    if place.uid != first.uid or place.is_going:
        raise _Stopped("its namespace was deleted or made anew since the plan was made; plan again")


async def _do(api: Api, change: Change) -> None:
    wanted = change.wanted or {}
    if change.kind == "Namespace":
        await _namespace(api, change, wanted)
        return
    path = PROFILES if change.kind == "Profile" else KINDS[change.kind].within(change.profile)
    path = f"{path}/{change.name}"
    if change.action in {"delete", "replace"}:
        uid = ((change.found or {}).get("metadata") or {}).get("uid")
        await _delete(api, path, uid)
        if change.action == "delete":
            return
    await _retried(lambda: api.patch(path, wanted, APPLY, _FORCED))
    extra = stray(wanted, change.found) if change.found else None
    if extra is not None:
        await _retried(lambda: api.patch(path, extra, MERGE, {"fieldManager": FIELD_MANAGER}))


async def _namespace(api: Api, change: Change, wanted: Json) -> None:
    """Create it, which fails on one that is there; or apply to the very one of the plan, by its uid."""
    if change.action == "create":
        if await is_installed(api):
            raise _Stopped("Kubeflow's profiles were installed since the plan was made; plan again")
        try:
            await _retried(lambda: api.post(NAMESPACES, wanted, {"fieldManager": FIELD_MANAGER}))
        except ApiError as error:
            if error.status != 409:
                raise
            await _same(api, change, wanted)
        return
    body = {**wanted, "metadata": {**wanted["metadata"], "uid": change.uid}}
    await _retried(lambda: api.patch(f"{NAMESPACES}/{change.name}", body, APPLY, _FORCED))


async def _same(api: Api, change: Change, wanted: Json) -> None:
    """Somebody was faster. If it was another of us, for the same owner, all is well."""
    place, ours = place_of(await _asked(api.get(f"{NAMESPACES}/{change.name}"))), place_of(wanted)
    if (
        not place.is_ours
        or place.is_going
        or (place.owner, place.owner_kind) != (ours.owner, ours.owner_kind)
    ):
        raise _Stopped("a namespace of this name appeared meanwhile, which is not this profile's")


async def _delete(api: Api, path: str, uid: str | None) -> None:
    body = {"preconditions": {"uid": uid}} if uid else None
    try:
        await _retried(lambda: api.delete(path, body))
    except ApiError as error:
        if error.status != 404:
            raise


async def _retried(call: Callable[[], Awaitable[Json]]) -> Json:
    """Again after 429, no answer, or a server error, for about ten seconds."""
    for attempt in range(_TRIES):
        try:
            return await call()
        except ApiError as error:
            if attempt == _TRIES - 1 or (error.status not in {0, 429} and error.status < 500):
                raise
            await asyncio.sleep(min(error.retry_after or 0.25 * 2**attempt, 10))
    raise AssertionError


async def _asked(answer: Awaitable[Json]) -> Json:
    try:
        return await answer
    except ApiError as error:
        if error.status == 404:
            raise _Stopped("its namespace was deleted since the plan was made; plan again") from error
        raise unanswered("about the namespace", error) from error


def _reason(error: Exception) -> str:
    """Why, in words for the administrator who applies."""
    if not isinstance(error, ApiError):
        return str(error)
    if error.status == 403 and "attempting to grant" in error.message:
        return (
            "the API server lets nobody grant rights that they lack: whoever provisions needs the verb bind on "
            "the ClusterRoles of profiles"
        )
    return error.message or str(error)
