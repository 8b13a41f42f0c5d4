"""A compiled pipeline as the YAML that Kubeflow takes, also with other defaults than its author gave it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_ext.pipelines.compiled import parsing, values
from jupyter_ext.pipelines.compiled.reading import Document


def text(document: Document) -> str:
    """Its YAML; settings for platforms are a document of their own."""
    import yaml

    parts = [
        dict(document.pipeline),
        *([{"platforms": dict(document.platforms)}] if document.platforms else []),
    ]
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump_all(parts, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110))


def with_defaults(document: Document, given: Mapping[str, object]) -> Document:
    """The pipeline with these values as defaults of its parameters. Raises Invalid for an unknown or unfitting one."""
    if not given:
        return document
    ports = parsing.read(document.pipeline).root.inputs
    asked = {name: one for name, one in ports.parameters.items() if name in given}
    bound = values.bind(asked, given, [*ports.parameters])
    root: dict[str, Any] = dict(document.pipeline["root"])
    defined = dict(root["inputDefinitions"])
    parameters = {name: dict(one) for name, one in defined["parameters"].items()}
    for name, value in bound.items():
        parameters[name] |= {"defaultValue": value, "isOptional": True}
    root["inputDefinitions"] = {**defined, "parameters": parameters}
    return document._replace(pipeline={**document.pipeline, "root": root})
