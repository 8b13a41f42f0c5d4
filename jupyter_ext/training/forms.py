"""A form for one training job: what it runs on, its arguments from the function's signature, and the same as code.

``FormModel`` is the form without a screen. ``form`` puts ipywidgets before it; ``draft`` answers a front end's.
"""

from __future__ import annotations

import inspect
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.display.screen import Entry, Screen
from jupyter_ext.errors import Invalid, KubeflowError, Where
from jupyter_ext.training import options, snippets
from jupyter_ext.training.spec import FRAMEWORKS

if TYPE_CHECKING:
    from jupyter_ext.training import Job

_FIXED = (
    Entry("framework", "Framework", "How its processes find each other", "choice", FRAMEWORKS),
    Entry("nodes", "Nodes", "A number, or MIN:MAX for a job whose nodes may come and go"),
    Entry("procs", "Processes on each", "Processes on each node"),
    Entry("cpu", "CPU", "Cores of each node", placeholder="2", line="resources"),
    Entry("memory", "Memory", "Memory of each node", placeholder="4Gi", line="resources"),
    Entry("gpu", "GPUs", "GPUs of each node", placeholder="1", line="resources"),
)
_MORE = (
    Entry("name", "Name", "Made up without it", group="More"),
    Entry("packages", "Packages", "Names, with commas", group="More"),
    Entry("deadline", "Deadline", "Stopped after this", placeholder="2h", group="More"),
    Entry("restarts", "Restarts", "Started again so often when it fails", placeholder="0", group="More"),
    Entry("register", "Register as", "Name of the model, @ and an alias behind it", group="More"),
    Entry("checkpoint", "Keep checkpoints, to resume from them", kind="tick", group="More"),
)
_ARGUMENT = "args."


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Give the arguments of a function that a form can ask for."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [item for item in found if item.kind in named]


def arguments(function: Callable[..., Any]) -> dict[str, str]:
    """Give those arguments with their defaults as texts."""
    empty = inspect.Parameter.empty
    return {
        item.name: "" if item.default is empty else snippets.text(item.default)
        for item in parameters(function)
    }


def _is_text(item: inspect.Parameter) -> bool:
    """Whether what is typed is the value itself, whatever it looks like."""
    return isinstance(item.default, str) or item.annotation in {str, "str"}


@dataclass
class FormModel:
    """What is typed into the form, by name of the field; arguments are ``args.NAME``.

    ``function`` is one of the notebook's, or the name of one in ``path``.
    """

    function: Callable[..., Any] | str | None = None
    path: str | None = None
    values: dict[str, str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._parameters = parameters(self.function) if callable(self.function) else []
        defaults = arguments(self.function) if callable(self.function) else {}
        given = self.values
        known = {name.removeprefix(_ARGUMENT): "" for name in given if name.startswith(_ARGUMENT)}
        self._arguments = {**known, **defaults}
        start: dict[str, str | bool] = {"framework": "torch", "nodes": "1", "procs": "1", "checkpoint": False}
        for entry in self.entries:
            start.setdefault(entry.name, "")
        start |= {_ARGUMENT + name: text for name, text in self._arguments.items()}
        self.values = {**start, **given}

    @property
    def title(self) -> str:
        """What the form is for."""
        return f"Train {self._name or self.path or ''}"

    @property
    def _name(self) -> str | None:
        if callable(self.function):
            return str(getattr(self.function, "__name__", "function"))
        return self.function

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The fields, in order."""
        asked = tuple(
            Entry(_ARGUMENT + name, name, f"By default {text}" if text else "")
            for name, text in self._arguments.items()
        )
        return (*asked, *_FIXED, *_MORE)

    def to_spec(self) -> dict[str, Any]:
        """Give what is asked for under the names of the REST interface; raises Invalid naming the field."""
        found: dict[str, Any] = {
            "path": self.path,
            "function": self._name,
            "framework": self.values["framework"],
        }
        for name, read in _READERS.items():
            text = self._text(name)
            if text:
                try:
                    found[name] = read(text)
                except ArgumentTypeError as error:
                    raise Invalid(str(error), where=Where(field=name)) from None
        found["args"] = self._typed_arguments()
        found["packages"] = [word.strip() for word in self._text("packages").split(",") if word.strip()]
        found["resources"] = {name: self._text(name) for name in ("cpu", "memory", "gpu") if self._text(name)}
        found |= {"name": self._text("name"), "register": self._text("register")}
        found |= {"checkpoint": bool(self.values["checkpoint"])}
        return {name: value for name, value in found.items() if value not in (None, {}, [], "", False)}

    def _text(self, name: str) -> str:
        return str(self.values.get(name) or "").strip()

    def _typed_arguments(self) -> dict[str, Any]:
        texts = {item.name for item in self._parameters if _is_text(item)}
        typed = {name: self._text(_ARGUMENT + name) for name in self._arguments}
        return {
            name: text if name in texts else options.literal(text)
            for name, text in typed.items()
            if text != self._arguments[name]
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], function: Callable[..., Any] | None = None) -> FormModel:
        """Inverse of ``to_spec``."""
        values: dict[str, str | bool] = {}
        for name in ("framework", "nodes", "procs", "deadline", "restarts", "name"):
            if spec.get(name) is not None:
                values[name] = str(spec[name])
        values |= {str(name): str(text) for name, text in (spec.get("resources") or {}).items()}
        values |= {_ARGUMENT + name: snippets.text(item) for name, item in (spec.get("args") or {}).items()}
        if spec.get("packages"):
            values["packages"] = ", ".join(spec["packages"])
        if spec.get("register"):
            from jupyter_ext.registry.made import word

            values["register"] = word(spec["register"])
        values["checkpoint"] = bool(spec.get("checkpoint"))
        return cls(function or spec.get("function"), spec.get("path"), values)

    def problems(self) -> dict[str, str]:
        """Give the sentence under each field that is wrong; the empty name is the whole form."""
        try:
            self._check()
        except KubeflowError as error:
            name = _field(error, self.values)
            return {name: str(error)}
        return {}

    def _check(self) -> None:
        from jupyter_ext.training import submission

        spec = self.to_spec()
        missing = [name for name in self._required() if not self._text(_ARGUMENT + name)]
        if missing:
            raise Invalid(f"{missing[0]} has no value", where=Where(field=_ARGUMENT + missing[0]))
        submission.examine(**keywords(spec))

    def _required(self) -> list[str]:
        return [item.name for item in self._parameters if item.default is inspect.Parameter.empty]

    def code(self) -> str:
        """Give the Python that does the same."""
        try:
            return snippets.python(self.to_spec())
        except KubeflowError as error:
            return f"# {error}"

    def run(self) -> Job:
        """Start it; raises Invalid and Unfit."""
        from jupyter_ext import training

        words = keywords(self.to_spec())
        if self.path:
            return training.train(Path(self.path), function=self._name, **words)
        assert callable(self.function)
        return training.train(self.function, **words)


_READERS: dict[str, Callable[[str], Any]] = {
    "nodes": options.nodes,
    "procs": options.count,
    "deadline": options.seconds,
    "restarts": options.count,
}


def keywords(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Give what ``training.train`` takes beside what it runs."""
    return {name: spec[name] for name in snippets.KEYWORDS if name in spec}


def _field(error: KubeflowError, known: Mapping[str, object]) -> str:
    """Give the field of the form that an error is about."""
    named = (error.where.field if error.where else None) or ""
    for candidate in (named, named.rpartition(".")[2], named.partition(".")[0]):
        if candidate in known:
            return candidate
    return ""


def draft(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Say what ``train`` would refuse of a request, and the same request as code."""
    from jupyter_ext.training import submission

    problems = []
    words = {name: value for name, value in spec.items() if value not in (None, {}, [])}
    try:
        submission.examine(**keywords(words))
    except KubeflowError as error:
        field = error.where.field if error.where else None
        problems.append({"field": field or "", "message": str(error), "what": error.what, "hint": error.hint})
    return {"problems": problems, **snippets.snippets(words)}


def form(what: Callable[..., Any] | str | Path, function: str | None = None, **values: object) -> Screen:
    """Make a form for training a function of the notebook, or one of a file; ``values`` are what it begins with.

    Raises Unavailable without ipywidgets.
    """
    given = {
        name: value if isinstance(value, bool) else snippets.text(value) for name, value in values.items()
    }
    known = {entry.name for entry in (*_FIXED, *_MORE)}
    named = {name if name in known else _ARGUMENT + name: value for name, value in given.items()}
    if callable(what):
        return Screen(FormModel(what, None, named), "Train")
    return Screen(FormModel(function, str(what), named), "Train")
