"""The values of a step's process: what was loaded into its namespace, and whether it is still that.

Every loaded graph is an :class:`Instance`, known by who made it and what it contains. Two references to one
instance give the same objects, so identity holds between names that were stored by different steps.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.errors import KubeflowError, Where
from jupyter_ext.pipelines import graphs, serializers
from jupyter_ext.pipelines.aliasing import Walk
from jupyter_ext.pipelines.exchange import ValueRef
from jupyter_ext.pipelines.mapped import Mapping

SINGLE = ""
"""Stored name of the value in a format that holds only one."""


class NumberingDiffers(Exception):
    """An object inside a graph is not among those that pickling the graph meets."""


@dataclass
class Instance:
    """One stored graph in memory. ``roots`` maps stored names to objects, ``seeds`` are those of other graphs."""

    ref: ValueRef
    roots: dict[str, Any]
    seeds: list[tuple[str, Any]] = field(default_factory=list)
    mapping: Mapping | None = None
    token: Any = None
    numbers: list[Any] | None = None

    @property
    def mutable(self) -> bool:
        """Whether a step could change it."""
        if self.ref.serializer == "json":
            return type(self.roots[SINGLE]) in (list, dict)
        return self.ref.serializer not in ("module", "table", *serializers.FOREIGN)

    @property
    def has_parts(self) -> bool:
        """Whether there are objects inside it that others could share."""
        return self.ref.serializer in ("json", "pickle") and self.mutable

    def root(self, name: str) -> Any:
        """The object that was stored under a name."""
        return self.roots[SINGLE if SINGLE in self.roots else name]


class Values:
    """Loads references into a namespace and remembers what came from where."""

    def __init__(self, blobs: Blobs, namespace: dict[str, Any]) -> None:
        self.blobs = blobs
        self.namespace = namespace
        self.instances: dict[str, Instance] = {}
        self.bound: dict[str, tuple[Instance, str]] = {}
        """Which instance a name was bound to, and under which stored name."""
        self._known: dict[str, ValueRef] = {}

    def load(self, refs: Iterable[ValueRef]) -> None:
        """Bind the names of the references. Raises KubeflowError for a value that cannot be loaded."""
        given = list(refs)
        for ref in given:
            self._known |= {**ref.supporting(), **self._known, ref.key: ref}
        for ref in given:
            try:
                instance = self.instance(ref.key)
            except KubeflowError:
                raise
            except Exception as error:
                names = ", ".join(f"`{name}`" for name in ref.names)
                raise KubeflowError(
                    f"The value {names} could not be loaded ({type(error).__name__}: {error})",
                    where=Where(
                        object=ref.origin.partition(":")[0] and f"step {ref.origin.partition(':')[0]}"
                    ),
                    hint="Define or import what it needs in the step that makes it, or make it again here.",
                ) from error
            for name in ref.names:
                target = ref.bind.get(name, name)
                self.namespace[target] = instance.root(name)
                self.bound[target] = (instance, name)

    def keep(self, instance: Instance, names: Iterable[str]) -> None:
        """Take note of what was just stored, as if it had been loaded."""
        ref = instance.ref
        self.instances[ref.key] = instance
        self._known[ref.key] = ref
        for name in names:
            self.bound[name] = (instance, name)

    def reference(self, key: str) -> ValueRef:
        """The reference with this key."""
        return self._known[key]

    def reach(self, key: str) -> dict[str, ValueRef]:
        """The references that one links to, directly or not, by key."""
        found: dict[str, ValueRef] = {}
        todo = list(self._known[key].links)
        while todo:
            each = todo.pop()
            if each not in found:
                found[each] = self._known[each]
                todo += found[each].links
        return found

    def instance(self, key: str) -> Instance:
        """The graph with this key, loaded at most once. Raises what reading it raises."""
        found = self.instances.get(key)
        if found is None:
            found = self.instances[key] = self._read(self._known[key])
        return found

    def _read(self, ref: ValueRef) -> Instance:
        if ref.serializer in ("json", "module"):
            return Instance(ref, {SINGLE: serializers.read_literal(ref.serializer, ref.literal or "null")})
        if ref.serializer in serializers.FOREIGN:
            path = self.blobs.path(ref.digest)
            return Instance(ref, {SINGLE: serializers.read_foreign(ref.serializer, path)})
        mapping = None if ref.literal is not None else Mapping.of(self.blobs.path(ref.digest))
        if ref.serializer == "pickle":
            source = serializers.literal_bytes(ref.literal or "") if mapping is None else mapping.memory
            seeds: list[tuple[str, Any]] = []

            def resolve(pid: str) -> Any:
                if pid == graphs.NAMESPACE:
                    return self.namespace
                obj = self._resolve(pid, ref)
                seeds.append((pid, obj))
                return obj

            roots = graphs.decode(source, resolve)
            return Instance(ref, roots, seeds, mapping)
        assert mapping is not None
        form = serializers.FORMATS[ref.serializer]
        obj = form.read(mapping)
        return Instance(ref, {SINGLE: obj}, [], mapping, form.fingerprint(obj))

    def _resolve(self, pid: str, ref: ValueRef) -> Any:
        """The object of another graph: ``index of the link, its digest, n:name or m:number:type``."""
        index, _, inner = pid.split(" ", 2)
        instance = self.instance(ref.links[int(index)])
        form, _, rest = inner.partition(":")
        if form == "n":
            return instance.root(rest)
        number, _, kind = rest.partition(":")
        obj = self.numbers(instance)[int(number)]
        if type(obj).__name__ != kind:
            raise NumberingDiffers
        return obj

    # What is inside, and whether it changed

    def numbers(self, instance: Instance) -> list[Any]:
        """The mutable objects inside a graph in the order of pickling; valid while it is unchanged."""
        if instance.numbers is None:
            shared = self.shared_memory(instance)
            instance.numbers = graphs.numbered(instance.roots, self.namespace, instance.seeds, shared)
        return instance.numbers

    def walk(self, instance: Instance) -> Walk:
        """Everything inside a graph, up to what belongs to others."""
        stops = {id(obj): obj for _, obj in instance.seeds}
        walk = Walk({id(self.namespace): self.namespace, **stops})
        for name in sorted(instance.roots):
            walk.add(name, instance.roots[name])
        return walk

    def shared_memory(self, instance: Instance) -> dict[Hashable, Any]:
        """Memory that several arrays of the graph look at."""
        walk = self.walk(instance)
        walk.groups()
        return walk.shared

    def changed(self, instance: Instance) -> bool:
        """Whether a graph is no longer what was loaded or stored."""
        if not instance.mutable:
            return False
        try:
            if instance.ref.serializer == "json":
                return serializers.json_of(instance.roots[SINGLE]) != instance.ref.literal
            if instance.ref.serializer == "pickle":
                return self._graph_changed(instance)
            return self._single_changed(instance)
        except Exception:
            return True  # what cannot be written any more is another value

    def _single_changed(self, instance: Instance) -> bool:
        obj = instance.roots[SINGLE]
        form = serializers.FORMATS[instance.ref.serializer]
        token = form.fingerprint(obj)
        same = instance.mapping is not None and token is not None and token == instance.token
        if same and instance.mapping and instance.mapping.written() is False:
            return False
        written = serializers.content_of(obj)
        if written is None or written[0] != instance.ref.serializer:
            return True
        return serializers.digest_of(written[1]) != instance.ref.digest

    def _graph_changed(self, instance: Instance) -> bool:
        now = self._graph_digest(instance)
        if now == instance.ref.digest:
            return False
        # Writing what was read may differ from what was read (strings that were one object, for example).
        again = Values(self.blobs, self.namespace)
        again._known = self._known
        again.instances = {key: other for key, other in self.instances.items() if other is not instance}
        return now != self._graph_digest(again.instance(instance.ref.key))

    def _graph_digest(self, instance: Instance) -> str:
        shared = self.shared_memory(instance)
        encoded = graphs.encode(instance.roots, self.namespace, instance.seeds, shared)
        return serializers.digest_of(encoded, encoded.size)


def load(namespace: dict[str, Any], refs: Iterable[ValueRef], blobs: Blobs) -> Values:
    """Bind the names of the references in a namespace, for example a live kernel's."""
    values = Values(blobs, namespace)
    values.load(refs)
    return values
