"""Samplers that learn from earlier trials, by Optuna: the study is in memory, its truth is in our store.

A parameter whose distribution Optuna lacks (normal, logNormal, logarithmic steps) is a place between 0 and 1 to it, and
a discrete one its index, so that the order of the numbers counts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.tuning.objective import Direction
from jupyter_ext.tuning.sampling import Past, Suggestion
from jupyter_ext.tuning.space import Parameter, Space, Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

Make = Callable[[int, Sequence[Any]], "BaseSampler"]
"""Makes the sampler from a seed and the trials that ended before it was made."""
_AGAIN: Final = 7919


class Study:
    """An Optuna study of one objective."""

    total: Final = None

    def __init__(self, space: Space, direction: Direction, seed: int, make: Make) -> None:
        with _quiet():
            import optuna

            optuna.logging.set_verbosity(optuna.logging.WARNING)
            self._optuna = optuna
            self._space = space
            self._distributions = {name: _distribution(parameter) for name, parameter in space.items()}
            self._seed, self._make = seed, make
            self._study = optuna.create_study(direction=direction, sampler=make(seed, ()))
        self._asked: dict[int, Trial] = {}

    def restore(self, trials: Iterable[Past]) -> None:
        """Take up trials. The sampler is made anew: with its first seed it would draw the first points again."""
        trials = list(trials)
        if not trials:
            return
        with _quiet():
            for past in trials:
                self._study.add_trial(self._frozen(past))
            stored = self._study.get_trials(deepcopy=False)
            for past, frozen in zip(trials, stored[-len(trials) :], strict=True):
                if past.state == "RUNNING":
                    self._asked[past.number] = self._optuna.trial.Trial(self._study, frozen._trial_id)  # noqa: SLF001 - the only way back to a running trial
            ended = [frozen for frozen in stored if frozen.state.is_finished()]
            self._study.sampler = self._make(self._seed + _AGAIN * len(trials), ended)

    def ask(self, number: int) -> Suggestion:
        """What the model thinks is worth trying."""
        with _quiet():
            trial = self._study.ask(fixed_distributions=self._distributions)
        self._asked[number] = trial
        return Suggestion(
            {name: _value(parameter, trial.params[name]) for name, parameter in self._space.items()}
        )

    def tell(self, trial: Past) -> None:
        """Let the model learn the outcome."""
        asked = self._asked.pop(trial.number, None)
        if asked is None:
            return
        state = self._optuna.trial.TrialState
        with _quiet():
            if trial.state == "SUCCEEDED" and trial.value is not None:
                self._study.tell(asked, trial.value)
            elif trial.state == "PRUNED" and trial.value is not None:
                asked.report(trial.value, max(trial.steps, 1))
                self._study.tell(asked, state=state.PRUNED)
            else:
                self._study.tell(asked, state=state.FAIL)

    def spent(self) -> list[int]:
        """Nothing goes on from another's checkpoint."""
        return []

    def _frozen(self, past: Past) -> FrozenTrial:
        states = self._optuna.trial.TrialState
        state = {"RUNNING": states.RUNNING, "SUCCEEDED": states.COMPLETE, "PRUNED": states.PRUNED}.get(
            past.state, states.FAIL
        )
        if state in (states.COMPLETE, states.PRUNED) and past.value is None:
            state = states.FAIL
        params = {name: _internal(parameter, past.values[name]) for name, parameter in self._space.items()}
        return self._optuna.trial.create_trial(
            state=state,
            value=past.value if state == states.COMPLETE else None,
            params=params,
            distributions=self._distributions,
            intermediate_values={max(past.steps, 1): past.value}
            if state == states.PRUNED and past.value is not None
            else None,
        )


def frozen_study(space: Space, rows: Iterable[tuple[dict[str, Value], float]]) -> Any:
    """A study that holds these trials and will have no others, for Optuna's analyses."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {name: _distribution(parameter) for name, parameter in space.items()}
    study = optuna.create_study()
    study.add_trials(
        optuna.trial.create_trial(
            params={name: _internal(parameter, values[name]) for name, parameter in space.items()},
            distributions=distributions,
            value=value,
        )
        for values, value in rows
    )
    return study


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna warns that some of its samplers may still change, and numpy's how a matrix was inverted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _plain(parameter: Parameter) -> bool:
    """Whether Optuna has the distribution itself."""
    if parameter.distribution == "logUniform":
        return parameter.step is None or (parameter.kind == "int" and parameter.step == 1)
    return parameter.distribution == "uniform"


def _distribution(parameter: Parameter) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if parameter.kind == "categorical":
        return CategoricalDistribution(tuple(range(len(parameter.choices))))
    if parameter.kind == "discrete":
        return IntDistribution(0, len(parameter.choices) - 1)
    if not _plain(parameter):
        return FloatDistribution(0.0, 1.0)
    log = parameter.logarithmic
    if parameter.kind == "int":
        step = 1 if log else int(parameter.step or 1)
        steps = (int(parameter.high) - int(parameter.low)) // step
        return IntDistribution(int(parameter.low), int(parameter.low) + steps * step, log=log, step=step)
    # The last step, exactly: Optuna would warn that it moves the end there.
    high = parameter.nearest(float(parameter.high))
    return FloatDistribution(float(parameter.low), float(high), log=log, step=parameter.step)


def _value(parameter: Parameter, internal: Any) -> Value:
    if not parameter.numeric:
        return parameter.choices[int(internal)]
    if not _plain(parameter):
        return parameter.at(float(internal))
    return parameter.nearest(float(internal)) if parameter.step else internal


def _internal(parameter: Parameter, value: Value) -> Any:
    if not parameter.numeric:
        return parameter.choices.index(value)
    if not _plain(parameter):
        return parameter.place(value)
    return value
