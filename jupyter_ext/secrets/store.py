"""The files that Secrets and ConfigMaps are kept in: one each, whole or not there, for their owner alone.

A file is the object as Kubernetes' core/v1 has it. What the name and the keys may be, and how large it may become, is
Kubernetes' rule too, so that what works here can be applied to a cluster as it is.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.local.home import make_private
from jupyter_ext.cluster.resource import now
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Where

SECRET: Final = "Secret"  # noqa: S105 - a kind
CONFIG_MAP: Final = "ConfigMap"
FOLDERS: Final = {SECRET: "secrets", CONFIG_MAP: "configmaps"}
LARGEST: Final = 1 << 20
"""Bytes that all values of one object may have together."""
_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")


@dataclass(frozen=True)
class Entry:
    """What there is, without its values. ``version`` is another one after each change, and says nothing of the values."""

    kind: str
    name: str
    keys: tuple[str, ...]
    created: str
    version: str

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"kind": self.kind, "name": self.name, "keys": [*self.keys], "created": self.created}


def checked_name(name: str, kind: str = SECRET) -> str:
    """The name, if it may be one (RFC 1123 subdomain). Raises Invalid."""
    if len(name) <= 253 and _NAME.fullmatch(name):
        return name
    raise Invalid(
        f"{name[:60]!r} is not the name of a {kind}",
        where=Where(field="name"),
        hint="Use small letters, digits, dashes and dots; it begins and ends with a letter or a digit.",
    )


def checked_key(key: str) -> str:
    """The key, if it may be one: it is the name of a file as well. Raises Invalid."""
    if _KEY.fullmatch(key) and key != "." and not key.startswith(".."):
        return key
    raise Invalid(
        f"{key[:60]!r} is not a key",
        where=Where(field="key"),
        hint="Use letters, digits, '-', '_' and '.'; it does not begin with two dots.",
    )


class Store:
    """The Secrets and ConfigMaps of one profile, whose folder is ``home``."""

    def __init__(self, home: Path, namespace: str = "default") -> None:
        self.home, self.namespace = home, namespace

    def values(self, name: str, kind: str = SECRET) -> dict[str, bytes]:
        """All values by key. Raises NotFound."""
        return _values(self._read(name, kind), f"The {kind} {name}")

    def value(self, name: str, key: str, kind: str = SECRET) -> bytes:
        """One value. Raises NotFound, naming the keys that there are."""
        found = self.values(name, kind)
        if checked_key(key) not in found:
            raise NotFound(
                f"The {kind} {name} has no key {key!r}",
                hint=f"Keys: {', '.join(found)}." if found else _remedy(name, key, kind),
            )
        return found[key]

    def entry(self, name: str, kind: str = SECRET) -> Entry:
        """What is known of one. Raises NotFound."""
        found = self._read(name, kind)
        meta = found.get("metadata") or {}
        keys = tuple(sorted(_values(found, f"The {kind} {name}")))
        return Entry(
            kind, name, keys, str(meta.get("creationTimestamp", "")), str(meta.get("resourceVersion", ""))
        )

    def entries(self, kind: str = SECRET) -> list[Entry]:
        """All of a kind, by name."""
        names = sorted(path.stem for path in self._folder(kind).glob("*.json"))
        return [self.entry(name, kind) for name in names if _NAME.fullmatch(name)]

    def set(self, name: str, key: str, value: str | bytes, kind: str = SECRET) -> Entry:
        """Give a key a value; makes the object where there is none. Raises Invalid for what Kubernetes would not take."""
        checked_name(name, kind)
        checked_key(key)
        if not isinstance(value, str | bytes):
            raise Invalid(
                f"The value of {key} must be text or bytes, not {type(value).__name__}",
                where=Where(field=key),
            )
        content = value.encode() if isinstance(value, str) else bytes(value)
        with self._changing(kind):
            try:
                document = self._read(name, kind)
            except NotFound:
                document = _new(name, kind, self.namespace)
            values = {**_values(document, f"The {kind} {name}"), key: content}
            size = sum(map(len, values.values()))
            if size > LARGEST:
                raise Invalid(
                    f"The {kind} {name} would have {size} bytes",
                    where=Where(field=key),
                    hint=f"At most {LARGEST} bytes.",
                )
            self._write(name, kind, document, values)
        return self.entry(name, kind)

    def delete(self, name: str, key: str | None = None, kind: str = SECRET) -> None:
        """Remove it, or one key of it. Raises NotFound."""
        with self._changing(kind):
            document = self._read(name, kind)
            values = _values(document, f"The {kind} {name}")
            if key is not None:
                if values.pop(checked_key(key), None) is None:
                    raise NotFound(
                        f"The {kind} {name} has no key {key!r}", hint=f"Keys: {', '.join(values)}."
                    )
                self._write(name, kind, document, values)
                return
            self._path(name, kind).unlink(missing_ok=True)

    def _folder(self, kind: str) -> Path:
        if kind not in FOLDERS:
            raise Invalid(
                f"{kind!r} is neither Secret nor ConfigMap",
                where=Where(field="kind"),
                hint="Give one of them.",
            )
        return self.home / FOLDERS[kind]

    def _path(self, name: str, kind: str) -> Path:
        return self._folder(kind) / f"{checked_name(name, kind)}.json"

    def _read(self, name: str, kind: str) -> dict[str, Any]:
        path = self._path(name, kind)
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise NotFound(
                f"There is no {kind} {name} in the profile {self.namespace}", hint=_remedy(name, "KEY", kind)
            ) from None
        except (OSError, ValueError):
            # What the parser says could quote a value.
            raise KubeflowError(
                f"The {kind} {name} cannot be read",
                where=Where(object=str(path)),
                hint="Delete it, and set it anew.",
            ) from None
        if not isinstance(found, dict):
            raise KubeflowError(f"The {kind} {name} is damaged", where=Where(object=str(path)))
        return found

    def _write(self, name: str, kind: str, document: Mapping[str, Any], values: Mapping[str, bytes]) -> None:
        meta = {**document["metadata"], "resourceVersion": os.urandom(8).hex()}
        told = {**document, "metadata": meta, **_data(kind, values)}
        path = self._path(name, kind)
        temporary = path.with_name(f".{os.getpid()}-{os.urandom(6).hex()}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(told, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise KubeflowError(
                f"The {kind} {name} could not be written ({error.strerror})", where=Where(object=str(path))
            ) from error

    @contextmanager
    def _changing(self, kind: str) -> Iterator[None]:
        """One writer at a time: two keys set at once are both there."""
        folder = make_private(self._folder(kind))
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _remedy(name: str, key: str, kind: str) -> str:
    option = " --config-map" if kind == CONFIG_MAP else ""
    return f"Make it: jupyter kf secret set {name} {key}{option}"


def _new(name: str, kind: str, namespace: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "creationTimestamp": now()}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta} | (
        {"type": "Opaque"} if kind == SECRET else {}
    )


def _values(document: Mapping[str, Any], name: str) -> dict[str, bytes]:
    data, binary = document.get("data") or {}, document.get("binaryData") or {}
    plain = document.get("kind") == CONFIG_MAP
    try:
        found = {key: text.encode() if plain else base64.b64decode(text) for key, text in data.items()}
        return found | {key: base64.b64decode(text) for key, text in binary.items()}
    except (AttributeError, TypeError, binascii.Error):
        raise KubeflowError(f"{name} is damaged", hint="Delete it, and set it anew.") from None


def _data(kind: str, values: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    if kind == SECRET:
        return {"data": {key: base64.b64encode(value).decode() for key, value in values.items()}}
    text: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in values.items():
        try:
            text[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    return {"data": text, "binaryData": binary}
