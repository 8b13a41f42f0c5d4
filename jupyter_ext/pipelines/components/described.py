"""A component as types: what it takes, what it makes, and how it is run, in the form of KFP's IR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Described:
    """One component. ``component`` and ``executor`` are the entries that an IR document has for it.

    ``source`` says where it comes from, for messages.
    """

    name: str
    description: str
    source: str
    component: Mapping[str, Any]
    executor: Mapping[str, Any]
    platform: Mapping[str, Any] = field(default_factory=dict)

    def ports(self, side: str, kind: str) -> Mapping[str, Any]:
        """``side`` is input or output, ``kind`` parameters or artifacts."""
        return dict((self.component.get(f"{side}Definitions") or {}).get(kind) or {})

    @property
    def inputs(self) -> list[str]:
        """Names of all inputs."""
        return [*self.ports("input", "parameters"), *self.ports("input", "artifacts")]

    @property
    def outputs(self) -> list[str]:
        """Names of all outputs."""
        return [*self.ports("output", "parameters"), *self.ports("output", "artifacts")]

    def document(self) -> dict[str, Any]:
        """A pipeline of this one task, whose inputs are the component's own."""
        inputs = {
            "parameters": {
                name: {"componentInputParameter": name} for name in self.ports("input", "parameters")
            },
            "artifacts": {
                name: {"componentInputArtifact": name} for name in self.ports("input", "artifacts")
            },
        }
        task = {"taskInfo": {"name": self.name}, "componentRef": {"name": "comp"}, "inputs": inputs}
        return {
            "pipelineInfo": {"name": self.name},
            "schemaVersion": "2.1.0",
            "root": {
                "inputDefinitions": self.component.get("inputDefinitions") or {},
                "dag": {"tasks": {"call": task}},
            },
            "components": {"comp": {**self.component, "executorLabel": "exec"}},
            "deploymentSpec": {"executors": {"exec": dict(self.executor)}},
        }
