"""Pipelines that a Kubeflow Pipelines server keeps, for its own interface and for others to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Unavailable
from jupyter_ext.pipelines.kfp import place, starting

if TYPE_CHECKING:
    from jupyter_ext.pipelines.kfp.server import Server


def server() -> Server:
    """The Kubeflow Pipelines server that runs go to. Raises Unavailable where none is used."""
    found = place.server()
    if found is None:
        raise Unavailable(
            "No Kubeflow Pipelines server is used",
            hint=f"Choose a cluster that has one (kf.cluster.use(CONTEXT)), or set {place.URL} to its address.",
        )
    return found


def upload(
    path: Any, name: str | None = None, *, version: str = "", description: str = "",
    notebook: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Upload a notebook as a pipeline, or a compiled one; a new version where there is one of that name.

    Gives what the server says of the version. Raises Invalid for what cannot run, Conflict for a version that is there.
    """
    from jupyter_ext.pipelines.compiled import writing

    there = server()
    found = starting.source(path, notebook, {}, {})
    found.specification()  # raises Unfit for one that is too large
    return there.upload(
        writing.text(found.document),
        name or found.name,
        version=version,
        description=description or found.title,
    )
