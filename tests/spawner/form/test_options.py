from __future__ import annotations

import json
import string
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.form.accelerators import discover
from spawner.form.answers import FIELDS
from spawner.form.choices import IMAGE, Claim, PodDefaultChoice, Queue
from spawner.form.configuration import ConfigError
from spawner.form.options import Options
from spawner.form.schema import Schema
from spawner.form.settings import configure
from spawner.refused import Refused
from tests.spawner.form import nodes

IMAGES = [
    {
        "key": "standard",
        "reference": "quay.io/jupyter/scipy-notebook:2026-10-01",
        "title": "Standard",
        "default": True,
    },
    {"key": "cuda", "reference": "registry.example:5000/ml/cuda@sha256:" + "a" * 64, "vendors": ["NVIDIA"]},
]
SIZES = [
    {"key": "small", "cpu": "500m", "memory": "1Gi", "default": True},
    {
        "key": "large",
        "cpu": 8,
        "memory": "32Gi",
        "cpu_limit": "none",
        "memory_limit": "40Gi",
        "idle_minutes": 0,
    },
]


def schema(**more: Any) -> Schema:
    settings: dict[str, Any] = {"images": IMAGES, "sizes": SIZES, **more}
    found = discover(
        [
            nodes.gke_a100("a", 4),
            nodes.gke_tpu("t"),
            nodes.gke_tpu("u", topology="4x4", chips=4),
            nodes.amd("m"),
        ]
    )
    return configure(**settings).extended(
        profiles=("team-vision", "ada"),
        accelerators=found,
        pod_defaults=[
            PodDefaultChoice("kfp", "Allow access to Pipelines", (("access-ml-pipeline", "true"),)),
            PodDefaultChoice("kfp-off", "No Pipelines", (("access-ml-pipeline", "false"),)),
            PodDefaultChoice("all", "Everywhere", (), "It applies to every pod of the profile by itself."),
        ],
        claims=[
            Claim("datasets", "1Ti", ("ReadOnlyMany",)),
            Claim("scratch"),
            Claim("gone", reason="It is being deleted."),
        ],
        queues=[Queue("interactive"), Queue("closed", reason="This queue is stopped.")],
    )


BOTH = {
    "image_other": {"pattern": r"quay\.io/jupyter/.+"},
    "size_other": {"most_cpu": "16", "most_memory": "64Gi"},
}
FULL = {
    "namespace": "team-vision", "image": "cuda", "size": "large", "accelerator": "nvidia-a100", "count": 2, "home": "keep",
    "home_size": "10Gi", "data": ["datasets", "scratch"], "data_read_only": ["scratch"], "pod_defaults": ["kfp"],
    "queue": "interactive",
}  # fmt: skip


def test_json_and_a_form_say_the_same() -> None:
    form = {key: value if isinstance(value, list) else [str(value)] for key, value in FULL.items()}
    options = schema().check(FULL)
    assert schema().check(form) == options == schema().check({**form, "_xsrf": ["2|x"]})
    assert options.requests() == {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "2"}
    assert options.limits() == {"memory": "40Gi", "nvidia.com/gpu": "2"}
    assert options.node_selector == {"cloud.google.com/gke-accelerator": "nvidia-tesla-a100"}
    assert [dict(each) for each in options.tolerations] == [
        {"effect": "NoSchedule", "key": "nvidia.com/gpu", "operator": "Exists"}
    ]
    assert options.labels() == {"access-ml-pipeline": "true", "kueue.x-k8s.io/queue-name": "interactive"}
    assert [(each.claim, each.mount, each.read_only) for each in options.data] == [
        ("datasets", "/data/datasets", True),
        ("scratch", "/data/scratch", True),
    ]
    assert options.idle_minutes == 0


def test_what_is_kept_reads_the_same_again_and_is_json() -> None:
    for answer in (
        FULL,
        {"namespace": "ada"},
        {
            "namespace": "ada",
            "image": "other",
            "image_other": "quay.io/jupyter/x:1",
            "size": "other",
            "cpu": "1.5",
            "memory": "3Gi",
        },
        {"namespace": "ada", "home": "none", "accelerator": "tpu-v5e-2x4"},
    ):
        offered = schema(**BOTH)
        options = offered.check(answer)
        assert offered.check(json.loads(json.dumps(options.to_json()))) == options


def test_nothing_said_is_the_defaults() -> None:
    options = configure().extended(profiles=("ada",)).check({})
    assert options.namespace == "ada"
    assert (options.image.key, options.size.key, options.accelerator, options.count) == (
        "standard",
        "small",
        None,
        0,
    )
    assert options.home is not None
    assert configure().check({}).namespace == ""


def test_an_answer_cannot_be_changed() -> None:
    options = schema().check(FULL)
    with pytest.raises(FrozenInstanceError):
        options.count = 8  # type: ignore[misc]


HOSTILE: list[tuple[object, str]] = [
    (None, "user_options"), ([], "user_options"), ("image=standard", "user_options"), (7, "user_options"),
    ({f"f{n}": "x" for n in range(65)}, "user_options"), ({"imaeg": "standard"}, "user_options"), ({1: "x"}, "user_options"),
    ({"privileged": True}, "user_options"), ({"service_account": "default-editor"}, "user_options"),
    ({"image": "cuda\n"}, "image"), ({"image": "nosuch"}, "image"), ({"image": ["standard", "cuda"]}, "image"),
    ({"image": []}, "image"), ({"image": {"key": "standard"}}, "image"), ({"image": ["standard", ["cuda"]]}, "image"),
    ({"image": True}, "image"), ({"image": 1}, "image"), ({"image": "s" * 501}, "image"), ({"image": "other"}, "image"),
    ({"image": "{username.__class__.__mro__}"}, "image"), ({"image": "{nosuch}"}, "image"), ({"image": "%s%n"}, "image"),
    ({"image": "standard", "image_other": "evil"}, "image_other"), ({"image": "standard\u202e"}, "image"),
    ({"size": "huge"}, "size"), ({"size": "other", "cpu": "1", "memory": "1Gi"}, "cpu"), ({"cpu": "64"}, "cpu"),
    ({"memory": "1Ti"}, "memory"), ({"accelerator": "cpu"}, "accelerator"), ({"accelerator": "nvidia.com/gpu"}, "accelerator"),
    ({"accelerator": "nvidia-a100", "count": 5}, "count"), ({"accelerator": "nvidia-a100", "count": -1}, "count"),
    ({"accelerator": "nvidia-a100", "count": "1e1"}, "count"), ({"accelerator": "nvidia-a100", "count": 1.0}, "count"),
    ({"accelerator": "nvidia-a100", "count": "\u0664"}, "count"), ({"accelerator": "nvidia-a100", "count": "1\n"}, "count"),
    ({"accelerator": "nvidia-a100", "count": True}, "count"), ({"accelerator": "nvidia-a100", "count": 10**30}, "count"),
    ({"accelerator": "nvidia-a100", "count": "0"}, "count"), ({"count": 4}, "count"), ({"accelerator": "tpu-v5e-2x4", "count": 4}, "count"),
    ({"accelerator": "tpu-v5e-4x4"}, "accelerator"), ({"image": "cuda", "accelerator": "amd-instinct-mi300x-oam"}, "image"),
    ({"home": "hostPath"}, "home"), ({"home": True}, "home"), ({"home_size": "999Ti"}, "home_size"), ({"home_size": "-1Gi"}, "home_size"),
    ({"data": "../../etc"}, "data"), ({"data": ["other-users-home"]}, "data"), ({"data": ["gone"]}, "data"),
    ({"data": [{"hostPath": {"path": "/"}}]}, "data"), ({"data": {"datasets": 1}}, "data"), ({"data": ["datasets"] * 65}, "data"),
    ({"data_read_only": ["datasets"]}, "data_read_only"), ({"pod_defaults": ["nosuch"]}, "pod_defaults"),
    ({"pod_defaults": ["all"]}, "pod_defaults"), ({"pod_defaults": ["kfp", "kfp-off"]}, "pod_defaults"),
    ({"queue": "nosuch"}, "queue"), ({"queue": "closed"}, "queue"), ({"namespace": "kube-system"}, "namespace"),
    ({"namespace": "team-vision\n"}, "namespace"), ({"namespace": "{username}"}, "namespace"), ({"namespace": ""}, "namespace"),
    ({"namespace": "x" * 64}, "namespace"), ({"namespace": "../ada"}, "namespace"), ({"profile": "gpu"}, "user_options"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "name"), HOSTILE)
def test_what_was_not_offered_is_a_400_that_names_the_field(answer: object, name: str) -> None:
    if isinstance(answer, dict) and "namespace" not in answer:
        answer = {"namespace": "ada", **answer} if len(answer) < 60 else answer
    with pytest.raises(Refused) as refused:
        schema().check(answer)
    assert (refused.value.status, refused.value.field) == (400, name)
    assert len(str(refused.value)) < 500
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "text",
    ["", "jupyter/x", "quay.io/jupyter/../../evil:latest", "quay.io/jupyter/x:1\n", "quay.io/jupyter/x:1 y", "quay.io/jupyter/X",
     "quay.io/jupyter/x:{userid}", "quay.io/jupyter/x@sha256:abc", "Xquay.io/jupyter/x", "quay.io/jupyter//x", "quay.io/jupyter/x:",
     "quay.io/jupyter/x;rm -rf", "quay.io/jupyter/" + "a/" * 50 + "a", "quay.io/jupyter/" + "a" * 500],
)  # fmt: skip
def test_an_image_of_ones_own_is_matched_whole(text: str) -> None:
    with pytest.raises(Refused) as refused:
        schema(**BOTH).check({"namespace": "ada", "image": "other", "image_other": text})
    assert refused.value.field == "image_other"


@pytest.mark.parametrize(
    ("cpu", "memory", "name"),
    [("0", "1Gi", "cpu"), ("NaN", "1Gi", "cpu"), ("1e1", "1Gi", "cpu"), ("-1", "1Gi", "cpu"), ("17", "1Gi", "cpu"), ("", "1Gi", "cpu"),
     ("1", "65Gi", "memory"), ("1", "100M", "memory"), ("1", "1GiB", "memory"), ("1", "", "memory"), (1.5, "1Gi", "cpu")],
)  # fmt: skip
def test_a_size_of_ones_own_stays_within_its_bounds(cpu: object, memory: str, name: str) -> None:
    with pytest.raises(Refused) as refused:
        schema(**BOTH).check({"namespace": "ada", "size": "other", "cpu": cpu, "memory": memory})
    assert refused.value.field == name


def test_a_size_of_ones_own_is_written_plainly() -> None:
    size = schema(**BOTH).check({"namespace": "ada", "size": "other", "cpu": "1.5", "memory": "1.5Gi"}).size
    assert (size.cpu, size.memory, size.cpu_limit, size.memory_limit) == (
        "1500m",
        "1536Mi",
        "1500m",
        "1536Mi",
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
WORDS = sorted(
    {
        *FIELDS,
        "standard",
        "cuda",
        "large",
        "other",
        "keep",
        "none",
        "ada",
        "kfp",
        "datasets",
        "nvidia-a100",
        "2",
    }
)


@given(
    st.dictionaries(
        st.sampled_from(sorted(FIELDS)) | st.text(max_size=8), JSON | st.sampled_from(WORDS), max_size=8
    )
)
def test_anything_is_options_or_a_refusal(answer: dict[str, Any]) -> None:
    offered = schema(**BOTH)
    status = 0
    try:
        options = offered.check(answer)
    except Refused as refused:
        status = refused.status
    assert status in {0, 400}
    if not status:
        assert offered.check(options.to_json()) == options
        assert set(options.requests()) <= {"cpu", "memory", "nvidia.com/gpu", "amd.com/gpu", "google.com/tpu"}


@given(JSON)
def test_what_was_chosen_before_never_breaks_the_form(before: Any) -> None:
    offered = schema().extended(profiles=("ada",))
    choices, said = offered.recall(before)
    assert isinstance(offered.check(choices), Options)
    assert all(each.isprintable() for each in said)


def test_what_still_stands_of_an_old_answer_is_kept_and_the_rest_is_said() -> None:
    old = {**FULL, "namespace": "ada", "image": "retired", "data": ["scratch", "gone"], "data_read_only": []}
    offered = schema()
    choices, said = offered.recall(old)
    assert choices["image"] == "standard"
    assert (choices["accelerator"], choices["count"], choices["size"], choices["queue"]) == (
        "nvidia-a100",
        2,
        "large",
        "interactive",
    )
    assert choices["data"] == []
    assert said == [
        "'retired' is not one of the images. The default is chosen instead.",
        "gone: It is being deleted. The default is chosen instead.",
    ]


@given(st.text(string.ascii_letters + string.digits + "./:@-_ \n", max_size=60))
def test_an_image_reference_has_no_blank_and_no_empty_part(text: str) -> None:
    if IMAGE.fullmatch(text):
        assert text == text.strip()
        assert "//" not in text
        assert ".." not in text.partition(":")[0]


def test_keys_of_others_are_not_read() -> None:
    assert (
        schema().check({"namespace": "ada", "profile": {"any": "thing"}}, also=("profile",)).namespace
        == "ada"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"images": [*IMAGES, {"key": "x"}]}, "images[2].reference: must be given"),
        ({"images": [{**IMAGES[0], "tilte": "x"}]}, "images[0].tilte: there is no such setting; did you mean 'title'?"),
        ({"images": [{**IMAGES[0], "reference": "a b"}]}, "images[0].reference: 'a b' is not an image reference"),
        ({"images": [IMAGES[0], IMAGES[0]]}, "images[1].key: 'standard' is also the key of images[0]"),
        ({"images": IMAGES[0]}, "images: must be a list of dicts, not dict"),
        ({"images": ["x"]}, "images[0]: must be a dict, not str"),
        ({"images": [{**IMAGES[0], "key": "other"}]}, "images[0].key: 'other' has a meaning of its own"),
        ({"images": [{**IMAGES[0], "contains": "Python"}]}, "images[0].contains: must be a list of texts"),
        ({"images": [{**IMAGES[0], "prepulled": "yes"}]}, "images[0].prepulled: must be True, False or None"),
        ({"sizes": [{"key": "s", "cpu": "two", "memory": "1Gi"}]}, "sizes[0].cpu: must be a quantity"),
        ({"sizes": [{"key": "s", "cpu": "1", "memory": "1Gi", "memory_limit": "512Mi"}]}, "sizes[0].memory_limit: 512Mi is less"),
        ({"sizes": [{"key": "s", "cpu": "1", "memory": "1Gi", "node_selector": {"a b": "c"}}]}, "sizes[0].node_selector: 'a b'"),
        ({"sizes": [{"key": "s", "cpu": "1", "memory": "1Gi", "tolerations": [{"effect": "No"}]}]}, "sizes[0].tolerations[0].effect"),
        ({"accelerators": [{"key": "x", "resource": "cpu"}]}, "accelerators[0].resource: 'cpu' is not an extended resource"),
        ({"accelerators": [{"key": "x", "resource": "a.kubernetes.io/b"}]}, "accelerators[0].resource: "),
        ({"accelerators": [{"key": "x", "resource": "nvidia.com/gpu", "counts": [0]}]}, "accelerators[0].counts"),
        ({"image_other": {"pattern": "("}}, "image_other.pattern: is not a regular expression"),
        ({"home": {"size": "5Gi", "sizes": ["10Gi"]}}, "home.size: '5Gi' is not among sizes"),
        ({"home": {"mount": "/etc/../root"}}, "home.mount: '/etc/../root' is not an absolute path"),
        ({"prices": {"currency": "€", "cpu": "-1"}}, "prices.cpu: must be an amount such as '0.35', not '-1'"),
        ({"when_busy": "hope"}, "options.when_busy: must be 'refuse' or 'wait', not 'hope'"),
        ({"size_other": {"most_cpu": "1m", "most_memory": "1Gi"}}, "size_other.most_cpu: 1m is less than the least, 100m"),
        ({"imges": []}, "options.imges: there is no such setting; did you mean 'images'?"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_at_the_start(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        configure(**settings)
    assert str(error.value).startswith(message)


def test_the_documentation_lists_every_field_with_what_it_takes() -> None:
    text = schema(**BOTH).docs()
    assert all(f"| `{name}` |" in text for name in FIELDS)
    assert "`nvidia-a100`" in text
    assert "100m to 16" in text


def test_pod_defaults_cannot_smuggle_in_labels_that_others_act_on() -> None:
    def choice(labels: dict[str, str], **selector: Any) -> PodDefaultChoice:
        return PodDefaultChoice.of(
            {"metadata": {"name": "x"}, "spec": {"selector": {"matchLabels": labels, **selector}}}
        )

    assert choice({"access-ml-pipeline": "true"}).labels == (("access-ml-pipeline", "true"),)
    for key in ("app", "notebook-name", "sidecar.istio.io/inject", "hub.jupyter.org/network-access-hub", "app.kubernetes.io/name",
                "poddefault.admission.kubeflow.org/exclude"):  # fmt: skip
        assert key in choice({key: "false"}).reason
    assert choice({}).reason.startswith("It applies to every pod")
    several = choice(
        {},
        matchExpressions=[
            {"key": "gpu", "operator": "Exists"},
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
        ],
    )
    assert several.labels == (("gpu", "true"), ("tier", "a"))


def pod_default(name: str, labels: dict[str, str], **adds: Any) -> PodDefaultChoice:
    spec = {"selector": {"matchLabels": labels}, **adds}
    return PodDefaultChoice.of({"metadata": {"name": name}, "spec": spec})


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        (
            {"env": [{"name": "A", "value": "1"}]},
            {"env": [{"name": "A", "value": "2"}]},
            "the environment variable A",
        ),
        (
            {"volumes": [{"name": "v", "emptyDir": {}}]},
            {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]},
            "the volume v",
        ),
        (
            {"volumeMounts": [{"name": "a", "mountPath": "/x"}]},
            {"volumeMounts": [{"name": "b", "mountPath": "/x"}]},
            "the mount at /x",
        ),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "1"}]}, ""),
    ],
)
def test_pod_defaults_that_contradict_each_other_are_refused(first: Any, second: Any, what: str) -> None:
    """As upstream's webhook would: the same twice is no contradiction."""
    schema = configure().extended(
        pod_defaults=[pod_default("a", {"a": "true"}, **first), pod_default("b", {"b": "true"}, **second)]
    )
    schema.check({"pod_defaults": ["a"]})
    schema.check({"pod_defaults": ["b"]})
    if not what:
        schema.check({"pod_defaults": ["a", "b"]})
        return
    with pytest.raises(Refused) as refused:
        schema.check({"pod_defaults": ["a", "b"]})
    assert refused.value.message == f"a and b set {what} differently"


def test_a_pod_default_may_contradict_one_that_every_pod_gets() -> None:
    schema = configure().extended(
        pod_defaults=[
            pod_default("all", {}, env=[{"name": "A", "value": "1"}]),
            pod_default("mine", {"mine": "true"}, env=[{"name": "A", "value": "2"}]),
        ]
    )
    schema.check({})
    with pytest.raises(Refused) as refused:
        schema.check({"pod_defaults": ["mine"]})
    assert refused.value.hint == "Choose without it."


def test_servers_are_shared_only_where_that_is_set() -> None:
    offered, not_offered = configure(sharing=True), configure()
    assert offered.check({"shared": "contributors"}).shared
    assert offered.check({"shared": "contributors"}).to_json()["shared"] == "contributors"
    assert not offered.check({}).shared
    for schema, choice in ((not_offered, "contributors"), (offered, "everybody")):
        with pytest.raises(Refused) as refused:
            schema.check({"shared": choice})
        assert (refused.value.status, refused.value.field) == (400, "shared")
