"""All profiles of the cluster in memory, for every page of the Hub; one list and one watch of each kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final
from weakref import WeakKeyDictionary

from spawner.access import allowed
from spawner.mirror import Mirror
from spawner.names import check_subject
from spawner.profiles.membership import (
    BINDINGS,
    NAMESPACES,
    OF_PEOPLE,
    PROFILES,
    Place,
    Profile,
    Role,
    Title,
    binding_of,
    judged,
    names_of,
    place_of,
    title_of,
    title_of_place,
)

if TYPE_CHECKING:
    from spawner.api import Api
    from spawner.profiles.membership import Binding

_MOST: Final = 256
"""Contributions of one user that are looked at; each costs a question to the API server."""
_REMEMBERED: Final = 10.0
"""Seconds that an answer about a right is good for on a page; the check on submit asks anew."""
_WHILE_RUNNING: Final = 300.0
"""The same for the user of a running server, who is looked at twice a minute."""


class Directory:
    """Profiles, namespaces and bindings as rows; `Directory.of` gives the one of an `Api`."""

    _known: ClassVar[WeakKeyDictionary[Api, Directory]] = WeakKeyDictionary()

    def __init__(self, api: Api) -> None:
        self._api = api
        self.titles: Mirror[Title] = Mirror(api, PROFILES, title_of, _subject)
        self.places: Mirror[Place] = Mirror(api, NAMESPACES, place_of, _subject_of_place)
        self.bindings: Mirror[Binding] = Mirror(api, BINDINGS, binding_of, _keys_of_binding, OF_PEOPLE)
        self._rights: dict[tuple[str, tuple[str, ...], str], tuple[float, Role | None]] = {}
        self._asking = asyncio.Semaphore(16)

    @classmethod
    def of(cls, api: Api) -> Directory:
        """The shared one."""
        found = cls._known.get(api)
        if found is None:
            found = cls._known[api] = cls(api)
        return found

    async def stop(self) -> None:
        """End the watches."""
        self._known.pop(self._api, None)
        await asyncio.gather(self.titles.stop(), self.places.stop(), self.bindings.stop())

    async def profiles_of(self, user: str, groups: Iterable[str] = ()) -> list[Profile]:
        """The user's: own ones first, then those contributed to, each by name."""
        check_subject(user)
        groups = tuple(sorted(set(groups)))
        await asyncio.gather(self.titles.fresh(), self.places.fresh(), self.bindings.fresh())
        subjects = names_of(user, groups)
        own = {title.name: title for subject in subjects for title in self._titles_of(subject)}
        bound = {row.namespace for subject in subjects for row in self.bindings.having(subject)}
        candidates = [title for name in sorted(bound - set(own)) if (title := self._title(name)) is not None]
        roles = await asyncio.gather(*(self._role(user, groups, title.name) for title in candidates[:_MOST]))
        found = [self._judged(own[name], "owner") for name in sorted(own)]
        return found + [
            self._judged(title, role)
            for title, role in zip(candidates, roles, strict=False)
            if role is not None
        ]

    async def role_in(self, namespace: str, user: str, groups: Iterable[str] = ()) -> Role | None:
        """What the user is in one profile, for a server that runs there; None for nobody. Raises Refused 503.

        A namespace of our provisioner counts also once Kubeflow came: no new server enters it before it has a Profile,
        but those that run are not put out by the installation.
        """
        groups = tuple(sorted(set(groups)))
        await asyncio.gather(self.titles.fresh(), self.places.fresh(), self.bindings.fresh())
        place = self.places.rows.get(("", namespace))
        title = self._title(namespace) or (title_of_place(place) if place else None)
        if title is None:
            return None
        if title.is_of(user, groups):
            return "owner"
        rows = (row for subject in names_of(user, groups) for row in self.bindings.having(subject))
        if not any(row.namespace == namespace for row in rows):
            return None
        return await self._role(user, groups, namespace, _WHILE_RUNNING)

    async def people_of(self, namespace: str) -> list[str]:
        """Whom a profile names: ``User:name`` and ``Group:name`` of its owner and its bindings. Raises Refused 503."""
        await asyncio.gather(self.titles.fresh(), self.places.fresh(), self.bindings.fresh())
        title = self._title(namespace)
        if title is None:
            return []
        bound = {subject for row in self.bindings.having(_place_key(namespace)) for subject in row.subjects}
        return sorted(bound | {f"{title.owner_kind}:{title.owner}"})

    async def everyone(self) -> list[Profile]:
        """All profiles of the cluster as their owners see them; for administrators."""
        await asyncio.gather(self.titles.fresh(), self.places.fresh())
        if not self.titles.absent:
            titles = list(self.titles.rows.values())
        else:
            titles = [
                title for place in self.places.rows.values() if (title := title_of_place(place)) is not None
            ]
        return [self._judged(title, "owner") for title in sorted(titles, key=lambda title: title.name)]

    def _judged(self, title: Title, role: Role) -> Profile:
        return judged(title, self.places.rows.get(("", title.name)), role)

    def _titles_of(self, subject: str) -> list[Title]:
        if not self.titles.absent:
            return self.titles.having(subject)
        places = self.places.having(subject)
        return [title for place in places if (title := title_of_place(place)) is not None]

    def _title(self, name: str) -> Title | None:
        if not self.titles.absent:
            return self.titles.rows.get(("", name))
        place = self.places.rows.get(("", name))
        return title_of_place(place) if place is not None else None

    async def _role(
        self, user: str, groups: tuple[str, ...], namespace: str, seconds: float = _REMEMBERED
    ) -> Role | None:
        """What a contributor may there, asked at most once in so many seconds."""
        key = (user, groups, namespace)
        known = self._rights.get(key)
        now = time.monotonic()
        if known is not None and now - known[0] < seconds:
            return known[1]
        async with self._asking:
            role: Role | None = None
            if await allowed(self._api, user, groups, "create", "pods", namespace):
                role = "edit"
            elif await allowed(self._api, user, groups, "get", "pods", namespace):
                role = "view"
        if len(self._rights) > 20_000:
            self._rights = {
                key: value for key, value in self._rights.items() if now - value[0] < _WHILE_RUNNING
            }
        self._rights[key] = (now, role)
        return role


def _keys_of_binding(row: Binding) -> tuple[str, ...]:
    return (*row.subjects, _place_key(row.namespace))


def _place_key(namespace: str) -> str:
    """The key for all bindings of a namespace; no subject is of this kind."""
    return f"Namespace:{namespace}"


def _subject(title: Title) -> tuple[str, ...]:
    return (f"{title.owner_kind}:{title.owner}",)


def _subject_of_place(place: Place) -> tuple[str, ...]:
    return (f"{place.owner_kind}:{place.owner}",) if place.is_ours else ()
