"""Where a version comes from and where it went, as a graph: cell → run → step → artifact → version → endpoint.

What the version's own record says is always there; what it names is looked up in this profile's cluster and described
where it still exists. Nodes have a kind, a title and, where something can be opened, a reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, KubeflowError, NotFound
from jupyter_ext.registry import served
from jupyter_ext.registry.transport import InProcess

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.registry.handles import Version
    from jupyter_ext.registry.registry import Registry

OWNERS: Final = 6
"""So many owners of what made it are followed."""
CELLS: Final = 8
"""Cells of a step that are shown at most."""

Json = dict[str, Any]


def made_from(registry: Registry, data: Any) -> list[Version]:
    """The versions to which a data set with this content belongs, newest first. Raises Invalid for a registry elsewhere."""
    from jupyter_ext.registry.handles import Version
    from jupyter_ext.registry.lineage import data_of

    if not isinstance(registry.transport, InProcess):
        raise Invalid("only the registry of this profile can be asked by its data")
    is_digest = isinstance(data, str) and data.startswith("b3:")
    digest = data if is_digest else data_of({"data": data})[0].get("digest")
    store = registry.transport.service.store
    rows = store.rows(
        "SELECT DISTINCT a.context FROM records d JOIN attributions a ON a.record = d.id"
        " WHERE d.kind = 'DataSet' AND json_extract(d.fields, '$.digest') = ? ORDER BY a.context DESC",
        (digest,),
    )
    found = [store.get(["ModelVersion"], number) for (number,) in rows]
    return [Version(registry, registry.transport.service.as_json(one)) for one in found if one is not None]


class Graph:
    """Nodes and edges in the order in which they were found, each once."""

    def __init__(self) -> None:
        self.nodes: dict[str, Json] = {}
        self.edges: dict[tuple[str, str], Json] = {}

    def node(self, kind: str, key: str, title: str, *, ref: Json | None = None, **more: str | None) -> str:
        """Add a node; gives its id."""
        number = f"{kind}:{key}"
        about = {name: value for name, value in more.items() if value}
        self.nodes.setdefault(number, {"id": number, "kind": kind, "title": title, **about, "ref": ref})
        return number

    def edge(self, source: str, target: str, label: str = "") -> None:
        """Add an edge, left to right."""
        self.edges.setdefault(
            (source, target), {"source": source, "target": target, **({"label": label} if label else {})}
        )

    def to_dict(self) -> Json:
        """JSON form."""
        return {"nodes": list(self.nodes.values()), "edges": list(self.edges.values())}


def trace(version: Version) -> Json:
    """The graph of a version."""
    graph = Graph()
    me = _version(graph, version)
    files = _files(graph, version)
    graph.edge(files, me)
    made = _origin(graph, version)
    if made:
        graph.edge(made, files)
    for name, data in version.data.items():
        key = str(data.get("digest") or data.get("uri") or f"{version.id}/{name}")
        found = graph.node("Data", key, name, note=str(data.get("uri") or data.get("sourceType") or ""))
        graph.edge(found, made or files, "trained on")
    before = version.lineage.get("copied-from")
    if before:
        model, _, number = str(before).rpartition(":")
        ref = {"kind": "RegisteredModel", "name": model, "place": {"version": number}}
        graph.edge(graph.node("Version", str(before), str(before), ref=ref), me, "copied")
    for row in version.endpoints():
        gone = row["state"] != served.DEPLOYED
        ref = {"kind": "InferenceService", "name": row["name"]}
        end = graph.node("InferenceService", row["name"], row["name"], ref=ref, state="gone" if gone else "serving",
                         note="no longer serves it" if gone else None)  # fmt: skip
        graph.edge(me, end, "served" if gone else "serves")
    return graph.to_dict()


def _version(graph: Graph, version: Version) -> str:
    ref = {"kind": "RegisteredModel", "name": version.model.name, "place": {"version": version.version}}
    aliases = ", ".join(version.aliases)
    return graph.node(
        "Version",
        version.name,
        version.name,
        ref=ref,
        note=aliases,
        state="archived" if version.archived else None,
    )


def _files(graph: Graph, version: Version) -> str:
    try:
        artifact = version.artifact
    except NotFound:
        return graph.node("Artifact", version.id, "no files")
    title = str(artifact.get("modelFormatName") or "files")
    return graph.node(
        "Artifact", str(version.digest or version.id), title, note=str(artifact.get("uri") or "")
    )


def _origin(graph: Graph, version: Version) -> str | None:
    """What made the files: a step of a run, a job, a trial, or a cell of a notebook; gives its node."""
    lineage = version.lineage
    notebook = _notebook(graph, lineage)
    uid, name = lineage.get("uid"), lineage.get("run")
    if not uid and not name:
        if "cell" not in lineage and "execution" not in lineage:
            return notebook
        title = f"cell [{lineage['execution']}]" if "execution" in lineage else "cell"
        cell = graph.node("Cell", str(lineage.get("cell") or lineage["execution"]), title)
        if notebook:
            graph.edge(notebook, cell)
        return cell
    resource = _resource(str(uid)) if uid else None
    kind = str(lineage.get("kind") or "Run")
    run = (
        _resource_node(graph, resource)
        if resource
        else graph.node(kind, str(uid or name), str(name or uid), note="not here any more")
    )
    _owners(graph, resource, run)
    step = lineage.get("step")
    if kind != "Run" or not step:
        if notebook:
            graph.edge(notebook, run)
        return run
    return _step(graph, resource, run, notebook, str(step))


def _step(graph: Graph, resource: Resource | None, run: str, notebook: str | None, step: str) -> str:
    """A step of a run, with the cells it consists of: cells → run → step."""
    ref = {"kind": "Run", "name": resource.name, "place": {"step": step}} if resource else None
    node = graph.node("Step", f"{run}/{step}", step, ref=ref, state=_state(resource, step))
    graph.edge(run, node)
    cells = _cells(resource, step)
    for cell in cells[:CELLS]:
        about = cell if isinstance(cell, Mapping) else {"id": cell}
        title = f"cell {about['index']}" if "index" in about else f"cell {str(about.get('id'))[:8]}"
        made = graph.node("Cell", str(about.get("id") or about.get("index")), title)
        graph.edge(made, run)
        if notebook:
            graph.edge(notebook, made)
    if notebook and not cells:
        graph.edge(notebook, run)
    return node


def _notebook(graph: Graph, lineage: Mapping[str, Any]) -> str | None:
    name = lineage.get("notebook")
    if not name:
        return None
    commit = str(lineage.get("commit") or "")[:12]
    return graph.node("Notebook", str(name), str(name), note=f"commit {commit}" if commit else None)


def _resource(uid: str) -> Resource | None:
    from jupyter_ext.cluster.discover import current

    try:
        return current().store.by_uid(uid)
    except KubeflowError:
        return None


def _resource_node(graph: Graph, resource: Resource) -> str:
    ref = {"kind": resource.kind, "name": resource.name}
    return graph.node(resource.kind, resource.uid, resource.name, ref=ref, state=resource.phase)


def _owners(graph: Graph, resource: Resource | None, node: str) -> None:
    """A trial belongs to an experiment, a job to a trial or to a run's step."""
    for _ in range(OWNERS):
        resource = _resource(resource.owner) if resource is not None and resource.owner else None
        if resource is None:
            return
        above = _resource_node(graph, resource)
        graph.edge(above, node)
        node = above


def _graph(resource: Resource | None) -> Mapping[str, Any]:
    pipeline = resource.spec.get("pipeline") if resource else None
    found = pipeline.get("graph") if isinstance(pipeline, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _cells(resource: Resource | None, step: str) -> list[Any]:
    for one in _graph(resource).get("steps") or []:
        if one.get("name") == step:
            return [cell for cell in one.get("cells") or [] if isinstance(cell, (str, int, Mapping))]
    return []


def _state(resource: Resource | None, step: str) -> str | None:
    steps = resource.status.get("steps") if resource else None
    return next((str(one["state"]) for one in steps or [] if one.get("name") == step), None)
