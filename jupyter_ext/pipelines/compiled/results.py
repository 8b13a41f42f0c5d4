"""What a task leaves: parameters and artifacts, as its executor output and its files say."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.pipelines.compiled import values
from jupyter_ext.pipelines.compiled.checking import REMOTE
from jupyter_ext.pipelines.compiled.spec import Ports

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.blobs import Blobs

_LARGEST: Final = 64 << 20
_SHOWN: Final = {"system.HTML": ("html", "text/html"), "system.Markdown": ("text", "text/markdown")}
_LARGEST_SHOWN: Final = 4 << 20


@dataclass
class Results:
    """Parameters by name, and lists of runtime artifacts by name; also what goes into a task."""

    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"parameters": self.parameters, "artifacts": self.artifacts}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Results:
        """Inverse of ``to_dict``."""
        return cls(dict(data["parameters"]), dict(data["artifacts"]))


def executor_input(inputs: Results, outputs: Ports, folder: Path) -> dict[str, Any]:
    """The ``ExecutorInput`` of an attempt whose outputs go into ``folder``."""
    made = {name: {"outputFile": str(folder / "parameters" / name)} for name in outputs.parameters}
    artifacts = {}
    for name, port in outputs.artifacts.items():
        uri = str(folder / "artifacts" / name)
        one = {"name": name, "type": dict(port.schema), "uri": uri, "metadata": dict(port.metadata)}
        artifacts[name] = {"artifacts": [one]}
    given = {
        name: {"artifacts": [{key: value for key, value in one.items() if key != "digest"} for one in listed]}
        for name, listed in inputs.artifacts.items()
    }
    return {
        "inputs": {"parameterValues": dict(inputs.parameters), "artifacts": given},
        "outputs": {
            "parameters": made,
            "artifacts": artifacts,
            "outputFile": str(folder / "executor_output.json"),
        },
    }


def make_folders(folder: Path) -> None:
    """What an attempt finds in its folder: places for its outputs, and one to work in."""
    for name in ("artifacts", "parameters", "scratch"):
        (folder / name).mkdir(parents=True, exist_ok=True)


def collect(told: Mapping[str, Any], outputs: Ports) -> Results:
    """What an attempt has made, where its input ``told`` it to. Raises Invalid for what is missing or of another type."""
    said = _output_file(Path(told["outputs"]["outputFile"]))
    given = {**_old_values(said.get("parameters") or {}), **(said.get("parameterValues") or {})}
    found = Results()
    for name, parameter in outputs.parameters.items():
        if name in given:
            found.parameters[name] = values.typed(name, given[name], parameter)
            continue
        path = Path(told["outputs"]["parameters"][name]["outputFile"])
        if not path.is_file():
            raise Invalid(f"It ended without its output {name}", where=Where(field=name))
        found.parameters[name] = values.from_file(name, _bounded(path), parameter)
    for name, port in outputs.artifacts.items():
        one = told["outputs"]["artifacts"][name]["artifacts"][0]
        listed = ((said.get("artifacts") or {}).get(name) or {}).get("artifacts") or [{}]
        found.artifacts[name] = [_merged(dict(one), each) for each in listed[: None if port.is_list else 1]]
    return found


def _bounded(path: Path) -> str:
    if path.stat().st_size > _LARGEST:
        raise Invalid(
            f"The output {path.name} is larger than {_LARGEST >> 20} MiB", where=Where(field=path.name)
        )
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"The output {path.name} is not text ({error})", where=Where(field=path.name)) from None


def _output_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(_bounded(path) or "{}")
    except ValueError as error:
        raise Invalid(f"Its executor output is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise Invalid("Its executor output is not a JSON mapping")
    return found


def _old_values(said: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in said.items():
        if "intValue" in value:
            found[name] = int(value["intValue"])
        else:
            found[name] = value.get("doubleValue", value.get("stringValue", ""))
    return found


def _merged(one: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The artifact as the component says that it became; content at a path of its own choice is brought to its place."""
    place = one["uri"]
    metadata = said.get("metadata")
    one["metadata"] = {**one["metadata"], **metadata} if isinstance(metadata, Mapping) else one["metadata"]
    one["uri"] = str(said.get("uri") or place)
    one["name"] = str(said.get("name") or one["name"])
    custom = said.get("custom_path") or said.get("customPath")
    if custom and Path(custom).exists() and not REMOTE.match(one["uri"]):
        target = Path(one["uri"])
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(custom).is_dir():
            shutil.copytree(custom, target, dirs_exist_ok=True)
        else:
            shutil.copy2(custom, target)
    one["digest"] = content(one["uri"])
    return one


def content(uri: str) -> str:
    """A digest of what is at a local address, a folder with its files; of the address itself where nothing is."""
    from blake3 import blake3

    path = Path(uri)
    if REMOTE.match(uri) or not path.exists():
        return "uri:" + uri
    if path.is_file():
        return "file:" + _file_digest(path)
    hasher = blake3()
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = Path(folder) / name
            if file.is_file():
                hasher.update(
                    f"{file.relative_to(path)}\0{_file_digest(file)}\0".encode(errors="surrogateescape")
                )
    return "folder:" + hasher.hexdigest()


def _file_digest(path: Path) -> str:
    from blake3 import blake3

    hasher = blake3()
    if path.stat().st_size:
        hasher.update_mmap(path)
    return str(hasher.hexdigest())


def as_fields(found: Results, step: str, blobs: Blobs) -> dict[str, Any]:
    """The results as fields of a step's status: values as references, metrics, what can be shown."""
    outputs = [
        _reference(name, value, type(value).__name__, step) for name, value in found.parameters.items()
    ]
    metrics: dict[str, float] = {}
    shown: list[dict[str, Any]] = []
    for name, listed in found.artifacts.items():
        for one in listed:
            title = one.get("type", {}).get("schemaTitle", "system.Artifact")
            outputs.append(_reference(name, one["uri"], title.rpartition(".")[2], step))
            if title == "system.Metrics":
                metrics |= {key: value for key, value in one["metadata"].items() if _is_number(value)}
            shown += _shown(name, title, one, blobs)
    digest = blobs.put_bytes(json.dumps(found.to_dict()).encode())
    return {"outputs": outputs, "metrics": metrics, "artifacts": shown, "resultDigest": digest}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reference(name: str, value: Any, kind: str, step: str) -> dict[str, Any]:
    """A value as ``exchange.ValueRef`` has it, so that ``run.value`` gives it."""
    import hashlib

    literal = json.dumps(value, separators=(",", ":"))
    digest = "in:" + hashlib.blake2b(literal.encode(), digest_size=16).hexdigest()
    text = literal if len(literal) <= 200 else literal[:200] + "…"
    return {
        "names": [name], "digest": digest, "serializer": "json", "origin": f"{step}:{name}",
        "types": {name: kind}, "bytes": len(literal), "summary": {name: text}, "inline": {name: value},
        "literal": literal,
    }  # fmt: skip


def _shown(name: str, title: str, one: Mapping[str, Any], blobs: Blobs) -> list[dict[str, Any]]:
    kind = _SHOWN.get(title)
    path = Path(one["uri"])
    if kind is None or REMOTE.match(one["uri"]) or not path.is_file() or path.stat().st_size > _LARGEST_SHOWN:
        return []
    return [{"name": name, "type": kind[0], "mime": kind[1], "digest": blobs.put_file(path), "cell": None}]
