"""A form for registering a model of the notebook; it shows the same as code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.display.screen import Entry, Screen
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Where
from jupyter_ext.registry import formats, snippets

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Version

_ENTRIES = (
    Entry("what", "Model", "A variable of the notebook, a file or a folder", placeholder="model"),
    Entry("name", "Name", "NAME of the model; a new one is made", placeholder="iris"),
    Entry("alias", "Alias", "Let this alias mean it", placeholder="champion"),
    Entry("metrics", "Metrics", "NAME=NUMBER or variables, with commas", placeholder="accuracy=0.97"),
    Entry("parameters", "Parameters", "NAME=VALUE or variables, with commas", placeholder="C=1.0"),
    Entry("example", "Example", "A variable with a few rows", placeholder="X_test"),
    Entry("data", "Data", "Variables or paths it was trained on, with commas", placeholder="train=X_train"),
    Entry("version", "Version", "The next number without it", group="More"),
    Entry("description", "Description", "In a sentence or two", group="More"),
    Entry(
        "format", "Format", "Where it is not recognised", placeholder=", ".join(formats.FORMATS), group="More"
    ),
    Entry("to", "To", "A URL to put the files to", placeholder="s3://bucket/models", group="More"),
)


@dataclass
class FormModel:
    """What is typed into the form, by name of the field; ``namespace`` has the notebook's variables."""

    values: dict[str, str | bool] = field(default_factory=dict)
    namespace: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = {**{entry.name: "" for entry in _ENTRIES}, **self.values}

    @property
    def title(self) -> str:
        """What the form is for."""
        return f"Register {self._text('what')}".strip()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The fields, in order."""
        return _ENTRIES

    def _text(self, name: str) -> str:
        return str(self.values.get(name) or "").strip()

    def problems(self) -> dict[str, str]:
        """The sentence under each field that is wrong."""
        found = {}
        for name in ("what", "name", "metrics", "parameters", "example", "data", "format"):
            try:
                self._read(name)
            except KubeflowError as error:
                found[name] = str(error)
        return found

    def _read(self, name: str) -> Any:
        text = self._text(name)
        if name == "what":
            return self._what(text)
        if name == "name" and not text:
            raise Invalid("the model needs a name")
        if name == "metrics":
            return {key: self._number(key, value) for key, value in _pairs(text)}
        if name == "parameters":
            return {key: self.namespace.get(value, literal(value)) for key, value in _pairs(text)}
        if name == "example":
            return self._variable(text) if text else None
        if name == "data":
            return {key: self._data(value) for key, value in _pairs(text)}
        return text or None

    def _what(self, text: str) -> Any:
        if not text:
            raise Invalid("say which variable or file is the model")
        if text in self.namespace:
            return self.namespace[text]
        if "://" in text or Path(text).expanduser().exists():
            return text
        raise NotFound(f"there is no variable and no file {text!r}")

    def _variable(self, name: str) -> Any:
        if name not in self.namespace:
            raise NotFound(f"there is no variable {name!r}")
        return self.namespace[name]

    def _data(self, text: str) -> Any:
        if text in self.namespace or "://" in text or Path(text).expanduser().exists():
            return self.namespace.get(text, text)
        raise NotFound(f"there is no variable and no file {text!r}")

    def _number(self, name: str, text: str) -> float:
        value = self.namespace.get(text, literal(text))
        try:
            return float(value)
        except (TypeError, ValueError):
            raise Invalid(
                f"{name} is {str(value)[:40]!r}, not a number", where=Where(field="metrics")
            ) from None

    def _words(self) -> dict[str, Any]:
        plain = {name: self._text(name) for name in ("alias", "version", "description", "format", "to")}
        return {name: text for name, text in plain.items() if text}

    def code(self) -> str:
        """The Python that does the same."""
        what = self._text("what") or "model"
        words = [
            what if what in self.namespace or what.isidentifier() else repr(what),
            repr(self._text("name") or "NAME"),
        ]
        for name in ("metrics", "parameters", "data"):
            pairs = [f"{key!r}: {self._written(value)}" for key, value in _pairs(self._text(name))]
            words += [f"{name}={{{', '.join(pairs)}}}"] if pairs else []
        words += [f"example={self._text('example')}"] if self._text("example") else []
        words += [f"{name}={text!r}" for name, text in self._words().items() if name in snippets.KEYWORDS]
        return f"import jupyter_ext as kf\nversion = kf.registry.register({', '.join(words)})"

    def _written(self, text: str) -> str:
        return text if text in self.namespace else repr(literal(text))

    def run(self) -> Version:
        """Register it."""
        from jupyter_ext import registry

        words = self._words()
        return registry.register(
            self._read("what"), self._text("name"), words.pop("version", None), metrics=self._read("metrics"),
            parameters=self._read("parameters"), example=self._read("example"), data=self._read("data") or None, **words,
        )  # fmt: skip


def _pairs(text: str) -> list[tuple[str, str]]:
    """``NAME=VALUE`` with commas between; a name alone is its own variable."""
    found = []
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if name.strip():
            found.append((name.strip(), value.strip() if equals else name.strip()))
    return found


def literal(text: str) -> Any:
    """What a Python literal means (``0.1``, ``[1, 2]``), else the text itself."""
    import ast

    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def form(namespace: Mapping[str, Any] | None = None, **values: str) -> Screen:
    """A form for registering a model; ``values`` are what it begins with. Raises Unavailable without ipywidgets."""
    if namespace is None:
        import sys

        interactive = sys.modules.get("IPython")
        shell = interactive.get_ipython() if interactive is not None else None
        namespace = shell.user_ns if shell is not None else {}
    return Screen(FormModel(dict(values), namespace), "Register")
