"""The administrator's settings, plain lists of dicts, become the schema; every fault names its place."""

from __future__ import annotations

from typing import Any, Final

from spawner.form.accelerators import Accelerator
from spawner.form.choices import (  # fmt: skip
    PATH,
    AcceleratorRule,
    Home,
    Image,
    Prices,
    Range,
    Size,
    Unlisted,
    read_accelerator,
)
from spawner.form.configuration import ConfigError, Reader, distinct, each
from spawner.form.schema import Schema

DEFAULT_IMAGE: Final = {
    "key": "standard",
    "reference": "quay.io/jupyter/scipy-notebook:latest",
    "title": "Standard",
    "description": "Python with the usual scientific libraries",
}
DEFAULT_SIZES: Final = (
    {"key": "small", "title": "Small", "cpu": "1", "memory": "2Gi", "default": True},
    {"key": "medium", "title": "Medium", "cpu": "2", "memory": "8Gi"},
    {"key": "large", "title": "Large", "cpu": "8", "memory": "32Gi"},
)
SETTINGS: Final = (
    "images", "image_other", "sizes", "size_other", "accelerators", "home", "data_mount", "queue_needed", "sharing", "prices",
    "node_selector", "tolerations", "when_busy",
)  # fmt: skip


def configure(**settings: Any) -> Schema:
    """The schema of these settings; what is not given has a default that works. Raises ConfigError."""
    whole = Reader({key: value for key, value in settings.items() if value is not None}, "options")
    images = each(whole.take("images") or [DEFAULT_IMAGE], "images", Image.read)
    sizes = each(whole.take("sizes") or list(DEFAULT_SIZES), "sizes", Size.read)
    for path, choices in (("images", images), ("sizes", sizes)):
        distinct([each_one.key for each_one in choices], path)
        if sum(each_one.is_default for each_one in choices) > 1:
            raise ConfigError(f"{path}: more than one is marked as default")
    listed = each(whole.take("accelerators"), "accelerators", read_accelerator)
    own = tuple(entry for entry in listed if isinstance(entry, Accelerator))
    distinct([entry.key for entry in own], "accelerators")
    home = whole.take("home")
    schema = Schema(
        images,
        sizes,
        image_other=_one(whole.take("image_other"), "image_other", Unlisted),
        size_other=_one(whole.take("size_other"), "size_other", Range),
        accelerators=own,
        rules=tuple(entry for entry in listed if isinstance(entry, AcceleratorRule)),
        home=None if home is False else _one(home or {}, "home", Home),
        data_mount=whole.matching("data_mount", PATH, "an absolute path", "/data"),
        queue_needed=whole.flag("queue_needed"),
        sharing=whole.flag("sharing"),
        prices=_one(whole.take("prices"), "prices", Prices),
        node_selector=whole.labels("node_selector"),
        tolerations=whole.tolerations("tolerations"),
        when_busy=whole.text("when_busy", "refuse"),
    )
    if schema.when_busy not in {"refuse", "wait"}:
        raise whole.fail("when_busy", f"must be 'refuse' or 'wait', not {schema.when_busy!r}")
    whole.done()
    return schema


def _one(value: object, path: str, kind: Any) -> Any:
    if value is None:
        return None
    reader = Reader(value, path)
    found = kind.read(reader)
    reader.done()
    return found
