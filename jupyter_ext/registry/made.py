"""Registering what a run, a job or an experiment made.

The capabilities that know how to find it are above this one, and it is read by running code of the user: both are
reasons for a process of its own, ``python -m jupyter_ext.registry.made``, which is told what to do on its input and
answers with one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound, Unavailable, Unfit, Where

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Version
    from jupyter_ext.registry.registry import Registry

MAKERS: Final = {
    "Run": "jupyter_ext.pipelines.registering",
    "TrainJob": "jupyter_ext.training.registering",
    "Experiment": "jupyter_ext.tuning.registering",
    "Trial": "jupyter_ext.tuning.registering",
}
"""Kind to the module whose ``made(source)`` finds what a resource of the kind made."""
SECONDS: Final = 600.0
ANNOTATION: Final = "jupyter-kubeflow.org/register"
_MARK: Final = "\x1eregistered "

Json = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """A model that something made: the object or its path, and what is known of it."""

    model: Any
    source: dict[str, str]
    metrics: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    example: Any = None
    data: Any = None


_WORDS: Final = (
    "model",
    "version",
    "alias",
    "value",
    "step",
    "format",
    "to",
    "description",
    "metrics",
    "properties",
)


def wanted(given: str | Mapping[str, Any], words: tuple[str, ...] = _WORDS) -> Json:
    """What ``register=`` says, a name, a mapping or that as JSON, checked. Raises Invalid."""
    where = Where(field="register")
    found = spelled(given) if isinstance(given, str) else dict(given)
    unknown = [name for name in found if name not in words]
    if unknown:
        raise Invalid(f"register has no {unknown[0]!r}", where=where, hint=f"It has {', '.join(words)}.")
    name = found.get("model")
    if not isinstance(name, str) or not name.strip():
        raise Invalid(
            "register needs the name of a model", where=where, hint='register="churn", or {"model": "churn"}'
        )
    model, sign, behind = name.partition("@")
    if sign:
        found |= {"model": model, "alias": found.get("alias") or behind}
    alias = found.get("alias")
    if alias is not None and not str(alias).replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise Invalid(f"{alias!r} is no alias", where=where, hint="Letters, digits, - _ and . only.")
    try:
        return dict(json.loads(json.dumps(found)))
    except (TypeError, ValueError) as error:
        raise Invalid(f"register holds what is no JSON ({error})", where=where) from None


def spelled(text: str) -> Json:
    """What a text says that is a name, or a mapping as JSON. Raises Invalid."""
    if not text.lstrip().startswith("{"):
        return {"model": text}
    try:
        found: Json = json.loads(text)
    except ValueError as error:
        raise Invalid(f"register is no JSON ({error})", where=Where(field="register")) from None
    return found


def word(given: str | Mapping[str, Any], *, value: bool = False) -> str:
    """What ``register=`` says as one word of a command: MODEL[@ALIAS], with ``value`` also =VALUE, else JSON."""
    if isinstance(given, str):
        is_plain = not value or "=" not in given or given.lstrip().startswith("{")
        return given if is_plain else json.dumps({"model": given})
    model, alias, name = (str(given.get(key) or "") for key in ("model", "alias", "value"))
    if given.keys() - {"model", "alias", *(["value"] if value else [])} or set("@={") & {*model, *alias}:
        return json.dumps(dict(given))
    return model + (f"@{alias}" if alias else "") + (f"={name}" if name else "")


def for_annotation(given: str | Mapping[str, Any]) -> dict[str, str]:
    """``register=`` as an annotation of the resource that is to be registered from."""
    return {ANNOTATION: json.dumps(wanted(given), separators=(",", ":"))}


def register(registry: Registry, source: Mapping[str, Any], name: str, facts: Mapping[str, Any]) -> Version:
    """Register what ``source`` (kind, name, step, value) made. Raises what that process said."""
    found = ask({"source": dict(source), "name": name, "facts": dict(facts)})
    return registry.version(found["version"])


def at_end(
    kind: str, name: str, annotations: Mapping[str, str], source: Mapping[str, Any] | None = None
) -> Json | None:
    """For a controller whose work has succeeded: register what its annotation asks for; see ``at_end_of``."""
    text = annotations.get(ANNOTATION)
    if not text:
        return None
    try:
        return at_end_of(kind, name, json.loads(text), source)
    except ValueError as error:
        return {"model": "", "error": f"its annotation {ANNOTATION} is no JSON ({error})"}


def at_end_of(
    kind: str, name: str, asked: Mapping[str, Any], source: Mapping[str, Any] | None = None
) -> Json:
    """Register what was asked for; gives what to put into the status.

    ``{"model", "version"}``, or ``{"model", "error"}`` with the sentence that says why not: the work is not lost for it.
    A controller that was killed meanwhile and asks again gets the version that is there.
    """
    facts = dict(asked)
    model = str(facts.get("model") or "")
    try:
        facts = wanted(asked)
        model = facts.pop("model")
        told = {
            "kind": kind,
            "name": name,
            "step": facts.pop("step", None),
            "value": facts.pop("value", None),
        }
        found = ask({"source": {**told, **(source or {})}, "name": model, "facts": facts, "once": True})
        reference = str(found["version"])
        return {"model": reference.rpartition(":")[0], "version": reference.rpartition(":")[2]}
    except KubeflowError as error:
        return {"model": model, "error": str(error)}
    except Exception as error:  # the work must not fail for it
        return {"model": model, "error": f"{type(error).__name__}: {error}"[:500]}


def sentence(status: Mapping[str, Any] | None) -> str:
    """What a status says of it, for a reason or a line that is printed."""
    if not status:
        return ""
    if "error" in status:
        return f"It was not registered as {status['model']}: {status['error']}"
    return f"Registered as {status['model']}:{status['version']}."


def expression(source: Mapping[str, Any]) -> str:
    """The same in Python."""
    name = str(source.get("name"))
    if source.get("kind") == "Run":
        step = f", {source['step']!r}" if source.get("step") else ""
        return f"kf.pipelines.get({name!r}).value({str(source.get('value') or 'model')!r}{step})"
    if source.get("kind") == "TrainJob":
        return f"kf.training.get({name!r}).result()"
    if source.get("kind") == "Trial":
        return f"kf.tuning.trial({name!r}).checkpoint"
    return f"kf.tuning.get({name!r}).best.checkpoint"


def looked_at(source: Mapping[str, Any]) -> Json:
    """What can be said before: whether there is such a resource at all."""
    from jupyter_ext.cluster.discover import current

    current().get(str(source["kind"]), str(source["name"]))
    return {}


_ERRORS: Final[dict[int, type[KubeflowError]]] = {400: Invalid, 404: NotFound, 409: Conflict, 422: Unfit}


def ask(told: Json) -> Json:
    """Do it in a process of its own."""
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    environment.pop("JUPYTER_KUBEFLOW_WORKLOAD", None)
    environment.pop("JUPYTER_KUBEFLOW_UNIT", None)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "jupyter_ext.registry.made"],
            input=json.dumps(told), capture_output=True, text=True, timeout=SECONDS, env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unavailable(f"registering took more than {SECONDS:.0f} s") from None
    last = done.stdout.rpartition(_MARK)
    if not last[1]:
        raise Unavailable(
            f"the process that registers ended with {done.returncode}",
            hint=(done.stderr.strip().splitlines() or [""])[-1][:300] or None,
        )
    found: Json = json.loads(last[2])
    if "error" in found:
        error = found["error"]
        kind = _ERRORS.get(int(error["status"]), Unavailable)
        where = {name: value for name, value in error["where"].items() if name in {"field", "object"}}
        raise kind(error["what"], where=Where(**where), hint=error["hint"])
    return found


def _do(told: Json) -> Json:
    source = told["source"]
    kind = str(source.get("kind"))
    if kind not in MAKERS:
        raise Invalid(
            f"nothing is registered from a {kind}",
            where=Where(field="from"),
            hint=f"From {', '.join(MAKERS)}.",
        )
    from jupyter_ext.registry.place import default

    sys.path += [path for path in [os.getcwd(), *source.get("paths", ())] if path not in sys.path]  # noqa: PTH109
    found: Made = import_module(MAKERS[kind]).made(source)
    facts = dict(told["facts"])
    metrics = {**found.metrics, **(facts.pop("metrics", None) or {})}
    parameters = {**found.parameters, **(facts.pop("parameters", None) or {})}
    data = facts.pop("data", None) or found.data
    there = _earlier(default(), told["name"], found.source) if told.get("once") else None
    if there is not None:
        return {"version": there.name}
    version = default().register(
        found.model, told["name"], facts.pop("version", None), metrics=metrics, parameters=parameters,
        example=found.example, data=data, source=found.source, **facts,
    )  # fmt: skip
    return {"version": version.name}


def _earlier(registry: Registry, name: str, source: Mapping[str, str]) -> Version | None:
    """What the same work registered before it was killed and asked again."""
    same = [f"`lineage.{key}` = '{source[key]}'" for key in ("uid", "trial") if key in source]
    try:
        found = registry.model(name, near=False).versions(" AND ".join(same), limit=1, archived=True)
    except NotFound:
        return None
    return found[0] if found and found[0].is_whole else None


def _main() -> int:
    told = json.loads(sys.stdin.read())
    try:
        answer = _do(told)
    except KubeflowError as error:
        answer = {"error": error.to_dict() | {"what": error.what}}
    except Exception as error:
        answer = {
            "error": {
                "what": f"{type(error).__name__}: {error}"[:500],
                "where": {},
                "hint": None,
                "status": 500,
            }
        }
    sys.stdout.write(_MARK + json.dumps(answer) + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    from jupyter_ext.registry.made import _main as main  # one module of this name, not two

    sys.exit(main())
