"""Something that runs, in a notebook's output: live while it goes on, and a plain picture of its end for later.

Where anywidget is installed the picture is a widget, and the output stays as it is until the end. Where it is
not, the output is replaced by newer pictures. Either way the last one is plain HTML, which needs no kernel.
The widget's code is part of its model: nothing is loaded from anywhere.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jupyter_ext.display.follower import Follower, Handle
from jupyter_ext.errors import KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

WIDGET = "application/vnd.jupyter.widget-view+json"
LIVE = 0.1
"""Seconds between two pictures of a widget."""
REDRAWN = 0.5
"""Seconds between two pictures where each one replaces the cell's output."""

Action = tuple[str, str]
"""A verb of the handle, and the words on its button."""

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
      if (action === 'copy') {
        navigator.clipboard?.writeText(model.get('clip'));
        made.textContent = '✓ ' + text;
        return;
      }
      made.disabled = true;
      model.send({ action });
    });
    return made;
  };
  const draw = () => {
    const open = [...view.querySelectorAll('details')].map(item => item.open);
    view.innerHTML = model.get('html');
    view.querySelectorAll('details').forEach((item, at) => (item.open = open[at] ?? item.open));
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


@dataclass(frozen=True)
class Picture:
    """How one kind is shown. ``actions`` are what can be done in its state, as (verb, words on the button).

    ``act`` does what a button asks for; what else it is told it ignores. ``clip`` is what the action ``copy``
    puts into the clipboard, in the browser. ``every``: seconds after which it is drawn again although the resource is
    the same, for what never rests and is shown as long as it is there.
    """

    text: Callable[[Resource], str]
    html: Callable[[Resource], str]
    actions: Callable[[Resource], Sequence[Action]]
    act: Callable[[Any, str], None]
    clip: Callable[[Resource], str] = lambda _: ""
    every: float | None = None

    def static(self, resource: Resource) -> dict[str, str]:
        """Give it without life: text and HTML."""
        return {"text/plain": self.text(resource), "text/html": self.html(resource)}


def attend(handle: Handle, picture: Picture) -> Resource:
    """Show it in the running cell and wait until it rests; interrupting the cell stops it.

    In a step of a run what it prints becomes the step's own output.
    """
    try:
        if in_a_run():
            for text in handle.logs(follow=True):
                sys.stdout.write(text)
            resource = _rest(handle)
            _display(picture.static(resource))
            return resource
        follower = show(handle, picture)
        resource = _rest(handle)
        if follower is not None:
            # The last picture is there before the cell ends.
            follower.join(5.0)
    except KeyboardInterrupt:
        handle.stop()
        raise
    return resource


def in_a_run() -> bool:
    """Whether this is a step of a run (or a trial): nobody looks on, and what is started must be waited for."""
    return bool(os.environ.get("JUPYTER_KUBEFLOW_WORKLOAD"))


def _rest(handle: Handle) -> Resource:
    pause = 0.02
    while not (resource := handle.resource).resting:
        time.sleep(pause)
        pause = min(pause * 1.3, 0.25)
    return resource


def _display(bundle: dict[str, str]) -> None:
    from IPython.display import display

    display(bundle, raw=True)


def show(handle: Handle, picture: Picture) -> Follower | None:
    """Display it in the running cell; goes on showing it until it has finished, by what is returned."""
    from IPython.core.getipython import get_ipython

    resource = handle.resource
    if getattr(get_ipython(), "kernel", None) is None:
        sys.stdout.write(picture.text(resource) + "\n")
        return None
    from IPython.display import display

    widget = None if resource.finished else live_widget(handle, resource, picture)
    bundle: dict[str, Any] = picture.static(resource)
    if widget is not None:
        bundle |= {key: value for key, value in view_of(widget).items() if key == WIDGET}
    shown = display(bundle, raw=True, display_id=True)
    if resource.finished or shown is None:
        return None

    def told(now: Resource) -> None:
        if widget is not None and not now.finished:
            widget.clip = picture.clip(now)
            widget.html, widget.actions = picture.html(now), list(picture.actions(now))
        else:
            shown.update(picture.static(now), raw=True)

    interval = REDRAWN if widget is None else LIVE
    follower = Follower(handle, told, picture.every or interval, always=picture.every is not None).start()
    if widget is not None:
        widget.follower = follower
    return follower


def view_of(widget: Any) -> dict[str, Any]:
    """Give the mime bundle of a widget, which some versions pair with metadata."""
    bundle = widget._repr_mimebundle_()
    found: dict[str, Any] = bundle[0] if isinstance(bundle, tuple) else bundle
    return found


def live_widget(handle: Handle, resource: Resource, picture: Picture) -> Any:
    """Make the live widget, or None where the library for it is missing."""
    made = _widget_class()
    if made is None:
        return None
    label = f"{resource.kind} {handle.name}"
    widget = made(
        html=picture.html(resource),
        actions=list(picture.actions(resource)),
        clip=picture.clip(resource),
        label=label,
    )

    def received(_: object, message: object, __: object) -> None:
        try:
            act(handle, message, picture)
        except KubeflowError as error:
            sys.stderr.write(f"{error}\n")

    widget.on_msg(received)
    return widget


def act(handle: Handle, message: object, picture: Picture) -> None:
    """Do what a button asks for; an unknown request does nothing."""
    action = message.get("action") if isinstance(message, dict) else None
    if isinstance(action, str) and action in {verb for verb, _ in picture.actions(handle.resource)}:
        picture.act(handle, action)


@lru_cache(maxsize=1)
def _widget_class() -> Any:
    try:
        import anywidget
        import traitlets
    except ImportError:
        return None

    class LiveWidget(anywidget.AnyWidget):  # type: ignore[misc]
        """The picture; the kernel draws, the browser shows."""

        _esm = _ESM
        html = traitlets.Unicode().tag(sync=True)
        actions: Any = traitlets.List().tag(sync=True)
        clip = traitlets.Unicode().tag(sync=True)
        label = traitlets.Unicode().tag(sync=True)

    return LiveWidget
