"""What these tests call a file of Elyra's is one, by the schema that Elyra publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from tests.pipelines.elyra.building import component, flow, node
from tests.pipelines.elyra.test_components import file, made
from tests.pipelines.elyra.test_reading import supernode

FOLDER = Path(__file__).parents[2] / "data" / "elyra"


def validator() -> Draft4Validator:
    """Of the two schemas that a pipeline file is made of; the others are of what these files have not."""
    schemas = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    registry: Any = Registry().with_resources(
        (schema["id"], Resource.from_contents(schema, default_specification=DRAFT4)) for schema in schemas
    )
    main = next(schema for schema in schemas if schema["id"].endswith("pipeline-flow-v3-schema.json"))
    return Draft4Validator(main, registry=registry)


@pytest.mark.parametrize(
    "content",
    [
        flow(node("a", "a.ipynb", env_vars=[{"env_var": "A", "value": "1"}]), node("b", "b.py", ["a"])),
        flow(component("m", "Make", file("make.yaml")), component("c", "Count", file("c.yaml"), ["m"], text=made("m", "x"))),
        supernode(),
    ],
)  # fmt: skip
def test_files_are_elyras(content: dict[str, Any]) -> None:
    errors = [
        f"{'/'.join(map(str, error.path))}: {error.message[:200]}"
        for error in validator().iter_errors(content)
    ]
    assert errors == []


def test_the_schema_is_at_work() -> None:
    assert list(validator().iter_errors({"pipelines": 3}))
