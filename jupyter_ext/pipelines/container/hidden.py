"""State that no variable holds: random generators, environment, working directory, settings of libraries.

It is kept as one mapping from a key (``random``, ``env HOME``, ``pandas display.max_rows``) to pickled bytes.
What a step changed is the difference between two such mappings; a part that has gone is None.
"""

from __future__ import annotations

import os
import pickle
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Hidden = dict[str, bytes]
Changes = Mapping[str, bytes | None]

STARTED_WITH = dict(os.environ)
STARTED_PATH = list(sys.path)
STARTED_IN = os.getcwd()  # noqa: PTH109
# The launcher's and the shell's own: they tell where a container is, not what a cell set.
OWN_VARIABLES = frozenset({"PWD", "OLDPWD", "SHLVL", "_", "HOSTNAME"})


def capture() -> Hidden:
    """The hidden state now; libraries are looked at only if they are loaded."""
    found: dict[str, Any] = {}
    for read in (_environment, _generators, _numpy_settings, _torch, _pandas, _matplotlib):
        found.update(read())
    found["random"] = random.getstate()
    found["cwd"] = os.path.relpath(os.getcwd(), STARTED_IN)  # noqa: PTH109
    found["path"] = [entry for entry in sys.path if entry not in STARTED_PATH]
    found["warnings"] = [item for item in warnings.filters if item[2].__module__ == "builtins"]
    kept: Hidden = {}
    for key, value in found.items():
        try:
            kept[key] = pickle.dumps(value, protocol=5)
        except Exception:  # noqa: S112 - a setting that holds an open file or a lambda belongs to its process
            continue
    return kept


def changes(before: Hidden, after: Hidden) -> dict[str, bytes | None]:
    """What became different; None for what is back to its default."""
    found: dict[str, bytes | None] = {key: value for key, value in after.items() if before.get(key) != value}
    return found | {key: None for key in before if key not in after}


def restore(wanted: Changes) -> None:
    """Set the hidden state; a library that the image lacks is left out, no step here can use it."""
    for key, content in wanted.items():
        kind, _, name = key.partition(" ")
        try:
            _SETTERS[kind](name, None if content is None else pickle.loads(content))
        except ImportError:
            continue


def _environment() -> Iterator[tuple[str, Any]]:
    for name in os.environ.keys() | STARTED_WITH.keys():
        value = os.environ.get(name)
        if name not in OWN_VARIABLES and value != STARTED_WITH.get(name):
            yield f"env {name}", value


def _generators() -> Iterator[tuple[str, Any]]:
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "random"):
        yield "numpy", numpy.random.get_state()


def _numpy_settings() -> Iterator[tuple[str, Any]]:
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "get_printoptions"):
        yield "numpyprint", numpy.get_printoptions()
        yield "numpyerr", numpy.geterr()


def _torch() -> Iterator[tuple[str, Any]]:
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        yield "torch", torch.get_rng_state().numpy()
        yield "torchdtype", str(torch.get_default_dtype())


def _pandas() -> Iterator[tuple[str, Any]]:
    config = sys.modules.get("pandas._config.config")
    if config is None:
        return
    for name, option in config._registered_options.items():  # noqa: SLF001 - pandas has no other list of them
        value = config.get_option(name)
        if value != option.defval:
            yield f"pandas {name}", value


def _matplotlib() -> Iterator[tuple[str, Any]]:
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is None or not hasattr(matplotlib, "rcParamsDefault"):
        return
    for name, default in matplotlib.rcParamsDefault.items():
        if name.startswith("backend"):
            continue
        value = matplotlib.rcParams[name]
        if value != default:
            yield f"matplotlib {name}", value


def _set_environment(name: str, value: Any) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _set_generators(_name: str, value: Any) -> None:
    import numpy as np

    np.random.set_state(value)  # noqa: NPY002 - the generator that the notebook's own calls use


def _set_numpy_print(_name: str, value: Any) -> None:
    import numpy as np

    np.set_printoptions(**{key: item for key, item in value.items() if key != "override_repr"})


def _set_numpy_err(_name: str, value: Any) -> None:
    import numpy as np

    np.seterr(**value)


def _set_torch(_name: str, value: Any) -> None:
    import torch

    torch.set_rng_state(torch.from_numpy(value))


def _set_torch_dtype(_name: str, value: Any) -> None:
    import torch

    torch.set_default_dtype(getattr(torch, value.partition(".")[2]))


def _set_pandas(name: str, value: Any) -> None:
    import pandas as pd

    if value is None:
        pd.reset_option(f"^{name}$")
    else:
        pd.set_option(name, value)


def _set_matplotlib(name: str, value: Any) -> None:
    import matplotlib as mpl

    mpl.rcParams[name] = mpl.rcParamsDefault[name] if value is None else value


def _set_random(_name: str, value: Any) -> None:
    random.setstate(value)


def _set_cwd(_name: str, value: Any) -> None:
    folder = Path(STARTED_IN, value)
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)


def _set_path(_name: str, value: Any) -> None:
    sys.path[:0] = [entry for entry in value if entry not in sys.path]


def _set_warnings(_name: str, value: Any) -> None:
    others = [item for item in warnings.filters if item[2].__module__ != "builtins"]
    warnings.filters[:] = value + others  # type: ignore[index] # it is a list
    warnings._filters_mutated()  # type: ignore[attr-defined] # noqa: SLF001 - as warnings.simplefilter does


_SETTERS: dict[str, Callable[[str, Any], None]] = {
    "cwd": _set_cwd,
    "env": _set_environment,
    "matplotlib": _set_matplotlib,
    "numpy": _set_generators,
    "numpyerr": _set_numpy_err,
    "numpyprint": _set_numpy_print,
    "pandas": _set_pandas,
    "path": _set_path,
    "random": _set_random,
    "torch": _set_torch,
    "torchdtype": _set_torch_dtype,
    "warnings": _set_warnings,
}
