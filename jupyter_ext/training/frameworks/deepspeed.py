"""DeepSpeed: its ranks are started as torch's are, and ``deepspeed.init_distributed()`` reads the same variables.

Upstream's runtime starts them through MPI, which one machine does not need.
"""

from __future__ import annotations

from typing import Final

from jupyter_ext.training.frameworks.torch import plan

__all__ = ["ELASTIC", "INSTALL", "PACKAGES", "plan"]

PACKAGES: Final = ("torch", "deepspeed")
INSTALL: Final = "deepspeed"
ELASTIC: Final = True
