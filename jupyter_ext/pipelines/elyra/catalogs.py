"""Nodes that are components of a catalog: where their YAML is on this machine, and what their inputs are given."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, KubeflowError, Unfit, Where
from jupyter_ext.pipelines.components import reading
from jupyter_ext.pipelines.components.described import Described
from jupyter_ext.pipelines.components.old import name_of
from jupyter_ext.pipelines.elyra import older

if TYPE_CHECKING:
    from jupyter_ext.pipelines.elyra.spec import Node
    from jupyter_ext.pipelines.elyra.translate import Translation

_FOLDER: Final = "components"
_EXAMPLES: Final = "kfp_examples_connector"
"""The package that has Elyra's example catalog."""


def add(translation: Translation, node: Node) -> dict[str, Any]:
    """Add component and executor of a node; the inputs of its task. Raises Unfit where the component is not here."""
    found = described(translation, node, wanted(translation, node))
    translation.components[f"comp-{node.name}"] = {**found.component, "executorLabel": f"exec-{node.name}"}
    translation.executors[f"exec-{node.name}"] = dict(found.executor)
    from jupyter_ext.pipelines.elyra.translate import platform

    translation.settings[node.name] = {**found.platform, **platform(node)}
    return dict(_Inputs(translation, node, found).read())


def described(translation: Translation, node: Node, wanted: Mapping[str, str] | None = None) -> Described:
    """The component of a node. ``wanted`` is of ``components.reading``."""
    path = locate(translation, node)
    try:
        found = reading.parse(path.read_text(encoding="utf-8"), path.name, wanted)
    except KubeflowError as error:
        raise type(error)(error.what, where=Where(object=f"step {node.name}"), hint=error.hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read ({error})", where=Where(object=f"step {node.name}")) from None
    return replace(found, name=node.title)


def locate(translation: Translation, node: Node) -> Path:
    """The file of its component: in the workspace, in Jupyter's data folders, or in the example catalog's package."""
    reference = node.source.get("component_ref")
    told = (
        {str(key): str(value) for key, value in reference.items()} if isinstance(reference, Mapping) else {}
    )
    where = next((told[key] for key in ("url", "path", "component-id", "filename") if told.get(key)), "")
    if not where:
        raise Unfit(
            f"Step {node.name} is the component {node.op}, and the file does not say where that is",
            where=Where(object=f"step {node.name}"),
            hint="Save the pipeline with Elyra 3.3 or newer.",
        )
    name = PurePosixPath(where.replace("\\", "/")).name
    for path in _candidates(translation, told, name):
        if path.is_file():
            return path
    hint = f"Save it as {_FOLDER}/{name} beside the pipeline."
    if "component-id" in told:
        hint = (
            f"Install its catalog (pip install elyra-examples-kfp-catalog), or save it as {_FOLDER}/{name}."
        )
    raise Unfit(
        f"Step {node.name} is the component {where}, which is not on this machine",
        where=Where(object=f"step {node.name}"),
        hint=hint,
    )


def _candidates(translation: Translation, told: Mapping[str, str], name: str) -> Iterator[Path]:
    from jupyter_core.paths import jupyter_path

    places = translation.places
    trusted = [places.workspace.resolve(), *(Path(folder).resolve() for folder in jupyter_path(_FOLDER))]
    if told.get("path"):
        for base in (told.get("base_dir") or "", *jupyter_path(_FOLDER), str(places.base)):
            path = (Path(base) / told["path"]).expanduser()
            if path.is_absolute() and any(path.resolve().is_relative_to(root) for root in trusted):
                yield path
    for folder in (places.pipeline.parent, places.workspace):
        yield folder / _FOLDER / name
    if "component-id" in told:
        import importlib.util

        spec = importlib.util.find_spec(_EXAMPLES)
        for place in (spec.submodule_search_locations if spec else None) or ():
            yield Path(place) / "resources" / older.example(told["component-id"])


def wanted(translation: Translation, node: Node) -> dict[str, str]:
    """For its outputs whether the nodes that take them want a value or a file."""
    found: dict[str, str] = {}
    for other in translation.flow.nodes:
        if other.kind:
            continue
        for name, value in other.settings.items():
            reference = _reference(value)
            if reference is None or reference[0] != node.id:
                continue
            inputs = described(translation, other).ports("input", "artifacts")
            kind = "artifact" if name_of(name) in inputs else "parameter"
            if found.setdefault(reference[1], kind) != kind:
                raise Unfit(
                    f"The output {reference[1]} of {node.name} is taken both as a value and as a file",
                    where=Where(object=f"step {node.name}"),
                )
    return found


def _reference(value: Any) -> tuple[str, str] | None:
    """The node and its output that an input takes."""
    if not isinstance(value, Mapping) or value.get("widget") != "inputpath":
        return None
    told = value.get("value")
    if not isinstance(told, Mapping) or not told.get("value"):
        return None
    option = str(told.get("option") or "").removeprefix("elyra_").removeprefix("output_")
    return str(told["value"]), name_of(option)


class _Inputs:
    """What the form of a node gives its component."""

    def __init__(self, translation: Translation, node: Node, found: Described) -> None:
        self.translation, self.node, self.found = translation, node, found
        self.where = Where(object=f"step {node.name}")
        self.given = {name_of(key): value for key, value in node.settings.items()}

    def read(self) -> dict[str, Any]:
        """The inputs of the task."""
        found: dict[str, dict[str, Any]] = {"parameters": {}, "artifacts": {}}
        for kind in ("parameters", "artifacts"):
            for name, port in self.found.ports("input", kind).items():
                value = self.given.get(name)
                reference = _reference(value)
                source = (
                    self._made(*reference)
                    if reference
                    else self._value(name, value, port, kind == "artifacts")
                )
                if source is not None:
                    found[kind][name] = source
        return {kind: each for kind, each in found.items() if each}

    def _made(self, identifier: str, output: str) -> dict[str, Any]:
        other = self.translation.flow.node(identifier)
        if other is None or other.kind:
            what = (
                f"{other.name}, which leaves files where it runs"
                if other
                else f"{identifier}, which is not there"
            )
            raise Invalid(
                f"It takes the output {output} of {what}", where=self.where, hint="Name the file instead."
            )
        made = described(self.translation, other, wanted(self.translation, other))
        for kind, key, port in (
            ("artifacts", "taskOutputArtifact", "outputArtifactKey"),
            ("parameters", "taskOutputParameter", "outputParameterKey"),
        ):
            if output in made.ports("output", kind):
                return {key: {"producerTask": other.name, port: output}}
        raise Invalid(
            f"It takes the output {output} of {other.name}, which does not make it", where=self.where
        )

    def _value(self, name: str, value: Any, port: Mapping[str, Any], artifact: bool) -> dict[str, Any] | None:
        widget = ""
        if isinstance(value, Mapping) and "widget" in value:
            widget, value = str(value["widget"]), value.get("value")
        if value in (None, "", "None"):
            return None if artifact or "defaultValue" in port or port.get("isOptional") else self._empty(port)
        if widget == "parameter":
            return self._parameter(name, str(value))
        if widget == "file":
            path = self.translation.places.file(str(value), f"The file of its input {name}", self.node.name)
            value = path.read_text(encoding="utf-8")
        if artifact:
            raise Invalid(
                f"Its input {name} is a file that another node makes, not {str(value)[:40]!r}",
                where=self.where,
                hint="Link it to the output of a node.",
            )
        return {"runtimeValue": {"constant": self._typed(name, value, str(port.get("parameterType")))}}

    def _empty(self, port: Mapping[str, Any]) -> dict[str, Any] | None:
        """An empty field is an empty text; an input of another type is given nothing then, and the check says so."""
        return {"runtimeValue": {"constant": ""}} if port.get("parameterType") == "STRING" else None

    def _parameter(self, name: str, parameter: str) -> dict[str, Any] | None:
        if any(one.name == parameter for one in self.translation.flow.parameters):
            return {"componentInputParameter": parameter}
        raise Invalid(
            f"Its input {name} is the parameter {parameter}, which the pipeline has not", where=self.where
        )

    def _typed(self, name: str, value: Any, kind: str) -> Any:
        if kind == "STRING":
            return value if isinstance(value, str) else json.dumps(value)
        if not isinstance(value, str):
            return value
        for read in (json.loads, ast.literal_eval):
            try:
                return read(value.lower() if kind == "BOOLEAN" else value)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
        raise Invalid(f"{value[:60]!r} is not a value of its input {name} ({kind})", where=self.where)
