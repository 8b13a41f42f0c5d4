"""What every cluster does. Each test gets the cluster as `both`, with a namespace of its own."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ext.cluster.base import Cluster
from jupyter_ext.cluster.resource import Resource, is_name
from jupyter_ext.errors import Conflict, Gone, Invalid, NotFound
from tests.waiting import until

RUNTIME = {"apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": "torch-distributed"}
_numbers = itertools.count(1)


def job(name: str, nodes: int = 1, *, suspend: bool = False, **fields) -> Resource:
    spec = {"runtimeRef": dict(RUNTIME), "trainer": {"numNodes": nodes}, "suspend": suspend}
    return Resource.new("TrainJob", name, spec, **fields)


def names(found) -> set[str]:
    return {resource.name for resource in found}


class Contract:
    """The protocol of `jupyter_ext.cluster.base`."""

    def test_what_is_applied_is_there(self, both: Cluster):
        made = both.apply(job("a", labels={"team": "x"}, annotations={"note": "y"}))
        found = both.get("TrainJob", "a")
        assert found.uid == made.uid
        assert found.uid
        assert (found.name, found.namespace, found.labels, found.annotations) == (
            "a", both.namespace, {"team": "x"}, {"note": "y"},
        )  # fmt: skip
        assert found.spec["trainer"]["numNodes"] == 1
        assert found.resource_version == made.resource_version > 0
        assert (found.phase, found.generation) == ("PENDING", 1)
        assert found.created[:2] == "20"

    def test_applying_the_same_again_changes_nothing(self, both: Cluster):
        made = both.apply(job("a"))
        again = both.apply(job("a"))
        assert (again.uid, again.resource_version) == (made.uid, made.resource_version)

    def test_applying_replaces_what_was_applied_before(self, both: Cluster):
        both.apply(job("a", labels={"old": "1", "kept": "1"}))
        changed = both.apply(job("a", suspend=True, labels={"kept": "1"}))
        assert changed.spec["suspend"] is True
        assert changed.labels == {"kept": "1"}
        assert changed.generation == 2

    def test_what_is_not_there_is_not_found(self, both: Cluster):
        for ask in (both.get, both.delete, both.events):
            if ask == both.events and both.kind == "local":
                continue  # history outlives its resource there
            with pytest.raises(NotFound):
                ask("TrainJob", "nothing")
        with pytest.raises(NotFound):
            both.patch("TrainJob", "nothing", {"metadata": {"labels": {"a": "1"}}})
        with pytest.raises(NotFound):
            list(both.logs("TrainJob", "nothing"))

    @pytest.mark.parametrize(
        "name", ["", "A", "a b", "-a", "a-", "../x", "a/b", "ä", "a" * 64, "a\nb", "%2e%2e", "a?b=c"]
    )
    def test_a_bad_name_is_refused_before_anything_happens(self, both: Cluster, name):
        with pytest.raises(Invalid) as error:
            both.apply(job(name))
        assert error.value.where.field == "metadata.name"
        with pytest.raises(NotFound):
            both.get("TrainJob", name)
        with pytest.raises(NotFound):
            both.delete("TrainJob", name)

    def test_another_namespace_is_refused(self, both: Cluster):
        with pytest.raises(Invalid) as error:
            both.apply(job("a", namespace="elsewhere"))
        assert error.value.where.field == "metadata.namespace"

    def test_lists_filter_by_label_text_and_phase(self, both: Cluster):
        for name, labels in (("first", {"a": "1"}), ("second", {"a": "2", "b": "1"}), ("third", {})):
            both.apply(job(name, labels=labels))
        assert names(both.list("TrainJob")) == {"first", "second", "third"}
        assert names(both.list("TrainJob", labels={"a": "2"})) == {"second"}
        assert names(both.list("TrainJob", labels={"a": "2", "b": "1"})) == {"second"}
        assert names(both.list("TrainJob", labels={"a": "3"})) == set()
        assert names(both.list("TrainJob", text="IRS")) == {"first"}
        assert names(both.list("TrainJob", phase="PENDING")) == {"first", "second", "third"}
        assert names(both.list("TrainJob", phase=["RUNNING", "FAILED"])) == set()
        assert names(both.list("TrainJob", owner="nobody")) == set()

    def test_pages_have_everything_once(self, both: Cluster):
        made = {f"job-{number:02}" for number in range(11)}
        for name in made:
            both.apply(job(name))
        seen: list[str] = []
        before = None
        while True:
            page = both.list("TrainJob", limit=4, before=before, summary=True)
            assert page.resource_version
            seen += [resource.name for resource in page]
            if not page.more:
                break
            both.apply(job(f"new-{next(_numbers)}"))  # what comes meanwhile does not shift the pages
            before = page.next
        assert sorted(name for name in seen if name in made) == sorted(made)

    def test_a_summary_leaves_out_what_is_heavy(self, both: Cluster):
        heavy = job("a")
        heavy.spec["trainer"] |= {"command": ["python"], "args": ["x" * 50_000]}
        both.apply(heavy)
        (light,) = both.list("TrainJob", summary=True)
        assert "args" not in light.spec["trainer"]
        (full,) = both.list("TrainJob")
        assert full.spec["trainer"]["args"] == ["x" * 50_000]

    @pytest.mark.parametrize(
        "text",
        [
            "ü 漢字 🚀 \u202e",
            "a\x7fb\x85c\u2028d\u2029e\ufefff",
            "a\nb\tc",
            "'; DROP TABLE resources; --",
            "{{x}} %s {0}",
            "x" * 100_000,
        ],
    )
    def test_texts_come_back_as_they_were(self, both: Cluster, text):
        asked = job("a", annotations={"jupyter-kubeflow.org/origin": text})
        asked.spec["trainer"] |= {"env": [{"name": "TEXT", "value": text}]}
        both.apply(asked)
        found = both.get("TrainJob", "a")
        assert found.annotations["jupyter-kubeflow.org/origin"] == text
        assert found.spec["trainer"]["env"][0]["value"] == text

    def test_a_patch_merges(self, both: Cluster):
        both.apply(job("a", labels={"x": "1", "y": "1"}))
        patched = both.patch(
            "TrainJob", "a", {"metadata": {"labels": {"x": None, "z": "2"}}, "spec": {"suspend": True}}
        )
        assert patched.labels == {"y": "1", "z": "2"}
        assert patched.spec["suspend"] is True
        assert patched.spec["trainer"]["numNodes"] == 1
        assert patched == both.get("TrainJob", "a")
        with pytest.raises(Invalid):
            both.patch("TrainJob", "a", {"phase": "FAILED"})

    def test_a_patch_of_what_was_changed_meanwhile_is_refused(self, both: Cluster):
        old = both.apply(job("a"))
        version = {"resourceVersion": str(old.resource_version)}
        both.patch("TrainJob", "a", {"metadata": {**version, "labels": {"one": "1"}}})
        with pytest.raises(Conflict):
            both.patch("TrainJob", "a", {"metadata": {**version, "labels": {"two": "2"}}})
        assert both.get("TrainJob", "a").labels == {"one": "1"}

    def test_a_status_is_told_from_conditions(self, both: Cluster):
        both.apply(job("a"))
        row = {
            "type": "Failed", "status": "True", "reason": "x", "message": "It broke.",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }  # fmt: skip
        ours = {"phase": "FAILED", "reason": "It broke."} if both.kind == "local" else {}
        found = both.patch("TrainJob", "a", {"status": {"conditions": [row], **ours}})
        assert (found.phase, found.reason, found.finished) == ("FAILED", "It broke.", True)
        assert names(both.list("TrainJob", phase="FAILED")) == {"a"}

    def test_what_is_deleted_is_gone_and_its_last_state_given(self, both: Cluster):
        made = both.apply(job("a", 3))
        last = both.delete("TrainJob", "a")
        assert last.uid == made.uid
        assert last.deleted
        assert last.spec["trainer"]["numNodes"] == 3
        until(lambda: not both.list("TrainJob").items)
        again = both.apply(job("a"))
        assert again.uid != made.uid

    def test_a_watch_tells_what_is_there_and_what_comes(self, both: Cluster):
        both.apply(job("a"))
        stop = threading.Event()
        seen: list[tuple[str, str]] = []

        def follow():
            for event in both.watch(kinds=["TrainJob"], stop=stop, timeout=200):
                seen.append((event.type, event.resource.name))
                if event.type == "DELETED":
                    return

        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(follow)
            until(lambda: ("ADDED", "a") in seen)
            both.apply(job("b"))
            until(lambda: ("ADDED", "b") in seen)
            both.patch("TrainJob", "b", {"metadata": {"labels": {"x": "1"}}})
            until(lambda: ("MODIFIED", "b") in seen)
            both.delete("TrainJob", "a")
            done.result(timeout=200)
        assert seen[-1] == ("DELETED", "a")

    def test_a_watch_goes_on_after_the_last_change_that_was_seen(self, both: Cluster):
        both.apply(job("a"))
        since = both.list("TrainJob").resource_version
        both.apply(job("b"))
        both.apply(job("c"))
        events = both.watch(since, ["TrainJob"], timeout=200)
        first = next(events)
        events.close()
        assert (first.type, first.resource.name) == ("ADDED", "b")
        second = next(both.watch(first.position, ["TrainJob"], timeout=200))
        assert (second.type, second.resource.name) == ("ADDED", "c")

    def test_a_watch_of_several_kinds_goes_on_without_a_gap(self, both: Cluster):
        both.apply(job("a"))
        kinds = ["TrainJob", "SparkApplication"]
        seen, place = set(), None
        for event in both.watch(0, kinds, timeout=0):
            seen.add((event.resource.kind, event.resource.name))
            place = event.position
        assert seen == {("TrainJob", "a")}
        application = {
            "type": "Python", "sparkVersion": "4.0.0", "mainApplicationFile": "local:///a.py", "driver": {}, "executor": {},
        }  # fmt: skip
        both.apply(Resource.new("SparkApplication", "s", application))
        both.apply(job("b"))
        wanted = {("SparkApplication", "s"), ("TrainJob", "b")}
        seen = set()
        for event in both.watch(place, kinds, timeout=200):
            seen.add((event.resource.kind, event.resource.name))
            if seen == wanted:
                break
        assert seen == wanted

    def test_a_watch_without_time_ends_with_what_there_is(self, both: Cluster):
        since = both.apply(job("a")).resource_version
        both.apply(job("b"))
        assert [event.resource.name for event in both.watch(since, ["TrainJob"], timeout=0)] == ["b"]
        assert {event.resource.name for event in both.watch(0, ["TrainJob"], timeout=0)} == {"a", "b"}

    def test_a_watch_that_is_stopped_ends(self, both: Cluster):
        both.apply(job("a"))
        stop = threading.Event()
        events = both.watch(kinds=["TrainJob"], stop=stop)
        assert next(events).resource.name == "a"
        stop.set()
        assert list(events) == []

    def test_what_is_no_place_to_watch_from_is_refused(self, both: Cluster):
        with pytest.raises((Invalid, Gone)):
            list(both.watch("yesterday", ["TrainJob"], timeout=0))

    def test_two_writers_lose_nothing(self, both: Cluster):
        both.apply(job("a"))

        def write(writer: int) -> None:
            for number in range(10):
                both.patch("TrainJob", "a", {"metadata": {"annotations": {f"w{writer}-{number}": "1"}}})

        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(write, writer) for writer in range(2)]:
                done.result(timeout=200)
        assert len(both.get("TrainJob", "a").annotations) == 20

    def test_two_that_create_the_same_make_one(self, both: Cluster):
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(both.apply, [job("a", labels={"x": "1"})] * 8))
        assert len({resource.uid for resource in found}) == 1

    def test_it_says_what_it_can_do(self, both: Cluster):
        assert both.capabilities()["training"].available
        assert both.name
        assert both.apply(job("a")).resource_version <= both.resource_version()

    @settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(name=st.text(max_size=70), value=st.text(st.characters(exclude_categories=("Cs",)), max_size=200))
    def test_any_name_and_text_is_kept_or_refused_in_words(self, both: Cluster, name, value):
        try:
            both.apply(job(name, annotations={"note": value}))
        except Invalid:
            assert not is_name(name) or name[0].isdigit()
        else:
            assert both.get("TrainJob", name).annotations == {"note": value}
            both.delete("TrainJob", name)
