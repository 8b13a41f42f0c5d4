"""How a model's files come into a model server's pod on a Kubernetes cluster.

What KServe can fetch, it fetches. What lies in the profile's store our model server fetches with the profile's credentials.
What only this machine has travels: in a ConfigMap where it is small, else through the store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from jupyter_ext.errors import Conflict, Unfit, Where
from jupyter_ext.serving import finding
from jupyter_ext.serving.kube_record import LARGEST
from jupyter_ext.serving.places import ENDPOINT
from jupyter_ext.serving.server.config import ABOUT

if TYPE_CHECKING:
    from jupyter_ext.serving.kube_record import Records
    from jupyter_ext.serving.spec import Predictor

FOLDER: Final = "/mnt/model"
"""Where files lie that travelled in a resource. KServe itself mounts what it fetches at /mnt/models."""
SCRATCH: Final = "/tmp/models"  # noqa: S108 - of the pod
"""Where our model server may write in its pod."""
FETCHED: Final = frozenset({"s3", "gs", "hf", "https", "http", "pvc", "oci", "hdfs", "webhdfs"})
"""Schemes that KServe's storage initializer knows."""
_LONGEST_ABOUT: Final = 32_000
_MOST_FILES: Final = 500

Json = dict[str, Any]


@dataclass
class Brought:
    """What a predictor needs so that the model's files are in ``FOLDER``; ``uri`` is for KServe to fetch."""

    uri: str | None = None
    arguments: list[str] = field(default_factory=list)
    env: list[Json] = field(default_factory=list)
    more: Json = field(default_factory=dict)
    """Fields of the container."""
    volumes: list[Json] = field(default_factory=list)


def brought(records: Records, endpoint: str, predictor: Predictor) -> Brought:
    """See to it that the files can be had there. Raises Unfit for those that cannot, NotFound for those that are gone."""
    uri = str(predictor.model["storageUri"])
    scheme = urlsplit(uri).scheme if "://" in uri else ""
    if scheme in {"", "file", finding.REGISTRY}:
        return _of_here(records, endpoint, predictor)
    if (stored := _in_store(uri)) is not None:
        return stored
    if scheme not in FETCHED:
        raise Unfit(
            f"{scheme}:// cannot be fetched by KServe",
            where=Where(field="storageUri"),
            hint="Register the model at an address such as s3:// or gs://, or in the profile's store.",
        )
    return Brought(uri=uri)


def told(source: finding.Source | None) -> list[Json]:
    """The variable with what the files do not say: names and types of columns, an example where it is small."""
    if source is None or not (source.signature or source.example):
        return []
    for about in (
        {"signature": source.signature, "example": source.example},
        {"signature": source.signature},
    ):
        text = json.dumps(about, separators=(",", ":")).replace("{{", "\\u007b\\u007b")  # KServe's templates
        if len(text) <= _LONGEST_ABOUT:
            return [{"name": ABOUT, "value": text.replace("$", "$$")}]  # $(NAME) is a variable's value
    return []


def _of_here(records: Records, endpoint: str, predictor: Predictor) -> Brought:
    files = _files(records, predictor)
    size = sum(path.stat().st_size for path in files.values())
    if size <= LARGEST and len(files) <= _MOST_FILES:
        return _in_config_map(records, endpoint, files)
    from jupyter_ext import store

    place = store.default()
    if place is None or place.url.startswith("file:"):
        raise Unfit(
            f"The files of {predictor.name} are on this machine only, and their {size / 1e6:.1f} MB are too many for a resource",
            where=Where(field="storageUri"),
            hint="Name a store that pods reach, JUPYTER_KUBEFLOW_STORE=s3://bucket/path, or register the model in one:"
            ' registry.register(…, to="s3://bucket/models").',
        )
    root = _root(records, predictor)
    mark = _digest(files)
    name = f"models/{mark}"
    uri = place.upload(root, name if root.is_dir() else f"{name}/{root.name}")
    return _fetched_by_us(uri, place)


def _root(records: Records, predictor: Predictor) -> Path:
    version = finding.registered(str(predictor.model["storageUri"]), predictor.facts)
    if version is not None:
        return version.path()
    return finding.fetch(records.here, predictor.model, predictor.facts).path


def _files(records: Records, predictor: Predictor) -> dict[str, Path]:
    """By their path below the model's folder."""
    root = _root(records, predictor)
    if root.is_file():
        return {root.name: root}
    found = {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {name: path for name, path in found.items() if "__pycache__" not in name}


def _digest(files: Mapping[str, Path]) -> str:
    content = hashlib.sha256()
    for name, path in files.items():
        content.update(f"{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            content.update(hashlib.file_digest(file, "sha256").digest())
    return content.hexdigest()[:16]


def _in_config_map(records: Records, endpoint: str, files: Mapping[str, Path]) -> Brought:
    """One that nobody can change any more, named by its content."""
    from base64 import b64encode

    mark = _digest(files)
    name = f"{endpoint}-model-{mark}"
    keys = {f"f{number}": path for number, path in enumerate(files)}
    body = {
        "metadata": {
            "name": name,
            "labels": {ENDPOINT: endpoint},
            "ownerReferences": [owner(records, endpoint)],
        },
        "binaryData": {key: b64encode(files[path].read_bytes()).decode() for key, path in keys.items()},
        "immutable": True,
    }
    path = f"/api/v1/namespaces/{records.remote.namespace}/configmaps"
    with suppress(Conflict):  # the same content is there
        records.remote.transport.ask("POST", path, body, query={"fieldManager": records.remote.manager})
    items = [{"key": key, "path": path} for key, path in keys.items()]
    volume = {"name": "model", "configMap": {"name": name, "items": items}}
    mount = {"name": "model", "mountPath": FOLDER, "readOnly": True}
    # Below ..data are the files alone; beside it are the kubelet's own names.
    return Brought(
        arguments=[f"--model_dir={FOLDER}/..data"], volumes=[volume], more={"volumeMounts": [mount]}
    )


def owner(records: Records, endpoint: str) -> Json:
    """The record as owner of what goes with it."""
    from jupyter_ext.serving.kube_record import name_of

    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": name_of(endpoint),
        "uid": records.uid(endpoint),
    }


def _in_store(uri: str) -> Brought | None:
    """For an address below the profile's store; None for another."""
    from jupyter_ext import store

    place = store.default()
    if place is None or not uri.startswith(place.url.rstrip("/") + "/"):
        return None
    return _fetched_by_us(uri, place)


def _fetched_by_us(uri: str, place: Any) -> Brought:
    given = place.pod_environment()
    return Brought(
        arguments=[f"--model_uri={uri}", f"--model_dir={SCRATCH}"], env=list(given.get("env") or ())
    )
