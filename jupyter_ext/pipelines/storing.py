"""What a step leaves: which names have new values, which of them share objects, and where they are stored.

Names whose objects are unchanged inputs keep their reference. What is new is stored in three rounds, so that
large leaves are files of their own and everything else refers to them: frames and arrays, then the object
graphs that later steps want, then what nobody asked for but may be looked at.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_ext.pipelines import graphs, preview, serializers
from jupyter_ext.pipelines.aliasing import Group, Walk, is_atom, memory_of
from jupyter_ext.pipelines.exchange import ALL, Live, ValueRef
from jupyter_ext.pipelines.unpicklable import reason_for
from jupyter_ext.pipelines.values import SINGLE, Instance, NumberingDiffers, Values


@dataclass
class Saved:
    """The result: new references, names that are gone, and values that cannot be stored."""

    values: list[ValueRef] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    live: dict[str, Live] = field(default_factory=dict)


@dataclass(frozen=True)
class _Anchor:
    """An object of an unchanged graph: the graph, and how to name the object in it (None: by its number)."""

    instance: Instance
    inner: str | None
    obj: Any


@dataclass
class Saving:
    """Stores what a step leaves in its namespace.

    ``origin`` names the step. ``submodules`` are the dotted names that cells imported through each module.
    """

    values: Values
    origin: str
    submodules: Mapping[str, Collection[str]] = field(default_factory=dict)
    spare_bytes: int = 0

    def __post_init__(self) -> None:
        self._anchors: dict[int, _Anchor] = {}
        self._lent: dict[Hashable, Any] = {}
        self._saved = Saved()
        self._left = self.spare_bytes

    def save(self, names: Iterable[str], wanted: Sequence[str], may_change: Sequence[str]) -> Saved:
        """``names`` are the user's names in the namespace now. Raises KubeflowError if the disk is full."""
        present = list(names)
        values = self.values
        self._saved.deleted = [name for name in values.bound if name not in values.namespace]
        dirty = self._dirty(may_change)
        fresh = [name for name in present if not self._as_before(name, dirty)]
        asked = set(present) if tuple(wanted) == ALL else self._with_needs(set(wanted) & set(present))
        try:
            self._save(fresh, asked, dirty)
        except NumberingDiffers:
            # Sharing inside unchanged graphs cannot be named: store those graphs again, whole.
            dirty |= set(values.instances)
            self._saved.values.clear()
            self._save([name for name in present if not self._as_before(name, dirty)], asked, dirty)
        return self._saved

    def _save(self, fresh: list[str], asked: set[str], dirty: set[str]) -> None:
        self._find_anchors(fresh, dirty)
        first = [name for name in fresh if name in asked]
        self._plain(first)
        self._graphs(self._leaves(self._rest(first)), wanted=True)
        spare = [name for name in fresh if name not in asked]
        if self._left > 0:
            self._plain(spare)
            self._graphs(self._leaves(self._rest(spare), limited=True), wanted=False)

    # What is as it was

    def _dirty(self, may_change: Sequence[str]) -> set[str]:
        """Keys of the graphs that changed, and of those that contain them."""
        instances = self.values.instances
        if tuple(may_change) == ALL:
            suspects = set(instances)
        else:
            suspects = {
                self.values.bound[name][0].ref.key for name in may_change if name in self.values.bound
            }
            inner = {key for suspect in suspects for key in self.values.reach(suspect)}
            suspects |= inner & set(instances)
        dirty = {key for key in suspects if self.values.changed(instances[key])}
        if dirty:
            dirty |= {key for key in instances if not dirty.isdisjoint(self.values.reach(key))}
        return dirty

    def _as_before(self, name: str, dirty: set[str]) -> bool:
        bound = self.values.bound.get(name)
        if bound is None:
            return False
        instance, stored = bound
        obj = self.values.namespace[name]
        if instance.ref.serializer == "module":
            return isinstance(obj, types.ModuleType) and self._module(name, obj)[1] == instance.ref.digest
        if obj is instance.root(stored):
            return instance.ref.key not in dirty
        if instance.ref.serializer == "json":
            text = serializers.json_of(obj)
            return text is not None and is_atom(obj) and serializers.small_digest(text) == instance.ref.digest
        return False

    def _with_needs(self, asked: set[str]) -> set[str]:
        """Also what functions among the asked names refer to, as far as it can be seen without storing them."""
        namespace = self.values.namespace
        todo = list(asked)
        while todo:
            name = todo.pop()
            for need in preview.global_names_of(namespace[name], namespace):
                if need in namespace and need not in asked:
                    asked.add(need)
                    todo.append(need)
        return asked

    def _find_anchors(self, fresh: Sequence[str], dirty: set[str]) -> None:
        """Objects of unchanged graphs, where walks stop."""
        self._anchors.clear()
        self._lent.clear()
        if all(is_atom(self.values.namespace[name]) for name in fresh):
            return
        clean = [each for key, each in self.values.instances.items() if key not in dirty and each.mutable]
        for instance in clean:
            for name, obj in instance.roots.items():
                if not is_atom(obj):
                    self._anchors[id(obj)] = _Anchor(instance, f"n:{name}", obj)
        for instance in clean:
            if instance.has_parts:
                self._inside(instance)

    def _inside(self, instance: Instance) -> None:
        walk = self.values.walk(instance)
        walk.groups()
        for obj in walk.alive:
            self._anchors.setdefault(id(obj), _Anchor(instance, None, obj))
        for key, owner in walk.memory().items():
            self._lent.setdefault(key, owner)
            self._anchors.setdefault(id(owner), _Anchor(instance, None, owner))

    # Storing

    def _plain(self, names: Iterable[str]) -> None:
        """Numbers, text and modules: no identity, no blob."""
        for name in names:
            obj = self.values.namespace[name]
            if isinstance(obj, types.ModuleType):
                text, digest = self._module(name, obj)
                if text:
                    self._note((name,), digest, "module", obj, literal=text)
            elif is_atom(obj) and (plain := serializers.json_of(obj)) is not None:
                self._note((name,), serializers.small_digest(plain), "json", obj, literal=plain)

    def _module(self, name: str, module: types.ModuleType) -> tuple[str, str]:
        before = self.values.bound.get(name)
        also = set(self.submodules.get(module.__name__, ()))
        if before is not None and before[0].ref.serializer == "module" and before[0].root("") is module:
            import json

            also |= set(json.loads(before[0].ref.literal or "{}").get("also", ()))
        text = serializers.module_text(module.__name__, tuple(also))
        return text, serializers.small_digest(text)

    def _rest(self, names: Iterable[str]) -> list[str]:
        done = {name for ref in self._saved.values for name in ref.names}
        return [name for name in names if name not in done]

    def _leaves(self, names: Sequence[str], *, limited: bool = False) -> list[str]:
        """Store frames and arrays on their own; return the other names."""
        others: list[str] = []
        by_object: dict[int, list[str]] = {}
        for name in names:
            by_object.setdefault(id(self.values.namespace[name]), []).append(name)
        for key, group in by_object.items():
            obj = self.values.namespace[group[0]]
            content = (
                None if key in self._anchors or memory_of(obj) is not None else serializers.content_of(obj)
            )
            lazy = content is not None and content[0] in serializers.FOREIGN
            if content is None or (limited and (lazy or not self._affordable(obj))):
                others += group if content is None else ()
                continue
            stored = serializers.store(self.values.blobs, content[1])
            instance = self._note(tuple(group), stored.digest, content[0], obj, size=stored.size)
            self._anchors[key] = _Anchor(instance, f"n:{SINGLE}", obj)
        return others

    def _affordable(self, obj: Any) -> bool:
        size = preview.size_of(obj)
        if size > self._left:
            return False
        self._left -= size
        return True

    def _graphs(self, names: Sequence[str], *, wanted: bool) -> None:
        """Store the other names, those that share objects together; what cannot be pickled stays alive."""
        todo = list(names)
        while todo:
            groups, shared = self._grouped(todo)
            failed: set[str] = set()
            for group in groups:
                failed |= self._graph(group, shared, wanted=wanted)
            stored = {name for ref in self._saved.values for name in ref.names}
            todo = [name for name in todo if name not in failed and name not in stored]

    def _grouped(self, names: Sequence[str]) -> tuple[list[Group], dict[Hashable, Any]]:
        walk = Walk({id(self.values.namespace): None, **self._anchors}, self._lent)
        for name in names:
            walk.add(name, self.values.namespace[name])
        return walk.groups(), walk.shared

    def _graph(self, group: Group, shared: Mapping[Hashable, Any], *, wanted: bool) -> set[str]:
        """Store one group; the names that prevent it."""
        roots = {name: self.values.namespace[name] for name in group.names}
        if (
            len(roots) == 1
            and not group.anchors
            and (plain := serializers.json_of(next(iter(roots.values()))))
        ):
            self._alone(group.names[0], plain)
            return set()
        links, seeds = self._seeds(group)
        limit = None if wanted else self._left
        try:
            encoded = graphs.encode(roots, self.values.namespace, seeds, shared, limit)
        except graphs.TooLarge:
            return set(roots)
        except Exception:
            return self._culprits(roots, seeds, shared, wanted=wanted)
        if not wanted:
            self._left -= encoded.size
        stored = serializers.store(self.values.blobs, encoded, encoded.size)
        instance = self._note(
            tuple(sorted(roots)), stored.digest, "pickle", None, roots=roots, seeds=seeds, links=links,
            size=stored.size, literal=stored.literal, needs=encoded.needs,
        )  # fmt: skip
        for name, obj in roots.items():
            if not is_atom(obj):
                self._anchors[id(obj)] = _Anchor(instance, f"n:{name}", obj)
        return set()

    def _alone(self, name: str, text: str) -> None:
        """Plain data that shares nothing."""
        obj = self.values.namespace[name]
        instance = self._note((name,), serializers.small_digest(text), "json", obj, literal=text)
        self._anchors[id(obj)] = _Anchor(instance, f"n:{SINGLE}", obj)

    def _seeds(self, group: Group) -> tuple[tuple[str, ...], list[tuple[str, Any]]]:
        """Keys of the graphs that the group refers to, and names for the objects in them."""
        used = [self._anchors[key] for key in group.anchors if key in self._anchors]
        named = [(anchor.instance.ref, self._inner(anchor), anchor.obj) for anchor in used]
        named.sort(key=lambda item: (item[0].digest, item[0].origin, item[1]))
        links = tuple(dict.fromkeys(ref.key for ref, _, _ in named))
        return links, [(f"{links.index(ref.key)} {ref.digest} {inner}", obj) for ref, inner, obj in named]

    def _inner(self, anchor: _Anchor) -> str:
        if anchor.inner is not None:
            return anchor.inner
        for number, obj in enumerate(self.values.numbers(anchor.instance)):
            if obj is anchor.obj:
                return f"m:{number}:{type(obj).__name__}"
        raise NumberingDiffers

    def _culprits(
        self, roots: Mapping[str, Any], seeds: Any, shared: Mapping[Hashable, Any], *, wanted: bool
    ) -> set[str]:
        """The names that cannot be pickled; they stay alive if they are wanted."""
        failed = set()
        for name, obj in roots.items():
            reason = reason_for(obj, lambda part: _pickles(part, self.values.namespace, seeds, shared))
            if reason is not None:
                failed.add(name)
                if wanted:
                    self._saved.live[name] = Live(preview.type_name(obj), reason)
        return failed or set(roots)

    def _note(
        self, names: tuple[str, ...], digest: str, serializer: str, obj: Any, *, roots: dict[str, Any] | None = None,
        seeds: list[tuple[str, Any]] | None = None, links: tuple[str, ...] = (), size: int = 0,
        literal: str | None = None, needs: Iterable[str] = (),
    ) -> Instance:  # fmt: skip
        """Make the reference and remember it."""
        values = self.values
        support = {
            key: ref
            for each in links
            for key, ref in {each: values.reference(each), **values.reach(each)}.items()
        }
        inherited = {
            need for each in support.values() for needs_of in each.needs.values() for need in needs_of
        }
        objects = {name: values.namespace[name] for name in names}
        every = tuple(sorted({*needs, *inherited}))
        ref = ValueRef(
            names, digest, serializer, f"{self.origin}:{names[0]}",
            types={name: preview.type_name(value) for name, value in objects.items()},
            needs=dict.fromkeys(names, every) if every else {},
            bytes=size or len(literal or ""),
            summary={name: preview.summary(value) for name, value in objects.items()},
            inline={name: value for name, value in objects.items() if serializer == "json"},
            literal=literal, links=links,
            support=tuple(each.bare().to_dict() for each in support.values()),
        )  # fmt: skip
        instance = Instance(ref, roots if roots is not None else {SINGLE: obj}, seeds or [])
        values.keep(instance, names)
        self._saved.values.append(ref)
        return instance

    def with_previews(self, saved: Saved) -> Saved:
        """One blob with the previews of all new values that do not say everything inline."""
        shown = {
            name: preview.preview(self.values.namespace[name])
            for ref in saved.values
            for name in ref.names
            if ref.serializer not in ("json", "module")
        }
        if not shown:
            return saved
        digest = self.values.blobs.put_bytes(preview.encode(shown))
        marked = [
            replace(ref, preview_digest=digest) if set(ref.names) & set(shown) else ref
            for ref in saved.values
        ]
        return replace(saved, values=marked)


def _pickles(obj: Any, namespace: dict[str, Any], seeds: Any, shared: Mapping[Hashable, Any]) -> str | None:
    """Why one object cannot be pickled; None if it can."""
    try:
        graphs.encode({"": obj}, namespace, seeds, shared)
    except Exception as error:
        return str(error) or type(error).__name__
    return None
