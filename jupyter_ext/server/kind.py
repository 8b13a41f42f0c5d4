"""What a row of the server's table of resources says: a kind, its verbs, its questions."""

from __future__ import annotations

from collections.abc import Callable
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
class Kind:
    """One kind of resource. ``create`` gives the new resource; ``path`` in its body is already resolved.

    ``draft`` says what ``create`` would do, for a form; ``logs``: whether it prints something that can be read.
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

    @property
    def resource(self) -> str:
        """The name that authorizers see."""
        return f"kubeflow.{self.plural}"
