"""Importers: an artifact that is there already, on this machine or, where this Python can fetch from it, elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from jupyter_ext.pipelines.compiled import environments, remote, results
from jupyter_ext.pipelines.compiled.checking import local_path
from jupyter_ext.pipelines.compiled.placeholders import Placeholders
from jupyter_ext.pipelines.compiled.results import Results
from jupyter_ext.pipelines.compiled.scopes import Node
from jupyter_ext.pipelines.compiled.spec import Container, Importer, Resources

_PROGRAM: Final = environments.RUNTIME / "fetch_artifact.py"


def imported(node: Node, importer: Importer, facts: dict[str, str], base: Path) -> Results | Container:
    """What is imported; or, of what is elsewhere, the command that fetches it.

    Raises Unfit for what cannot be fetched, Invalid where nothing is.
    """
    uri = importer.uri
    if uri is None:
        uri = str(node.inputs.parameters.get(importer.uri_input, ""))
    told = results.executor_input(node.inputs, node.component.outputs, base)
    place = Placeholders(told, facts)
    uri = place.text(uri)
    metadata = place.value(dict(importer.metadata))
    if remote.scheme_of(uri):
        remote.require(uri)
        request = json.dumps({"uri": remote.for_fsspec(uri), "metadata": metadata})
        command = ("python3", "-P", str(_PROGRAM), "{{$}}")
        return Container("", command, (), {"KUBEFLOW_FETCH": request}, Resources(cpu="100m"))
    path = str(local_path(uri, base).absolute())
    found = Results()
    for name, port in node.component.outputs.artifacts.items():
        kind = dict(importer.schema or port.schema)
        one = {"name": name, "type": kind, "uri": path, "metadata": {**port.metadata, **metadata}}
        found.artifacts[name] = [{**one, "digest": results.content(path)}]
    return found
