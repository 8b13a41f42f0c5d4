"""What a tool that changes something would do: in words, as code, and what its plan rests on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.mcp import code, files
from jupyter_ext.mcp.plans import Plan
from jupyter_ext.server import access

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.server.kind import Body, Kind, Verb

_NAME: Final = re.compile(r"[\w.-]{1,253}", re.ASCII)
MOST: Final = 50
"""Owned resources that a plan names."""


def check_name(kind: Kind, name: str) -> None:
    """Raise Invalid for what cannot be the name of a resource; models may be called anything."""
    if kind.elsewhere is None and not _NAME.fullmatch(name):
        raise Invalid(
            f"{name[:100]!r} is not a name",
            where=Where(field="name"),
            hint="A name has letters, digits, '-', '.' and '_'.",
        )


def plan_of_verb(kind: Kind, verb: Verb, name: str, body: Body) -> Plan:
    """What a verb would do to a resource; raises NotFound where there is none, and what its dry run refuses."""
    words, state, about = _present(kind, name)
    if any(field.name == "dryRun" for field in verb.body):
        _refuse_problems(verb.call(name, {**body, "dryRun": True}))
    given = {field.name: body[field.name] for field in verb.body if _said(field.default, body[field.name])}
    asked = f" With {', '.join(f'{key}={value!r}' for key, value in given.items())[:2000]}." if given else ""
    return Plan(
        f"{verb.summary} {words}{asked}", code.of_verb(kind.kind, verb.name, name, given), state, about
    )


def plan_of_deletion(kind: Kind, name: str) -> Plan:
    """What goes with a resource."""
    check_name(kind, name)
    words, state, about = _present(kind, name)
    found: dict[str, Any] = {"now": about}
    also = ""
    if kind.elsewhere is None and (owned := _owned(access.resource(kind.kind, name))):
        also = f" {len(owned)} that it owns go with it."
        found["owned"] = owned[:MOST]
        state = [state, hashlib.sha256(repr(owned).encode()).hexdigest()]
    text = f"Stop and delete {words}{also} This cannot be undone."
    return Plan(text, code.of_deletion(kind.kind, name), state, found)


def plan_of_creation(kind: Kind, body: Body, file: Path | None, path: str | None) -> Plan:
    """What would be made; raises Invalid where the library would refuse it."""
    given = {
        field.name: body[field.name] for field in kind.create_body if _said(field.default, body[field.name])
    }
    about: Any = None
    if kind.kind == "Run" and file is not None:
        about, python = _notebook(file), code.of_run(str(path), body)
    elif kind.draft is not None:
        about = kind.draft({**body, "dryRun": True})
        _refuse_problems(about)
        python = str(about.get("python") or "") if isinstance(about, Mapping) else ""
    else:
        python = code.of_creation(kind.kind, given | ({"path": path} if file else {}))
    source = f" from {path}" if path else ""
    named = f" {given['name']!r}" if given.get("name") else ""
    return Plan(
        f"Create a {kind.kind}{named}{source} and start what it asks for.",
        python,
        [*_file_state(file)],
        about,
    )


def plan_of_application(body: Body) -> Plan:
    """What applying a YAML text would create and change."""
    from jupyter_ext import manifest
    from jupyter_ext.applying import differences
    from jupyter_ext.kinds import title

    cluster = access.cluster()
    told: list[str] = []
    state: list[object] = []
    for document in manifest.load(body["yaml"] + "\n", cluster.namespace):
        asked = document.resource
        try:
            old = cluster.get(asked.kind, asked.name)
        except NotFound:
            told.append(f"create {title(asked)}")
            state.append(None)
            continue
        fields = differences(old.spec, asked.spec)[:10]
        told.append(f"change {title(asked)} ({', '.join(fields) or 'nothing'})")
        state.append([old.uid, old.generation])
    if not told:
        raise Invalid("there is nothing in the text", where=Where(field="yaml"))
    python = f"from jupyter_ext import resources\nresources.apply({body['yaml']!r})"
    return Plan(f"Apply {len(told)}: {'; '.join(told)[:4000]}.", python, state)


def _said(default: object, value: object) -> bool:
    return value is not None and value != default


def _present(kind: Kind, name: str) -> tuple[str, object, object]:
    """Give the resource in words, what names its state, and what is worth knowing of it; raises NotFound."""
    if kind.elsewhere is not None:
        found = kind.elsewhere.get(name)
        return f"It is the {kind.kind} {name!r}.", found, None
    resource = access.resource(kind.kind, name)
    about = {"phase": resource.phase, "reason": resource.reason or None}
    if variants := resource.status.get("variants"):
        about["variants"] = variants
    title = f"{resource.kind.lower()}/{resource.name}"
    return f"It is {title}, now {resource.phase}.", [resource.uid, resource.generation], about


def _owned(resource: Resource) -> list[str]:
    """Names of what belongs to it, of every kind that can be owned."""
    from jupyter_ext.cluster.resource import KINDS

    cluster = access.cluster()
    return [
        f"{kind.lower()}/{item.name}"
        for kind in KINDS
        for item in cluster.list(kind, owner=resource.uid, limit=10_000, summary=True)
    ]


def _refuse_problems(draft: object) -> None:
    """Raise Conflict with what a dry run found."""
    problems = draft.get("problems") if isinstance(draft, Mapping) else None
    if problems:
        first = problems[0]
        where = Where(field=first.get("field")) if first.get("field") else None
        raise Conflict(str(first.get("message")), where=where, hint=first.get("hint"))


def _notebook(file: Path) -> dict[str, Any]:
    """Give the steps and the problems of a notebook; raises Invalid for what keeps it from running."""
    from jupyter_ext.pipelines import graph, notebook

    found = graph.analyse(notebook.read(str(file))).to_dict()
    steps = [step.get("name") for step in found.get("steps") or ()]
    return {"steps": steps, "parameters": found.get("parameters"), "problems": found.get("problems")}


def _file_state(file: Path | None) -> list[str]:
    return [] if file is None else files.state(file)
