"""A form for a batch, a schedule of it, or a session: what it runs on, what is wrong with it, and the same as code.

``FormModel`` is the form without a screen. ``form`` puts ipywidgets before it; ``draft`` answers a front end's.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jupyter_ext.display.screen import Entry, Screen
from jupyter_ext.errors import Invalid, KubeflowError, Where
from jupyter_ext.spark import snippets
from jupyter_ext.training.options import count, literal, pairs

_SIZES: Final = (
    Entry("cores", "Cores", "Cores of each executor", placeholder="1", line="executors"),
    Entry("executors", "Executors", "Several are processes of their own", placeholder="1", line="executors"),
    Entry("memory", "Memory", "Memory of each executor", placeholder="1g", line="memory"),
    Entry("driver_memory", "Driver's memory", "Memory of the driver", placeholder="1g", line="memory"),
)
_MORE: Final = (
    Entry("name", "Name", "Made up without it", group="More"),
    Entry("conf", "Settings of Spark", "NAME=VALUE, with commas", group="More"),
)
_BATCH: Final = (
    Entry("packages", "Packages", "Of Maven, GROUP:NAME:VERSION, with commas", group="More"),
    Entry("retries", "Retries", "Started again so often when it fails", placeholder="0", group="More"),
    Entry("cron", "By the clock", "0 6 * * 1-5 or @every 1h; empty for once and now", group="More"),
    Entry("timezone", "Time zone", "Of this machine without it", placeholder="Europe/Berlin", group="More"),
)
_IDLE: Final = Entry("idle", "Ends without use", "0 for never", placeholder="12h", group="More")
_ARGUMENT: Final = "args."


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("cores", "executors", "retries"), count),
    "conf": lambda text: pairs(_words(text), "conf"),
    "packages": _words,
}


@dataclass
class FormModel:
    """What is typed into the form, by name of the field; arguments of a function are ``args.NAME``.

    ``what`` is a function of the notebook or a file, of which ``function`` may name one; None is a session.
    """

    what: Callable[..., Any] | Path | None = None
    function: str | None = None
    values: dict[str, str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from jupyter_ext.training import forms

        self._defaults = forms.arguments(self.what) if callable(self.what) else {}
        start: dict[str, str | bool] = {_ARGUMENT + name: text for name, text in self._defaults.items()}
        given = {
            _ARGUMENT + key if key in self._defaults else key: value for key, value in self.values.items()
        }
        self.values = {**{entry.name: "" for entry in self.entries}, **start, **given}

    @property
    def title(self) -> str:
        """What the form is for."""
        return "Spark session" if self.what is None else f"Spark: {self._name or self.what}"

    @property
    def _name(self) -> str | None:
        return str(getattr(self.what, "__name__", "function")) if callable(self.what) else self.function

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The fields, in order."""
        if self.what is None:
            return (*_SIZES, *_MORE, _IDLE)
        asked = tuple(
            Entry(_ARGUMENT + name, name, f"By default {text}" if text else "")
            for name, text in self._defaults.items()
        )
        return (*asked, *_SIZES, *_MORE, *_BATCH)

    def to_spec(self) -> dict[str, Any]:
        """Give what is asked for as keywords of the library; raises Invalid naming the field."""
        found: dict[str, Any] = {}
        for entry in self.entries:
            text = str(self.values.get(entry.name) or "").strip()
            if text and not entry.name.startswith(_ARGUMENT):
                try:
                    found[entry.name] = _READERS.get(entry.name, str)(text)
                except ArgumentTypeError as error:
                    raise Invalid(str(error), where=Where(field=entry.name)) from None
        typed = {name: str(self.values.get(_ARGUMENT + name) or "").strip() for name in self._defaults}
        args = {name: literal(text) for name, text in typed.items() if text != self._defaults[name]}
        return {**found, **({"args": args} if args else {})}

    def problems(self) -> dict[str, str]:
        """Give the sentence under each field that is wrong; the empty name is the whole form."""
        try:
            examine(self._subject(), self.to_spec())
        except KubeflowError as error:
            place = (error.where.field if error.where else None) or ""
            known = [
                name for name in (place, place.partition("[")[0], _ARGUMENT + place) if name in self.values
            ]
            return {known[0] if known else "": str(error)}
        return {}

    def _subject(self) -> dict[str, Any]:
        if self.what is None:
            return {}
        return {"what": self.what, **({"function": self.function} if isinstance(self.what, Path) else {})}

    def code(self) -> str:
        """Give the Python that does the same."""
        path = {"path": str(self.what)} if isinstance(self.what, Path) else {}
        try:
            spec = {**self.to_spec(), "function": self._name, **path}
        except KubeflowError as error:
            return f"# {error}"
        return (snippets.session if self.what is None else snippets.batch)(spec)["python"]

    def run(self) -> Any:
        """Start it, and give its handle; raises as ``submit``, ``schedule`` and ``start`` do."""
        return begin(self._subject(), self.to_spec())


def examine(subject: Mapping[str, Any], words: Mapping[str, Any]) -> None:
    """Refuse what ``begin`` would refuse; nothing is created."""
    from jupyter_ext.spark import scheduling, submission

    if not subject:
        submission.examine_session(**words)
    elif words.get("cron"):
        scheduling.examine_schedule(**subject, **words)
    else:
        submission.examine(**subject, **_once(words))


def begin(subject: Mapping[str, Any], words: Mapping[str, Any]) -> Any:
    """Start a batch, a schedule (with ``cron``), or without a subject a session; give its handle."""
    from jupyter_ext import spark

    if not subject:
        return spark.start(**words)
    if words.get("cron"):
        return spark.schedule(**subject, **words)
    return spark.submit(**subject, **_once(words))


def _once(words: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in words.items() if name not in {"cron", *snippets.CLOCK}}


def draft(subject: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    """Say what ``begin`` would refuse, and the same request as code."""
    problems = []
    try:
        if subject and subject.get("what") is None:
            raise Invalid(
                "There is nothing to run", where=Where(field="what"), hint="Give a file or a source."
            )
        examine(subject, words)
    except KubeflowError as error:
        place = (error.where.field if error.where else None) or ""
        problems.append({"field": place, "message": str(error), "what": error.what, "hint": error.hint})
    what = subject.get("what")
    named = {"path": str(what)} if isinstance(what, Path) else {"source": what} if what else {}
    spec = {**words, **named, "function": subject.get("function")}
    return {"problems": problems, **(snippets.batch(spec) if subject else snippets.session(words))}


def form(
    what: Callable[..., Any] | str | Path | None = None, function: str | None = None, **values: object
) -> Screen:
    """Make a form for a batch of a function or a file, or without either for a session; ``values`` begin it.

    Raises Unavailable without ipywidgets.
    """
    from jupyter_ext.training.snippets import text

    subject = Path(what) if isinstance(what, str) else what
    given: dict[str, str | bool] = {name: text(value) for name, value in values.items()}
    return Screen(FormModel(subject, function, given), "Start" if what is None else "Submit")
