"""A run and a pipeline in a notebook's output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_ext.display import live
from jupyter_ext.display.live import Picture
from jupyter_ext.pipelines.picture import pipeline_html, pipeline_text, run_html, run_text, runs_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines import Run
    from jupyter_ext.pipelines.model import Pipeline


def actions(resource: Resource) -> list[tuple[str, str]]:
    """What can be done with a run in its state, as (verb, words on the button)."""
    if resource.phase in {"PENDING", "RUNNING"}:
        return [("stop", "Stop")]
    return []


def _act(run: Run, verb: str) -> None:
    if verb == "stop":
        run.stop()


PICTURE = Picture(run_text, run_html, actions, _act)


def mimebundle(run: Run) -> dict[str, str]:
    """Give the run as it is now, without life: text and HTML."""
    return PICTURE.static(run.resource)


def show(run: Run) -> None:
    """Display the run in the running cell; goes on showing it until it has finished."""
    live.show(run, PICTURE)


class PipelineView:
    """A checked notebook as a notebook shows it; ``.pipeline`` is the thing itself."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def __repr__(self) -> str:
        return pipeline_text(self.pipeline)

    def _repr_html_(self) -> str:
        return pipeline_html(self.pipeline)


class RunsView:
    """A list of runs as a notebook shows it; indexing gives the handles."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = tuple(runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, position: int) -> Run:
        return self.runs[position]

    def __repr__(self) -> str:
        found = [run.resource for run in self.runs]
        lines = [f"{item.name}  {item.phase}  {item.created[:19]}  {item.reason}".rstrip() for item in found]
        return "\n".join(lines) or "No runs."

    def _repr_html_(self) -> str:
        return runs_html([run.resource for run in self.runs])
