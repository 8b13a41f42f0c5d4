"""What stands for a PersistentVolumeClaim here: a folder of the profile, ``volumes/NAME``.

Whoever has data for a pipeline puts it there (or makes it a link to where it is); a pipeline that makes and deletes its claims
makes and deletes folders. Sizes, storage classes and access modes are a storage system's, and nothing enforces them here.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.local.home import make_private
from jupyter_ext.cluster.resource import now, parse_memory
from jupyter_ext.errors import Conflict, Invalid, NotFound, Unfit, Where
from jupyter_ext.secrets.store import checked_name

MAKES: Final = "argostub/createpvc"
DELETES: Final = "argostub/deletepvc"
"""The images that the SDK writes for tasks that make and delete a claim."""
_MODES: Final = frozenset({"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"})
_SPACE: Final = uuid.UUID("5b4a1f86-9f0e-4a55-9c57-1d7f0f3c2a10")


def is_task(image: str) -> bool:
    """Whether a container is one of the two tasks that no container runs."""
    return image.startswith((MAKES, DELETES))


@dataclass(frozen=True)
class Request:
    """A claim that a task makes. ``source`` is one to copy."""

    name: str
    suffix: str = ""
    source: str = ""


def request(values: Mapping[str, Any]) -> Request:
    """What the inputs of such a task ask for. Raises Invalid for what a cluster would not take, Unfit for what only one has."""
    name, suffix = str(values.get("pvc_name") or ""), str(values.get("pvc_name_suffix") or "")
    if name and suffix:
        raise Invalid("A volume has either a name or a suffix for one", where=Where(field="pvc_name"))
    modes = values.get("access_modes")
    if not isinstance(modes, list) or not modes or not set(map(str, modes)) <= _MODES:
        raise Invalid(
            f"access_modes must be a list of {', '.join(sorted(_MODES))}", where=Where(field="access_modes")
        )
    parse_memory(str(values.get("size") or ""), "size")
    if values.get("volume_name"):
        raise Unfit(
            f"The PersistentVolume {values['volume_name']!r} is one of the cluster's",
            where=Where(field="volume_name"),
            hint="Leave volume_name out, or run it on a cluster.",
        )
    source = values.get("data_source") or {}
    if source and (not isinstance(source, Mapping) or source.get("kind") != "PersistentVolumeClaim"):
        raise Unfit(
            "A volume can be made of another one here, and not of a snapshot",
            where=Where(field="data_source"),
            hint="Give a PersistentVolumeClaim, or run it on a cluster.",
        )
    if name:
        checked_name(name, "PersistentVolumeClaim")
    return Request(name, suffix, str(source.get("name", "")) if source else "")


class Volumes:
    """The volumes of one profile, whose folder is ``home``. ``NAME.json`` beside a folder says who made it."""

    def __init__(self, home: Path) -> None:
        self.root = home / "volumes"

    def path(self, name: str) -> Path:
        """Where the folder of a volume is or would be. Raises Invalid for what is no name."""
        return self.root / checked_name(name, "PersistentVolumeClaim")

    def exists(self, name: str) -> bool:
        """Whether there is one of that name."""
        note = self._note(name)
        return self.path(name).is_dir() and (not note.get("deletedBy") or bool(note.get("gone")))

    def find(self, name: str) -> Path:
        """The folder of a volume. Raises NotFound, saying where one would be."""
        if self.exists(name):
            return self.path(name).resolve()
        raise NotFound(
            f"There is no volume {name} in this profile",
            where=Where(field="pvcMount"),
            hint=f"Make its folder, or a link to one, at {self.path(name)}; or let the pipeline make it.",
        )

    def inside(self, name: str, sub_path: str) -> Path:
        """The folder of a volume, or one in it, which is made. Raises NotFound, and Invalid for one that is outside."""
        root = self.find(name)
        place = (root / sub_path).resolve()
        if ".." in Path(sub_path).parts or not place.is_relative_to(root):
            raise Invalid(f"{sub_path!r} is not in the volume {name}", where=Where(field="subPath"))
        make_private(place)
        return place

    def identity(self, name: str) -> str:
        """Which volume this is: another one after it was deleted and made anew."""
        facts = self.find(name).stat()
        return f"{self._note(name).get('uid', '')}-{facts.st_dev}-{facts.st_ino}"

    def make(self, asked: Request, maker: str) -> str:
        """Make a volume; gives its name. ``maker`` names run and step: what these made before a restart is taken up.

        Raises Conflict where there is one of that name, NotFound for a source that is not there.
        """
        fresh = str(uuid.uuid5(_SPACE, maker))
        name = asked.name or fresh + asked.suffix
        place = self.path(name)
        source = self.find(asked.source) if asked.source else None
        note = self._note(name)
        mine = note.get("maker") == maker
        if self.exists(name) and not mine:
            raise Conflict(
                f"There is a volume {name} already",
                where=Where(field="pvc_name"),
                hint=f"Delete its folder {place}, or give the volume another name.",
            )
        if self.exists(name) and note.get("whole"):
            return name
        make_private(self.root)
        told = {"uid": fresh, "maker": maker, "created": now(), "whole": False}
        self._write(name, told)
        _remove(place)
        if source is None:
            make_private(place)
        else:
            shutil.copytree(source, place, symlinks=True)
        self._write(name, {**told, "whole": True})
        return name

    def delete(self, name: str, maker: str) -> None:
        """Delete a volume with what is in it; of a link only the link. Raises NotFound."""
        note = self._note(name)
        if note.get("deletedBy") == maker and note.get("gone"):
            return
        if note.get("deletedBy") != maker:
            self.find(name)
        make_private(self.root)
        self._write(name, {"deletedBy": maker})
        _remove(self.path(name))
        self._write(name, {"deletedBy": maker, "gone": True})

    def _note(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.root / f"{checked_name(name)}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, name: str, note: Mapping[str, Any]) -> None:
        temporary = self.root / f".{os.getpid()}-{os.urandom(6).hex()}"
        temporary.write_text(json.dumps(note), encoding="utf-8")
        temporary.chmod(0o600)
        temporary.replace(self.root / f"{name}.json")


def _remove(place: Path) -> None:
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(place)
