"""A pipeline as an object of the KFP SDK, where somebody has that installed: what it would compile to, without a file."""

from __future__ import annotations

from typing import Any

from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines.compiled.reading import Document, parse


def is_pipeline(value: object) -> bool:
    """Whether this is what ``@dsl.pipeline`` or ``@dsl.component`` makes of a function."""
    return hasattr(value, "pipeline_spec") and hasattr(value, "component_spec")


def document_of(pipeline: Any) -> Document:
    """What the SDK compiles it to. Raises Invalid in the SDK's words where it cannot."""
    import tempfile
    from pathlib import Path

    from kfp import compiler

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "pipeline.yaml"
        try:
            compiler.Compiler().compile(pipeline, str(place))
        except Exception as error:
            raise Invalid(f"The KFP SDK cannot compile it ({type(error).__name__}: {error})") from error
        return parse(place.read_text(encoding="utf-8"))
