"""The settings of the start form as traits, and the schema that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Bool, Dict, HasTraits, List, Unicode, Union

if TYPE_CHECKING:
    from spawner.form.schema import Schema


class FormSettings(HasTraits):
    """What the form offers; `docs/spawner-form.md` has every key."""

    images = List(
        Dict(), config=True, help="Images to choose from: key, reference, title, description, default."
    )
    image_other = Dict(
        None, allow_none=True, config=True, help="Lets users name another image, within a pattern."
    )
    sizes = List(
        Dict(), config=True, help="Sizes to choose from: key, title, cpu, memory, idle_minutes, default."
    )
    size_other = Dict(
        None, allow_none=True, config=True, help="Lets users type CPU and memory, within bounds."
    )
    accelerators = List(
        Dict(), config=True, help="Rules for the accelerators that are found on the nodes, and further ones."
    )
    home = Union([Bool(), Dict()], default_value=True, config=True, help="The home volume; False for none.")
    data_mount = Unicode("/data", config=True, help="Below which path chosen data volumes are mounted.")
    queue_needed = Bool(False, config=True, help="A server must wait in a Kueue LocalQueue.")
    sharing = Bool(
        False,
        config=True,
        help="Users may let the contributors of the profile open their server (JupyterHub's shares).",
    )
    prices = Dict(None, allow_none=True, config=True, help="What things cost an hour, for the form.")
    when_busy = Unicode(
        "refuse",
        config=True,
        help="`refuse` or `wait`: what becomes of a choice that fits on no node right now.",
    )

    def everywhere(self) -> dict[str, Any]:
        """``node_selector`` and ``tolerations`` of every server, where a spawner has them."""
        return {}

    def schema(self) -> Schema:
        """What the settings mean; raises ConfigError naming the place of a fault."""
        from spawner.form.settings import configure

        found: dict[str, Any] = {
            "images": self.images,
            "image_other": self.image_other,
            "sizes": self.sizes,
            "size_other": self.size_other,
            "accelerators": self.accelerators,
            "home": None if self.home is True else self.home,
            "data_mount": self.data_mount,
            "queue_needed": self.queue_needed,
            "sharing": self.sharing,
            "prices": self.prices,
            "when_busy": self.when_busy,
            **self.everywhere(),
        }
        return configure(**{key: value for key, value in found.items() if value or value is False})
