"""Start a command where it finds its volumes: ``python -I enter_mounts.py REQUEST.json PROGRAM WORD…``.

A pod's volumes have absolute paths such as ``/data``. Linux lets a user have a view of the file system of one's own (a mount
namespace, in a user namespace where that takes one): there the volumes are mounted, and the command takes this process's
place. Nothing is changed for anybody else, and nothing is left when the command has ended. A path that is not there is made in
a root of its own, in which everything else is what it is outside. mount(2), user_namespaces(7), pivot_root(2).

Standard library only, and one thread: a process with more cannot enter a user namespace.
"""

import base64
import ctypes
import json
import os
import sys
from typing import Any

NEWNS, NEWUSER = 0x00020000, 0x10000000
RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC, PRIVATE, DETACH = 1, 2, 4, 32, 4096, 16384, 1 << 18, 2
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """Never returns where it can be done; else writes why, and returns the exit status."""
    with open(arguments[0], encoding="utf-8") as file:
        request = json.load(file)
    try:
        enter(request)
        os.execv(arguments[1], arguments[1:])  # noqa: S606 - a list of words, and no shell wanted
    except OSError as error:
        message = f"Its volumes could not be mounted ({error})"
        print(message, file=sys.stderr)
        if request.get("error"):
            with open(request["error"], "w", encoding="utf-8") as file:
                json.dump({"type": "Unavailable", "message": message}, file)
    return 125


def enter(request: Any) -> None:
    """Have a view of one's own, with these mounts in it. Raises OSError."""
    folder = os.getcwd()
    _own_view(request.get("user"), request.get("group"))
    mounts = [{**each, "path": os.path.realpath(each["path"])} for each in request["mounts"]]
    mounts.sort(key=lambda each: str(each["path"]).count("/"))
    missing = [each["path"] for each in mounts if not os.path.isdir(each["path"])]
    root = ""
    if missing:
        root = request["root"]
        os.makedirs(root, mode=0o700, exist_ok=True)
        _mount("tmpfs", root, "tmpfs", NOSUID | NODEV, "mode=0755")
        _copy("/", root, [path.strip("/").split("/") for path in missing])
    for each in mounts:
        _place(each, root + each["path"])
    if root:
        os.chdir(root)
        if _LIBC.pivot_root(b".", b".") or _LIBC.umount2(b".", DETACH):
            raise _failed("/")
    os.chdir(folder)


def _own_view(user: Any, group: Any) -> None:
    """The mount namespace; with a user namespace where it takes one, or where somebody else's name is wanted."""
    uid, gid = os.getuid(), os.getgid()
    other = (user is not None and user != uid) or (group is not None and group != gid)
    if other or _LIBC.unshare(NEWNS):
        if _LIBC.unshare(NEWUSER | NEWNS):
            raise _failed("/")
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid if user is None else user} {uid} 1"),
            ("gid_map", f"{gid if group is None else group} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    _mount("none", "/", None, REC | PRIVATE)


def _copy(outside: str, inside: str, wanted: list[list[str]]) -> None:
    """Make a folder in which is what is outside, and which has the missing paths too."""
    heads: dict[str, list[list[str]]] = {}
    for parts in wanted:
        heads.setdefault(parts[0], []).append(parts[1:])
    with os.scandir(outside) as found:
        for entry in found:
            rest = [parts for parts in heads.pop(entry.name, ()) if parts]
            place = os.path.join(inside, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), place)
            elif entry.is_dir():
                os.mkdir(place, 0o755)
                if rest:
                    _copy(entry.path, place, rest)
                else:
                    _mount(entry.path, place, None, BIND | REC)
            else:
                os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o600))
                _mount(entry.path, place, None, BIND)
    for name, rest in heads.items():
        for parts in rest:
            os.makedirs(os.path.join(inside, name, *parts), 0o755, exist_ok=True)


def _place(each: Any, path: str) -> None:
    os.makedirs(path, 0o755, exist_ok=True)
    if each["kind"] == "folder":
        _mount(each["source"], path, None, BIND | REC)
        return
    size = f",size={each['size']}" if each.get("size") else ""
    _mount("tmpfs", path, "tmpfs", NOSUID | NODEV, "mode=0700" + size)
    if each["kind"] == "values":
        for name, value in _values(each["source"]).items():
            with open(os.open(os.path.join(path, name), os.O_CREAT | os.O_WRONLY, 0o400), "wb") as file:
                file.write(value)
        _mount("tmpfs", path, None, REMOUNT | BIND | RDONLY | NOSUID | NODEV)


def _values(source: Any) -> dict[str, bytes]:
    """The values of a Secret or ConfigMap; of one that need not be there, and is not, none."""
    if source is None:
        return {}
    with open(source, "rb") as file:
        found = json.load(file)
    plain = found["kind"] == "ConfigMap"
    data = found.get("data") or {}
    values = {key: text.encode() if plain else base64.b64decode(text) for key, text in data.items()}
    return values | {key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()}


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [None if each is None else os.fsencode(each) for each in (source, target, kind, data)]
    if _LIBC.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]):
        raise _failed(target)


def _failed(path: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
