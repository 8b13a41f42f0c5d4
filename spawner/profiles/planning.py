"""From what is declared and what there is to what is to be done; pure, so that a plan can be shown before it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from spawner.profiles.declared import Wish
from spawner.profiles.drift import drift, is_immutable
from spawner.profiles.membership import MANAGED_BY, MANAGER, Place, place_of, title_of
from spawner.profiles.objects import CONTRIBUTOR, PART, additions, desired, profile
from spawner.profiles.policy import Platform
from spawner.profiles.survey import Survey

Json = dict[str, Any]
Action = Literal["create", "update", "replace", "delete", "keep", "blocked"]

_NEVER_DELETED: Final = {"ServiceAccount"}


@dataclass(frozen=True)
class Change:
    """One object of a plan. ``keep`` and ``blocked`` change nothing; ``why`` says why, in words.

    ``profile`` is the profile's name, ``uid`` its namespace's, empty where that is still to be made.
    """

    action: Action
    kind: str
    name: str
    profile: str
    why: str
    wanted: Json | None = None
    found: Json | None = None
    uid: str = ""

    @property
    def is_work(self) -> bool:
        """Whether something is written."""
        return self.action not in {"keep", "blocked"}

    def to_dict(self) -> dict[str, str]:
        """JSON form."""
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "profile": self.profile,
            "why": self.why,
        }


def planned(wishes: Iterable[Wish], there: Survey, platform: Platform | None = None) -> list[Change]:
    """The whole plan, profile after profile; each begins with its namespace or its Profile."""
    platform = replace(platform or Platform(), has_istio=there.has_istio)
    wishes = list(wishes)
    held: dict[str, list[Json]] = {}
    for (_, namespace, _), thing in there.objects.items():
        held.setdefault(namespace, []).append(thing)
    one = _with_controller if there.has_profiles else _alone
    changes = [
        change for wish in wishes for change in one(wish, there, platform, held.get(wish.namespace, []))
    ]
    return changes + list(_forgotten({wish.namespace for wish in wishes}, there))


def _alone(wish: Wish, there: Survey, platform: Platform, held: list[Json]) -> Iterator[Change]:
    """Where there is no Profile controller."""
    name = wish.namespace
    wanted = desired(wish, platform, there.roles)
    found = there.namespaces.get(name)
    if found is None:
        for thing in wanted:
            yield _change("create", thing, name, "It is not there yet.")
        return
    place = place_of(found)
    reason = _not_ours(place, wish)
    if reason:
        yield Change("blocked", "Namespace", name, name, reason, uid=place.uid)
        return
    yield _compared(wanted[0], found, place)
    yield from _inside(wanted[1:], there, place)
    yield from _pruned(wanted, held, place, lambda thing: thing["kind"] not in _NEVER_DELETED)


def _with_controller(wish: Wish, there: Survey, platform: Platform, held: list[Json]) -> Iterator[Change]:
    """Where the Profile controller makes what is the profile's, and we only what it does not."""
    name = wish.namespace
    found, namespace = there.profiles.get(name), there.namespaces.get(name)
    place = None if namespace is None else place_of(namespace)
    reason = _not_theirs(found, place, wish)
    if reason:
        yield Change("blocked", "Profile", name, name, reason, uid=place.uid if place else "")
        return
    if found is None:
        handed = place is not None and place.is_ours
        why = "Its namespace is handed over to the Profile controller." if handed else "It is not there yet."
        yield _change("create", profile(wish), name, why)
    elif not _is_marked(found) and (place is None or not place.is_ours):
        yield Change("keep", "Profile", name, name, "Kubeflow made it, so nothing of it is changed here.")
        return
    else:
        yield _compared_profile(wish, found)
    if place is None:
        why = "The Profile controller has not made it yet; apply again then, for what goes into it."
        yield Change("keep", "Namespace", name, name, why)
        return
    wanted = additions(wish, platform, there.roles)
    yield from _inside(wanted, there, place)
    yield from _pruned(wanted, held, place, _is_addition)


def _not_ours(place: Place, wish: Wish) -> str:
    if not place.is_ours:
        return (
            "A namespace of this name exists that was not made here: it is left alone. Choose another name."
        )
    if place.is_going:
        return "The namespace is being deleted. Apply again when it is gone."
    if (place.owner_kind, place.owner) != (wish.owner.kind, wish.owner.name):
        return f"It belongs to {place.owner_kind.lower()} {place.owner}, and what is in it with it."
    return ""


def _not_theirs(found: Json | None, place: Place | None, wish: Wish) -> str:
    title = title_of(found) if found is not None else None
    if found is not None and title is None:
        return "There is a Profile of this name without an owner."
    if title is not None and (title.owner_kind, title.owner) != (wish.owner.kind, wish.owner.name):
        return f"There is a Profile of this name, which belongs to {title.owner_kind.lower()} {title.owner}."
    if (title is not None and title.is_going) or (place is not None and place.is_going):
        return "It is being deleted. Apply again when it is gone."
    if place is not None and place.owner != wish.owner.name:
        return "A namespace of this name exists that is not marked as its owner's: the Profile controller refuses it."
    return ""


def _inside(wanted: Iterable[Json], there: Survey, place: Place) -> Iterator[Change]:
    for thing in wanted:
        found = there.objects.get((thing["kind"], place.name, thing["metadata"]["name"]))
        if found is None:
            yield _change(
                "create", thing, place.name, "It is not there, or its labels are gone.", uid=place.uid
            )
        else:
            yield _compared(thing, found, place)


def _compared(wanted: Json, found: Json, place: Place) -> Change:
    wrong = drift(wanted, found)
    if not wrong:
        return _change("keep", wanted, place.name, "It is as declared.", found, place.uid)
    action: Action = "replace" if is_immutable(wanted, found) else "update"
    return _change(action, wanted, place.name, f"It differs in {', '.join(wrong[:5])}.", found, place.uid)


def _compared_profile(wish: Wish, found: Json) -> Change:
    """Of a Profile only the quota is ours to keep; plugins and more are the administrator's."""
    name = wish.namespace
    spec = found.get("spec") or {}
    have = {
        "kind": "Profile",
        "metadata": found.get("metadata") or {},
        "spec": spec.get("resourceQuotaSpec") or {},
    }
    quota = dict(wish.quota)
    want = {
        "kind": "Profile",
        "metadata": profile(wish)["metadata"],
        "spec": {"hard": quota} if quota else {},
    }
    wrong = drift(want, have)
    if not wrong:
        return _change("keep", profile(wish), name, "It is as declared.", found)
    return _change("update", profile(wish), name, f"It differs in {', '.join(wrong[:5])}.", found)


def _pruned(wanted: Iterable[Json], held: Iterable[Json], place: Place, may_go: Any) -> Iterator[Change]:
    """Our own objects that are no longer declared; above all a contributor's way in."""
    names = {(thing["kind"], thing["metadata"]["name"]) for thing in wanted}
    for thing in held:
        if (thing["kind"], thing["metadata"]["name"]) not in names and may_go(thing):
            yield _change("delete", thing, place.name, "It is no longer declared.", thing, place.uid)


def _is_addition(thing: Json) -> bool:
    part = (thing["metadata"].get("labels") or {}).get(PART)
    return part == CONTRIBUTOR or thing["kind"] == "NetworkPolicy"


def _forgotten(declared: set[str], there: Survey) -> Iterator[Change]:
    """Ours, and in no declaration: it stays, for data is in it."""
    if not there.is_whole:
        return
    why = "It is no longer declared, and stays until it is deleted: jupyter kf profiles delete {}."
    for name, found in there.profiles.items():
        if name not in declared and _is_marked(found):
            yield Change("keep", "Profile", name, name, why.format(name), found=found)
    for name, found in there.namespaces.items():
        if name not in declared and name not in there.profiles and place_of(found).is_ours:
            yield Change("keep", "Namespace", name, name, why.format(name), found=found)


def _is_marked(found: Json) -> bool:
    return ((found.get("metadata") or {}).get("labels") or {}).get(MANAGED_BY) == MANAGER


def _change(
    action: Action, thing: Json, name: str, why: str, found: Json | None = None, uid: str = ""
) -> Change:
    return Change(action, thing["kind"], thing["metadata"]["name"], name, why, thing, found, uid)
