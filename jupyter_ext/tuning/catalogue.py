"""Katib's algorithms by their names: what each needs, which settings it knows, and the sampler that does it here."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, Unavailable, Where
from jupyter_ext.tuning.space import Space, combinations, continuous

if TYPE_CHECKING:
    from jupyter_ext.tuning.objective import Objective
    from jupyter_ext.tuning.sampling import Sampler

NAME_FIELD: Final = "spec.algorithm.algorithmName"


class Setting(NamedTuple):
    """One of an algorithm's settings: how its text is read, and what it is for."""

    read: Callable[[str], Any]
    about: str
    required: bool = False


@dataclass(frozen=True)
class Algorithm:
    """One entry of the catalogue. ``needs`` are modules that must be installed, by the name pip knows."""

    name: str
    about: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    numeric: int = 0
    """How many numeric parameters it needs at least."""

    @property
    def missing(self) -> list[str]:
        """What pip would have to install."""
        return [package for module, package in self.needs.items() if find_spec(module) is None]

    def to_dict(self) -> dict[str, Any]:
        """JSON form: name, available, reason, settings."""
        missing = self.missing
        reason = (
            f"It needs {' and '.join(missing)}: pip install {' '.join(missing)}" if missing else self.about
        )
        settings = [
            {"name": name, "about": one.about, "required": one.required}
            for name, one in self.settings.items()
        ]
        return {"name": self.name, "available": not missing, "reason": reason, "settings": settings}


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError(f"at least {least}")
        return value

    return read


def _real(least: float, most: float = float("inf"), *, above: bool = False) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not (least < value if above else least <= value) or not value <= most:
            bound = f"above {least:g}" if above else f"at least {least:g}"
            raise ValueError(bound if most == float("inf") else f"{bound} and at most {most:g}")
        return value

    return read


def _one_of(*words: str, why: str = "") -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}{why}")
        return text

    return read


_SEED: Final = {"random_state": Setting(_whole(0), "the seed: the same seed tries the same points")}
_OPTUNA: Final = {"optuna": "optuna"}
_TPE: Final = {
    **_SEED,
    "n_startup_trials": Setting(_whole(0), "random trials before the model is used (10)"),
    "n_ei_candidates": Setting(_whole(1), "candidates that the model compares (24)"),
    "n_EI_candidates": Setting(_whole(1), "the same, as the hyperopt service calls it"),
    "gamma": Setting(_real(0, 1, above=True), "the part of the trials that counts as good (0.1, at most 25 trials)"),
    "prior_weight": Setting(_real(0, above=True), "the weight of the prior (1)"),
}  # fmt: skip
_MULTIVARIATE: Final = {name: _TPE[name] for name in ("random_state", "n_startup_trials", "n_ei_candidates")}

CATALOGUE: Final[dict[str, Algorithm]] = {
    one.name: one
    for one in (
        Algorithm("random", "Independent draws.", _SEED),
        Algorithm("grid", "Every combination once; every parameter needs a step or a list.", _SEED),
        Algorithm(
            "bayesianoptimization",
            "A Gaussian process with expected improvement.",
            {
                **_SEED,
                "n_initial_points": Setting(_whole(0), "random trials before the model is used (10)"),
                "base_estimator": Setting(_one_of("GP", why=": this machine has Gaussian processes only"), "GP"),
                "acq_func": Setting(_one_of("EI", why=": this machine has expected improvement only"), "EI"),
                "acq_optimizer": Setting(_one_of("auto", "lbfgs"), "auto or lbfgs"),
            },
            {**_OPTUNA, "scipy": "scipy", "torch": "torch"},
        ),
        Algorithm("tpe", "Tree-structured Parzen estimators, one for each parameter.", _TPE, _OPTUNA),
        Algorithm("multivariate-tpe", "Parzen estimators of all parameters together.", _MULTIVARIATE, _OPTUNA),
        Algorithm(
            "cmaes",
            "Covariance matrix adaptation; for at least two numeric parameters.",
            {
                **_SEED,
                "sigma": Setting(_real(0, above=True), "the first standard deviation"),
                "restart_strategy": Setting(
                    _one_of("none", "None", "ipop", why=": bipop is not there"), "none or ipop: start again when stuck"
                ),
            },
            {**_OPTUNA, "cmaes": "cmaes"},
            numeric=2,
        ),
        Algorithm(
            "sobol",
            "Sobol's sequence: points that fill the space evenly.",
            {"random_state": Setting(_whole(0), "scrambles the sequence with this seed")},
            {"scipy": "scipy"},
        ),
        Algorithm(
            "hyperband",
            "Many cheap trials, the better part again with a greater budget.",
            {
                **_SEED,
                "resource_name": Setting(str, "the parameter that is the budget", required=True),
                "r_l": Setting(_real(1), "the greatest budget", required=True),
                "eta": Setting(_real(1, above=True), "one of so many goes on (3)"),
            },
        ),
        Algorithm(
            "pbt",
            "Population based training: the worst go on from the checkpoints of the best.",
            {
                **_SEED,
                "n_population": Setting(_whole(5), "members, at least 5", required=True),
                "truncation_threshold": Setting(_real(0, 1), "the part that is replaced", required=True),
                "resample_probability": Setting(_real(0, 1), "draw anew with this probability; else change by a fifth"),
                "suggestion_trial_dir": Setting(str, "what the trial's command calls its checkpoint folder"),
            },
        ),
    )
}  # fmt: skip

_REFUSED: Final = dict.fromkeys(
    ("enas", "darts"), "it searches for network architectures with its own trial images and needs a cluster"
)


def find(name: object) -> Algorithm:
    """The algorithm of that name. Raises Invalid with the nearest name, or the reason why there is none."""
    if isinstance(name, str) and name in CATALOGUE:
        return CATALOGUE[name]
    where = Where(field=NAME_FIELD)
    if isinstance(name, str) and name in _REFUSED:
        raise Invalid(
            f"{name} cannot run on this machine: {_REFUSED[name]}", where=where, hint="Use tpe or pbt here."
        )
    near = difflib.get_close_matches(str(name), CATALOGUE, n=1, cutoff=0.5)
    known = f"There are: {', '.join(CATALOGUE)}."
    raise Invalid(
        f"There is no algorithm {name!r}",
        where=where,
        hint=f"Did you mean {near[0]}? {known}" if near else known,
    )


def read_settings(algorithm: Algorithm, given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The values of ``spec.algorithm.algorithmSettings``. Raises Invalid naming the setting."""
    found: dict[str, Any] = {}
    for index, item in enumerate(given):
        name, text = str(item.get("name") or ""), str(item.get("value"))
        field_name = f"spec.algorithm.algorithmSettings[{index}]"
        setting = algorithm.settings.get(name)
        if setting is None:
            known = ", ".join(algorithm.settings) or "none"
            near = difflib.get_close_matches(name, algorithm.settings, n=1)
            raise Invalid(
                f"{algorithm.name} has no setting {name!r}",
                where=Where(field=f"{field_name}.name"),
                hint=f"Did you mean {near[0]}? It has: {known}." if near else f"It has: {known}.",
            )
        try:
            found[name] = setting.read(text)
        except ValueError as error:
            rule = (
                str(error)
                if "invalid literal" not in str(error) and "convert" not in str(error)
                else "a number"
            )
            raise Invalid(
                f"{name} {text!r} is not possible",
                where=Where(field=f"{field_name}.value"),
                hint=f"It must be {rule}.",
            ) from None
    missing = [name for name, one in algorithm.settings.items() if one.required and name not in found]
    if missing:
        raise Invalid(
            f"{algorithm.name} needs the setting{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            where=Where(field="spec.algorithm.algorithmSettings"),
            hint="; ".join(f"{name}: {algorithm.settings[name].about}" for name in missing) + ".",
        )
    return found


def check(algorithm: Algorithm, settings: Mapping[str, Any], space: Space) -> None:
    """Raise Invalid for a space that the algorithm cannot search, Unavailable if a package is missing."""
    where = Where(field="spec.parameters")
    numeric = sum(parameter.numeric for parameter in space.values())
    if numeric < algorithm.numeric:
        raise Invalid(
            f"{algorithm.name} needs at least {algorithm.numeric} parameters of type double or int, here "
            f"{'is' if numeric == 1 else 'are'} {numeric}",
            where=where,
            hint="Use tpe, which takes any space.",
        )
    if algorithm.name == "grid":
        loose = continuous(space)
        if loose is not None:
            raise Invalid(
                f"A grid over {loose} is endless: it is a double without a step",
                where=Where(field="spec.parameters"),
                hint=f"Give {loose} a step, such as {_with_step(space, loose)}, or use random.",
            )
        assert combinations(space) is not None
    resource = settings.get("resource_name")
    if resource is not None and (resource not in space or not space[resource].numeric):
        names = ", ".join(name for name, parameter in space.items() if parameter.numeric) or "none"
        raise Invalid(
            f"The budget {resource!r} is not a numeric parameter",
            where=Where(field="spec.algorithm.algorithmSettings"),
            hint=f"resource_name is one of: {names}.",
        )
    if algorithm.missing:
        packages = " ".join(algorithm.missing)
        raise Unavailable(
            f"{algorithm.name} needs {packages.replace(' ', ' and ')}, which is not installed",
            where=Where(field=NAME_FIELD),
            hint=f"pip install {packages}",
        )


def _with_step(space: Space, name: str) -> str:
    from dataclasses import replace

    parameter = space[name]
    return str(replace(parameter, step=float(parameter.high - parameter.low) / 10, distribution="uniform"))


def sampler(
    algorithm: Algorithm, settings: Mapping[str, Any], space: Space, objective: Objective, seed: int
) -> Sampler:
    """The sampler, with nothing learned yet. ``seed`` counts where the settings have none."""
    from jupyter_ext.tuning import sampling

    seed = settings.get("random_state", seed)
    match algorithm.name:
        case "random":
            return sampling.Random(space, seed)
        case "grid":
            return sampling.Grid(space)
        case "sobol":
            return sampling.Sobol(space, settings.get("random_state"))
        case "hyperband":
            from jupyter_ext.tuning.hyperband import Hyperband

            most, resource, eta = settings["r_l"], settings["resource_name"], settings.get("eta", 3.0)
            return Hyperband(space, seed, objective.sign, most=most, resource=resource, eta=eta)
        case "pbt":
            from jupyter_ext.tuning.population import Population, Settings

            members, part = settings["n_population"], settings["truncation_threshold"]
            how = Settings(members, part, settings.get("resample_probability"))
            return Population(space, seed, objective.sign, how)
        case _:
            from jupyter_ext.tuning.studies import Study

            return Study(space, objective.direction, seed, _optuna(algorithm.name, settings))


def _optuna(name: str, settings: Mapping[str, Any]) -> Callable[[int, Sequence[Any]], Any]:
    def make(seed: int, ended: Sequence[Any]) -> Any:
        from optuna import samplers

        if name == "bayesianoptimization":
            import torch

            # Beside trials that use every core, threads that wait for each other take seconds for milliseconds.
            torch.set_num_threads(1)
            start = settings.get("n_initial_points", 10)
            return samplers.GPSampler(seed=seed, n_startup_trials=start)
        if name == "cmaes":
            return _cmaes(seed, settings, ended)
        known: dict[str, Any] = {"constant_liar": True, "multivariate": name == "multivariate-tpe"}
        for ours, theirs in (
            ("n_startup_trials", "n_startup_trials"),
            ("n_ei_candidates", "n_ei_candidates"),
            ("n_EI_candidates", "n_ei_candidates"),
            ("prior_weight", "prior_weight"),
        ):
            if ours in settings:
                known[theirs] = settings[ours]
        if "gamma" in settings:
            part = settings["gamma"]
            known["gamma"] = lambda count: max(int(part * count), 1)
        return samplers.TPESampler(seed=seed, **known)

    return make


def _cmaes(seed: int, settings: Mapping[str, Any], ended: Sequence[Any]) -> Any:
    from optuna import samplers
    from optuna.trial import TrialState

    done = [_numeric(trial) for trial in ended if trial.state == TrialState.COMPLETE]
    how: dict[str, Any] = {"seed": seed, "warn_independent_sampling": False}
    if len(done) >= _WARM:  # taken up again: the distribution begins where the trials before have led
        return samplers.CmaEsSampler(source_trials=done, **how)
    if "sigma" in settings:
        how["sigma0"] = settings["sigma"]
    if settings.get("restart_strategy") == "ipop":
        how["restart_strategy"] = "ipop"
    return samplers.CmaEsSampler(**how)


def _numeric(trial: Any) -> Any:
    """A trial without the parameters that the distribution is not over: else it counts as another space's."""
    from optuna.distributions import CategoricalDistribution
    from optuna.trial import create_trial

    kept = {
        name: one
        for name, one in trial.distributions.items()
        if not isinstance(one, CategoricalDistribution) and not one.single()
    }
    return create_trial(
        params={name: trial.params[name] for name in kept}, distributions=kept, value=trial.value
    )


_WARM: Final = 10
"""Trials from which a distribution can be told."""


def algorithms() -> list[dict[str, Any]]:
    """Every algorithm with its settings, and whether it can run here: name, available, reason, settings."""
    return [one.to_dict() for one in CATALOGUE.values()]
