"""Read a ``.pipeline`` file: its nodes, what comes after what, and what they are set to, in one form for all versions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.pipelines.elyra import older
from jupyter_ext.pipelines.elyra.spec import GENERIC, Flow, Node, Parameter

SUFFIX: Final = ".pipeline"
NEWEST: Final = 8
_LARGEST: Final = 32 << 20
_MOST_NODES: Final = 5_000
_DEEPEST: Final = 20
_NOT_ELYRA: Final = "Give a .pipeline file of Elyra's, a compiled pipeline, or a notebook."
_UNNAMED: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_LISTS: Final = ("env_vars", "kubernetes_secrets", "mounted_volumes", "kubernetes_tolerations",
                 "kubernetes_pod_annotations", "kubernetes_pod_labels")  # fmt: skip
_KEYS: Final = {"env_vars": "env_var", "kubernetes_secrets": "env_var", "mounted_volumes": "path"}


def is_elyra(source: object) -> bool:
    """Whether this names such a file; by its name only."""
    return isinstance(source, str | Path) and str(source).lower().endswith(SUFFIX)


def load(path: str | Path) -> Flow:
    """Read a file. Raises NotFound, or Invalid saying what is wrong with it."""
    file = Path(path).expanduser()
    try:
        if file.stat().st_size > _LARGEST:
            raise Invalid(f"{path} is larger than {_LARGEST >> 20} MiB", hint=_NOT_ELYRA)
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}", hint="Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read ({error})", hint=_NOT_ELYRA) from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise Invalid(
            f"This is not JSON: {getattr(error, 'msg', error)}",
            where=Where(object=str(path), line=line),
            hint=_NOT_ELYRA,
        ) from None
    return read(found, file.stem)


def read(data: Any, name: str) -> Flow:
    """Read the content of a file; ``name`` is what the pipeline is called if it does not say. Raises Invalid."""
    pipelines = data.get("pipelines") if isinstance(data, Mapping) else None
    if not isinstance(pipelines, list) or not all(isinstance(item, Mapping) for item in pipelines):
        raise Invalid("There are no pipelines in it", where=Where(field="pipelines"), hint=_NOT_ELYRA)
    by_id = {str(item.get("id")): item for item in pipelines}
    primary = by_id.get(str(data.get("primary_pipeline")))
    if primary is None:
        raise Invalid(
            "Its primary pipeline is not there", where=Where(field="primary_pipeline"), hint=_NOT_ELYRA
        )
    told = _mapping(primary.get("app_data"), "app_data")
    version = _version(told.get("version", 0))
    properties = _mapping(told.get("properties"), "properties")
    nodes = list(_Canvas(by_id).nodes(primary))
    if not nodes:
        raise Invalid(
            "There is no node in it", where=Where(field="nodes"), hint="Draw one in Elyra's editor."
        )
    defaults = older.settings(
        {"app_data": {"component_parameters": properties.get("pipeline_defaults") or {}}}, NEWEST
    )
    kind = older.runtime(told, [str(node.get("op")) for node, _ in nodes])
    return Flow(
        str(properties.get("name") or told.get("name") or told.get("title") or name),
        version,
        kind,
        tuple(_named(_node(node, after, version, defaults) for node, after in nodes)),
        tuple(_parameters(properties.get("pipeline_parameters"))),
        str(properties.get("description") or ""),
        str(defaults.get("disable_node_caching") or "") != "True",
    )


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise Invalid(f"{key} must be a mapping", where=Where(field=key), hint=_NOT_ELYRA)
    return value or {}


def _version(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise Invalid(
            f"Its version {value!r} is not a number", where=Where(field="app_data.version")
        ) from None
    if found >= NEWEST + 1:
        raise Invalid(
            f"Its version is {value}, and this reads versions up to {NEWEST}",
            where=Where(field="app_data.version"),
            hint="Elyra 4 writes version 8.",
        )
    return found


class _Canvas:
    """The graph as drawn: a supernode is the pipeline within it, and its links are those of the nodes at its edge."""

    def __init__(self, pipelines: Mapping[str, Mapping[str, Any]]) -> None:
        self.pipelines = pipelines
        self._all: dict[str, Mapping[str, Any]] = {}
        for pipeline in pipelines.values():
            for node in self._listed(pipeline, "nodes"):
                self._all[str(node.get("id"))] = node
        if len(self._all) > _MOST_NODES:
            raise Invalid(f"It has more than {_MOST_NODES} nodes", where=Where(field="nodes"))

    def nodes(
        self, pipeline: Mapping[str, Any], around: tuple[Mapping[str, Any], ...] = ()
    ) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
        """Every node that does something, with the identifiers of those that it comes after."""
        if len(around) > _DEEPEST:
            raise Invalid("Its supernodes contain each other", where=Where(field="subflow_ref"))
        for node in self._listed(pipeline, "nodes"):
            kind = node.get("type")
            if kind == "super_node":
                yield from self.nodes(self._inner(node), (*around, node))
            elif kind in ("execution_node", "pipeline_node"):
                yield node, list(dict.fromkeys(self._before(node, around)))
            elif kind != "binding":
                raise Invalid(
                    f"A node of the type {kind!r} cannot run", where=Where(object=f"node {_label(node)}")
                )

    def _listed(self, holder: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        found = holder.get(key) or []
        if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
            raise Invalid(f"{key} must be a list of mappings", where=Where(field=key), hint=_NOT_ELYRA)
        return found

    def _inner(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        name = str(_mapping(node.get("subflow_ref"), "subflow_ref").get("pipeline_id_ref"))
        if name not in self.pipelines:
            raise Invalid("What is in it is not there", where=Where(object=f"node {_label(node)}"))
        return self.pipelines[name]

    def _before(self, node: Mapping[str, Any], around: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
        for port in self._listed(node, "inputs"):
            for link in self._listed(port, "links"):
                yield from self._source(link, node, around)
        if around:
            yield from self._from_outside(f"{node.get('id')}_inPort", around)

    def _from_outside(self, port: str, around: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
        """What is linked to a port of the supernode around."""
        outer = around[-1]
        for one in self._listed(outer, "inputs"):
            if port in (one.get("id"), one.get("subflow_node_ref")):
                for link in self._listed(one, "links"):
                    yield from self._source(link, outer, around[:-1])

    def _source(
        self, link: Mapping[str, Any], node: Mapping[str, Any], around: tuple[Mapping[str, Any], ...]
    ) -> Iterator[str]:
        name = str(link.get("node_id_ref"))
        source = self._all.get(name)
        if source is None:
            raise Invalid(
                f"It is linked to {name}, which is not there", where=Where(object=f"node {_label(node)}")
            )
        if source.get("type") == "binding":
            if around:
                yield from self._from_outside(name, around)
        elif source.get("type") == "super_node":
            yield from self._ends(source, str(link.get("port_id_ref") or ""))
        else:
            yield name

    def _ends(self, node: Mapping[str, Any], port: str, deep: int = 0) -> Iterator[str]:
        """The nodes in a supernode that one of its outputs stands for: the one it names, else all of them."""
        inner = self._listed(self._inner(node), "nodes")
        named = port.partition("_outPort")[0]
        chosen = [one for one in inner if str(one.get("id")) == named] or inner
        for one in chosen:
            if one.get("type") == "super_node" and deep < _DEEPEST:
                yield from self._ends(one, "", deep + 1)
            elif one.get("type") != "binding":
                yield str(one.get("id"))


def _label(node: Mapping[str, Any]) -> str:
    data = _mapping(node.get("app_data"), "app_data")
    return str(_mapping(data.get("ui_data"), "ui_data").get("label") or data.get("label") or node.get("id"))


def _node(node: Mapping[str, Any], after: list[str], version: float, defaults: Mapping[str, Any]) -> Node:
    data = _mapping(node.get("app_data"), "app_data")
    op = older.operation(node, version)
    settings = older.settings(node, version)
    if op in GENERIC:
        for key, value in defaults.items():
            settings[key] = _inherited(key, settings.get(key), value)
    title = str(data.get("label") or "") or _label(node)
    file = str(settings.get("filename") or "")
    if file and title == Path(file).name:
        title = Path(file).stem
    return Node(str(node.get("id")), "", title, op, tuple(after), settings, _component(op, data))


def _inherited(key: str, own: Any, default: Any) -> Any:
    """The pipeline's default where a node has nothing of its own; of lists both, the node's entry first."""
    if key in _LISTS and isinstance(own, list) and isinstance(default, list):
        name = _KEYS.get(key, "key")
        taken = {one.get(name) for one in own if isinstance(one, Mapping)}
        return [*own, *(one for one in default if isinstance(one, Mapping) and one.get(name) not in taken)]
    return own if own not in (None, "", [], {}) else default


def _component(op: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Where the component of a node comes from: ``{"catalog_type": …, "component_ref": {…}}``."""
    source = data.get("component_source")
    if isinstance(source, str) and source.lstrip().startswith("{"):
        try:
            source = json.loads(source)
        except ValueError:
            source = {"component_ref": {"path": source}}
    elif isinstance(source, str) and source:
        key = "url" if "://" in source else "path"
        source = {"catalog_type": f"{key}-catalog", "component_ref": {key: source}}
    if known := older.component(op):
        source = {"catalog_type": older.EXAMPLES, "component_ref": {"component-id": known}}
    return dict(source) if isinstance(source, Mapping) else {}


def _named(nodes: Iterator[Node]) -> Iterator[Node]:
    """Nodes with names of their own, made of their titles as Elyra makes them."""
    from dataclasses import replace

    taken: dict[str, int] = {}
    for node in nodes:
        base = _UNNAMED.sub("-", node.title).strip("-.")[:100] or "node"
        name = base
        while name in taken:
            name = f"{base}_{taken[base]}"
            taken[base] += 1
        taken[name] = taken.get(name, 0) + 1
        yield replace(node, name=name)


def _parameters(found: Any) -> Iterator[Parameter]:
    for one in found if isinstance(found, list) else ():
        if not isinstance(one, Mapping):
            continue
        name = str(one.get("name") or "")
        where = Where(field=f"pipeline_parameters.{name}")
        if not name.isidentifier():
            raise Invalid(f"{name!r} is not a name of a parameter", where=where)
        given = one.get("default_value")
        kind, value = "String", given
        if isinstance(given, Mapping):
            kind, value = str(given.get("type") or "String"), given.get("value")
        yield Parameter(
            name, kind, None if value == "" and kind != "String" else value, bool(one.get("required"))
        )
