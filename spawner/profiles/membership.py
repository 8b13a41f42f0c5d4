"""Which profiles a user may start servers in, and the check at the door of one.

With Kubeflow's Profile kind in the cluster, a namespace is a profile's if the Profile says so and the namespace's
owner annotation agrees; without it, if our provisioner made it (its label, and the same annotation). A name that
matches means nothing. Contributors are those whom a RoleBinding in the namespace names and whom the API server
allows to create pods there; to look only (`view`) never opens a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from spawner.access import allowed, unanswered
from spawner.api import ApiError, Json
from spawner.names import check_subject, is_label, is_system
from spawner.refused import Refused

if TYPE_CHECKING:
    from spawner.api import Asking

Role = Literal["owner", "edit", "view"]

PROFILES: Final = "/apis/kubeflow.org/v1/profiles"
NAMESPACES: Final = "/api/v1/namespaces"
BINDINGS: Final = "/apis/rbac.authorization.k8s.io/v1/rolebindings"
OF_PEOPLE: Final = {"labelSelector": "!jupyter-kubeflow.org/server"}
"""Without the bindings of servers' own accounts (`spawner.starts.identity`): there is one for each server."""

OWNER: Final = "owner"
"""The annotation of a namespace that both the Profile controller and we write: the exact name of its owner."""
OWNER_KIND: Final = "jupyter-kubeflow.org/owner-kind"
_PEOPLE: Final = ("User", "Group")
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "jupyter-kubeflow"
POD_SECURITY: Final = "pod-security.kubernetes.io/enforce"
"""The label of a namespace that names the level."""


@dataclass(frozen=True)
class Profile:
    """A profile as one user sees it.

    ``uid`` is the namespace's: a namespace made anew under the same name has another. ``reason`` says why it is
    not ready, in words for the user.
    """

    name: str
    namespace: str
    owner: str
    role: Role
    labels: Mapping[str, str] = field(default_factory=dict)
    is_ready: bool = True
    reason: str = ""
    uid: str = ""
    owner_kind: str = "User"
    pod_security: str = ""
    """The level of the Pod Security Standards that the API server holds pods of the namespace to."""

    @property
    def may_start(self) -> bool:
        """Whether a server can be started in it now."""
        return self.is_ready and self.role != "view"


@dataclass(frozen=True)
class Title:
    """Who owns a profile, from the Profile or, where that kind is not installed, from the namespace."""

    name: str
    owner_kind: str
    owner: str
    is_going: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    def is_of(self, user: str, groups: Iterable[str]) -> bool:
        """Whether the user, or one of the groups, is the owner."""
        return f"{self.owner_kind}:{self.owner}" in names_of(user, groups)


@dataclass(frozen=True)
class Place:
    """What counts of a namespace."""

    name: str
    uid: str
    owner: str
    owner_kind: str
    is_ours: bool
    is_going: bool
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Binding:
    """Whom a RoleBinding names: ``User:name`` and ``Group:name``."""

    namespace: str
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class NoProfile:
    """There is none to start a server in; ``profiles`` are those that are the user's all the same."""

    profiles: Sequence[Profile]
    message: str
    hint: str


@dataclass(frozen=True)
class OneProfile:
    """There is nothing to choose; ``others`` cannot be used, each with its reason."""

    profile: Profile
    others: Sequence[Profile] = ()
    message: str = ""
    hint: str = ""

    @property
    def profiles(self) -> Sequence[Profile]:
        """All of the user's."""
        return (self.profile, *self.others)


@dataclass(frozen=True)
class ManyProfiles:
    """The user chooses; the own ones come first."""

    choices: Sequence[Profile]
    others: Sequence[Profile] = ()
    message: str = ""
    hint: str = ""

    @property
    def profiles(self) -> Sequence[Profile]:
        """All of the user's."""
        return (*self.choices, *self.others)


Answer = NoProfile | OneProfile | ManyProfiles

# Reading objects: whatever is in them, a row comes out or None.


def title_of(thing: Json) -> Title | None:
    """From a Profile."""
    about = _dict(thing.get("metadata"))
    owner = _dict(_dict(thing.get("spec")).get("owner"))
    name, kind = about.get("name"), owner.get("kind")
    if not is_label(name) or kind not in _PEOPLE or not owner.get("name"):
        return None
    labels = _words(about.get("labels"))
    return Title(str(name), str(kind), str(owner["name"]), bool(about.get("deletionTimestamp")), labels)


def place_of(thing: Json) -> Place:
    """From a Namespace."""
    about = _dict(thing.get("metadata"))
    notes, labels = _words(about.get("annotations")), _words(about.get("labels"))
    phase = _dict(thing.get("status")).get("phase")
    return Place(
        name=str(about.get("name") or ""),
        uid=str(about.get("uid") or ""),
        owner=notes.get(OWNER, ""),
        owner_kind=notes.get(OWNER_KIND, "User"),
        is_ours=labels.get(MANAGED_BY) == MANAGER and OWNER_KIND in notes,
        is_going=bool(about.get("deletionTimestamp")) or phase == "Terminating",
        labels=labels,
    )


def title_of_place(place: Place) -> Title | None:
    """From a namespace that our provisioner made; None for every other one."""
    if not place.is_ours or not place.owner or place.owner_kind not in _PEOPLE:
        return None
    return Title(place.name, place.owner_kind, place.owner, place.is_going, place.labels)


def binding_of(thing: Json) -> Binding | None:
    """From a RoleBinding; None where it names only service accounts."""
    found = thing.get("subjects")
    subjects = tuple(
        f"{subject['kind']}:{subject.get('name')}"
        for subject in (found if isinstance(found, list) else ())
        if isinstance(subject, dict) and subject.get("kind") in _PEOPLE and subject.get("name")
    )
    namespace = str(_dict(thing.get("metadata")).get("namespace") or "")
    return Binding(namespace, subjects) if subjects else None


def names_of(user: str, groups: Iterable[str]) -> tuple[str, ...]:
    """The subjects that mean the user."""
    return (f"User:{user}", *(f"Group:{name}" for name in groups if name and not name.startswith("system:")))


def judged(title: Title, place: Place | None, role: Role) -> Profile:
    """What becomes of a title and what is there for it; pure."""
    reason = _fault(title, place)
    if not reason and role == "view":
        reason = "You may look into it, not start servers in it: its owner can make you a contributor."
    return Profile(
        name=title.name,
        namespace=title.name,
        owner=title.owner,
        role=role,
        labels=title.labels,
        is_ready=not reason,
        reason=reason,
        uid=place.uid if place else "",
        owner_kind=title.owner_kind,
        pod_security=place.labels.get(POD_SECURITY, "") if place else "",
    )


def _fault(title: Title, place: Place | None) -> str:
    if is_system(title.name):
        return "The namespace of this name is the cluster's own: servers are never started there."
    if title.is_going or (place is not None and place.is_going):
        return "It is being deleted."
    if place is None:
        return "Its namespace is not there yet: the Profile controller has not made it."
    if place.owner != title.owner:
        return "The namespace of its name is not marked as its owner's, so it is not entered."
    return ""


def chosen(profiles: Sequence[Profile]) -> Answer:
    """The page's answer: none, one or many; pure."""
    usable = [profile for profile in profiles if profile.may_start]
    others = [profile for profile in profiles if not profile.may_start]
    if len(usable) > 1:
        return ManyProfiles(usable, others)
    if usable:
        return OneProfile(usable[0], others)
    hint = "Ask an administrator for a profile, or the owner of one to add you as a contributor."
    if not others:
        return NoProfile((), "You have no profile yet, and servers run in profiles only.", hint)
    first = others[0]
    if len(others) == 1:
        if first.role == "owner":
            hint = "Reload in a minute; if it stays so, tell an administrator."
        return NoProfile(others, f"Your profile {first.name} cannot be used now. {first.reason}", hint)
    return NoProfile(others, f"None of your {len(others)} profiles can be used now.", hint)


# Asking the cluster.


async def profiles_of(api: Any, user: str, groups: Iterable[str] = ()) -> list[Profile]:
    """The user's profiles, own ones first, then by name; from what is kept in memory (`spawner.profiles.directory`)."""
    from spawner.profiles.directory import Directory

    return await Directory.of(api).profiles_of(user, groups)


async def answer(api: Any, user: str, groups: Iterable[str] = ()) -> Answer:
    """The same as one typed answer for the page."""
    return chosen(await profiles_of(api, user, groups))


async def enter(api: Asking, name: object, user: str, groups: Iterable[str] = (), uid: str = "") -> Profile:
    """The profile, if this user may start a server in it this moment; else raises Refused.

    Nothing remembered is believed: Profile, namespace, binding and right are asked of the API server. ``uid`` is
    the namespace's uid of an earlier start. Who has no right learns nothing of what there is.
    """
    check_subject(user)
    groups = tuple(groups)
    if not is_label(name):
        raise Refused(400, "This is not the name of a profile", field="profile", hint=_CHOOSE)
    name = str(name)
    if is_system(name):
        raise _no_right(name)
    (title, place), may = await asyncio.gather(
        _found(api, name), allowed(api, user, groups, "create", "pods", name)
    )
    if title is None:
        raise _no_right(name)
    role: Role = "owner" if title.is_of(user, groups) else "edit"
    if role != "owner" and not await _is_bound(api, name, user, groups):
        raise _no_right(name)
    if not may and role != "owner":
        role = "view"
        if not await allowed(api, user, groups, "get", "pods", name):
            raise _no_right(name)
    profile = judged(title, place, role)
    if not profile.is_ready:
        status = 403 if role == "view" else 409
        raise Refused(
            status, f"Profile {name} cannot be used. {profile.reason}", field="profile", hint=_CHOOSE
        )
    if not may:
        message = f"Profile {name} is yours, but you may not create pods in it"
        raise Refused(
            403, message, field="profile", hint="An administrator can restore its binding namespaceAdmin."
        )
    if uid and uid != profile.uid:
        message = (
            f"The namespace of profile {name} was deleted and made anew since this server was last there"
        )
        raise Refused(409, message, field="profile", hint="Delete the stopped server, and start a new one.")
    return profile


async def is_installed(api: Asking) -> bool:
    """Whether the cluster has Kubeflow's Profile kind; raises Refused 503 where it does not say."""
    try:
        found = await api.get("/apis/kubeflow.org/v1")
    except ApiError as error:
        if error.status == 404:
            return False
        raise unanswered("whether it has profiles", error) from error
    return any(kind.get("name") == "profiles" for kind in found.get("resources") or ())


async def _found(api: Asking, name: str) -> tuple[Title | None, Place | None]:
    """Who owns it and what is there; falls back to the namespace only where the kind is surely not installed."""
    profile, namespace = await asyncio.gather(
        _get(api, f"{PROFILES}/{quote(name, safe='')}"), _get(api, f"{NAMESPACES}/{quote(name, safe='')}")
    )
    place = None if namespace is None else place_of(namespace)
    if profile is not None:
        title = title_of(profile)
        return (None if title is None or title.name != name else title), place
    if await is_installed(api):
        return None, place
    return (None if place is None else title_of_place(place)), place


async def _get(api: Asking, path: str) -> Json | None:
    try:
        return await api.get(path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise unanswered("about this profile", error) from error


async def _is_bound(api: Asking, namespace: str, user: str, groups: Sequence[str]) -> bool:
    """Whether a RoleBinding in it names the user: an administrator of the cluster is no contributor by that alone."""
    path = f"{BINDINGS.rpartition('/')[0]}/namespaces/{quote(namespace, safe='')}/rolebindings"
    try:
        found = await api.get(path, OF_PEOPLE)
    except ApiError as error:
        raise unanswered("about this profile", error) from error
    mine = set(names_of(user, groups))
    rows = (binding_of(thing) for thing in found.get("items") or ())
    return any(mine.intersection(row.subjects) for row in rows if row is not None)


_CHOOSE: Final = "Choose one of the profiles in the form."


def _no_right(name: str) -> Refused:
    """One answer for what is not there and what is somebody else's."""
    return Refused(403, f"You have no profile called {name}", field="profile", hint=_CHOOSE)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: object) -> dict[str, str]:
    return {str(key): str(word) for key, word in _dict(value).items()}
