"""A form for one run of a notebook: its parameters, which steps, whether the cache; and the code that says the same.

``FormModel`` is the form without a screen. ``form`` puts ipywidgets before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines import snippets

if TYPE_CHECKING:
    from jupyter_ext.pipelines import Run
    from jupyter_ext.pipelines.model import Parameter, Pipeline

ALL_STEPS = "all steps"


def shown(parameter: Parameter) -> str | bool:
    """Give a parameter's default as the form shows it: text, or a tick for a bool."""
    if parameter.type == "bool":
        return bool(parameter.default)
    return parameter.default if isinstance(parameter.default, str) else json.dumps(parameter.default)


@dataclass
class FormModel:
    """What is typed into the form. ``values`` holds texts (ticks as bool) by name of the parameter."""

    pipeline: Pipeline
    path: str
    values: dict[str, str | bool] = field(default_factory=dict)
    start: str = ALL_STEPS
    only: str = ALL_STEPS
    cache: bool = True
    resources: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        defaults = {parameter.name: shown(parameter) for parameter in self.pipeline.parameters}
        self.values = {**defaults, **self.values}
        typed = self.resources
        self.resources = {name: {**asked, **typed.get(name, {})} for name, asked in self._declared().items()}

    def _declared(self) -> dict[str, dict[str, str]]:
        """Give what each step asks for by itself, as the form shows it."""
        return {
            step.name: {"cpu": step.cpu or "", "memory": step.memory or "", "gpu": step.gpu or ""}
            for step in self.pipeline.steps
            if step.kind == "step"
        }

    @property
    def steps(self) -> list[str]:
        """Names of the steps that may be chosen."""
        return [step.name for step in self.pipeline.steps if step.kind == "step"]

    def problems(self) -> dict[str, str]:
        """Give the sentence under each field that is wrong, by name of the field; the empty name is the whole form."""
        from jupyter_ext.pipelines import parameters

        found: dict[str, str] = {}
        for name, value in self.values.items():
            try:
                parameters.bind(self.pipeline, {name: value})
            except KubeflowError as error:
                found[name] = str(error)
        if self.pipeline.errors:
            found[""] = str(self.pipeline.errors[0])
        for name, chosen in (("from", self.start), ("only", self.only)):
            if chosen not in {ALL_STEPS, *self.steps}:
                found[name] = f"There is no step {chosen!r}."
        if ALL_STEPS not in {self.start, self.only}:
            found["only"] = "Choose a first step or a single step, not both."
        return {**found, **self._misfits()}

    def _misfits(self) -> dict[str, str]:
        """Give the sentence under each request for resources, by ``step.resource``."""
        from jupyter_ext.cluster.discover import current
        from jupyter_ext.pipelines import settings, submit

        found: dict[str, str] = {}
        for step, asked in self.changed_resources().items():
            for name, amount in asked.items():
                try:
                    settings.resource(name, amount)
                    submit.require_fit(
                        current(), submit.with_resources(self.pipeline, {step: {name: amount}})
                    )
                except KubeflowError as error:
                    found[f"{step}.{name}"] = str(error)
        return found

    def changed_resources(self) -> dict[str, dict[str, str]]:
        """Give the requests that differ from the notebook's own."""
        declared = self._declared()
        found = {
            step: {name: text for name, text in asked.items() if text and text != declared[step][name]}
            for step, asked in self.resources.items()
        }
        return {step: asked for step, asked in found.items() if asked}

    def changed(self) -> dict[str, Any]:
        """Give the parameters that differ from the notebook's own values, as values of their types.

        What is not valid yet stays as typed.
        """
        from jupyter_ext.pipelines import parameters

        defaults = {parameter.name: shown(parameter) for parameter in self.pipeline.parameters}
        found: dict[str, Any] = {}
        for name, value in self.values.items():
            if value == defaults.get(name):
                continue
            try:
                bound = parameters.bind(self.pipeline, {name: value})
            except KubeflowError:
                found[name] = value
            else:
                found |= {item.name: item.default for item in bound.parameters if item.name == name}
        return found

    @property
    def options(self) -> dict[str, Any]:
        """Give the options of the run that are not the default."""
        found: dict[str, Any] = {}
        if self.start != ALL_STEPS:
            found["from"] = self.start
        if self.only != ALL_STEPS:
            found["only"] = self.only
        if not self.cache:
            found["cache"] = False
        if asked := self.changed_resources():
            found["resources"] = asked
        return found

    def to_spec(self) -> dict[str, Any]:
        """Give what the form asks for, as the REST interface takes it."""
        return {"path": self.path, "parameters": self.changed(), "options": self.options}

    @classmethod
    def from_spec(cls, pipeline: Pipeline, spec: Mapping[str, Any]) -> FormModel:
        """Inverse of ``to_spec``."""
        options = spec.get("options") or {}
        values = {
            name: value if isinstance(value, str | bool) else json.dumps(value)
            for name, value in (spec.get("parameters") or {}).items()
        }
        return cls(
            pipeline,
            str(spec["path"]),
            values,
            start=options.get("from") or ALL_STEPS,
            only=options.get("only") or ALL_STEPS,
            cache=options.get("cache", True),
            resources={step: dict(asked) for step, asked in (options.get("resources") or {}).items()},
        )

    def code(self) -> str:
        """Give the Python that does the same."""
        return snippets.python(self.path, self.changed(), self.options)

    def run(self) -> Run:
        """Start it; raises Invalid and Unfit."""
        from jupyter_ext import pipelines

        options = self.options
        return pipelines.run(
            self.path,
            parameters=self.changed(),
            from_=options.get("from"),
            only=options.get("only"),
            cache=self.cache,
            resources=options.get("resources"),
        )


class Form:
    """The form on a screen; ``.model`` is what is typed, ``.run`` the run that was started last."""

    def __init__(self, model: FormModel) -> None:
        import ipywidgets as w

        self.model = model
        self.run: Run | None = None
        requests = [f"{step}.{name}" for step, asked in model.resources.items() for name in asked]
        self._notes = {name: w.HTML() for name in ("", "from", "only", *model.values, *requests)}
        self._fields = {parameter.name: self._field(parameter) for parameter in model.pipeline.parameters}
        self._requests = {name: self._request(*name.rsplit(".", 1)) for name in requests}
        steps = [ALL_STEPS, *model.steps]
        wide = self._wide()
        self._start = w.Dropdown(options=steps, value=model.start, description="First step", style=wide)
        self._only = w.Dropdown(options=steps, value=model.only, description="Single step", style=wide)
        self._cache = w.Checkbox(
            value=model.cache, description="Take results of earlier runs", style=wide, indent=False
        )
        self._button = w.Button(description="Run", button_style="primary", tooltip="Start the run")
        self._code = w.HTML()
        self._result = w.Output()
        for widget in (
            *self._fields.values(),
            *self._requests.values(),
            self._start,
            self._only,
            self._cache,
        ):
            widget.observe(self._typed, names="value")
        self._button.on_click(self._start_run)
        self.box = w.VBox(self._rows())
        self._refresh()

    def _wide(self) -> dict[str, str]:
        """Give all labels one width, so that the fields stand in one column and no name is cut."""
        longest = max(map(len, ("Single step", *self.model.values)))
        return {"description_width": f"{longest + 2}ch"}

    def _field(self, parameter: Parameter) -> Any:
        import ipywidgets as w

        value = self.model.values[parameter.name]
        style = self._wide()
        tip = f"{parameter.type}, by default {parameter.default!r} (cell {parameter.cell}, line {parameter.line})"
        if parameter.type == "bool":
            return w.Checkbox(
                value=bool(value), description=parameter.name, style=style, tooltip=tip, indent=False
            )
        return w.Text(
            value=str(value), description=parameter.name, style=style, tooltip=tip, continuous_update=True,
            layout=w.Layout(width="30em"),
        )  # fmt: skip

    def _request(self, step: str, name: str) -> Any:
        import ipywidgets as w

        units = {"cpu": "CPU", "memory": "Memory", "gpu": "GPUs"}
        hints = {"cpu": "0.5", "memory": "4Gi", "gpu": "1"}
        return w.Text(
            value=self.model.resources[step][name], description=units[name], placeholder=hints[name],
            tooltip=f"{units[name]} for step {step}", style={"description_width": "initial"},
            layout=w.Layout(width="11em"),
        )  # fmt: skip

    def _resources(self) -> Any:
        """Give one line per step, folded away."""
        import ipywidgets as w

        lines = []
        for step, asked in self.model.resources.items():
            fields = [self._requests[f"{step}.{name}"] for name in asked]
            lines.append(w.HBox([w.Label(step, layout=w.Layout(width="12em")), *fields]))
            lines += [self._notes[f"{step}.{name}"] for name in asked]
        return w.Accordion(children=[w.VBox(lines)], titles=("Resources of each step",), selected_index=None)

    def _rows(self) -> list[Any]:
        import ipywidgets as w

        rows: list[Any] = [self._notes[""]]
        for name, widget in self._fields.items():
            rows += [widget, self._notes[name]]
        rows += [self._start, self._notes["from"], self._only, self._notes["only"], self._cache]
        code = w.Accordion(children=[self._code], titles=("Show code",), selected_index=None)
        return [*rows, self._resources(), self._button, code, self._result]

    def _typed(self, _: object) -> None:
        self.model.values = {name: widget.value for name, widget in self._fields.items()}
        self.model.start, self.model.only = self._start.value, self._only.value
        self.model.cache = self._cache.value
        for name, widget in self._requests.items():
            step, resource = name.rsplit(".", 1)
            self.model.resources[step][resource] = widget.value.strip()
        self._refresh()

    def _refresh(self) -> None:
        from html import escape

        problems = self.model.problems()
        for name, note in self._notes.items():
            text = escape(problems.get(name, ""))
            note.value = (
                f'<span role="alert" style="color:var(--jp-error-color1, #d32f2f)">{text}</span>'
                if text
                else ""
            )
        self._button.disabled = bool(problems)
        self._button.tooltip = next(iter(problems.values()), "Start the run")
        self._code.value = f"<pre>{escape(self.model.code())}</pre>"

    def _start_run(self, _: object) -> None:
        from IPython.display import display

        self._result.clear_output()
        with self._result:
            try:
                self.run = self.model.run()
            except KubeflowError as error:
                sys_error(error)
            else:
                display(self.run)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        del include, exclude
        from jupyter_ext.display.live import WIDGET, view_of

        text = f"A form to run {self.model.path}"
        code = f"<pre>{self.model.code()}</pre>"
        return {"text/plain": text, "text/html": code, WIDGET: view_of(self.box).get(WIDGET)}


def sys_error(error: KubeflowError) -> None:
    """Say a refusal in the form's own output."""
    import sys

    sys.stderr.write(f"{error}\n")


def form(path: str | Path, **values: object) -> Form:
    """Make a form for running a notebook; ``values`` are what it begins with.

    Raises Invalid where the notebook cannot be read, Unavailable without ipywidgets.
    """
    from jupyter_ext import pipelines
    from jupyter_ext.errors import Unavailable

    try:
        import ipywidgets  # noqa: F401
    except ImportError:
        hint = "pip install ipywidgets, or use jupyter_ext.pipelines.run."
        raise Unavailable("the form needs ipywidgets", hint=hint) from None
    pipeline = pipelines.check(str(path))
    return Form(FormModel.from_spec(pipeline, {"path": str(path), "parameters": values}))
