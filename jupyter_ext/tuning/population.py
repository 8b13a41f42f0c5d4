"""Population based training (Jaderberg et al., 2017): members train side by side, generation after generation.

After each generation the worst members take over checkpoint and parameters of members that are among the best, and
change the parameters a little; the others go on as they are. A trial is one member's one generation: it finds its
checkpoint in its folder, trains on, and leaves a checkpoint there.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from jupyter_ext.tuning.sampling import Past, Suggestion, draw
from jupyter_ext.tuning.space import Parameter, Space, Value

PREFIX: Final = "pbt.suggestion.katib.kubeflow.org"
GENERATION, MEMBER, PARENT = f"{PREFIX}/generation", f"{PREFIX}/member", f"{PREFIX}/parent"
_FACTORS: Final = (0.8, 1.2)


@dataclass(frozen=True)
class Settings:
    """Katib's settings: members, the part that is replaced, and how its parameters change."""

    population: int
    truncation: float
    resample: float | None = None


class Population:
    """Exploits and explores over checkpoints."""

    total: Final = None

    def __init__(self, space: Space, seed: int, sign: int, settings: Settings) -> None:
        self._space, self._seed, self._sign, self._settings = space, seed, sign, settings
        self._asked: dict[tuple[int, int], int] = {}
        self._ended: dict[int, dict[int, Past]] = {}
        self._plans: dict[int, list[Suggestion]] = {}
        self._spent: list[int] = []

    def restore(self, trials: Iterable[Past]) -> None:
        """Put each trial where its labels say."""
        for trial in trials:
            place = _place(trial)
            if place is not None:
                self._asked[place] = trial.number
                if trial.state != "RUNNING":
                    self._ended.setdefault(place[0], {})[place[1]] = trial

    def ask(self, number: int) -> Suggestion | None:
        """The next member of the generation; None until the one before is complete."""
        size = self._settings.population
        generation, member = divmod(len(self._asked), size)
        if generation and len(self._ended.get(generation - 1, {})) < size:
            return None
        self._asked[generation, member] = number
        if generation == 0:
            values = draw(self._space, self._seed, "member", member)
            return Suggestion(values, {GENERATION: "0", MEMBER: str(member)})
        if generation not in self._plans:
            self._plans = {generation: self._plan(generation)}
            self._spent += [trial.number for trial in self._ended.pop(generation - 2, {}).values()]
        return self._plans[generation][member]

    def tell(self, trial: Past) -> None:
        """Note the outcome."""
        place = _place(trial)
        if place is not None:
            self._ended.setdefault(place[0], {})[place[1]] = trial

    def spent(self) -> list[int]:
        """The members of the generation before the last."""
        found, self._spent = self._spent, []
        return found

    def _plan(self, generation: int) -> list[Suggestion]:
        generator = random.Random(f"{self._seed}/generation/{generation}")  # noqa: S311 - a search
        before = self._ended[generation - 1]
        good = [
            member for member, trial in before.items() if trial.state != "FAILED" and trial.value is not None
        ]
        good.sort(key=lambda member: (before[member].value or 0.0) * self._sign)
        count = max(int(len(before) * self._settings.truncation), 1)
        bad = {member for member in before if member not in good}
        if len(good) > 1:
            bad |= set(good[max(len(good) - count, 1) :])
        best = [member for member in good[:count] if member not in bad]
        planned = []
        for member in range(self._settings.population):
            labels = {GENERATION: str(generation), MEMBER: str(member)}
            if member in bad and best:
                source = before[generator.choice(best)]
                values = self._explored(source.values, generator)
                planned.append(Suggestion(values, labels, source.number))
            elif member in bad:  # nobody to learn from
                values = draw(self._space, self._seed, generation, member)
                planned.append(Suggestion(values, labels))
            else:
                own = before[member]
                planned.append(Suggestion(dict(own.values), labels, own.number))
        return planned

    def _explored(self, values: dict[str, Value], generator: random.Random) -> dict[str, Value]:
        found = {}
        for name, parameter in self._space.items():
            value = values[name]
            if self._settings.resample is None:
                found[name] = perturbed(parameter, value, generator)
            elif generator.random() < self._settings.resample:
                found[name] = parameter.at(generator.random())
            else:
                found[name] = value
        return found


def perturbed(parameter: Parameter, value: Value, generator: random.Random) -> Value:
    """A number a fifth less or more, its neighbour in a list, another choice; within the space."""
    if parameter.kind == "categorical":
        others = [choice for choice in parameter.choices if choice != value]
        return generator.choice(others) if others else value
    if parameter.kind == "discrete":
        place = parameter.choices.index(value) + generator.choice((-1, 1))
        return parameter.choices[min(max(place, 0), len(parameter.choices) - 1)]
    return parameter.nearest(float(value or 0) * generator.choice(_FACTORS))


def _place(trial: Past) -> tuple[int, int] | None:
    try:
        return int(trial.labels[GENERATION]), int(trial.labels[MEMBER])
    except (KeyError, ValueError):
        return None
