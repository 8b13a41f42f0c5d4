"""Builds ``.pipeline`` files and what is in them, in the form that Elyra's editor writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

OPS = {
    ".ipynb": "execute-notebook-node",
    ".py": "execute-python-node",
    ".r": "execute-r-node",
    ".sh": "execute-shell-node",
}
SCHEMA = "http://api.dataplatform.ibm.com/schemas/common-pipeline/pipeline-flow/pipeline-flow-v3-schema.json"
PORT: dict[str, Any] = {"app_data": {"ui_data": {"cardinality": {"min": 0, "max": -1}, "label": "Port"}}}


def links(name: str, after: Sequence[str]) -> list[dict[str, Any]]:
    """The link of an input to the outputs of these nodes."""
    return [{"id": f"{one}-{name}", "node_id_ref": one, "port_id_ref": "outPort"} for one in after]


def node(
    name: str, file: str, after: Sequence[str] = (), *, op: str | None = None, **settings: Any
) -> dict[str, Any]:
    """A node that runs a file."""
    return {
        "id": name,
        "type": "execution_node",
        "op": op or OPS.get(Path(file).suffix.lower(), "execute-python-node"),
        "app_data": {
            "component_parameters": {
                "filename": file,
                "runtime_image": "docker.io/library/python:3.11",
                "dependencies": [],
                "include_subdirectories": False,
                "outputs": [],
                "env_vars": [],
                **settings,
            },
            "label": "",
            "ui_data": {"label": Path(file).name, "x_pos": 10, "y_pos": 20, "description": "Run a file"},
        },
        "inputs": [{"id": "inPort", **PORT, "links": links(name, after)}],
        "outputs": [{"id": "outPort", **PORT}],
    }


def component(name: str, label: str, source: Any, after: Sequence[str] = (), **inputs: Any) -> dict[str, Any]:
    """A node that is a component of a catalog."""
    found = node(name, "x.py", after, op=f"local-file-catalog:{name}")
    found["app_data"] = {
        "component_parameters": inputs,
        "label": label,
        "component_source": source if isinstance(source, str) else json.dumps(source),
        "ui_data": {"label": label, "x_pos": 10, "y_pos": 20},
    }
    return found


def flow(
    *nodes: dict[str, Any], version: int = 8, runtime: str | None = None, **properties: Any
) -> dict[str, Any]:
    """A whole file."""
    return {
        "doc_type": "pipeline",
        "version": "3.0",
        "json_schema": SCHEMA,
        "id": "elyra-auto-generated-pipeline",
        "primary_pipeline": "primary",
        "pipelines": [
            {
                "id": "primary",
                "nodes": list(nodes),
                "app_data": {
                    "ui_data": {"comments": []},
                    "version": version,
                    **({"runtime_type": runtime} if runtime else {}),
                    "properties": {"name": "demo", "runtime": "Generic", **properties},
                },
                "runtime_ref": "",
            }
        ],
        "schemas": [],
    }


def book(*sources: str, kernel: str = "python3", language: str = "python") -> str:
    """A notebook of these cells."""
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        for n, source in enumerate(sources)
    ]
    spec = {"name": kernel, "display_name": kernel, "language": language}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5})
