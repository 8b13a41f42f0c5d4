"""Hidden state of libraries: random generators and settings.

Settings are captured as what differs from the library's defaults, and None where nothing does: importing a
library in a step changes no state.
"""
# ruff: noqa: NPY002, SLF001 - the legacy generator is what notebooks seed; pandas lists options only privately

from __future__ import annotations

import importlib
import sys
from typing import Any

from jupyter_ext.pipelines.hidden import Kind


def _numpy_random(_: Any) -> tuple[Any, ...] | None:
    """The legacy generator; None where it is as the import left it (position 623 is reached in no other way)."""
    name, key, position, has_gauss, cached = sys.modules["numpy"].random.get_state(legacy=True)
    if position == 623 and not has_gauss:
        return None
    return name, key.tobytes(), int(position), int(has_gauss), float(cached)


def _set_numpy_random(state: Any, _: Any) -> None:
    import numpy as np

    name, key, *rest = state
    np.random.set_state((name, np.frombuffer(key, dtype="u4"), *rest))


def _seed_numpy() -> None:
    sys.modules["numpy"].random.seed()


def _seed_torch() -> None:
    sys.modules["torch"].seed()


def _torch_random(_: Any) -> tuple[Any, ...]:
    torch = sys.modules["torch"]
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state().numpy().tobytes(), tuple(each.numpy().tobytes() for each in devices)


def _set_torch_random(state: Any, _: Any) -> None:
    import torch

    main, devices = state
    torch.set_rng_state(torch.frombuffer(bytearray(main), dtype=torch.uint8))
    if devices and torch.cuda.is_available():
        for index, each in enumerate(devices[: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(torch.frombuffer(bytearray(each), dtype=torch.uint8), index)


_TORCH = ("float32", True, False, False, False)


def _torch_settings(_: Any) -> tuple[Any, ...] | None:
    torch = sys.modules["torch"]
    settings = (
        str(torch.get_default_dtype()).removeprefix("torch."),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.deterministic,
    )
    return None if settings == _TORCH else settings


def _set_torch_settings(state: Any, _: Any) -> None:
    import torch

    dtype, grad, deterministic, benchmark, cudnn = state or _TORCH
    torch.set_default_dtype(getattr(torch, dtype))
    torch.set_grad_enabled(grad)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = benchmark, cudnn


def _pandas_options(_: Any) -> tuple[Any, ...] | None:
    config = sys.modules["pandas"]._config.config
    found = []
    for key, option in config._registered_options.items():
        inner = config._global_config
        *path, last = key.split(".")
        for part in path:
            inner = inner[part]
        if inner[last] is not option.defval and inner[last] != option.defval:
            found.append((key, inner[last]))
    return tuple(sorted(found, key=lambda item: item[0])) or None


def _set_pandas_options(state: Any, _: Any) -> None:
    import warnings

    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an option may be deprecated and set all the same
        for key, _value in _pandas_options(None) or ():
            pd.reset_option(key)
        for key, value in state or ():
            pd.set_option(key, value)


def _matplotlib(_: Any) -> tuple[Any, ...] | None:
    """What differs from the parameters that matplotlib started with.

    The backend is read past the mapping's own lookup, which would choose one.
    """
    library = sys.modules["matplotlib"]
    raw = dict.items(library.rcParams)
    changed = [(key, value) for key, value in raw if value != dict.get(library.rcParamsOrig, key)]
    usual = "module://matplotlib_inline.backend_inline"
    kept = [
        (key, list(value) if isinstance(value, list) else value)
        for key, value in sorted(changed, key=lambda item: item[0])
        if key != "backend" or (isinstance(value, str) and value != usual)
    ]
    return tuple(kept) or None


def _set_matplotlib(state: Any, _: Any) -> None:
    import matplotlib as mpl

    mpl.rcParams.update(
        {key: value for key, value in mpl.rcParamsOrig.items() if not key.startswith("backend")}
    )
    for key, value in state or ():
        if key == "backend":
            mpl.use(value)
        else:
            dict.__setitem__(mpl.rcParams, key, value)


_PRINTING = {
    "edgeitems": 3, "threshold": 1000, "precision": 8, "suppress": False, "linewidth": 75, "nanstr": "nan",
    "infstr": "inf", "sign": "-", "formatter": None, "floatmode": "maxprec", "legacy": False,
}  # fmt: skip


def _numpy_print(_: Any) -> tuple[Any, ...] | None:
    options = sys.modules["numpy"].get_printoptions()
    changed = [(key, value) for key, value in options.items() if key in _PRINTING and value != _PRINTING[key]]
    return tuple(sorted(changed, key=lambda item: item[0])) or None


def _set_numpy_print(state: Any, _: Any) -> None:
    import numpy as np

    np.set_printoptions(**{**_PRINTING, **dict(state or ())})


_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


def _numpy_errors(_: Any) -> tuple[Any, ...] | None:
    errors = sys.modules["numpy"].geterr()
    return tuple(sorted(errors.items())) if errors != _ERRORS else None


def _set_numpy_errors(state: Any, _: Any) -> None:
    import numpy as np

    np.seterr(**dict(state or _ERRORS))


def _sklearn(_: Any) -> tuple[Any, ...] | None:
    usual = sys.modules["sklearn._config"]._global_config
    return (
        tuple(sorted((k, v) for k, v in sys.modules["sklearn"].get_config().items() if usual.get(k) != v))
        or None
    )


def _set_sklearn(state: Any, _: Any) -> None:
    import sklearn

    sklearn.set_config(**dict(state or sys.modules["sklearn._config"]._global_config))


def _plotly(_: Any) -> tuple[Any, ...] | None:
    plotly = sys.modules["plotly.io"]
    renderer = plotly.renderers.default
    chosen = None if "plotly_mimetype" in renderer else renderer
    return (chosen, plotly.templates.default) if chosen or plotly.templates.default != "plotly" else None


def _set_plotly(state: Any, _: Any) -> None:
    plotly: Any = importlib.import_module("plotly.io")
    renderer, plotly.templates.default = state or (None, "plotly")
    if renderer:
        plotly.renderers.default = renderer


def _set_nested_loops(state: Any, _: Any) -> None:
    if state:
        importlib.import_module("nest_asyncio").apply()


def _set_progress_apply(state: Any, _: Any) -> None:
    if state:
        importlib.import_module("tqdm.auto").tqdm.pandas()


KINDS = {
    "numpy": Kind("numpy.random", _numpy_random, _set_numpy_random, _seed_numpy),
    "numpy.print": Kind("numpy", _numpy_print, _set_numpy_print),
    "numpy.errors": Kind("numpy", _numpy_errors, _set_numpy_errors),
    "torch": Kind("torch", _torch_random, _set_torch_random, _seed_torch),
    "torch.settings": Kind("torch", _torch_settings, _set_torch_settings),
    "pandas": Kind("pandas._config.config", _pandas_options, _set_pandas_options),
    "matplotlib": Kind("matplotlib", _matplotlib, _set_matplotlib),
    "sklearn": Kind("sklearn", _sklearn, _set_sklearn),
    "plotly": Kind("plotly.io", _plotly, _set_plotly),
    "nest_asyncio": Kind(
        "nest_asyncio",
        lambda _: hasattr(sys.modules["asyncio"], "_nest_patched") or None,
        _set_nested_loops,
    ),
    "tqdm.pandas": Kind(
        "tqdm.std",
        lambda _: hasattr(getattr(sys.modules.get("pandas"), "DataFrame", None), "progress_apply") or None,
        _set_progress_apply,
    ),
}
