"""Hyperband as Katib runs it: a parameter is the budget, and the better part of a rung is tried again with more of it.

Li et al., 2018; bracket and rung sizes as in Katib's suggestion service. Where that waits for a whole rung, this one
goes on with the next bracket meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from jupyter_ext.tuning.sampling import Past, Suggestion, draw
from jupyter_ext.tuning.space import Space, Value

PREFIX: Final = "hyperband.suggestion.katib.kubeflow.org"
_LABELS: Final = (f"{PREFIX}/bracket", f"{PREFIX}/rung", f"{PREFIX}/slot")


@dataclass
class _Rung:
    bracket: int
    rung: int
    size: int
    budget: float
    taken: int = 0
    ended: int = 0
    results: list[Past] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.ended >= self.size


class Hyperband:
    """Brackets of rungs, from many cheap trials to few dear ones."""

    def __init__(
        self, space: Space, seed: int, sign: int, *, most: float, resource: str, eta: float = 3.0
    ) -> None:
        self._space, self._seed, self._sign, self._resource = space, seed, sign, resource
        self._rungs = _plan(most, eta)
        self.total: int | None = sum(rung.size for rung in self._rungs)

    def restore(self, trials: Iterable[Past]) -> None:
        """Put each trial into the slot that its labels name."""
        for trial in trials:
            rung = self._of(trial)
            if rung is not None:
                rung.taken += 1
                if trial.state != "RUNNING":
                    self._end(rung, trial)

    def ask(self, number: int) -> Suggestion | None:
        """A promoted trial if there is one, else a new one of the next bracket; None while all depend on others."""
        for before, rung in zip([None, *self._rungs], self._rungs, strict=False):
            if rung.taken >= rung.size:
                continue
            if rung.rung == 0:
                values = draw(self._space, self._seed, number)
            elif before is not None and before.complete:
                chosen = self._best(before, rung.size)
                if len(chosen) < rung.size:  # the others failed
                    self._shrink(rung, len(chosen))
                    if rung.taken >= rung.size:
                        continue
                values = dict(chosen[rung.taken].values)
            else:
                continue
            values[self._resource] = self._budget(rung)
            labels = dict(zip(_LABELS, map(str, (rung.bracket, rung.rung, rung.taken)), strict=True))
            rung.taken += 1
            return Suggestion(values, labels)
        return None

    def tell(self, trial: Past) -> None:
        """Note the outcome."""
        rung = self._of(trial)
        if rung is not None:
            self._end(rung, trial)

    def spent(self) -> list[int]:
        """As in Katib, a promoted trial begins anew with its greater budget."""
        return []

    def _end(self, rung: _Rung, trial: Past) -> None:
        rung.ended += 1
        if trial.value is not None and trial.state in ("SUCCEEDED", "PRUNED"):
            rung.results.append(trial)

    def _best(self, rung: _Rung, count: int) -> list[Past]:
        def key(trial: Past) -> tuple[float, int]:
            assert trial.value is not None
            return trial.value * self._sign, trial.number

        return sorted(rung.results, key=key)[:count]

    def _shrink(self, rung: _Rung, size: int) -> None:
        if self.total is not None:
            self.total -= rung.size - size
        rung.size = size

    def _budget(self, rung: _Rung) -> Value:
        return max(int(rung.budget), 1) if self._space[self._resource].kind == "int" else rung.budget

    def _of(self, trial: Past) -> _Rung | None:
        try:
            bracket, number = (int(trial.labels[label]) for label in _LABELS[:2])
        except (KeyError, ValueError):
            return None
        return next((r for r in self._rungs if (r.bracket, r.rung) == (bracket, number)), None)


def _plan(most: float, eta: float) -> list[_Rung]:
    last = math.floor(math.log(most) / math.log(eta) + 1e-9)
    rungs = []
    for bracket in range(last, -1, -1):
        size = math.ceil((last + 1) * eta**bracket / (bracket + 1))
        for rung in range(bracket + 1):
            rungs.append(_Rung(bracket, rung, size, most * eta ** (rung - bracket)))
            size = math.ceil(size / eta)
    return rungs
