"""How each framework is started: one module for each, with a function ``plan`` and a few facts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

from jupyter_ext.errors import Invalid, Where

if TYPE_CHECKING:
    from jupyter_ext.training.launch import Launch, Ports
    from jupyter_ext.training.spec import JobSpec

NAMES: Final = ("torch", "tensorflow", "xgboost", "jax", "deepspeed", "plain")
RUNTIMES: Final = {name: f"{name}-distributed" for name in NAMES if name != "plain"} | {"plain": "plain"}
"""The name of each framework's runtime; upstream's where it has one."""


class Framework(Protocol):
    """What a module of this package has."""

    PACKAGES: tuple[str, ...]
    """Modules that must be there, each named as it is imported."""
    INSTALL: str
    """What to give pip when they are not."""
    ELASTIC: bool
    """Whether nodes may come and go while it runs."""

    def plan(self, job: JobSpec, python: str, ports: Ports, gpus: tuple[str, ...]) -> list[Launch]:
        """The processes of one attempt."""


def load(name: str) -> Framework:
    """The framework of this name. Raises Invalid with the nearest name there is."""
    if name not in NAMES:
        import difflib

        near = difflib.get_close_matches(name, NAMES, 1, 0.5)
        known = f"There are {', '.join(NAMES)}."
        raise Invalid(
            f"There is no framework {name!r}",
            where=Where(field="framework"),
            hint=f"Did you mean {near[0]!r}? {known}" if near else known,
        )
    return cast("Framework", import_module(f"{__name__}.{name}"))
