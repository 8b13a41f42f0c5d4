"""A ``.pipeline`` file as types: nodes in the form of Elyra's version 8, whatever version the file has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

GENERIC: Final = {
    "execute-notebook-node": "notebook",
    "execute-python-node": "python",
    "execute-r-node": "r",
    "execute-shell-node": "shell",
}
"""The nodes that run a file, by their operation."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of the pipeline. ``kind`` is String, Integer, Float or Bool; a default of None is none."""

    name: str
    kind: str = "String"
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Node:
    """One node. ``after`` are the nodes that it is linked to, by their identifiers; ``settings`` what its form says."""

    id: str
    name: str
    title: str
    op: str
    after: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """notebook, python, r, shell; empty for a component of a catalog."""
        return GENERIC.get(self.op, "")

    @property
    def file(self) -> str:
        """The file that it runs, relative to the pipeline's."""
        return str(self.settings.get("filename") or "")

    def listed(self, key: str) -> list[Any]:
        """A setting that is a list, without its empty entries."""
        found = self.settings.get(key)
        return [item for item in found if item] if isinstance(found, list) else []

    @property
    def env(self) -> dict[str, str]:
        """Environment variables."""
        return {str(one.get("env_var")): str(one.get("value") or "") for one in self.listed("env_vars")}


@dataclass(frozen=True)
class Flow:
    """A whole file. ``runtime`` is KUBEFLOW_PIPELINES, APACHE_AIRFLOW, or empty where it runs anywhere."""

    name: str
    version: float
    runtime: str
    nodes: tuple[Node, ...]
    parameters: tuple[Parameter, ...] = ()
    description: str = ""
    cached: bool = True

    def node(self, identifier: str) -> Node | None:
        """The node of that identifier."""
        return next((node for node in self.nodes if node.id == identifier), None)
