"""Code and results that go through the profile's store: as a pod has them, and as who submits has them."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import yaml

from jupyter_ext import store
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, NotFound, Unfit
from jupyter_ext.training import depot, exporting, kube, kube_depot, manifest, spec, submission, train
from jupyter_ext.training.kube_depot import Depot
from jupyter_ext.training.manifest import Options
from tests.store.conftest import bucket, server  # noqa: F401 - fixtures
from tests.training.test_export import elsewhere

KEYS = {"AWS_ACCESS_KEY_ID": "accesskey", "AWS_SECRET_ACCESS_KEY": "secretkey"}


@pytest.fixture
def place(bucket, cluster, monkeypatch):  # noqa: F811
    """The profile's store, which pods reach."""
    for name in list(os.environ):
        if name.startswith("JUPYTER_KUBEFLOW_STORE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", f"{bucket}/team")
    found = store.default()
    assert found is not None
    return found


@pytest.fixture
def reached(place):
    """As `kube_depot.of` finds it, where the namespace has the Secret."""
    env = [
        {"name": f"{depot.VARIABLE}{name}", "valueFrom": {"secretKeyRef": {"name": "keys", "key": key}}}
        for name, key in KEYS.items()
    ]
    env.append({"name": f"{depot.VARIABLE}AWS_ENDPOINT_URL", "value": os.environ["AWS_ENDPOINT_URL"]})
    return Depot(place.url, tuple(env), nonce="n0", place=place)


def job(cluster, what, **args) -> Resource:
    code = submission._stored(cluster, submission._code(what, None, None, None, {}))
    options = Options(framework="plain", code=code, entry="fit", args=args)
    return manifest.trainjob("made", options, labels={}, annotations={})


def large():
    rows = os.urandom(2 << 20)

    def fit(times=1):
        hidden = [name for name in os.environ if "DEPOT" in name]
        print("mine", os.environ.get("AWS_ACCESS_KEY_ID"), hidden, flush=True)
        return {"size": len(rows) * times}

    return fit


def in_a_pod(asked: Resource, tmp_path: Path, **more: str):
    """Its command, with what the kubelet makes of references; the user's own credentials are others."""
    env = {}
    for each in asked.spec["trainer"].get("env", ()):
        reference = each.get("valueFrom", {}).get("secretKeyRef")
        env[each["name"]] = (
            os.environ[each["name"].removeprefix(depot.VARIABLE)] if reference else each["value"]
        )
    own = {"AWS_ACCESS_KEY_ID": "own", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", **more}
    return elsewhere({"spec": asked.spec}, tmp_path, **{**own, **env})


def code_of(asked: Resource) -> str:
    """Where its code lies, below the store's address."""
    return asked.annotations[spec.STORED].partition("/team/")[2]


def test_large_code_is_in_the_store_once_and_runs(cluster, folder, place, reached, tmp_path):
    resource = job(cluster, large(), times=2)
    asked = kube.described(cluster, resource, reached)
    assert list(place.digests()) == []
    reached.keep(cluster.blobs, asked)
    assert list(place.digests()) == [resource.annotations[spec.CODE]]
    text = json.dumps(asked.manifest())
    assert len(text) < 200_000
    assert not [secret for secret in ("hidden-key", "ada") if f'"{secret}"' in text]
    done = in_a_pod(asked, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["mine own []", "{'size': 4194304}"]

    # Trials have the same code, which is neither sent nor read again, and arguments of their own.
    own = kube_depot.read(reached.for_trials(cluster.blobs, asked).noted())
    cluster.blobs.path(resource.annotations[spec.CODE]).write_bytes(b"nobody reads this" * 100_000)
    trial = kube.described(cluster, job_with(resource, {"times": 3}), own)
    assert trial.annotations[spec.STORED] == asked.annotations[spec.STORED]
    assert spec.RESULT not in trial.annotations
    (tmp_path / "container").rename(tmp_path / "first")
    (tmp_path / "stubs").mkdir()
    (tmp_path / "stubs/fsspec.py").write_text("raise ImportError('not in this image')\n")
    assert "{'size': 6291456}" in in_a_pod(trial, tmp_path, PYTHONPATH=str(tmp_path / "stubs")).stdout


def job_with(resource: Resource, args: dict) -> Resource:
    return resource.with_(annotations={**resource.annotations, spec.ARGS: json.dumps(args)})


def test_small_code_travels_as_before(cluster, folder, reached):
    resource = job(cluster, lambda: 1)
    asked = kube.described(cluster, resource, reached)
    assert spec.STORED not in asked.annotations
    assert kube_depot.read(reached.for_trials(cluster.blobs, asked).noted()) == Depot(
        reached.url, reached.env
    )
    plain = kube.described(cluster, resource, Depot(reached.url, reached.env))
    assert plain.spec == kube.described(cluster, resource).spec, (
        "a trial has no credentials that it does not need"
    )


def test_what_was_changed_in_the_store_is_neither_unpacked_nor_unpickled(
    cluster, folder, place, reached, tmp_path
):
    asked = kube.described(cluster, job(cluster, large()), reached)
    reached.keep(cluster.blobs, asked)
    trace = tmp_path / "trace"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(trace),)

    before = io.BytesIO(cluster.blobs.read(asked.annotations[spec.CODE]))
    after = io.BytesIO()
    with zipfile.ZipFile(before) as source, zipfile.ZipFile(after, "w") as target:
        for name in source.namelist():
            target.writestr(name, pickle.dumps(Evil()) if name == "call.pkl" else source.read(name))
    place._open().write(code_of(asked), after.getvalue())
    done = in_a_pod(asked, tmp_path)
    assert done.returncode == 1
    assert "Rank 0 failed: The code cannot be had" in done.stderr
    assert "somebody changed it" in done.stderr
    assert not trace.exists()
    (container,) = (tmp_path / "container").glob("jupyter-kubeflow-*/boot")
    assert not (container.parent / "code").exists()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({f"{depot.VARIABLE}AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "The store does not answer"),
        ({"gone": "yes"}, "This is not in the store"),
        ({"gone": "yes", "PYTHONPATH": "stubs"}, "This is not in the store"),
        (
            {f"{depot.VARIABLE}AWS_ENDPOINT_URL": "http://127.0.0.1:9", "PYTHONPATH": "stubs"},
            "/team does not do it (URLError: ",
        ),
        ({f"{depot.VARIABLE}AWS_SECRET_ACCESS_KEY": "", "PYTHONPATH": "stubs"}, "The image has no s3fs"),
    ],
)
def test_code_that_cannot_be_had_is_one_sentence(cluster, folder, reached, tmp_path, broken, said):
    (tmp_path / "stubs").mkdir()
    (tmp_path / "stubs/s3fs.py").write_text("raise ImportError('not here')\n")
    asked = kube.described(cluster, job(cluster, large()), reached)
    if "gone" not in broken:
        reached.keep(cluster.blobs, asked)
    env = asked.spec["trainer"]["env"]
    env[:] = [
        {"name": each["name"], "value": broken[each["name"]]} if each["name"] in broken else each
        for each in env
    ]
    more = {"PYTHONPATH": str(tmp_path / "stubs")} if "PYTHONPATH" in broken else {}
    done = in_a_pod(asked, tmp_path, **more)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Rank 0 failed: The code cannot be had: ")
    assert said in line
    assert "hidden-key" not in done.stderr + done.stdout


def test_without_a_store_it_is_refused_with_the_setting(cluster, folder, monkeypatch):
    monkeypatch.delenv("JUPYTER_KUBEFLOW_STORE", raising=False)
    resource = job(cluster, large())
    with pytest.raises(Unfit, match=r"call\.pkl"):
        kube.described(cluster, resource)
    with pytest.raises(Unfit, match="a resource holds 900 kB") as caught:
        kube.described(cluster, resource, kube_depot.of(None))
    assert "JUPYTER_KUBEFLOW_STORE=s3://" in caught.value.hint
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", (folder / "store").as_uri())
    with pytest.raises(
        Unfit, match=r"is a folder: name the claim that it is .JUPYTER_KUBEFLOW_STORE_CLAIM=NAME"
    ):
        kube.described(cluster, resource, kube_depot.of(None))
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE_CLAIM", "../x")
    with pytest.raises(Unfit, match="cannot be a claim's name"):
        kube.described(cluster, resource, kube_depot.of(None))


def test_a_folder_is_a_claim_that_pods_mount(cluster, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", (tmp_path / "store").as_uri())
    place = store.default()
    claimed = Depot(place.url, nonce="n0", claim="shared", place=place)
    asked = kube.described(cluster, job(cluster, large(), times=2), claimed)
    claimed.keep(cluster.blobs, asked)
    (patch,) = asked.spec["runtimePatches"]
    (replicated,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    pod = replicated["template"]["spec"]["template"]["spec"]
    assert pod["volumes"] == [{"name": "artifact-store", "persistentVolumeClaim": {"claimName": "shared"}}]
    assert pod["containers"][0]["volumeMounts"][0]["mountPath"] == str(tmp_path / "store")
    done = in_a_pod(asked, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "{'size': 4194304}" in done.stdout
    words = depot.left({1, 2}, claimed.told("made")["result"], {}, tmp_path)
    assert kube_depot.result(None, asked, words) == {1, 2}
    again = exporting.without_store(Resource.from_dict(asked.manifest()))
    assert "runtimePatches" not in again.spec, "on this machine it has no pods"
    trial = kube_depot.read(claimed.for_trials(cluster.blobs, asked).noted())
    assert kube.described(cluster, job(cluster, large()), trial).spec["runtimePatches"] == [patch]
    assert "runtimePatches" not in kube.described(cluster, job(cluster, lambda: 1), trial).spec
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    (tmp_path / "container").rename(tmp_path / "first")
    (line,) = in_a_pod(asked, tmp_path).stderr.strip().splitlines()
    assert "its claim is not mounted" in line


def test_keys_of_this_process_alone_are_no_way_for_pods(cluster, folder, place):
    found = kube_depot.of(None)
    assert not found.url
    assert "of this process alone" in found.why
    assert kube.described(cluster, job(cluster, lambda: 1), found).spec["trainer"].get("env") is None


def test_what_the_cluster_has_is_read_back(cluster, folder, place, reached, monkeypatch):
    asked = kube.described(cluster, job(cluster, large()), reached)
    reached.keep(cluster.blobs, asked)
    cluster.blobs.path(asked.annotations[spec.CODE]).unlink()
    carried = exporting.carried(Resource.from_dict(yaml.safe_load(yaml.safe_dump(asked.manifest()))))
    assert carried is not None
    assert len(carried.code) > 2 << 20
    assert spec.STORED not in carried.annotations
    again = submission.submit(asked.with_(name="again"))  # on this machine, where no Secret is
    assert again.result(60) == {"size": 2 << 20}
    assert spec.STORED not in again.resource.annotations
    cluster.blobs.path(asked.annotations[spec.CODE]).unlink()
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", "s3://another")
    with pytest.raises(Conflict, match="not this profile's store"):
        exporting.carried(asked)


# Results


@pytest.fixture
def told(reached):
    return reached.told("made")["result"]


@pytest.fixture
def resource(cluster, folder, reached):
    return kube.described(cluster, job(cluster, lambda: 1), reached)


def values() -> dict[str, str]:
    return {
        name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    }


def test_a_result_comes_back_as_it_was(resource, place, told, tmp_path):
    import numpy as np

    value = {"weights": np.arange(100_000.0), 1: (2, 3)}
    words = depot.left(value, told, values(), tmp_path)
    assert words.startswith(depot.STORED)
    assert len(words) < 300
    assert not (tmp_path / "result.pkl").exists()
    found = kube_depot.result(None, resource, words)
    assert found.keys() == value.keys()
    assert found[1] == (2, 3)
    assert np.array_equal(found["weights"], value["weights"])
    assert len(place.names("results")) == 1
    kube_depot.remove(None, resource)
    assert place.names("results") == []
    with pytest.raises(NotFound):
        kube_depot.result(None, resource, words)


def test_a_result_that_was_changed_is_not_unpickled(resource, place, told, tmp_path):
    trace = tmp_path / "trace"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(trace),)

    words = depot.left({1, 2}, told, values(), tmp_path)
    (found,) = place.names("results")
    place.write(found.name, pickle.dumps(Evil()).ljust(found.bytes, b" ")[: found.bytes])
    with pytest.raises(Conflict, match="somebody changed it"):
        kube_depot.result(None, resource, words)
    place.write(found.name, pickle.dumps(Evil()) + b" " * 100)  # another size is not even fetched
    with pytest.raises(Conflict, match="somebody changed it"):
        kube_depot.result(None, resource, words)
    assert not trace.exists()


def test_a_result_is_fetched_from_the_own_store_only(resource, told, tmp_path, monkeypatch):
    words = depot.left({1}, told, values(), tmp_path)
    for address in ("s3://evil/team/results/made-n0", ""):
        other = resource.with_(annotations={**resource.annotations, spec.RESULT: address})
        with pytest.raises(Conflict, match="not this profile's store"):
            kube_depot.result(None, other, words)
    facts = json.loads(words.removeprefix(depot.STORED)) | {"sha256": "0" * 64}
    with pytest.raises(NotFound):
        kube_depot.result(None, resource, depot.STORED + json.dumps(facts))


def test_results_that_cannot_come_back_say_why(told, tmp_path, monkeypatch):
    def said(value, told=told):
        words = depot.left(value, told, values(), tmp_path)
        assert words.startswith(depot.LOST)
        return str(kube_depot.lost(words, "made"))

    assert "a generator: TypeError" in said(item for item in range(3))
    monkeypatch.setattr(depot, "LARGEST", 1000)
    assert "a bytes of 0.0 GB; at most" in said(b"x" * 2000)
    assert "set, and a pod's status holds JSON" in said({1}, {"hint": "Name a store."})
    assert said({1}, {"hint": "Name a store."}).endswith("Name a store.")
    monkeypatch.setattr(depot, "LARGEST", 1 << 30)
    away = {**values(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(depot.Failed, match="The store does not answer"):
        depot.left({1}, told, away, tmp_path)


def test_a_job_whose_result_cannot_be_stored_fails_saying_so(cluster, folder, place, reached, tmp_path):
    def fit(kind):
        return {"a set": {1, 2}, "a tuple": (1, 2), "a list": [1, 2]}[kind]

    away = tuple(
        {"name": each["name"], "value": "http://127.0.0.1:9"} if each["name"].endswith("URL") else each
        for each in reached.env
    )
    unreached = Depot(reached.url, away, nonce="n0")
    for kind, code in (("a set", 1), ("a tuple", 0), ("a list", 0)):
        done = in_a_pod(kube.described(cluster, job(cluster, fit, kind=kind), unreached), tmp_path)
        assert done.returncode == code, (kind, done.stderr)
        assert ("Rank 0 failed: Its result could not be stored: The store" in done.stderr) is bool(code)
        (tmp_path / "container").rename(tmp_path / kind)
    stored = in_a_pod(kube.described(cluster, job(cluster, fit, kind="a tuple"), reached), tmp_path)
    assert stored.returncode == 0, stored.stderr
    (found,) = place.names("results/made-n0")
    assert pickle.loads(place.get(found.name)) == (1, 2)


def test_an_export_is_as_before(cluster, folder):
    document = yaml.safe_load(train(lambda: 1, framework="plain").wait(60).export())
    archive = io.BytesIO(exporting.base64.b64decode("".join(document["spec"]["trainer"]["args"][1:])))
    with zipfile.ZipFile(archive) as found:
        assert json.loads(found.read("job.json")).keys() == {"args", "data", "packages", "annotations"}
        assert not [name for name in found.namelist() if "depot" in name or "store" in name]
