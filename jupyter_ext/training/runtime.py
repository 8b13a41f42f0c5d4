"""The runtimes of this machine, under the names of the runtimes that Kubeflow Trainer ships."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, Unfit, Where

API_GROUP: Final = "trainer.kubeflow.org"
_FRAMEWORK: Final = {
    "torch-distributed": "torch",
    "deepspeed-distributed": "deepspeed",
    "xgboost-distributed": "xgboost",
    "jax-distributed": "jax",
    "tensorflow-distributed": "tensorflow",
    "plain": "plain",
}
NAMES: Final = {framework: name for name, framework in _FRAMEWORK.items()}
"""framework -> the name of its runtime."""
_ELSEWHERE: Final = {
    "mlx-distributed": "MLX needs a Mac with Apple silicon or its own image",
    "torchtune": "A torchtune runtime is an image with the recipe in it",
    "torch-distributed-with-cache": "The data cache is a service of a cluster",
}


class Runtime(NamedTuple):
    """A runtime, and whether it can be used here; ``reason`` says why not, with the remedy, or what it is."""

    name: str
    framework: str
    available: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return self._asdict()


def runtimes() -> list[Runtime]:
    """Every runtime there is here."""
    from jupyter_ext.training import fitness, frameworks

    found = []
    for name, framework in _FRAMEWORK.items():
        module = frameworks.load(framework)
        missing = fitness.missing(module)
        reason = f"{missing} is not installed: pip install {module.INSTALL}" if missing else "Installed."
        found.append(
            Runtime(name, framework, missing is None, reason if module.PACKAGES else "Needs nothing.")
        )
    return found


def framework_of(name: str, field: str = "runtimeRef.name") -> str:
    """The framework of a runtime. Raises Unfit for one that only a cluster has, Invalid for one nobody has."""
    if name in _FRAMEWORK:
        return _FRAMEWORK[name]
    hint = f"Here are: {', '.join(_FRAMEWORK)}."
    for known, why in _ELSEWHERE.items():
        if name.startswith(known):
            raise Unfit(f"The runtime {name} cannot be used here: {why}", where=Where(field=field), hint=hint)
    raise Invalid(f"There is no runtime {name!r}", where=Where(field=field), hint=hint)


def runtime_of(framework: str) -> str:
    """The runtime of a framework. Raises Invalid."""
    if framework not in NAMES:
        hint = f"There are: {', '.join(NAMES)}."
        raise Invalid(f"There is no framework {framework!r}", where=Where(field="framework"), hint=hint)
    return NAMES[framework]
