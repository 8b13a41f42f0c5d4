"""Letting the contributors of a profile open a server in it, by JupyterHub's own shares.

The form's choice makes the shares, and they follow the profile: who comes in later gets one, who is taken out loses
it. Nobody else is ever given one, so that a look at a profile (`view`) never opens a kernel in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from spawner.profiles.directory import Directory

if TYPE_CHECKING:
    from spawner.api import Api

_AT_ONCE: Final = 500
"""Names in one question to the database."""


async def contributors(api: Api, db: Any, profile: str, owner: str) -> list[Any]:
    """The Hub's users, but for ``owner``, who may start servers in the profile themselves. Raises Refused 503."""
    directory = Directory.of(api)
    named = await directory.people_of(profile)
    users = {each.name: each for each in _users(db, named) if each.name != owner}
    allowed = []
    for name, user in sorted(users.items()):
        role = await directory.role_in(profile, name, [group.name for group in user.groups])
        if role in {"owner", "edit"}:
            allowed.append(user)
    return allowed


def _users(db: Any, subjects: Iterable[str]) -> Iterator[Any]:
    """The users of these subjects with their groups, in a few questions however many they are."""
    from jupyterhub import orm
    from sqlalchemy.orm import selectinload

    parts: dict[str, list[str]] = {"User": [], "Group": []}
    for subject in subjects:
        kind, _, name = subject.partition(":")
        parts[kind].append(name)
    query = db.query(orm.User).options(selectinload(orm.User.groups))
    for start in range(0, len(parts["User"]), _AT_ONCE):
        yield from query.filter(orm.User.name.in_(parts["User"][start : start + _AT_ONCE]))
    for start in range(0, len(parts["Group"]), _AT_ONCE):
        names = parts["Group"][start : start + _AT_ONCE]
        yield from query.filter(orm.User.groups.any(orm.Group.name.in_(names)))


def settle(db: Any, spawner: Any, wanted: Iterable[Any]) -> None:
    """Make the shares of a server (a row of the Hub's database) just these users'."""
    from jupyterhub import orm

    wanted = {each.id: each for each in wanted}
    had = db.query(orm.Share).filter_by(spawner_id=spawner.id).all()
    for share in had:
        if share.user_id not in wanted:
            db.delete(share)
    known = {share.user_id for share in had}
    missing = [each for key, each in wanted.items() if key not in known]
    if missing or len(wanted) < len(had):
        db.commit()
    for each in missing:
        orm.Share.grant(db, spawner, each)


def shared_with(user: Any, base: str) -> list[dict[str, str]]:
    """The running servers of others that this user (a row of the Hub's database) may open."""
    from urllib.parse import quote

    found = []
    for share in getattr(user, "shared_with_me", None) or ():
        if share.spawner is None or share.spawner.server is None:
            continue
        name = str(share.spawner.name)
        path = f"{base}user/{quote(share.owner.name, safe='')}/" + (
            f"{quote(name, safe='')}/" if name else ""
        )
        title = f"{share.owner.name}, {name}" if name else share.owner.name
        found.append({"title": title, "url": path})
    return sorted(found, key=lambda each: each["title"])[:50]
