"""What runs inside the container of an exported step.

The modules of this folder are copied whole into the exported YAML (``ir.py``), there named ``kf_step``. So
they import nothing but the standard library and each other: no jupyter_ext, no kfp, nothing that would have
to be installed or downloaded at run time. cloudpickle's own source travels with them.
"""

from __future__ import annotations

SHARED = (
    *("graphs", "aliasing", "functions", "tensors"),
    *("hidden_interpreter", "hidden_libraries", "hidden_shell"),
)
"""Modules of ``pipelines`` that go along, because a container needs the same. They import each other, ``hidden``
(here: the one of this folder), cloudpickle and the standard library.
"""
