"""What a row of the server's table of resources says: a kind, its verbs, its questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .fields import Field

Body = dict[str, Any]


@dataclass(frozen=True)
class Verb:
    """``POST {plural}/{name}:{verb}``. ``call`` gets the resource's name and the body, in a thread.

    ``action`` is what the user must be allowed to do (jupyter_server's words): read, write or execute.
    """

    name: str
    summary: str
    call: Callable[[str, Body], object]
    action: str = "execute"
    body: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Question:
    """``GET {plural}:{name}``: something about the kind itself."""

    name: str
    summary: str
    call: Callable[[Body], object]
    query: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Elsewhere:
    """Where resources are that the cluster's store does not hold.

    ``version`` names the state of all of them, ``page`` answers a list (arguments as of every list), ``get`` one by its
    name, which may have any characters.
    """

    version: Callable[[], object]
    page: Callable[[Mapping[str, Any]], dict[str, Any]]
    get: Callable[[str], object]


@dataclass(frozen=True)
class Kind:
    """One kind of resource. ``create`` gives the new resource; ``path`` in its body is already resolved.

    ``draft`` says what ``create`` would do, for a form; ``logs``: whether it prints something that can be read; ``ui``:
    whether it has a web interface of its own; ``beside``: whether a Kubeflow Pipelines server may have more of them.
    """

    kind: str
    plural: str
    create: Callable[[Body], object] | None = None
    create_body: tuple[Field, ...] = ()
    delete: Callable[[str], object] | None = None
    verbs: tuple[Verb, ...] = ()
    questions: tuple[Question, ...] = ()
    draft: Callable[[Body], object] | None = None
    logs: bool = True
    elsewhere: Elsewhere | None = None
    ui: bool = False
    beside: bool = False

    @property
    def resource(self) -> str:
        """The name that authorizers see."""
        return f"kubeflow.{self.plural}"
