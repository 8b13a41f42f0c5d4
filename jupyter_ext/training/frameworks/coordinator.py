"""Lets ``jax.distributed.initialize()`` take the number of processes and its own from the environment.

JAX reads only the coordinator's address by itself (``JAX_COORDINATOR_ADDRESS``). The other two variables are those of
upstream's runtime. Used in a rank's process; standard library only.
"""

from __future__ import annotations

import functools
import os
from types import ModuleType
from typing import Any, Final

from jupyter_ext.training.frameworks import imports

_MODULE: Final = "jax._src.distributed"
_VARIABLES: Final = {"num_processes": "JAX_NUM_PROCESSES", "process_id": "JAX_PROCESS_ID"}


def install() -> None:
    """Complete ``jax.distributed.initialize``, now or when it is imported; does nothing outside of a job."""
    if all(os.environ.get(variable, "").isdecimal() for variable in _VARIABLES.values()):
        imports.after(_MODULE, complete)


def complete(module: ModuleType) -> None:
    """Make ``initialize`` add what its caller left out. Who gives an address, or a number, keeps it."""
    original = module.initialize

    @functools.wraps(original)
    def initialize(*positional: Any, **given: Any) -> None:
        if (
            not positional
            and not {"coordinator_address", "cluster_detection_method", *_VARIABLES} & given.keys()
        ):
            given |= {name: int(os.environ[variable]) for name, variable in _VARIABLES.items()}
        original(*positional, **given)

    module.initialize = initialize  # type: ignore[attr-defined]
