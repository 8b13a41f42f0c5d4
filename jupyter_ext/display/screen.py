"""A form on a notebook's screen, made of ipywidgets from a table of its entries.

The form without a screen is a ``Model``: it knows what is typed, what is wrong with it, the code that says the
same, and how to start. Nothing here knows what the form is about.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, Protocol

from jupyter_ext.errors import KubeflowError, Unavailable


@dataclass(frozen=True)
class Entry:
    """One field. Those of one ``line`` stand beside each other, those of one ``group`` are folded away together."""

    name: str
    label: str
    about: str = ""
    kind: Literal["text", "tick", "choice"] = "text"
    choices: tuple[str, ...] = ()
    placeholder: str = ""
    line: str = ""
    group: str = ""


class Model(Protocol):
    """The form without a screen."""

    @property
    def title(self) -> str:
        """What the form is for."""

    @property
    def entries(self) -> Sequence[Entry]:
        """The fields, in order."""

    @property
    def values(self) -> MutableMapping[str, str | bool]:
        """What is typed, by name of the field."""

    def problems(self) -> Mapping[str, str]:
        """The sentence under each field that is wrong; the empty name is the whole form."""

    def code(self) -> str:
        """The Python that does the same."""

    def run(self) -> Any:
        """Start it; raises KubeflowErrors."""


class Screen:
    """The form on a screen; ``.model`` is what is typed, ``.started`` the handle of what was started last."""

    def __init__(self, model: Model, verb: str) -> None:
        try:
            import ipywidgets as w
        except ImportError:
            raise Unavailable("the form needs ipywidgets", hint="pip install ipywidgets") from None
        self.model = model
        self.started: Any = None
        self._notes = {name: w.HTML() for name in ("", *(entry.name for entry in model.entries))}
        self._fields = {entry.name: self._field(entry) for entry in model.entries}
        self._button = w.Button(description=verb, button_style="primary")
        self._code = w.HTML()
        self._result = w.Output()
        for field in self._fields.values():
            field.observe(self._typed, names="value")
        self._button.on_click(self._start)
        self.box = w.VBox(self._rows())
        self._refresh()

    def _field(self, entry: Entry) -> Any:
        import ipywidgets as w

        value = self.model.values[entry.name]
        beside = entry.line and not self._first(entry)
        style = {"description_width": "initial" if beside or entry.kind == "tick" else f"{self._width()}ch"}
        layout = w.Layout(width="16em" if entry.line and beside else "24em" if entry.line else "34em")
        shared = {
            "description": entry.label,
            "style": style,
            "layout": layout,
            "tooltip": entry.about or entry.label,
        }
        if entry.kind == "tick":
            return w.Checkbox(value=bool(value), indent=False, **shared)
        if entry.kind == "choice":
            return w.Dropdown(options=entry.choices, value=value, **shared)
        return w.Text(value=str(value), placeholder=entry.placeholder, **shared)

    def _width(self) -> int:
        """Give one width to all labels on the left, so that the fields stand in one column."""
        labels = [
            len(item.label)
            for item in self.model.entries
            if item.kind != "tick" and (not item.line or self._first(item))
        ]
        return max(labels, default=8) + 2

    def _first(self, entry: Entry) -> bool:
        """Whether it is the first of its line."""
        return next(item.name for item in self.model.entries if item.line == entry.line) == entry.name

    def _rows(self) -> list[Any]:
        import ipywidgets as w

        rows: list[Any] = [w.HTML(f"<b>{escape(self.model.title)}</b>"), self._notes[""]]
        groups: dict[str, list[Any]] = {}
        lines: dict[str, Any] = {}
        for entry in self.model.entries:
            into = groups.setdefault(entry.group, []) if entry.group else rows
            if not entry.line:
                into += [self._fields[entry.name], self._notes[entry.name]]
            elif entry.line in lines:
                lines[entry.line].children = (*lines[entry.line].children, self._fields[entry.name])
                into.append(self._notes[entry.name])
            else:
                lines[entry.line] = w.HBox([self._fields[entry.name]])
                into += [lines[entry.line], self._notes[entry.name]]
        for title, found in groups.items():
            rows.append(w.Accordion(children=[w.VBox(found)], titles=(title,), selected_index=None))
        code = w.Accordion(children=[self._code], titles=("Show code",), selected_index=None)
        return [*rows, self._button, code, self._result]

    def _typed(self, _: object) -> None:
        for name, field in self._fields.items():
            value = field.value
            self.model.values[name] = value.strip() if isinstance(value, str) else value
        self._refresh()

    def _refresh(self) -> None:
        problems = self.model.problems()
        for name, note in self._notes.items():
            text = escape(problems.get(name, ""))
            note.value = (
                f'<span role="alert" style="color:var(--jp-error-color1, #d32f2f)">{text}</span>'
                if text
                else ""
            )
        self._button.disabled = bool(problems)
        self._button.tooltip = next(iter(problems.values()), self._button.description)
        self._code.value = f"<pre>{escape(self.model.code())}</pre>"

    def _start(self, _: object) -> None:
        from IPython.display import display

        self._result.clear_output()
        with self._result:
            try:
                self.started = self.model.run()
            except KubeflowError as error:
                sys.stderr.write(f"{error}\n")
            else:
                display(self.started)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        del include, exclude
        from jupyter_ext.display.live import WIDGET, view_of

        code = escape(self.model.code())
        return {
            "text/plain": self.model.title,
            "text/html": f"<pre>{code}</pre>",
            WIDGET: view_of(self.box).get(WIDGET),
        }
