"""Which tools there are: made from the server's table of kinds, so that a new verb is a tool without a word here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.mcp import changing, files, reading
from jupyter_ext.mcp.plans import Plan
from jupyter_ext.server import fields
from jupyter_ext.server.fields import Field
from jupyter_ext.server.registry import KINDS

if TYPE_CHECKING:
    from jupyter_ext.server.kind import Body, Kind, Question, Verb

NOUNS: Final = {
    "Run": "run",
    "RecurringRun": "schedule",
    "TrainJob": "job",
    "TFJob": "job",
    "PyTorchJob": "job",
    "XGBoostJob": "job",
    "RegisteredModel": "model",
    "InferenceService": "endpoint",
    "InferenceGraph": "graph",
    "SparkConnect": "spark_session",
}
"""What people call the kinds whose own names they do not use; the others are called by their own."""

CONFIRM: Final = Field(
    "confirm",
    "string",
    "Of the second step: the word that the plan came with. Leave it out to get a plan.",
    limit=200,
)
TWO_STEPS: Final = (
    " Takes two steps: a first call changes nothing and gives a plan with a word; the same call with that word as"
    " confirm carries it out. Show the plan to the user before."
)
_LEFT_OUT: Final = frozenset({"notebook", "dryRun"})
"""Fields of forms: a tool means files by their path, and its first step is the dry run."""


@dataclass(frozen=True)
class Tool:
    """One tool. ``call`` blocks; it has a ``plan`` if it changes something."""

    name: str
    about: str
    fields: tuple[Field, ...]
    call: Callable[[Body], object]
    plan: Callable[[Body], Plan] | None = None
    destructive: bool = False

    def read(self, arguments: object) -> Body:
        """Give the arguments, all of them, as they should be; raises Invalid for the first that is not."""
        return fields.read(self.fields, arguments)

    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        return fields.schema(self.fields)


def tools(root: Path, *, writes: bool = False) -> dict[str, Tool]:
    """Give all tools by name; ``root`` is the folder whose files they may mean."""
    found = [Tool(each.name, each.about, each.fields, _at(root, each.call)) for each in reading.GENERAL]
    for noun, kinds in _nouns(KINDS).items():
        found += [*_questions(noun, kinds), *_verbs(noun, kinds), *_creation(noun, kinds, root)]
    found += [_deletion(KINDS), _application()]
    return {tool.name: tool for tool in found if writes or tool.plan is None}


def noun_of(kind: str) -> str:
    """Give the word for a kind in the names of tools."""
    return NOUNS.get(kind) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()


def _nouns(kinds: Iterable[Kind]) -> dict[str, list[Kind]]:
    found: dict[str, list[Kind]] = {}
    for kind in kinds:
        found.setdefault(noun_of(kind.kind), []).append(kind)
    return found


def _at(root: Path, call: Callable[[Path, Body], object]) -> Callable[[Body], object]:
    return lambda body: call(root, body)


def kind_field(kinds: Sequence[Kind]) -> Field:
    """The argument that says which kind is meant, where a tool serves several."""
    names = tuple(kind.kind for kind in kinds)
    return Field("kind", "string", "Kind of the resource.", default=names[0], choices=names)


def _name(noun: str) -> Field:
    return Field("name", "string", f"Name of the {noun.replace('_', ' ')}.", required=True, limit=400)


def _questions(noun: str, kinds: Sequence[Kind]) -> list[Tool]:
    def tool(question: Question) -> Tool:
        return Tool(f"{noun}_{question.name}", question.summary, question.query, question.call)

    return [tool(question) for kind in kinds for question in kind.questions]


def _verbs(noun: str, kinds: Sequence[Kind]) -> list[Tool]:
    """One tool for each verb, for all kinds of the noun that have it."""
    names = dict.fromkeys(verb.name for kind in kinds for verb in kind.verbs)
    return [_verb(noun, name, [kind for kind in kinds if _find(kind, name)]) for name in names]


def _find(kind: Kind, name: str) -> Verb | None:
    return next((verb for verb in kind.verbs if verb.name == name), None)


def _verb(noun: str, name: str, kinds: Sequence[Kind]) -> Tool:
    spec = _find(kinds[0], name)
    assert spec is not None
    which = (kind_field(kinds),) if len(kinds) > 1 else ()
    by_kind = {kind.kind: (kind, found) for kind in kinds if (found := _find(kind, name))}

    def meant(body: Body) -> tuple[Kind, Verb, str, Body]:
        kind, verb = by_kind[body.get("kind") or kinds[0].kind]
        changing.check_name(kind, body["name"])
        return (
            kind,
            verb,
            body["name"],
            {field.name: body.get(field.name, field.default) for field in spec.body},
        )

    def call(body: Body) -> object:
        _, verb, resource, given = meant(body)
        return verb.call(resource, given)

    def plan(body: Body) -> Plan:
        return changing.plan_of_verb(*meant(body))

    own = tuple(field for field in spec.body if field.name not in _LEFT_OUT)
    shared = (*which, _name(noun), *own)
    if spec.action == "read":
        return Tool(f"{noun}_{name}", spec.summary, shared, call)
    about = spec.summary + TWO_STEPS
    return Tool(f"{noun}_{name}", about, (*shared, CONFIRM), call, plan, destructive=spec.action == "write")


def _creation(noun: str, kinds: Sequence[Kind], root: Path) -> list[Tool]:
    return [_create(noun, kind, root) for kind in kinds if kind.create is not None]


def _create(noun: str, kind: Kind, root: Path) -> Tool:
    create = kind.create
    assert create is not None
    notebook = any(field.name == "notebook" for field in kind.create_body)
    own = tuple(
        Field(field.name, field.type, field.about, required=True, limit=field.limit)
        if notebook and field.name == "path"
        else field
        for field in kind.create_body
        if field.name not in _LEFT_OUT
    )

    def whole(body: Body) -> tuple[Body, Path | None]:
        given = {field.name: body.get(field.name, field.default) for field in kind.create_body}
        path = given.get("path")
        if not path or "://" in path:
            return given, None
        file = files.locate(root, path, program=kind.elsewhere is None)
        return {**given, "path": str(file)}, file

    def call(body: Body) -> object:
        return create(whole(body)[0])

    def plan(body: Body) -> Plan:
        given, file = whole(body)
        return changing.plan_of_creation(kind, given, file, body.get("path"))

    about = f"Create one of the {kind.plural} ({kind.kind})." + TWO_STEPS
    return Tool(f"{noun}_create", about, (*own, CONFIRM), call, plan)


def _deletion(kinds: Sequence[Kind]) -> Tool:
    by_name = {kind.kind: kind for kind in kinds if kind.delete}
    which = Field("kind", "string", "Kind of the resource.", required=True, choices=tuple(by_name))

    def call(body: Body) -> object:
        delete = by_name[body["kind"]].delete
        assert delete is not None
        delete(body["name"])
        return {"deleted": f"{body['kind'].lower()}/{body['name']}"}

    def plan(body: Body) -> Plan:
        return changing.plan_of_deletion(by_name[body["kind"]], body["name"])

    about = "Stop a resource and delete it with its logs and all that it owns." + TWO_STEPS
    return Tool("resource_delete", about, (which, _name("resource"), CONFIRM), call, plan, destructive=True)


def _application() -> Tool:
    from jupyter_ext.server.resources import YAML, ApplyHandler

    about = "Start what a YAML text describes, of any kind, as kubectl apply does." + TWO_STEPS

    def call(body: Body) -> object:
        applied = ApplyHandler.apply(body["yaml"])
        return [
            {"outcome": item.outcome, "notes": list(item.notes), **item.resource.to_dict()}
            for item in applied
        ]

    return Tool(
        "resource_apply", about, (*YAML, CONFIRM), call, changing.plan_of_application, destructive=True
    )
