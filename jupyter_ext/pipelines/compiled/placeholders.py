"""The placeholders in commands, arguments and values, replaced as Kubeflow's driver and launcher do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

WORKSPACE: Final = "/kfp-workspace"
"""Where a cluster mounts the workspace of a run."""
_ANY: Final = re.compile(r"\{\{\$(?:\.(.*?))?\}\}")
_PORT: Final = re.compile(
    r"(inputs|outputs)\.(parameters|artifacts)\[(?:''|'|\")(.+?)(?:''|'|\")\]"
    r"(?:\.(uri|path|output_file|value|name|metadata)(?:\[(?:''|'|\")(.+?)(?:''|'|\")\])?)?"
)
_STRUCTURE: Final = re.compile(r'\s*\{\s*"(?:Concat|IfPresent)"\s*:')

Structure = str | list[Any] | None


_OUTPUT_FILE: Final = frozenset(
    {"outputs.output_file", "outputs.output_metadata_uri", "output_metadata_uri", "outputMetadataUri"}
)
_PLAIN: Final = {
    "pipeline_job_name": "job_name",
    "pipeline_job_resource_name": "job_resource_name",
    "pipeline_job_uuid": "job_id",
    "pipeline_task_name": "task_name",
    "pipeline_task_uuid": "task_id",
    "pipeline_root": "root",
    "pipeline_job_create_time_utc": "created",
    "pipeline_job_schedule_time_utc": "scheduled",
    "workspace_path": "workspace",
}


def _unknown(text: str) -> Invalid:
    return Invalid(f"There is no placeholder {text}", where=Where(field=text[:100]))


def facts_of(resource: Resource, folder: Path, task: str, attempt: str) -> dict[str, str]:
    """What placeholders say about a run, whose files are in ``folder``, and one attempt of a task of it."""
    workspace = folder / "workspace"
    workspace.mkdir(parents=True, exist_ok=True)
    return {
        "job_name": resource.name,
        "job_resource_name": resource.name,
        "job_id": resource.uid,
        "task_name": task,
        "task_id": f"{resource.uid}-{attempt}",
        "root": str(folder),
        "created": resource.created,
        "scheduled": resource.created,
        "workspace": str(workspace),
    }


class Placeholders:
    """What the placeholders of one task stand for: its executor input, and ``facts`` about run and task."""

    def __init__(self, executor_input: Mapping[str, Any], facts: Mapping[str, str]) -> None:
        self.input, self.facts = executor_input, facts

    def words(self, words: Sequence[str]) -> list[str]:
        """A command with everything in its place; what is absent takes its word with it."""
        found: list[str] = []
        for word in words:
            if not _STRUCTURE.match(word):
                found.append(self.text(word))
                continue
            structure = self._structure(json.loads(word))
            flat = structure if isinstance(structure, list) else [structure]
            found += [self.text(each) for each in _flat(flat) if each is not None]
        return found

    def text(self, text: str) -> str:
        """A text with everything in its place; what only looks like a placeholder stays as it is."""
        if "{{$" not in text and WORKSPACE not in text:
            return text
        return _ANY.sub(self._replaced, text).replace(WORKSPACE, self.facts.get("workspace", WORKSPACE))

    def value(self, value: Any) -> Any:
        """The same for every text in a value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        return value

    def _replaced(self, match: re.Match[str]) -> str:
        inner = match[1]
        if inner is None:
            return json.dumps(self.input)
        if inner in _OUTPUT_FILE:
            return str(self.input["outputs"]["outputFile"])
        if inner in _PLAIN:
            return self.facts[_PLAIN[inner]]
        port = _PORT.fullmatch(inner)
        return match[0] if port is None else self._port(match[0], port)

    def _port(self, whole: str, port: re.Match[str]) -> str:
        side, kind, name, part, key = port[1], port[2], port[3], port[4], port[5]
        ports = self.input[side]
        if kind == "parameters" and side == "inputs":
            if name not in ports["parameterValues"]:
                raise Invalid(
                    f"The input {name} was not given, and {whole} needs it", where=Where(field=name)
                )
            return as_text(ports["parameterValues"][name])
        if kind == "parameters":
            found = ports["parameters"].get(name)
            return whole if found is None else str(found["outputFile"])
        listed = ports["artifacts"].get(name, {}).get("artifacts")
        if part is None and listed is not None:  # a list of artifacts
            return json.dumps(listed)
        if not listed:
            raise Invalid(f"The artifact {name} was not given, and {whole} needs it", where=Where(field=name))
        artifact = listed[0]
        if part == "metadata":
            metadata = artifact.get("metadata", {})
            return as_text(metadata.get(key, "")) if key else json.dumps(metadata)
        if part == "name":
            return str(artifact.get("name", ""))
        return str(artifact["uri"])

    def _structure(self, found: Any) -> Structure:
        """``Concat`` and ``IfPresent``, nested as they may be."""
        if isinstance(found, str):
            return found
        if isinstance(found, list):
            return [self._structure(item) for item in found]
        if "Concat" in found:
            parts = _flat([self._structure(item) for item in found["Concat"]])
            return "".join(part for part in parts if part is not None)
        choice = found.get("IfPresent")
        if not isinstance(choice, Mapping) or "InputName" not in choice:
            raise _unknown(json.dumps(found)[:100])
        return self._structure_or_none(
            choice.get("Then" if self._given(str(choice["InputName"])) else "Else")
        )

    def _structure_or_none(self, found: Any) -> Structure:
        return None if found is None else self._structure(found)

    def _given(self, name: str) -> bool:
        inputs = self.input["inputs"]
        return inputs["parameterValues"].get(name) is not None or bool(inputs["artifacts"].get(name))


def _flat(found: list[Any]) -> list[str | None]:
    flat: list[str | None] = []
    for item in found:
        flat += _flat(item) if isinstance(item, list) else [item]
    return flat


def as_text(value: Any) -> str:
    """A parameter as it stands in a command: text as it is, numbers in full, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return format(Decimal(repr(value)).normalize(), "f")
    return json.dumps(value, separators=(",", ":"))
