"""What an InferenceService may say: read, refused by name, and left the same by verbs that change something else."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.cluster.resource import Resource, is_name
from jupyter_ext.errors import Conflict, Invalid, NotFound, Unfit
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.building import replica_range
from jupyter_ext.serving.variants import Draft, name_for


def model(uri: str = "file:///m", form: str = "sklearn", **more) -> dict:
    return {"modelFormat": {"name": form}, "storageUri": uri, "protocolVersion": "v2", **more}


def isvc(predictor: dict, *canaries: tuple[int, dict], **notes) -> Resource:
    spec: dict = {"predictor": predictor}
    if canaries:
        spec["canary"] = [{"trafficPercent": percent, "predictor": each} for percent, each in canaries]
    annotations = {f"jupyter-kubeflow.org/{key}": text for key, text in notes.items()}
    return Resource.new("InferenceService", "iris", spec, annotations=annotations)


def test_upstreams_example_is_read_as_it_is():
    found = names.read(
        Resource.new(
            "InferenceService",
            "sklearn-iris",
            {
                "predictor": {
                    "minReplicas": 0,
                    "maxReplicas": 3,
                    "scaleTarget": 2,
                    "timeout": 30,
                    "batcher": {"maxBatchSize": 16, "maxLatency": 20},
                    "logger": {"mode": "all"},
                    "model": {
                        "modelFormat": {"name": "sklearn", "version": "1"},
                        "storageUri": "gs://kfserving-examples/models/sklearn/1.0/model",
                        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1"}},
                        "env": [{"name": "A", "value": "b"}],
                    },
                }
            },
        )
    )
    stable = found.stable
    assert (stable.name, stable.percent, stable.least, stable.most, stable.timeout) == (
        "stable",
        100,
        0,
        3,
        30,
    )
    assert stable.batch == {"size": 16, "wait_ms": 20.0}
    assert (stable.request.cpu_milli, stable.request.memory) == (500, 1 << 30)
    assert stable.env == {"A": "b"}
    assert stable.target == 2
    assert found.log == {"sample": 1.0, "bodies": True, "redact": [], "keep": 10_000}


def test_the_older_form_with_a_framework_field_means_the_same():
    older = names.read(isvc({"sklearn": {"storageUri": "file:///m", "protocolVersion": "v2"}}))
    assert older.stable.digest == names.read(isvc({"model": model()})).stable.digest


@pytest.mark.parametrize(
    ("predictor", "error", "says"),
    [
        ({"model": model(), "nodeSelector": {"a": "b"}}, Unfit, "spec.predictor.nodeSelector"),
        ({"model": model(), "workerSpec": {}}, Unfit, "workerSpec"),
        ({"model": model(), "minReplica": 1}, Invalid, "minReplicas"),
        ({"model": {**model(), "storageURI": "x"}}, Invalid, "storageUri"),
        ({"model": {**model(), "storage": {"key": "s"}}}, Unfit, "storageUri"),
        ({"model": {**model(), "env": [{"name": "A", "valueFrom": {}}]}}, Unfit, "valueFrom"),
        ({"model": {**model(), "resources": {"limits": {"amd.com/gpu": 1}}}}, Unfit, "amd.com/gpu"),
        ({"model": {**model(), "resources": {"limits": {"cpu": "lots"}}}}, Invalid, "quantity"),
        ({"model": model(), "logger": {"mode": "all", "url": "http://x"}}, Unfit, "logger.url"),
        ({"model": model(), "logger": {"mode": "some"}}, Invalid, "all, request or response"),
        ({"model": model(), "scaleMetric": "cpu"}, Unfit, "scaleMetric"),
        ({"model": model(), "timeout": 0}, Invalid, "timeout"),
        ({"model": model(), "timeout": True}, Invalid, "timeout"),
        ({"model": model(), "minReplicas": 3, "maxReplicas": 2}, Invalid, "maxReplicas"),
        ({"model": model(), "name": "Big"}, Invalid, "'big'"),
        ({"model": model(), "sklearn": {"storageUri": "x"}}, Invalid, "both"),
        ({"model": {"storageUri": "file:///m"}}, Invalid, "modelFormat.name"),
        ({"model": model(protocolVersion="v3")}, Invalid, "protocolVersion"),
        ({"containers": [{"name": "a", "image": "b"}]}, Unfit, "cannot be run on this machine"),
        ({"containers": [{"command": ["a"]}, {"command": ["b"]}]}, Unfit, "one runs here"),
        ({"triton": {"storageUri": "x"}}, Unfit, "triton"),
        ({}, Invalid, "no model"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(predictor, error, says):
    with pytest.raises(error, match=says):
        names.read(isvc(predictor))


@pytest.mark.parametrize(
    ("canaries", "error", "says"),
    [
        ([(60, {"name": "b", "model": model()}), (41, {"name": "c", "model": model()})], Invalid, "101 %"),
        ([(10, {"model": model()})], Invalid, "predictor.name is missing"),
        ([(10, {"name": "a", "model": model()})], Invalid, "Two variants are named a"),
        ([(101, {"name": "b", "model": model()})], Invalid, "from 0 to 100"),
        ([(10, {"name": "b", "maxReplicas": 2})], Unfit, "maxReplicas"),
        ([(10, {"name": "b", "minReplicas": 2})], Invalid, "at most as many minReplicas"),
    ],
)
def test_canaries_keep_upstreams_rules(canaries, error, says):
    with pytest.raises(error, match=says):
        names.read(isvc({"name": "a", "model": model()}, *canaries))


@pytest.mark.parametrize(
    ("notes", "says"),
    [
        ({"sticky": "cookie:x"}, "header:x-user"),
        ({"sticky": "header:"}, "header:x-user"),
        ({"mirror": "{"}, "no JSON"),
        ({"mirror": '{"variant": "zz", "percent": 5}'}, "no variant 'zz'"),
        ({"mirror": '{"variant": "a", "percent": 500}'}, "percent"),
        ({"log": '{"sampel": 1}'}, "sample"),
        ({"log": '{"sample": 3}'}, "from 0 to 1"),
        ({"idle": "soon"}, "no time"),
        ({"rules": "{}"}, "no JSON array"),
    ],
)
def test_notes_that_say_nothing_are_refused(notes, says):
    with pytest.raises(Invalid, match=says):
        names.read(isvc({"name": "a", "model": model()}, **notes))


def test_a_canary_has_from_the_stable_predictor_what_it_does_not_say():
    found = names.read(
        isvc(
            {"name": "a", "model": model(env=[{"name": "A", "value": "1"}]), "timeout": 7, "minReplicas": 2},
            (30, {"name": "b", "model": {"storageUri": "file:///other"}}),
        )
    )
    stable, canary = found.variants
    assert (stable.percent, canary.percent) == (70, 30)
    assert canary.env == {"A": "1"}
    assert canary.timeout == 7
    assert canary.model["storageUri"] == "file:///other"
    assert canary.digest != stable.digest


def drawn(versions: list[str], stable_env: bool) -> Resource:
    first, *rest = versions
    env = [{"name": "A", "value": "1"}] if stable_env else []
    facts = {f"v{each}": {"model": "iris", "version": each, "id": each, "model_id": "1"} for each in versions}
    stable = {
        "name": f"v{first}",
        "model": model(f"file:///m{first}", env=env),
        "timeout": 60,
        "minReplicas": 1,
    }
    canaries = [(5, {"name": f"v{each}", "model": model(f"file:///m{each}")}) for each in rest]
    return isvc(stable, *canaries, variants=json.dumps(facts))


@given(st.lists(st.integers(1, 9).map(str), min_size=2, max_size=5, unique=True), st.booleans(), st.data())
def test_promoting_and_removing_change_no_process(versions, stable_env, data):
    resource = drawn(versions, stable_env)
    before = {each.name: each.digest for each in names.read(resource).variants}
    for _ in range(3):
        draft = Draft(resource)
        if not draft.canaries:
            break
        chosen = data.draw(st.sampled_from(list(draft.canaries)))
        verb = data.draw(st.sampled_from(["promote", "remove", "share"]))
        if verb == "share":
            draft.share({chosen: 40, draft.names[0]: 60})
        else:
            getattr(draft, verb)(chosen)
        resource = draft.done()
        after = names.read(resource)
        assert sum(each.percent for each in after.variants) == 100
        assert {each.name: each.digest for each in after.variants}.items() <= before.items()


@given(st.lists(st.text(max_size=60), min_size=1, max_size=8, unique=True))
def test_every_version_has_a_name_of_its_own(versions):
    taken: dict[str, str] = {}
    for version in versions:
        name = name_for(version, taken)
        assert is_name(name)
        assert name == name_for(version, taken)
        assert taken.get(name, version) == version
        taken[name] = version
    assert len(taken) == len(versions)


def test_plain_versions_have_plain_names():
    assert [name_for(each) for each in ("1", "v2", "3-beta")] == ["v1", "v2", "v3-beta"]
    assert name_for("1", {"v1": "v1"}) != "v1"


@given(st.dictionaries(st.sampled_from(["v1", "v2", "v3"]), st.integers(0, 100), min_size=1))
def test_a_split_adds_up_or_is_refused(split):
    resource = drawn(["1", "2", "3"], stable_env=False)
    draft = Draft(resource)
    if sum(split.values()) != 100:
        with pytest.raises(Invalid, match="add up"):
            draft.share(split)
        return
    draft.share(split)
    after = names.read(draft.done())
    assert {each.name: each.percent for each in after.variants} == {"v1": 0, "v2": 0, "v3": 0, **split}


def test_what_a_draft_does_not_know_is_said_with_the_nearest():
    draft = Draft(drawn(["1", "2"], stable_env=False))
    assert draft.known("2") == "v2"
    with pytest.raises(NotFound, match="v1"):
        draft.known("v11")
    with pytest.raises(Conflict, match="stable"):
        draft.remove("v1")
    with pytest.raises(Conflict, match="stable"):
        draft.add("v1", {"model": model()}, None, 5)


@pytest.mark.parametrize(
    ("text", "range_"), [(1, (1, 1)), ("2", (2, 2)), ("0:3", (0, 3)), (0, (0, 1)), ("1:1", (1, 1))]
)
def test_replicas_are_a_number_or_a_range(text, range_):
    assert replica_range(text) == range_


@pytest.mark.parametrize("text", ["", "a", "3:1", "1:999", -1, "1:", True, "0:0", 1.5])
def test_other_replicas_are_refused(text):
    with pytest.raises(Invalid, match="replicas"):
        replica_range(text)


@given(
    *[st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["predictor", "canary", "model", "name", "modelFormat", "storageUri", "env", "containers",
                             "command", "resources", "requests", "cpu", "trafficPercent", "timeout", "x"]),
            inner, max_size=4),
        max_leaves=12,
    )] * 3,
    st.sampled_from(["resources", "env", "minReplicas", "batcher", "logger", "name", "timeout", "scaleTarget", "args"]),
)  # fmt: skip
@settings(deadline=None)
def test_no_spec_whatever_breaks_the_reader(value, other, note, field):
    good = {"name": "a", "model": model(), field: value}
    inner = {"name": "a", "model": model(**{field: value})}
    for predictor in (value, good, inner):
        canary = [{"trafficPercent": 5, "predictor": {"name": "b", field: other}}]
        notes = {
            "jupyter-kubeflow.org/variants": json.dumps(note),
            "jupyter-kubeflow.org/log": json.dumps(other),
        }
        with contextlib.suppress(Invalid, Unfit):
            names.parse({"predictor": predictor, "canary": canary if field != "name" else value}, notes)
        with contextlib.suppress(Invalid, Unfit):
            names.parse({"predictor": predictor}, {})
