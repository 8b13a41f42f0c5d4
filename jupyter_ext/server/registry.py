"""The kinds of resources the server serves: one table. A capability adds a file of rows, and needs no handler."""

from __future__ import annotations

from . import rows_pipelines, rows_registry, rows_serving, rows_spark, rows_training, rows_tuning
from .kind import Kind

KINDS: tuple[Kind, ...] = (
    *rows_pipelines.KINDS,
    *rows_training.KINDS,
    *rows_tuning.KINDS,
    *rows_registry.KINDS,
    *rows_serving.KINDS,
    *rows_spark.KINDS,
)
