"""The store against a dictionary: whatever is done, both tell the same, and so does a watch."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from jupyter_ext.cluster.local.store import Store
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, NotFound

KINDS = st.sampled_from(["Run", "RecurringRun"])
NAMES = st.sampled_from(["a", "b", "c"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.text(min_size=1), JSON, max_size=3)


class StoreMachine(RuleBasedStateMachine):
    seen = Bundle("seen")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.store = Store(Path(self.folder, "store.sqlite"))
        self.model: dict[tuple[str, str], Resource] = {}
        self.order: list[tuple[str, str]] = []
        self.mirror: dict[str, Resource] = {}
        self.since = 0
        self.version = 0
        self.entries: dict[str, dict] = {}

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(target=seen, kind=KINDS, name=NAMES, spec=DOCUMENTS, status=DOCUMENTS)
    def create(self, kind, name, spec, status):
        resource = Resource.new(kind, name, spec, status=status)
        try:
            made = self.store.create(resource)
        except Conflict:
            assert (kind, name) in self.model
            return self.model[kind, name]
        assert (kind, name) not in self.model
        assert (made.spec, made.status) == (spec, status)
        self.changed(made)
        self.order.append((kind, name))
        return made

    @rule(target=seen, kind=KINDS, name=NAMES, spec=DOCUMENTS, status=DOCUMENTS)
    def update(self, kind, name, spec, status):
        before = self.model.get((kind, name))
        try:
            made = self.store.update(kind, name, lambda now: now.with_(spec=spec, status=status))
        except NotFound:
            assert before is None
            return Resource.new(kind, name)
        assert before is not None
        if (spec, status) == (before.spec, before.status):
            assert made.resource_version in {before.resource_version, self.version + 1}
        if made.resource_version != before.resource_version:
            self.changed(made)
        return made

    @rule(resource=seen, status=DOCUMENTS)
    def replace(self, resource, status):
        key = (resource.kind, resource.name)
        current = self.model.get(key)
        try:
            made = self.store.replace(resource.with_(status={**status, "fresh": self.version}))
        except NotFound:
            assert current is None
        except Conflict:
            assert current.resource_version != resource.resource_version
        else:
            assert current == resource
            self.changed(made)

    @rule(kind=KINDS, name=NAMES)
    def delete(self, kind, name):
        expected = self.model.pop((kind, name), None)
        try:
            last = self.store.delete(kind, name)
        except NotFound:
            assert expected is None
            return
        assert (last.spec, last.status, last.uid) == (expected.spec, expected.status, expected.uid)
        self.order.remove((kind, name))
        self.version += 1
        assert last.resource_version == self.version

    @rule(key=st.text(max_size=3), value=DOCUMENTS | st.none())
    def collection(self, key, value):
        if value is None:
            assert self.store.drop("cache", key) == (self.entries.pop(key, None) is not None)
        else:
            self.store.put("cache", key, value)
            self.entries[key] = value
        assert self.store.scan("cache") == sorted(self.entries.items())

    @rule()
    def follow(self):
        for event in self.store.watch(self.since, timeout=0):
            assert event.resource.resource_version > self.since
            self.since = event.resource.resource_version
            if event.type == "DELETED":
                self.mirror.pop(event.resource.uid, None)
            else:
                assert (event.type == "MODIFIED") == (event.resource.uid in self.mirror)
                self.mirror[event.resource.uid] = event.resource
        assert self.mirror == {one.uid: one for one in self.model.values()}

    @rule()
    def reopen(self):
        self.store.close()
        self.store = Store(self.store.path)

    def changed(self, made: Resource) -> None:
        self.version += 1
        assert made.resource_version == self.version
        self.model[made.kind, made.name] = made

    @invariant()
    def tells_the_same(self):
        assert self.store.resource_version() == self.version
        for kind in ("Run", "RecurringRun"):
            expected = [self.model[key] for key in reversed(self.order) if key[0] == kind]
            assert self.store.list(kind).items == expected


StoreMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestStore = StoreMachine.TestCase
