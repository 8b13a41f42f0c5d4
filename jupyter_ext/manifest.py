"""YAML as people write it for a cluster, as resources, with the line of every field for the errors.

Nothing here knows a cluster or what a kind means; ``jupyter_ext.resources`` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster import bounded_yaml
from jupyter_ext.cluster.resource import KINDS, Resource, is_name, make_name, valid_name
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Where

if TYPE_CHECKING:
    import yaml

LARGEST = 8 << 20
"""Bytes of one text."""
MOST = 200_000
"""Values in one document, aliases counted as often as they stand: a few lines of YAML can mean billions."""

_TOP = {"apiVersion", "kind", "metadata", "spec", "status"}


_WITHOUT_IMAGES = frozenset({"TrainJob", "TFJob", "PyTorchJob", "XGBoostJob", "Experiment"})
"""Kinds whose containers become processes of this machine."""


@dataclass(frozen=True)
class Document:
    """One resource of a text, or of a file. ``lines`` has the line of each field, by its path (``spec.trainer.numNodes``)."""

    number: int
    resource: Resource
    lines: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    file: str = ""

    @property
    def title(self) -> str:
        """What errors call it."""
        place = f"document {self.number}, {self.resource.kind} {self.resource.name}"
        return f"{self.file}, {place}" if self.file else place

    def at(self, error: KubeflowError) -> KubeflowError:
        """Give an error of the resource with document and line."""
        field = error.where.field if error.where else None
        where = Where(object=self.title, line=line_of(self.lines, field), field=field)
        return type(error)(error.what, where=where, hint=error.hint)


def line_of(lines: Mapping[str, int], path: str | None) -> int | None:
    """Give the line of a field, or of the nearest one above it that is there."""
    path = path or ""
    while path and path not in lines:
        cut = max(path.rfind("."), path.rfind("["))
        path = path[:cut] if cut > 0 else ""
    return lines.get(path)


def load(source: str | Path, namespace: str = "") -> list[Document]:
    """Read a file or a text (one with a line break or a colon is a text) into resources.

    Raises Invalid naming file, document, line and field of the first thing that is wrong; NotFound for a file.
    """
    if isinstance(source, str) and ("\n" in source or ": " in source or source.lstrip().startswith("{")):
        return read(source, namespace)
    try:
        found = read(_text(source), namespace)
    except Invalid as error:
        place = f"{source}, {error.where.object}" if error.where and error.where.object else str(source)
        where = replace(error.where or Where(), object=place)
        raise Invalid(error.what, where=where, hint=error.hint) from None
    return [replace(document, file=str(source)) for document in found]


def _text(source: str | Path) -> str:
    path = Path(source).expanduser()
    try:
        if path.stat().st_size > LARGEST:
            raise Invalid(f"the file has more than {LARGEST >> 20} MB")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"there is no file {source}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"the file cannot be read: {error}") from None


def read(text: str, namespace: str = "") -> list[Document]:
    """Read a text of one or more documents; a ``List`` is its items."""
    if len(text) > LARGEST:
        raise Invalid(f"the YAML has more than {LARGEST >> 20} MB")
    found = [
        _document(number, value, lines, namespace) for number, (value, lines) in enumerate(_items(text), 1)
    ]
    if not found:
        raise Invalid("there is nothing in the YAML", hint="It needs apiVersion, kind, metadata and spec.")
    _no_twins(found)
    return found


def _no_twins(found: list[Document]) -> None:
    seen: dict[tuple[str, str], int] = {}
    for document in found:
        key = (document.resource.kind, document.resource.name)
        if key in seen:
            what = f"{key[0]} {key[1]} stands here again, after document {seen[key]}"
            raise Invalid(what, where=Where(object=document.title, field="metadata.name"))
        seen[key] = document.number


def _items(text: str) -> Iterator[tuple[Any, dict[str, int]]]:
    for value, lines in _values(text):
        items = value.get("items") if isinstance(value, dict) and value.get("kind") == "List" else None
        if not isinstance(items, list):
            yield value, lines
            continue
        for position, item in enumerate(items):
            head = f"items[{position}]"
            inner = {
                path[len(head) :].lstrip("."): line for path, line in lines.items() if path.startswith(head)
            }
            yield item, inner


def _values(text: str) -> Iterator[tuple[Any, dict[str, int]]]:
    import yaml

    number, loader = 1, None
    try:
        bounded_yaml.check_depth(text)
        loader = bounded_yaml.loader()(text)
        while loader.check_node():
            node = loader.get_node()
            lines: dict[str, int] = {}
            _walk(node, "", lines, number)
            value = loader.construct_document(node)
            if value is not None:
                yield value, lines
            number += 1
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        where = Where(object=f"document {number}", line=mark.line + 1 if mark else None)
        raise Invalid(f"this is not YAML: {problem}", where=where) from None
    except RecursionError:
        raise Invalid("the YAML is nested too deeply", where=Where(object=f"document {number}")) from None
    finally:
        if loader is not None:
            loader.dispose()


def _walk(root: yaml.Node, head: str, lines: dict[str, int], number: int) -> None:
    """Note the line of each field; refuse names given twice and texts that mean more than they say."""
    import yaml

    waiting = [(root, head)]
    count = 0
    while waiting:
        node, path = waiting.pop()
        count += 1
        if count > MOST:
            raise Invalid(
                f"the document has more than {MOST} values", where=Where(object=f"document {number}")
            )
        line = node.start_mark.line + 1
        lines.setdefault(path, line)
        if isinstance(node, yaml.SequenceNode):
            waiting += [(item, f"{path}[{position}]") for position, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                name = str(key.value)
                place = f"{path}.{name}" if path else name
                if name in seen:
                    where = Where(object=f"document {number}", line=key.start_mark.line + 1, field=place)
                    raise Invalid(f"{place} is given twice", where=where)
                seen.add(name)
                waiting.append((value, place))
                lines.setdefault(place, key.start_mark.line + 1)


def _document(number: int, value: Any, lines: dict[str, int], namespace: str) -> Document:
    """Make a resource of a value, or say what is wrong with its head."""
    title = f"document {number}"

    def refuse(what: str, place: str, hint: str | None = None) -> Invalid:
        return Invalid(
            what, where=Where(object=title, line=line_of(lines, place), field=place or None), hint=hint
        )

    if not isinstance(value, dict):
        raise refuse("this is not a resource", "", "It needs apiVersion, kind, metadata and spec.")
    kind = value.get("kind")
    if not isinstance(kind, str) or not kind:
        raise refuse("kind is missing", "kind", f"Known: {', '.join(KINDS)}.")
    if kind not in KINDS:
        raise refuse(f"{kind} is not a kind that can be applied here", "kind", f"Known: {', '.join(KINDS)}.")
    title += f", {kind}"
    version = value.get("apiVersion")
    if version != KINDS[kind].api_version:
        said = "is missing" if version is None else f"{version!r} is not the one of {kind}"
        raise refuse(f"apiVersion {said}", "apiVersion", f"Write {KINDS[kind].api_version}.")
    if unknown := sorted(str(name) for name in value.keys() - _TOP):
        raise refuse(f"{unknown[0]} is not known", unknown[0], f"A {kind} has {', '.join(sorted(_TOP))}.")
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        raise refuse("metadata must be a mapping with a name", "metadata")
    name = _name(metadata, refuse)
    for part in ("labels", "annotations"):
        for key, text in (metadata.get(part) or {}).items() if isinstance(metadata.get(part), dict) else ():
            if not isinstance(text, str):
                place = f"metadata.{part}.{key}"
                raise refuse(f"{place} must be a string", place, f'Write it in quotation marks: "{text}".')
    given = {
        **value,
        "metadata": {**metadata, "name": name, "uid": "", "resourceVersion": None},
        "status": {},
    }
    try:
        resource = Resource.from_dict(given)
    except KubeflowError as error:
        raise refuse(error.what, (error.where.field if error.where else "") or "", error.hint) from None
    notes: tuple[str, ...] = ()
    if resource.namespace and namespace and resource.namespace != namespace:
        notes = (f"namespace {resource.namespace} is {namespace} on this machine",)
    if resource.kind in _WITHOUT_IMAGES:
        from jupyter_ext.training.containers import images

        notes += tuple(
            f"image {image} is not used: the command runs with what is on this machine"
            for image in images(resource.spec)
        )
    return Document(
        number, resource.with_(namespace=namespace, owner=None, created="", deleted=None), lines, notes
    )


def _name(metadata: dict[str, Any], refuse: Any) -> str:
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if name is None and isinstance(prefix, str) and prefix:
        return make_name(prefix.rstrip("-"))
    if not isinstance(name, str) or not name:
        raise refuse("metadata.name is missing", "metadata.name")
    if not is_name(name):
        try:
            valid_name(name, "metadata.name")
        except Invalid as error:
            raise refuse(error.what, "metadata.name", error.hint) from None
    return name
