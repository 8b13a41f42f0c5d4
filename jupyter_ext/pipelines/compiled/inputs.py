"""What a run is given: values of the pipeline's parameters, and files or folders for its input artifacts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Invalid, KubeflowError, Where
from jupyter_ext.pipelines.compiled import results, values
from jupyter_ext.pipelines.compiled.checking import local_path
from jupyter_ext.pipelines.compiled.results import Results
from jupyter_ext.pipelines.compiled.spec import ArtifactPort, Ports

_FORM: Final = 'Give the path of a file or folder, or {"uri": PATH, "metadata": {…}}.'


def bind(ports: Ports, given: Mapping[str, object], folder: Path) -> dict[str, Any]:
    """Parameters and, under their names, the addresses of artifacts, as a run keeps both.

    A relative path begins at ``folder``. Raises Invalid for what is missing, unknown or of another type, Unfit for an
    artifact that is not on this machine.
    """
    told = {name: value for name, value in given.items() if name not in ports.artifacts}
    found = values.bind(ports.parameters, told, (*ports.parameters, *ports.artifacts))
    for name, port in ports.artifacts.items():
        if given.get(name) is not None:
            found[name] = _addresses(name, given[name], port, folder)
        elif not port.optional:
            raise Invalid(
                f"The artifact {name} is required, and none was given",
                where=Where(field=name),
                hint=f"Give a file or folder: -p {name}=PATH, or {name}=… in Python.",
            )
    return found


def of_run(ports: Ports, bound: Mapping[str, Any]) -> Results:
    """What ``bind`` found as the inputs of the outermost DAG; artifacts with the digest of what is there now."""
    found = Results({name: bound[name] for name in ports.parameters if name in bound})
    for name, port in ports.artifacts.items():
        if name in bound:
            listed = bound[name] if isinstance(bound[name], list) else [bound[name]]
            found.artifacts[name] = [_artifact(name, port, one) for one in listed]
    return found


def _addresses(name: str, value: object, port: ArtifactPort, folder: Path) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise Invalid(f"{name} is not JSON ({error})", where=Where(field=name), hint=_FORM) from None
    if port.is_list:
        listed = value if isinstance(value, list) else [value]
        return [_address(name, one, folder) for one in listed]
    return _address(name, value, folder)


def _address(name: str, value: object, folder: Path) -> Any:
    """An absolute path, with its metadata where there is any."""
    uri: object = value
    metadata: object = {}
    if isinstance(value, Mapping):
        uri, metadata = value.get("uri"), value.get("metadata") or {}
    uri = str(uri) if isinstance(uri, Path) else uri
    if not isinstance(uri, str) or not uri or "\0" in uri or not isinstance(metadata, Mapping):
        shown = repr(value)[:60]
        raise Invalid(f"{name} must be a file or folder, not {shown}", where=Where(field=name), hint=_FORM)
    try:
        path = str(local_path(uri, folder).absolute())
    except KubeflowError as error:
        what = error.what.removesuffix(" to import")
        raise type(error)(what, where=Where(field=name), hint=error.hint) from None
    return {"uri": path, "metadata": dict(metadata)} if metadata else path


def _artifact(name: str, port: ArtifactPort, address: Any) -> dict[str, Any]:
    told = address if isinstance(address, Mapping) else {"uri": address, "metadata": {}}
    one = {"name": name, "type": dict(port.schema), "uri": told["uri"], "metadata": dict(told["metadata"])}
    return {**one, "digest": results.content(told["uri"])}
