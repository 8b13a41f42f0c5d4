"""Run in the environment of upstream's client: does what its users do, and prints what it saw as JSON.

with_client.py ADDRESS [TOKEN]
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")


def use(address: str, token: str | None) -> dict[str, Any]:
    from model_registry import ModelRegistry
    from model_registry.exceptions import StoreError

    host, _, port = address.rpartition(":")
    registry = ModelRegistry(host, int(port), author="Ada", is_secure=False, user_token=token)
    seen: dict[str, Any] = {}
    metadata = {"accuracy": 0.97, "epochs": 3, "good": True, "note": "täglich"}
    for number in range(1, 4):
        registry.register_model(
            "iris", f"s3://bucket/iris/{number}", version=str(number), model_format_name="onnx",
            model_format_version="1", metadata=metadata, model_source_kind="kfp", model_source_name="run-7",
        )  # fmt: skip
    for number in range(25):
        registry.register_model(
            f"m{number}", "s3://x", version="1", model_format_name="x", model_format_version="1"
        )
    model = registry.get_registered_model("iris")
    version = registry.get_model_version("iris", "2")
    artifact = registry.get_model_artifact("iris", "2")
    seen["model"] = [model.name, model.owner, model.state.value]
    seen["version"] = [version.name, version.author, version.custom_properties]
    seen["artifact"] = [artifact.uri, artifact.model_format_name, artifact.model_source_name]
    seen["models"] = [found.name for found in registry.get_registered_models().page_size(7)]
    pages = registry.get_model_versions("iris").order_by_creation_time().descending()
    seen["versions"] = [found.name for found in pages]
    model.description = "new"
    version.custom_properties = {"only": "this"}
    seen["updated"] = [registry.update(model).description, registry.update(version).custom_properties]
    seen["nothing"] = registry.get_registered_model("none")
    try:
        registry.register_model(
            "iris", "s3://x", version="1", model_format_name="x", model_format_version="1"
        )
    except StoreError as error:
        seen["again"] = str(error)
    return seen


def use_sdk(address: str, token: str | None) -> dict[str, Any]:
    from kubeflow.hub import ModelRegistryClient

    host, _, port = address.rpartition(":")
    client = ModelRegistryClient(host, int(port), author="Ada", is_secure=False, user_token=token)
    client.register_model("sdk", "s3://b/k", version="1", model_format_name="onnx", metadata={"a": 1})
    model = client.get_model("sdk")
    model.description = "d"
    client.update_model(model)
    return {
        "model": client.get_model("sdk").description,
        "artifact": client.get_model_artifact("sdk", "1").uri,
        "versions": [found.name for found in client.list_model_versions("sdk")],
        "models": [found.name for found in client.list_models()],
    }


if __name__ == "__main__":
    what, where, *token = sys.argv[1:]
    print(json.dumps({"client": use, "sdk": use_sdk}[what](where, *(token or [None]))))
