"""What a file means as a pipeline, whichever kind of pipeline it has: a notebook, or what was compiled for Kubeflow."""

from __future__ import annotations

from typing import Any

from jupyter_ext.cluster import discover
from jupyter_ext.pipelines import graph
from jupyter_ext.pipelines.compiled.reading import is_compiled
from jupyter_ext.pipelines.compiled.sdk import document_of, is_pipeline
from jupyter_ext.pipelines.model import Pipeline


def check(source: Any) -> Pipeline:
    """Steps, edges and problems of a notebook (path or content), a compiled pipeline, or what the KFP SDK makes.

    Raises NotFound or Invalid if it cannot be read at all.
    """
    if is_pipeline(source) or is_compiled(source):
        from jupyter_ext.pipelines.compiled.submit import check as check_compiled

        if is_pipeline(source):
            return check_compiled(discover.current(), None, document_of(source))
        return check_compiled(discover.current(), source)
    return graph.check(source)
