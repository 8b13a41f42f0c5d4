"""What a sampler is, and those that need no model: random, grid and Sobol's sequence.

Each suggestion of these three follows from the seed and the trial's number alone. So an experiment that was killed and
taken up again tries the same points as one that was not.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias

from jupyter_ext.tuning.space import Space, Value, combinations

State: TypeAlias = Literal["RUNNING", "SUCCEEDED", "PRUNED", "FAILED"]


@dataclass(frozen=True)
class Suggestion:
    """Parameters to try. ``parent`` is the number of the trial whose checkpoint this one goes on from."""

    values: dict[str, Value]
    labels: Mapping[str, str] = field(default_factory=dict)
    parent: int | None = None


@dataclass(frozen=True)
class Past:
    """A trial as a sampler sees it. ``value`` is the objective's, ``steps`` how often it was reported."""

    number: int
    values: dict[str, Value]
    state: State
    value: float | None = None
    steps: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


class Sampler(Protocol):
    """Chooses what to try next."""

    @property
    def total(self) -> int | None:
        """How many suggestions there are in all; None for as many as are asked for."""

    def restore(self, trials: Iterable[Past]) -> None:
        """Take up trials of an earlier process, in the order of their numbers."""

    def ask(self, number: int) -> Suggestion | None:
        """What the trial of this number is to try; None while that depends on trials that still run."""

    def tell(self, trial: Past) -> None:
        """A trial that was asked for has ended."""

    def spent(self) -> list[int]:
        """Trials whose checkpoints nothing goes on from any more; each is told once."""


class _Stateless:
    """What follows from the number needs to remember nothing."""

    def restore(self, trials: Iterable[Past]) -> None:
        """Nothing to take up."""

    def tell(self, trial: Past) -> None:
        """Nothing to learn."""

    def spent(self) -> list[int]:
        """Nothing goes on from another's checkpoint."""
        return []


class Random(_Stateless):
    """Independent draws."""

    total: Final = None

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed

    def ask(self, number: int) -> Suggestion:
        """Draw every parameter."""
        return Suggestion(draw(self._space, self._seed, number))


def draw(space: Space, seed: int, *place: object) -> dict[str, Value]:
    """Random values of all parameters, the same for the same seed and place."""
    generator = random.Random(f"{seed}/{'/'.join(map(str, place))}")  # noqa: S311 - a search, no secret
    return {name: parameter.at(generator.random()) for name, parameter in space.items()}


class Grid(_Stateless):
    """Every combination once; the last parameter changes fastest."""

    def __init__(self, space: Space) -> None:
        self._values = {name: parameter.values() or [] for name, parameter in space.items()}
        self.total: int | None = combinations(space)

    def ask(self, number: int) -> Suggestion | None:
        """The combination of this number."""
        if self.total is None or number >= self.total:
            return None
        found: dict[str, Value] = {}
        for name in reversed(self._values):
            number, place = divmod(number, len(self._values[name]))
            found[name] = self._values[name][place]
        return Suggestion({name: found[name] for name in self._values})


class Sobol(_Stateless):
    """Sobol's sequence: points that fill the space evenly from the first on. Scrambled if a seed is given."""

    total: Final = None

    def __init__(self, space: Space, seed: int | None) -> None:
        from scipy.stats import qmc

        self._space = space
        self._engine: Any = qmc.Sobol(len(space), scramble=seed is not None, rng=seed)
        self._next = 0

    def ask(self, number: int) -> Suggestion:
        """The point of this number."""
        if number != self._next:
            self._engine.reset()
            self._engine.fast_forward(number)
        self._next = number + 1
        point = self._engine.random(1)[0]
        places = zip(self._space.items(), point, strict=True)
        return Suggestion({name: parameter.at(float(unit)) for (name, parameter), unit in places})
