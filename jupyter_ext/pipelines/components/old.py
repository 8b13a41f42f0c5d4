"""Components as KFP 1 described them (``implementation.container``), in the form of KFP 2.

The format: https://www.kubeflow.org/docs/components/pipelines/reference/component-spec/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.pipelines.components.described import Described

_TYPES: Final = {
    "string": "STRING", "str": "STRING", "text": "STRING",
    "integer": "NUMBER_INTEGER", "int": "NUMBER_INTEGER",
    "float": "NUMBER_DOUBLE", "double": "NUMBER_DOUBLE",
    "bool": "BOOLEAN", "boolean": "BOOLEAN",
    "list": "LIST", "jsonarray": "LIST",
    "dict": "STRUCT", "jsonobject": "STRUCT",
}  # fmt: skip
_ARTIFACTS: Final = {
    each.lower(): f"system.{each}"
    for each in (
        "Dataset",
        "Model",
        "Metrics",
        "ClassificationMetrics",
        "SlicedClassificationMetrics",
        "HTML",
        "Markdown",
    )
}
_KEYS: Final = frozenset({"inputValue", "inputPath", "inputUri", "outputPath", "outputUri", "concat", "if",
                          "executorInput", "isPresent"})  # fmt: skip
_UNNAMED: Final = re.compile(r"[^a-z0-9_]+")
_DEEPEST: Final = 50


def name_of(text: str) -> str:
    """The name by which KFP 2 knows a port: ``Learning rate`` is ``learning_rate``."""
    return _UNNAMED.sub("_", text.lower()).strip("_") or "value"


def read(data: Mapping[str, Any], source: str, wanted: Mapping[str, str]) -> Described:
    """Read a component of KFP 1. ``wanted`` says of outputs whether they are taken as parameter or artifact.

    Raises Invalid for what is not one, Unfit for what has no meaning without its image.
    """
    return _Old(data, source, wanted).read()


class _Old:
    def __init__(self, data: Mapping[str, Any], source: str, wanted: Mapping[str, str]) -> None:
        self.data, self.source, self.wanted = data, source, wanted
        self.name = str(data.get("name") or source.rpartition(".")[0] or "component")
        self.where = Where(object=source)
        self.inputs = self._named("inputs")
        self.outputs = self._named("outputs")
        self.uses: dict[str, set[str]] = {}

    def wrong(self, what: str, hint: str | None = None) -> Invalid:
        return Invalid(f"Component {self.name}: {what}", where=self.where, hint=hint)

    def read(self) -> Described:
        container = self._container()
        words = [self._listed(container, "command"), self._listed(container, "args")]
        env = container.get("env") or {}
        if not isinstance(env, Mapping):
            raise self.wrong("env must be a mapping")
        for word in (*words[0], *words[1], *env.values()):
            self._note(word)
        component = {
            "inputDefinitions": self._ports(self.inputs, "input"),
            "outputDefinitions": self._ports(self.outputs, "output"),
        }
        self.ports = component
        command, args = ([self._word(word) for word in some] for some in words)
        variables = [{"name": str(key), "value": self._word(value)} for key, value in env.items()]
        executor = {
            "container": {
                "image": str(container.get("image") or ""),
                "command": command or args,
                "args": args if command else [],
                **({"env": variables} if variables else {}),
            }
        }
        if not command:
            # Without a command the image's own program runs, which nobody here knows.
            executor["container"] = {"image": str(container.get("image") or ""), "args": args}
        text = " ".join(str(self.data.get("description") or "").split())
        return Described(self.name, text, self.source, component, executor)

    def _container(self) -> Mapping[str, Any]:
        implementation = self.data["implementation"]
        if isinstance(implementation, Mapping) and "graph" in implementation:
            raise Unfit(
                f"Component {self.name} is a graph of components of KFP 1, which KFP 2 does not read",
                where=self.where,
                hint="Write the graph as steps that call its components.",
            )
        container = implementation.get("container") if isinstance(implementation, Mapping) else None
        if not isinstance(container, Mapping):
            raise self.wrong("there is no implementation.container")
        if container.get("fileOutputs"):
            raise Unfit(
                f"Component {self.name} writes to fixed paths of its image (fileOutputs)",
                where=self.where,
                hint="Give it outputPath placeholders instead.",
            )
        return container

    def _named(self, key: str) -> dict[str, Mapping[str, Any]]:
        listed = self.data.get(key) or []
        if not isinstance(listed, list) or not all(
            isinstance(one, Mapping) and one.get("name") for one in listed
        ):
            raise self.wrong(f"{key} must be a list of mappings with names")
        found = {name_of(str(one["name"])): one for one in listed}
        if len(found) != len(listed):
            raise self.wrong(f"two of its {key} have one name")
        return found

    def _listed(self, container: Mapping[str, Any], key: str) -> list[Any]:
        found = container.get(key) or []
        if not isinstance(found, list):
            raise self.wrong(f"{key} must be a list")
        return found

    def _note(self, word: Any, deep: int = 0) -> None:
        """How each port is used."""
        if deep > _DEEPEST:
            raise self.wrong("its placeholders are in each other too deep")
        if isinstance(word, list):
            for each in word:
                self._note(each, deep + 1)
        elif isinstance(word, Mapping):
            for key, value in word.items():
                if key in ("inputValue", "inputPath", "inputUri", "outputPath", "outputUri"):
                    self.uses.setdefault(name_of(str(value)), set()).add(key)
                else:
                    self._note(value, deep + 1)

    def _ports(self, ports: Mapping[str, Mapping[str, Any]], side: str) -> dict[str, Any]:
        found: dict[str, dict[str, Any]] = {"parameters": {}, "artifacts": {}}
        for name, port in ports.items():
            kind = _type(port.get("type"))
            uses = self.uses.get(name, set())
            if side == "input":
                artifact = self._is_artifact(name, kind, uses)
            else:
                artifact = self.wanted.get(name, "artifact" if kind not in _TYPES else "") == "artifact"
            about = {"description": str(port["description"])} if port.get("description") else {}
            if artifact:
                schema = {"schemaTitle": _ARTIFACTS.get(kind, "system.Artifact"), "schemaVersion": "0.0.1"}
                found["artifacts"][name] = {"artifactType": schema, **about, **_optional(port)}
            else:
                value = _TYPES.get(kind, "STRING")
                found["parameters"][name] = {"parameterType": value, **about}
                if side == "input":
                    found["parameters"][name] |= {**_optional(port), **self._default(name, port, value)}
        return found

    def _is_artifact(self, name: str, kind: str, uses: set[str]) -> bool:
        if "inputValue" in uses and uses & {"inputPath", "inputUri"}:
            raise Unfit(
                f"Component {self.name} takes {name} both as a value and as a file, which KFP 2 has no form for",
                where=self.where,
                hint="Give it two inputs.",
            )
        return bool(uses & {"inputPath", "inputUri"}) or (not uses and kind not in _TYPES and bool(kind))

    def _default(self, name: str, port: Mapping[str, Any], kind: str) -> dict[str, Any]:
        if "default" not in port or port["default"] is None:
            return {}
        value = port["default"]
        if kind != "STRING" and isinstance(value, str):
            try:
                value = json.loads(value.lower() if kind == "BOOLEAN" else value)
            except ValueError:
                raise self.wrong(f"the default {value!r} of {name} is not of its type") from None
        return {"defaultValue": value if kind != "STRING" else str(value)}

    # Words of the command

    def _word(self, word: Any) -> str:
        if isinstance(word, Mapping):
            found = self._placeholder(word)
            return found if isinstance(found, str) else json.dumps(found)
        if isinstance(word, list | type(None)):
            raise self.wrong(f"{str(word)[:60]!r} is no word of a command")
        return str(word)

    def _placeholder(self, word: Mapping[str, Any]) -> Any:
        if len(word) != 1 or next(iter(word)) not in _KEYS:
            raise self.wrong(f"{json.dumps(word, default=str)[:80]} is no placeholder")
        key, value = next(iter(word.items()))
        if key == "executorInput":
            return "{{$}}"
        if key == "concat":
            if not isinstance(value, list):
                raise self.wrong("concat must be a list")
            parts = [self._inner(each) for each in value]
            return "".join(parts) if all(isinstance(each, str) for each in parts) else {"Concat": parts}
        if key == "if":
            return self._choice(value)
        return self._port(key, name_of(str(value)))

    def _inner(self, word: Any) -> Any:
        return self._placeholder(word) if isinstance(word, Mapping) else str(word)

    def _choice(self, value: Any) -> Any:
        if not isinstance(value, Mapping) or "cond" not in value:
            raise self.wrong("an if needs cond and then")
        condition = value["cond"]
        if not (isinstance(condition, Mapping) and set(condition) == {"isPresent"}):
            raise Unfit(
                f"Component {self.name} decides by {json.dumps(condition, default=str)[:60]}, and KFP 2 only by isPresent",
                where=self.where,
            )
        name = name_of(str(condition["isPresent"]))
        if name not in self.inputs:
            raise self.wrong(f"it has no input {condition['isPresent']!r}")
        found: dict[str, Any] = {"InputName": name, "Then": list(self._branch(value.get("then")))}
        if value.get("else"):
            found["Else"] = list(self._branch(value["else"]))
        return {"IfPresent": found}

    def _branch(self, words: Any) -> Iterator[Any]:
        for word in words if isinstance(words, list) else [words]:
            yield self._inner(word)

    def _port(self, key: str, name: str) -> str:
        side = "input" if key.startswith("input") else "output"
        ports = self.ports[f"{side}Definitions"]
        if name in ports["artifacts"]:
            return f"{{{{$.{side}s.artifacts['{name}'].{'uri' if key.endswith('Uri') else 'path'}}}}}"
        if name not in ports["parameters"] or key == "outputUri":
            raise self.wrong(f"its command names the {side} {name}, which it has not")
        return f"{{{{$.{side}s.parameters['{name}']{'.output_file' if side == 'output' else ''}}}}}"


def _type(found: Any) -> str:
    """The name of a type, which may come with properties: ``{GCSPath: {data_type: CSV}}``."""
    if isinstance(found, Mapping):
        found = next(iter(found), "")
    return str(found or "").lower()


def _optional(port: Mapping[str, Any]) -> dict[str, bool]:
    return {"isOptional": True} if port.get("optional") else {}
