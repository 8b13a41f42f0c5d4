"""KServe's own schemas, out of its Go module, and what a strict API server would say to a resource."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

MODULE = "github.com/kserve/kserve"
FOLDER = Path("config/crd/full")


@functools.cache
def module(version: str) -> Path:
    """The module's folder; downloaded once. Without Go the test is left out, but fails in CI."""
    go = shutil.which("go") or next((p for p in ("/usr/local/go/bin/go",) if Path(p).exists()), None)
    if go is None:
        text = "Go is not installed; KServe's schemas come out of its Go module (https://go.dev/dl)."
        if os.environ.get("CI") == "true":
            pytest.fail(text, pytrace=False)
        pytest.skip(text)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [go, "mod", "download", "-json", f"{MODULE}@{version}"],
            capture_output=True, text=True, timeout=300, check=False, cwd=folder,
        )  # fmt: skip
    found = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in found:
        why = found.get("Error") or done.stderr.strip()
        pytest.fail(f"{MODULE} {version} cannot be downloaded: {why[-500:]}", pytrace=False)
    return Path(found["Dir"])


@functools.cache
def validator(version: str, plural: str, api: str) -> jsonschema.Draft202012Validator:
    """Refuses what the schema does not have, as strict field validation does: an API server would drop it silently."""
    path = module(version) / FOLDER / f"serving.kserve.io_{plural}.yaml"
    definition = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    served = {each["name"]: each for each in definition["spec"]["versions"] if each["served"]}
    schema = _strict(served[api]["schema"]["openAPIV3Schema"])
    schema["properties"] |= {"apiVersion": {"const": f"serving.kserve.io/{api}"}}
    schema["properties"] |= {"kind": {"const": definition["spec"]["names"]["kind"]}}
    schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
    status = schema["properties"]["status"]
    status["additionalProperties"] = False  # KServe's is open, ours is told apart
    return jsonschema.Draft202012Validator(schema)


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A structural schema of Kubernetes as JSON schema."""
    found = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "nullable"}
    if schema.get("x-kubernetes-int-or-string"):
        for key in ("type", "anyOf", "oneOf"):
            found.pop(key, None)
        found["type"] = ["integer", "string"]
    elif schema.get("nullable") and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    if "properties" in found:
        found["properties"] = {key: _strict(value) for key, value in found["properties"].items()}
        open_ = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in found
        if not open_:
            found["additionalProperties"] = False
    if isinstance(found.get("additionalProperties"), dict):
        found["additionalProperties"] = _strict(found["additionalProperties"])
    if "items" in found:
        found["items"] = _strict(found["items"])
    for word in ("allOf", "anyOf", "oneOf"):
        if word in found:
            found[word] = [_part(each) for each in found[word]]
    return found


def _part(schema: dict[str, Any]) -> dict[str, Any]:
    """A part of a union: it says nothing of other fields."""
    return {key: value for key, value in schema.items() if not key.startswith("x-")}


def faults(version: str, resource: dict[str, Any]) -> list[str]:
    """What is wrong with a resource, with the places."""
    plurals = {"InferenceService": "inferenceservices", "InferenceGraph": "inferencegraphs"}
    api = resource["apiVersion"].rpartition("/")[2]
    found = validator(version, plurals[resource["kind"]], api)
    return [f"{each.json_path}: {each.message[:200]}" for each in found.iter_errors(resource)]
