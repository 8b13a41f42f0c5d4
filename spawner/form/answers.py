"""What a user sends, brought into one shape: the lists of strings of a form and the JSON of REST alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from spawner.form.configuration import printable
from spawner.refused import Refused

FIELDS: Final = {
    "namespace": "the profile that the server runs in",
    "image": "what is installed in the server",
    "image_other": "an image that is not listed, with image 'other'",
    "size": "CPU and memory",
    "cpu": "CPU, with size 'other'",
    "memory": "memory, with size 'other'",
    "accelerator": "the kind of accelerator, 'none' for none",
    "count": "how many accelerators",
    "home": "'keep' for a home folder that stays, 'none' for one that goes with the server",
    "home_size": "the size of a new home folder, or a larger one for a folder that can grow",
    "data": "data volumes to mount",
    "data_read_only": "those of the data volumes that are only read",
    "pod_defaults": "PodDefaults of the profile",
    "queue": "the queue that starts the server, empty for none",
    "shared": "'contributors' for a server that the profile's contributors may open too, empty for one's own",
}
_LISTS: Final = frozenset({"data", "data_read_only", "pod_defaults"})
_LONGEST, _MOST = 500, 64


def refused(name: str, message: str, hint: str = "") -> Refused:
    """A 400 that names the field."""
    return Refused(400, message, hint=hint, field=name)


def shown(text: str) -> str:
    """A user's text inside a sentence: quoted, short, and never more than text."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def read(user_options: object, also: frozenset[str]) -> dict[str, Any]:
    """The known fields, each a text or a list of texts: one shape for the form's lists and for JSON."""
    if not isinstance(user_options, Mapping):
        raise refused("user_options", f"must be an object, not {type(user_options).__name__}")
    if len(user_options) > _MOST:
        raise refused("user_options", f"has {len(user_options)} fields, more than {_MOST}")
    found: dict[str, Any] = {}
    for key, value in user_options.items():
        if key in also or key == "_xsrf" or value is None:
            continue
        if not isinstance(key, str) or key not in FIELDS:
            raise refused(
                "user_options",
                f"there is no field {shown(str(key)[:100])}",
                f"Known are {', '.join(FIELDS)}.",
            )
        found[key] = _texts(key, value) if key in _LISTS else _text(key, value)
    return found


def _text(key: str, value: object) -> str:
    if isinstance(value, list | tuple):
        if len(value) != 1:
            raise refused(key, f"must be one value, not {len(value)}")
        value = value[0]
    if (
        key in {"count", "cpu", "memory"}
        and isinstance(value, int)
        and not isinstance(value, bool)
        and 0 <= value < 2**63
    ):
        value = str(value)
    if not isinstance(value, str):
        raise refused(key, f"must be text, not {type(value).__name__}")
    if len(value) > _LONGEST:
        raise refused(key, f"is longer than {_LONGEST} characters")
    if not printable(value):
        raise refused(key, f"{shown(value)} holds characters that cannot be seen")
    return value


def _texts(key: str, value: object) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple):
        raise refused(key, f"must be a list of names, not {type(value).__name__}")
    if len(values) > _MOST:
        raise refused(key, f"has {len(values)} names, more than {_MOST}")
    return list(dict.fromkeys(_text(key, each) for each in values))
