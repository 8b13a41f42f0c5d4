"""A form for one experiment: its space from the function's signature, and the same as code.

``FormModel`` is the form without a screen. ``form`` puts ipywidgets before it; ``draft`` answers a front end's.
"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.display.screen import Entry, Screen
from jupyter_ext.errors import Invalid, KubeflowError, Where
from jupyter_ext.training.forms import arguments
from jupyter_ext.training.options import count, nodes
from jupyter_ext.training.spec import FRAMEWORKS
from jupyter_ext.tuning import snippets

if TYPE_CHECKING:
    from jupyter_ext.tuning import Experiment

FIXED = "fixed"
TYPES = (FIXED, "double", "int", "categorical", "discrete")
SCALES = ("uniform", "log", "normal", "logNormal")
FUNCTION = "function"
"""Framework of a trial that is no training job."""

_HEAD = (
    Entry("objective", "Objective", "METRIC:min or METRIC:max, :GOAL behind it", placeholder="loss:min"),
    Entry("trials", "Trials", "Greatest number of trials"),
    Entry("parallel", "At the same time", "Trials at the same time; made up without it"),
)
_MORE = (
    Entry("early_stopping", "Stop poor trials early", "", "choice", ("", "medianstop"), group="More"),
    Entry("max_failed", "Failed trials", "Given up after so many", group="More"),
    Entry("framework", "Each trial is", "", "choice", (FUNCTION, *FRAMEWORKS), group="More"),
    Entry("nodes", "Nodes of a trial", group="More"),
    Entry("procs", "Processes on each", group="More"),
    Entry("cpu", "CPU", "Cores of each trial", placeholder="1", line="resources", group="More"),
    Entry("memory", "Memory", "Memory of each trial", placeholder="4Gi", line="resources", group="More"),
    Entry("gpu", "GPUs", "GPUs of each trial", placeholder="1", line="resources", group="More"),
    Entry("name", "Name", "Made up without it", group="More"),
    Entry("register", "Register as", "Name of the model, @ and an alias behind it", group="More"),
)


@dataclass
class FormModel:
    """What is typed into the form, by name of the field; of a parameter ``NAME.type``, ``.range``, ``.scale``."""

    function: Callable[..., Any] | str | None = None
    path: str | None = None
    values: dict[str, str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.values
        found = self._found()
        named = [name.removesuffix(".type") for name in given if name.endswith(".type")]
        self._parameters = list(dict.fromkeys([*found, *named]))
        start: dict[str, str | bool] = {"objective": "loss:min", "trials": "20", "algorithm": "random"}
        start |= {"framework": FUNCTION, "early_stopping": ""}
        for entry in (*_HEAD, *_MORE):
            start.setdefault(entry.name, "")
        for name in self._parameters:
            start |= parts(name, found.get(name, ""))
        self.values = {**start, **given}

    def _found(self) -> dict[str, str]:
        """Give the parameters of the function, with the spaces that its defaults and annotations suggest."""
        from jupyter_ext import tuning

        if not callable(self.function):
            return {}
        suggested = {name: str(space) for name, space in tuning.space_of(self.function).items()}
        return {name: suggested.get(name, "") for name in arguments(self.function)}

    @property
    def title(self) -> str:
        """What the form is for."""
        return f"Tune {self._name or self.path or ''}"

    @property
    def _name(self) -> str | None:
        if callable(self.function):
            return str(getattr(self.function, "__name__", "function"))
        return self.function

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The fields, in order."""
        asked: list[Entry] = []
        for name in self._parameters:
            asked += [
                Entry(f"{name}.type", name, f"How {name} varies", "choice", TYPES, line=name),
                Entry(
                    f"{name}.range", "", "From and to, or the values", placeholder="0.0001, 0.1", line=name
                ),
                Entry(f"{name}.scale", "", "How values are drawn", "choice", SCALES, line=name),
            ]
        algorithm = Entry("algorithm", "Algorithm", "By its name in Katib", "choice", _algorithms())
        return (*asked, *_HEAD, algorithm, *_MORE)

    def space(self) -> dict[str, str]:
        """Give the space as texts by name; what is fixed is not in it."""
        found = {}
        for name in self._parameters:
            kind, text = self._text(f"{name}.type"), self._text(f"{name}.range")
            if kind == FIXED:
                continue
            if not text:
                raise Invalid(f"{name} has no range", where=Where(field=f"{name}.range"))
            words = [text]
            scale = self._text(f"{name}.scale")
            if kind in {"double", "int"} and scale != "uniform":
                words.append(scale)
            found[name] = f"{kind}({','.join(word.replace(', ', ',') for word in words)})"
        return found

    def to_spec(self) -> dict[str, Any]:
        """Give what is asked for under the names of the REST interface; raises Invalid naming the field."""
        found: dict[str, Any] = {"path": self.path, "function": self._name, "space": self.space()}
        for name, read in _READERS.items():
            if text := self._text(name):
                try:
                    found[name] = read(text)
                except ArgumentTypeError as error:
                    raise Invalid(str(error), where=Where(field=name)) from None
        for name in ("objective", "algorithm", "early_stopping", "name", "register"):
            found[name] = self._text(name)
        if self._text("framework") != FUNCTION:
            found["framework"] = self._text("framework")
        found["resources"] = {name: self._text(name) for name in ("cpu", "memory", "gpu") if self._text(name)}
        return {name: value for name, value in found.items() if value not in (None, {}, [], "")}

    def _text(self, name: str) -> str:
        return str(self.values.get(name) or "").strip()

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], function: Callable[..., Any] | None = None) -> FormModel:
        """Inverse of ``to_spec``."""
        values: dict[str, str | bool] = {}
        for name in ("objective", "algorithm", "early_stopping", "name", "framework", *_READERS):
            if spec.get(name) is not None:
                values[name] = str(spec[name])
        if spec.get("register"):
            from jupyter_ext.registry.made import word

            values["register"] = word(spec["register"])
        values |= {str(name): str(text) for name, text in (spec.get("resources") or {}).items()}
        for name in arguments(function) if function else ():
            values |= parts(name, "")  # what the space does not name is fixed
        for name, text in (spec.get("space") or {}).items():
            values |= parts(name, str(text))
        return cls(function or spec.get("function"), spec.get("path"), values)

    def problems(self) -> dict[str, str]:
        """Give the sentence under each field that is wrong; the empty name is the whole form."""
        try:
            spec = self.to_spec()
            if not spec.get("space"):
                raise Invalid("no parameter varies", hint="Give at least one a range.")
            _examine(spec)
        except KubeflowError as error:
            return {self._field(error): str(error)}
        return {}

    def _field(self, error: KubeflowError) -> str:
        named = (error.where.field if error.where else None) or ""
        for part in (named, named.rpartition(".")[2], *named.split(".")):
            if part in self.values:
                return part
            if part in self._parameters:
                return f"{part}.type"
        return ""

    def code(self) -> str:
        """Give the Python that does the same."""
        try:
            return snippets.python(self.to_spec())
        except KubeflowError as error:
            return f"# {error}"

    def run(self) -> Experiment:
        """Start it; raises Invalid and Unfit."""
        from jupyter_ext import tuning

        spec = self.to_spec()
        space: Any = spec.pop("space", {})
        objective = str(spec.pop("objective", "loss:min"))
        words = {name: spec[name] for name in snippets.KEYWORDS if name in spec}
        if self.path:
            return tuning.tune(Path(self.path), space, objective, function=self._name, **words)
        assert callable(self.function)
        return tuning.tune(self.function, space, objective, **words)


_READERS: dict[str, Callable[[str], Any]] = {
    "trials": count,
    "parallel": count,
    "max_failed": count,
    "nodes": nodes,
    "procs": count,
}


def parts(name: str, text: str) -> dict[str, str | bool]:
    """Give the three fields of a parameter from a space such as ``double(1e-4,1e-1,log)``."""
    found = re.fullmatch(r"(\w+)\((.*)\)", text.strip())
    kind, inner, scale = (found[1], found[2], "uniform") if found else (FIXED, "", "uniform")
    if kind in {"double", "int"}:
        words = [word.strip() for word in inner.split(",")]
        scale = next((word for word in words if word in SCALES), "uniform")
        inner = ", ".join(word for word in words if word not in SCALES)
    return {f"{name}.type": kind, f"{name}.range": inner, f"{name}.scale": scale}


def _algorithms() -> tuple[str, ...]:
    from jupyter_ext import tuning

    return tuple(str(found["name"]) for found in tuning.algorithms() if found["available"])


def _examine(spec: Mapping[str, Any]) -> None:
    from jupyter_ext.tuning import submission

    words = {name: spec[name] for name in ("space", "objective", *snippets.KEYWORDS) if name in spec}
    submission.examine(**words)


def draft(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Say what ``tune`` would refuse of a request, and the same request as code."""
    problems = []
    words = {name: value for name, value in spec.items() if value not in (None, {}, [])}
    try:
        _examine(words)
    except KubeflowError as error:
        field = error.where.field if error.where else None
        problems.append({"field": field or "", "message": str(error), "what": error.what, "hint": error.hint})
    return {"problems": problems, **snippets.snippets(words)}


def form(what: Callable[..., Any] | str | Path, function: str | None = None, **values: str) -> Screen:
    """Make a form for tuning a function of the notebook, or one of a file; ``values`` are what it begins with.

    The value of a parameter is its space, for example ``lr="double(1e-4,1e-1,log)"``. Raises Unavailable without
    ipywidgets.
    """
    known = {entry.name for entry in (*_HEAD, *_MORE)} | {"algorithm"}
    named: dict[str, str | bool] = {}
    for name, value in values.items():
        named |= {name: str(value)} if name in known else parts(name, str(value))
    if callable(what):
        return Screen(FormModel(what, None, named), "Tune")
    return Screen(FormModel(function, str(what), named), "Tune")
