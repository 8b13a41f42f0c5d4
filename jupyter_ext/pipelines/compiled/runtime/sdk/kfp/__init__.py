"""Stands in for the part of the KFP SDK that a component meets while it runs, where the SDK is not installed.

Only what ``kfp.dsl`` offers to a running component: what else a component uses of ``kfp`` is found before it is started,
and gives it an environment with the SDK itself.
"""

from . import dsl

__version__ = "2.17.0"
__all__ = ["dsl"]
