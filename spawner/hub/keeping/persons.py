"""As whom a server runs, where, and with which folders: a Hub user's own ones, or those of the system user."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from spawner.hub.keeping.records import Records, folder_name
from spawner.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping


class Person(NamedTuple):
    """``run_as`` is None for the Hub's own system user, else ``uid``, ``gid`` and ``groups``."""

    run_as: dict[str, Any] | None
    home: str
    environment: Mapping[str, str]


def of_the_hub(records: Records, name: str, *, share_root: bool) -> Person:
    """The Hub's system user, with the private folders of this Hub user. Raises Refused as root without leave."""
    if os.geteuid() == 0 and not share_root:
        raise Refused(403, "This Hub runs as root, and servers must not", hint="Set as_system_users.")
    from jupyter_ext.cluster.local.home import HOME, PROFILE, make_private

    place = records.user(name)
    folders = {
        "HOME": place / "home",
        "JUPYTER_DATA_DIR": place / "data",
        "JUPYTER_CONFIG_DIR": place / "config",
        "JUPYTER_RUNTIME_DIR": place / "runtime",
        "IPYTHONDIR": place / "ipython",
        "XDG_CACHE_HOME": place / "cache",
        "TMPDIR": place / "tmp",
    }
    found = {variable: str(make_private(folder)) for variable, folder in folders.items()}
    profile = {HOME: str(make_private(place / "data" / "kubeflow")), PROFILE: folder_name(name)}
    return Person(None, found["HOME"], {"USER": name, "SHELL": "/bin/bash", **found, **profile})


def of_the_system(name: str) -> Person:
    """The system user of this name. Raises Refused for one that is not there, and for root."""
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        words = f"This machine has no user {name}"
        raise Refused(403, words, hint="Ask its administrator for an account.") from None
    if entry.pw_uid == 0:
        raise Refused(403, "A server must not run as root")
    run_as = {"uid": entry.pw_uid, "gid": entry.pw_gid, "groups": os.getgrouplist(name, entry.pw_gid)}
    environment = {"USER": name, "HOME": entry.pw_dir, "SHELL": entry.pw_shell or "/bin/sh"}
    return Person(run_as, entry.pw_dir, environment)
