"""Call a component's function with what an ``ExecutorInput`` says, and write its ``ExecutorOutput``."""

import json
import os
import typing
from collections.abc import Callable
from typing import Any

from . import annotations as marks
from .types import artifact_types

_PLAIN: dict[Any, Any] = {str: str, int: int, float: (int, float), bool: bool, dict: dict, list: list}


class Executor:
    """One call of a function."""

    def __init__(self, executor_input: dict[str, Any], function_to_execute: Callable[..., Any]) -> None:
        self.function = getattr(function_to_execute, "python_func", function_to_execute)
        self.inputs = executor_input.get("inputs", {})
        self.outputs = executor_input.get("outputs", {})
        self.place = self.outputs["outputFile"]
        artifact_types.CONTAINER_TASK_ROOT = os.path.split(self.place)[0]
        self.made: dict[str, Any] = {}
        self.parameters: dict[str, Any] = {}
        self.annotations = dict(self.function.__annotations__)
        self.returns = self.annotations.pop("return", None)
        for name, listed in self.outputs.get("artifacts", {}).items():
            kind = _bare(self.annotations.get(name))
            kind = kind if isinstance(kind, type) else artifact_types.Artifact
            self.made[name] = artifact_types.of_schema(listed["artifacts"][0], kind)
            os.makedirs(os.path.dirname(self.made[name].path), exist_ok=True)

    def execute(self) -> str:
        """Call the function; gives the file with its outputs."""
        arguments: dict[str, Any] = {}
        for name, annotation in self.annotations.items():
            given, value = self._argument(name, _not_optional(annotation))
            if given:
                arguments[name] = value
        self._returned(self.function(**arguments))
        return self._write()

    def _argument(self, name: str, annotation: Any) -> Any:
        values = self.inputs.get("parameterValues") or {}
        if annotation is marks.PipelineTaskFinalStatus:
            return True, _status(values.get(name) or {})
        if annotation is marks.TaskConfig:
            return True, _configuration(values.get(name) or {})
        if _marked(annotation, marks.EmbeddedAnnotation):
            return True, self._embedded(annotation)
        if isinstance(annotation, marks.OutputPath):
            return True, self._output_path(name)
        if name in self.made:
            return True, self.made[name]
        if name in values:
            return values[name] is not None, values[name]
        found = self._input_artifact(name, annotation)
        artifact = found is not None or _is_artifact(annotation) or isinstance(annotation, marks.InputPath)
        return artifact, found

    def _output_path(self, name: str) -> str:
        if name in self.made:
            return str(self.made[name].path)
        path = str(self.outputs["parameters"][name]["outputFile"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def _input_artifact(self, name: str, annotation: Any) -> Any:
        listed = self.inputs.get("artifacts", {}).get(name, {}).get("artifacts")
        if listed is None:
            return None
        inner = _bare(annotation)
        if typing.get_origin(inner) is list or inner in (list, list):
            kinds = typing.get_args(inner) or (artifact_types.Artifact,)
            return [artifact_types.of_schema(each, kinds[0]) for each in listed]
        if not listed:
            return None
        if isinstance(annotation, marks.InputPath):
            return artifact_types.of_schema(listed[0], artifact_types.Artifact).path
        return artifact_types.of_schema(listed[0], inner)

    def _embedded(self, annotation: Any) -> Any:
        names = self.function.__globals__
        path = names.get("__KFP_EMBEDDED_ASSET_FILE") or names.get("__KFP_EMBEDDED_ASSET_DIR")
        if not path:
            raise RuntimeError("EmbeddedInput was specified but no embedded asset was found at runtime.")
        kind = _bare(annotation)
        made = (kind if isinstance(kind, type) else artifact_types.Artifact)()
        made.path = path
        return made

    def _returned(self, value: Any) -> None:
        if value is None:
            return
        fields = getattr(self.returns, "_fields", None)
        if fields is None:
            self._one("Output", self.returns, value)
            return
        if len(fields) != len(value):
            name = self.function.__name__
            raise RuntimeError(
                f"Expected {len(fields)} return values from function `{name}`, got {len(value)}"
            )
        for place, field in enumerate(fields):
            one = value[place] if type(value) is tuple else getattr(value, field)
            self._one(field, self.returns.__annotations__[field], one)

    def _one(self, name: str, annotation: Any, value: Any) -> None:
        if name in self.outputs.get("artifacts", {}):
            if isinstance(value, artifact_types.Artifact):
                self.made[name] = value
            else:
                with open(self.made[name].path, "w", encoding="utf-8") as file:
                    file.write(str(value))
            return
        if name not in self.outputs.get("parameters", {}):
            raise RuntimeError(
                f"Unknown return type: {annotation}. Must be one of `str`, `int`, `float`, a subclass of `Artifact`, or a NamedTuple collection of these types."
            )
        wanted = typing.get_origin(annotation) or annotation
        accepted = _PLAIN.get(wanted) if isinstance(wanted, type) else None
        if accepted and not isinstance(value, accepted):
            raise ValueError(
                f"Function `{self.function.__name__}` returned value of type {type(value)}; want type {wanted}"
            )
        self.parameters[name] = value

    def _write(self) -> str:
        told: dict[str, Any] = {}
        if self.parameters:
            told["parameterValues"] = self.parameters
        if self.made:
            told["artifacts"] = {name: {"artifacts": [_told(one)]} for name, one in self.made.items()}
        os.makedirs(os.path.dirname(self.place), exist_ok=True)
        with open(self.place, "w", encoding="utf-8") as file:
            json.dump(told, file)
        return str(self.place)


def _told(artifact: Any) -> dict[str, Any]:
    told = {"name": artifact.name, "uri": artifact.uri, "metadata": artifact.metadata}
    return {**told, "custom_path": artifact.custom_path} if artifact.custom_path else told


def _status(value: dict[str, Any]) -> Any:
    error = value.get("error") or {}
    return marks.PipelineTaskFinalStatus(
        state=value.get("state", ""),
        pipeline_job_resource_name=value.get("pipelineJobResourceName", ""),
        pipeline_task_name=value.get("pipelineTaskName", ""),
        error_code=error.get("code"),
        error_message=error.get("message"),
    )


def _configuration(value: dict[str, Any]) -> Any:
    return marks.TaskConfig(
        affinity=value.get("affinity"),
        tolerations=value.get("tolerations"),
        node_selector=value.get("nodeSelector"),
        env=value.get("env"),
        volumes=value.get("volumes"),
        volume_mounts=value.get("volumeMounts"),
        resources=value.get("resources"),
    )


def _not_optional(annotation: Any) -> Any:
    kinds = [each for each in typing.get_args(annotation) if each is not type(None)]
    union = typing.get_origin(annotation) is typing.Union or type(annotation).__name__ == "UnionType"
    return kinds[0] if union and len(kinds) == 1 else annotation


def _marked(annotation: Any, mark: Any) -> bool:
    return mark in getattr(annotation, "__metadata__", ())


def _bare(annotation: Any) -> Any:
    annotation = _not_optional(annotation)
    return annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation


def _is_artifact(annotation: Any) -> bool:
    bare = _bare(annotation)
    inner = (typing.get_args(bare) or (bare,))[0]
    return isinstance(inner, type) and hasattr(inner, "schema_title")
