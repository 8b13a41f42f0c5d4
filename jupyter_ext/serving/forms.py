"""Forms for endpoints: serve a model, share its traffic, try a request. Each shows the same as code.

The models are forms without a screen; ``form``, ``traffic_form`` and ``tester`` put ipywidgets before them, the drafts
answer a front end's.
"""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_ext.display.screen import Entry, Screen
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Where
from jupyter_ext.serving import options, snippets
from jupyter_ext.training.options import seconds

if TYPE_CHECKING:
    from jupyter_ext.serving import Endpoint

_FIXED = (
    Entry("model", "Model", "NAME, NAME@ALIAS or NAME:VERSION of the registry", placeholder="iris@champion"),
    Entry("endpoint", "Endpoint", "That of the model without it"),
    Entry(
        "percent",
        "Percent",
        "Put it beside what is served; without it, it takes over",
        placeholder="takes over",
    ),
    Entry("replicas", "Processes", "A number, or LEAST:MOST", placeholder="1"),
    Entry("cpu", "CPU", "Cores of each process", placeholder="1", line="resources"),
    Entry("memory", "Memory", "Memory of each process", placeholder="1Gi", line="resources"),
    Entry("gpu", "GPUs", "GPUs of each process", placeholder="0", line="resources"),
)
_MORE = (
    Entry("variant", "Variant", "v and the version without it", group="More"),
    Entry("timeout", "Timeout", "A request may take so long", placeholder="60", group="More"),
    Entry("batch", "Batch", "SIZE, or SIZE:MILLISECONDS", placeholder="32:5", group="More"),
    Entry("idle", "Stop when idle for", "The next request wakes it", placeholder="10m", group="More"),
    Entry("sticky", "Stay with a variant", "header:NAME, query:NAME or body:PATH", placeholder="header:x-user", group="More"),
    Entry("log", "Keep requests", "All is 1; the share that is kept", placeholder="0.1", group="More"),
    Entry("rules", "Rules", "One, or several with ;", placeholder="roll back if errors > 2 % over 5 minutes", group="More"),
    Entry("grpc", "Answer V2 by gRPC too", kind="tick", group="More"),
    Entry("explain", "Answer :explain too", kind="tick", group="More"),
    Entry("trust", "Load a format that can run code, registered by somebody else", kind="tick", group="More"),
)  # fmt: skip
_READERS: dict[str, Callable[[str], Any]] = {
    "percent": options.percent,
    "replicas": options.replicas,
    "timeout": seconds,
    "batch": options.batch,
    "idle": seconds,
    "log": options.sample,
}


@dataclass
class FormModel:
    """What is typed into the form of serving, by name of the field."""

    values: dict[str, str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        start: dict[str, str | bool] = {
            entry.name: False if entry.kind == "tick" else "" for entry in self.entries
        }
        self.values = {**start, **self.values}

    @property
    def title(self) -> str:
        """What the form is for."""
        return f"Serve {self._text('model')}".strip()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The fields, in order."""
        return (*_FIXED, *_MORE)

    def _text(self, name: str) -> str:
        return str(self.values.get(name) or "").strip()

    def to_spec(self) -> dict[str, Any]:
        """Give what is asked for under the names of the REST interface; raises Invalid naming the field."""
        found: dict[str, Any] = {
            name: self._text(name) for name in ("model", "endpoint", "variant", "sticky")
        }
        for name, read in _READERS.items():
            if text := self._text(name):
                try:
                    found[name] = read(text)
                except ArgumentTypeError as error:
                    raise Invalid(str(error), where=Where(field=name)) from None
        if "log" in found:
            found["log"] = {"sample": found["log"]}
        found["resources"] = {name: self._text(name) for name in ("cpu", "memory", "gpu") if self._text(name)}
        found["rules"] = [text.strip() for text in self._text("rules").split(";") if text.strip()]
        found |= {name: bool(self.values[name]) for name in ("grpc", "explain", "trust")}
        return {
            name: value for name, value in found.items() if value not in ("", {}, []) and value is not False
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> FormModel:
        """Inverse of ``to_spec``."""
        values: dict[str, str | bool] = {}
        for name in ("model", "endpoint", "variant", "sticky", "percent", "replicas", "timeout", "idle"):
            if spec.get(name) is not None:
                values[name] = f"{spec[name]:g}" if isinstance(spec[name], float) else str(spec[name])
        values |= {str(name): str(text) for name, text in (spec.get("resources") or {}).items()}
        if batch := spec.get("batch"):
            values["batch"] = str(batch["size"]) + (f":{batch['wait_ms']:g}" if batch.get("wait_ms") else "")
        if log := spec.get("log"):
            values["log"] = f"{log.get('sample', 1):g}" if isinstance(log, Mapping) else "1"
        values["rules"] = "; ".join(spec.get("rules") or ())
        values |= {name: bool(spec.get(name)) for name in ("grpc", "explain", "trust")}
        return cls(values)

    def problems(self) -> dict[str, str]:
        """Give the sentence under each field that is wrong; the empty name is the whole form."""
        try:
            spec = self.to_spec()
            if not spec.get("model"):
                raise Invalid("say which model", where=Where(field="model"), hint="See: jupyter kf models")
            _examine(spec)
        except KubeflowError as error:
            return {_field(error, self.values) or _unnamed(error): str(error)}
        return {}

    def code(self) -> str:
        """Give the Python that does the same."""
        try:
            return snippets.python(self.to_spec())
        except KubeflowError as error:
            return f"# {error}"

    def run(self) -> Endpoint:
        """Serve it; the handle shows how it comes up."""
        from jupyter_ext import serving

        spec = self.to_spec()
        return serving.serve(spec.pop("model"), wait=False, **spec)


def _examine(spec: Mapping[str, Any]) -> Any:
    from jupyter_ext.serving import submission

    said = dict(spec)
    return submission.examine(said.pop("model"), **said)


def _field(error: KubeflowError, known: Mapping[str, object]) -> str:
    """Give the field of a form that an error is about."""
    named = (error.where.field if error.where else None) or ""
    for candidate in (named, named.rpartition(".")[2], named.partition(".")[0], named.partition("[")[0]):
        if candidate in known:
            return candidate
    return ""


def _unnamed(error: KubeflowError) -> str:
    """Give the field of an error that names none: what is not found is the model; the rest is about the whole form."""
    return "model" if isinstance(error, NotFound) else ""


def problem(error: KubeflowError) -> dict[str, Any]:
    """Give an error as a front end puts it under a field."""
    place = error.where.field if error.where else None
    return {"field": place or _unnamed(error), "message": str(error), "what": error.what, "hint": error.hint}


def draft(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Say what ``serve`` would refuse of a request, and the same request as code."""
    from jupyter_ext.serving.export import export

    problems, yaml = [], ""
    try:
        made = _examine({name: value for name, value in spec.items() if value not in (None, {}, [])})
        yaml = export(made, strict=False)
    except KubeflowError as error:
        problems.append(problem(error))
    return {"problems": problems, "fits": not problems, "yaml": yaml, **snippets.snippets(spec)}


def rule_problems(texts: Iterable[Any]) -> list[dict[str, Any]]:
    """Say which rules cannot be read; ``position`` is the character from 0 at which that begins."""
    from jupyter_ext.serving import rules

    found = []
    for index, text in enumerate(texts):
        try:
            if not isinstance(text, str):
                raise Invalid("a rule is a text", where=Where(field="rules"))
            rules.parse(text)
        except KubeflowError as error:
            position = getattr(error, "position", None)
            found.append({**problem(error), "field": "rules", "index": index, "position": position})
    return found


# Traffic


def traffic_draft(name: str, split: Mapping[str, Any], sticky: str | None = None) -> dict[str, Any]:
    """Say what ``traffic`` would refuse, and the same change as code."""
    from jupyter_ext import serving

    problems = []
    more: dict[str, Any] = {} if sticky is None else {"sticky": sticky or None}
    try:
        serving.get(name).traffic(dict(split), dry=True, **more)
    except KubeflowError as error:
        problems.append(problem(error))
    shares = {key: value for key, value in split.items() if isinstance(value, int | float)}
    return {"problems": problems, **snippets.traffic(name, shares, sticky)}


@dataclass
class TrafficModel:
    """The shares of an endpoint's variants, as they are typed."""

    endpoint: str
    values: dict[str, str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from jupyter_ext import serving
        from jupyter_ext.serving import presenting

        found = presenting.variants(serving.get(self.endpoint).resource)
        self._names = [str(item["name"]) for item in found]
        start: dict[str, str | bool] = {str(item["name"]): f"{item.get('percent') or 0:g}" for item in found}
        self.values = {**start, **self.values}

    @property
    def title(self) -> str:
        """What the form is for."""
        return f"Traffic of {self.endpoint}"

    @property
    def entries(self) -> tuple[Entry, ...]:
        """One field for each variant."""
        return tuple(Entry(name, name, "Percent of the traffic") for name in self._names)

    def split(self) -> dict[str, float]:
        """Give the shares; raises Invalid naming the variant."""
        found = {}
        for name in self._names:
            try:
                found[name] = options.percent(str(self.values[name] or "0"))
            except ArgumentTypeError as error:
                raise Invalid(str(error), where=Where(field=name)) from None
        return found

    def problems(self) -> dict[str, str]:
        """Give the sentence under each field that is wrong."""
        from jupyter_ext import serving

        try:
            serving.get(self.endpoint).traffic(self.split(), dry=True)
        except KubeflowError as error:
            return {_field(error, self.values): str(error)}
        return {}

    def code(self) -> str:
        """Give the Python that does the same."""
        try:
            return snippets.traffic(self.endpoint, self.split())["python"]
        except KubeflowError as error:
            return f"# {error}"

    def run(self) -> Endpoint:
        """Change it."""
        from jupyter_ext import serving

        endpoint = serving.get(self.endpoint)
        endpoint.traffic(self.split())
        return endpoint


# A request to try


@dataclass
class TesterModel:
    """One request that is typed as JSON, with the recorded example to begin with."""

    endpoint: str
    values: dict[str, str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = {"variant": "", "data": _example(self.endpoint), **self.values}

    @property
    def title(self) -> str:
        """What the form is for."""
        return f"Try {self.endpoint}"

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The request, and where it goes."""
        about = "Rows, columns, or the whole body of V1 or V2, as JSON"
        return (
            Entry("data", "Request", about),
            Entry("variant", "Variant", "As the traffic goes without it"),
        )

    def data(self) -> Any:
        """Give what is typed; raises Invalid."""
        try:
            found = json.loads(str(self.values["data"]))
        except ValueError as error:
            raise Invalid(f"this is not JSON: {error}", where=Where(field="data")) from None
        if not isinstance(found, list | dict):
            raise Invalid("a request is a list of rows, or an object", where=Where(field="data"))
        return found

    def problems(self) -> dict[str, str]:
        """Give the sentence under each field that is wrong."""
        try:
            self.data()
        except KubeflowError as error:
            return {_field(error, self.values): str(error)}
        return {}

    def code(self) -> str:
        """Give the Python that does the same."""
        try:
            shown = repr(self.data())
        except KubeflowError as error:
            return f"# {error}"
        more = f", variant={self.values['variant']!r}" if self.values["variant"] else ""
        return f"import jupyter_ext as kf\nkf.serving.get({self.endpoint!r}).predict({shown}{more})"

    def run(self) -> Any:
        """Send it; gives the answer with all around it."""
        from jupyter_ext import serving

        return serving.get(self.endpoint).predict(
            self.data(), variant=str(self.values["variant"]) or None, raw=True
        )


def _example(endpoint: str) -> str:
    from jupyter_ext import serving
    from jupyter_ext.serving import presenting

    try:
        rows = presenting.example(serving.get(endpoint))["instances"]
    except (KubeflowError, AttributeError, ImportError):
        rows = None
    return json.dumps((rows or [[0.0]])[:1], default=str)


def form(model: str = "", **values: object) -> Screen:
    """Make a form for serving a model; ``values`` are what it begins with. Raises Unavailable without ipywidgets."""
    return Screen(FormModel.from_spec({"model": model, **values}), "Serve")


def traffic_form(endpoint: str | Endpoint) -> Screen:
    """Make a form for the shares of an endpoint's variants."""
    return Screen(TrafficModel(_name(endpoint)), "Change traffic")


def tester(endpoint: str | Endpoint) -> Screen:
    """Make a form that sends a request, with the recorded example to begin with."""
    return Screen(TesterModel(_name(endpoint)), "Send")


def _name(endpoint: str | Endpoint) -> str:
    return endpoint if isinstance(endpoint, str) else endpoint.name
