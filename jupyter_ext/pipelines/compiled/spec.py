"""The pipeline specification of Kubeflow as types (``pipeline_spec.proto``, schema 2.x, in its JSON form).

Read by hand rather than with ``kfp-pipeline-spec``: that needs a protobuf of one major version, which would then be
everybody's, and says of a fault neither which task nor what to do. A field that is not known here is refused, for to
ignore it would be to run something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MISSING: Final = object()
"""Stands for a default that is not there: null is one."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a component: its type, and what it is when nothing is given."""

    type: str
    default: Any = MISSING
    optional: bool = False
    literals: tuple[Any, ...] = ()


@dataclass(frozen=True)
class ArtifactPort:
    """An artifact of a component. ``schema`` is the type as a runtime artifact names it."""

    schema: Mapping[str, str]
    is_list: bool = False
    optional: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ports:
    """What goes into a component, or comes out of it."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    artifacts: Mapping[str, ArtifactPort] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Where an input comes from: ``kind`` is task, input, constant or status; ``selector`` takes a part of it."""

    kind: str
    task: str = ""
    key: str = ""
    value: Any = None
    selector: str = ""


@dataclass(frozen=True)
class Iterator:
    """A loop over ``items`` (a list, or the name of the input that has it); ``item`` is the input of one iteration."""

    kind: str
    item: str
    items: tuple[Any, ...] | None = None
    input: str = ""
    limit: int = 0


@dataclass(frozen=True)
class Retry:
    """How often a failed task is tried again, and after how many seconds."""

    count: int = 0
    first: float = 0.0
    factor: float = 2.0
    longest: float = 3600.0


@dataclass(frozen=True)
class Task:
    """One task of a DAG."""

    name: str
    component: str
    title: str = ""
    parameters: Mapping[str, Source] = field(default_factory=dict)
    artifacts: Mapping[str, Source] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    condition: str = ""
    always: bool = False
    iterator: Iterator | None = None
    retry: Retry | None = None
    """None: as the task that its DAG is says."""
    cache: bool = False
    cache_key: str = ""

    @property
    def before(self) -> tuple[str, ...]:
        """Every task of the same DAG that must have ended first."""
        sources = (*self.parameters.values(), *self.artifacts.values())
        named = [source.task for source in sources if source.kind in ("task", "status")]
        return tuple(dict.fromkeys((*self.after, *named)))


@dataclass(frozen=True)
class Output:
    """An output of a DAG: the first of these subtasks that made it. (task, key) each."""

    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Dag:
    """Tasks, and which of their outputs are the DAG's."""

    tasks: Mapping[str, Task]
    parameters: Mapping[str, Output] = field(default_factory=dict)
    artifacts: Mapping[str, Output] = field(default_factory=dict)


@dataclass(frozen=True)
class Resources:
    """What a container asks for, as Kubernetes quantities or placeholders; a request goes before a limit."""

    cpu: str = ""
    memory: str = ""
    accelerator: str = ""
    accelerators: str = ""


@dataclass(frozen=True)
class Container:
    """A command, and the image that it would run in."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = Resources()


@dataclass(frozen=True)
class Importer:
    """An artifact that exists already. ``uri`` is its constant address; without one the input ``uri_input`` has it."""

    schema: Mapping[str, str]
    uri: str | None
    uri_input: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    to_workspace: bool = False


@dataclass(frozen=True)
class Component:
    """Inputs, outputs, and what is done: a DAG, or the executor of this label."""

    name: str
    inputs: Ports
    outputs: Ports
    dag: Dag | None = None
    executor: str = ""
    passthroughs: Mapping[str, bool] = field(default_factory=dict)
    """Kinds of configuration that it hands on to a workload of its own; and whether they are for itself as well."""


@dataclass(frozen=True)
class Specification:
    """A whole pipeline."""

    name: str
    title: str
    root: Component
    components: Mapping[str, Component]
    executors: Mapping[str, Container | Importer]
    sdk: str = ""

    def component(self, task: Task) -> Component:
        """The component of a task."""
        return self.components[task.component]
