"""A run in a notebook's output: live while it goes on, and a plain picture of its end for whoever opens it later.

Where anywidget is installed the picture is a widget, and the output stays as it is until the run ends. Where it
is not, the output is replaced by newer pictures. Either way the last one is plain HTML, which needs no kernel.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines.follower import Follower
from jupyter_ext.pipelines.picture import pipeline_html, pipeline_text, run_html, run_text, runs_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines import Run
    from jupyter_ext.pipelines.model import Pipeline

WIDGET = "application/vnd.jupyter.widget-view+json"
LIVE = 0.1
"""Seconds between two pictures of a widget."""
REDRAWN = 0.5
"""Seconds between two pictures where each one replaces the cell's output."""

_ESM = """
function render({ model, el }) {
  const view = document.createElement('div');
  view.className = 'jp-RenderedHTMLCommon';
  const bar = document.createElement('div');
  const button = (text, action) => {
    const made = document.createElement('button');
    made.textContent = text;
    made.className = 'jp-mod-styled jp-mod-minimal';
    made.addEventListener('click', () => {
      made.disabled = true;
      model.send({ action });
    });
    return made;
  };
  const draw = () => {
    view.innerHTML = model.get('html');
    bar.replaceChildren(...model.get('actions').map(([action, text]) => button(text, action)));
  };
  const region = document.createElement('section');
  region.setAttribute('aria-label', model.get('label'));
  region.append(view, bar);
  el.append(region);
  model.on('change:html', draw);
  model.on('change:actions', draw);
  draw();
}
export default { render };
"""


def mimebundle(run: Run) -> dict[str, str]:
    """Give the run as it is now, without life: text and HTML."""
    return static(run.resource)


def static(resource: Resource) -> dict[str, str]:
    """Give a run's resource as text and HTML."""
    return {"text/plain": run_text(resource), "text/html": run_html(resource)}


def show(run: Run) -> None:
    """Display the run in the running cell; goes on showing it until it has finished."""
    from IPython.core.getipython import get_ipython

    resource = run.resource
    if getattr(get_ipython(), "kernel", None) is None:
        sys.stdout.write(run_text(resource) + "\n")
        return
    from IPython.display import display

    widget = None if resource.finished else _run_widget(run, resource)
    bundle: dict[str, Any] = static(resource)
    if widget is not None:
        bundle |= {key: value for key, value in _view_of(widget).items() if key == WIDGET}
    handle = display(bundle, raw=True, display_id=True)
    if resource.finished or handle is None:
        return

    def told(now: Resource) -> None:
        if widget is not None and not now.finished:
            widget.html, widget.actions = run_html(now), actions(now)
        else:
            handle.update(static(now), raw=True)

    follower = Follower(run, told, REDRAWN if widget is None else LIVE).start()
    if widget is not None:
        widget.follower = follower


def _view_of(widget: Any) -> dict[str, Any]:
    """Give the mime bundle of a widget, which some versions pair with metadata."""
    bundle = widget._repr_mimebundle_()
    found: dict[str, Any] = bundle[0] if isinstance(bundle, tuple) else bundle
    return found


def actions(resource: Resource) -> list[tuple[str, str]]:
    """What can be done with a run in its state, as (verb, words on the button)."""
    if resource.phase in {"PENDING", "RUNNING"}:
        return [("stop", "Stop")]
    return []


def act(run: Run, message: object) -> None:
    """Do what a button asks for; an unknown request does nothing."""
    if isinstance(message, dict) and message.get("action") == "stop":
        run.stop()


def _run_widget(run: Run, resource: Resource) -> Any:
    """Make the live widget, or None where the library for it is missing."""
    made = _widget_class()
    if made is None:
        return None
    widget = made(html=run_html(resource), actions=actions(resource), label=f"Run {run.name}")

    def received(_: object, message: object, __: object) -> None:
        try:
            act(run, message)
        except KubeflowError as error:
            sys.stderr.write(f"{error}\n")

    widget.on_msg(received)
    return widget


@lru_cache(maxsize=1)
def _widget_class() -> Any:
    try:
        import anywidget
        import traitlets
    except ImportError:
        return None

    class RunWidget(anywidget.AnyWidget):  # type: ignore[misc]
        """The picture of a run; the kernel draws, the browser shows."""

        _esm = _ESM
        html = traitlets.Unicode().tag(sync=True)
        actions: Any = traitlets.List().tag(sync=True)
        label = traitlets.Unicode().tag(sync=True)

    return RunWidget


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
