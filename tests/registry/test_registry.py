"""Registering, finding, comparing and promoting models from Python, on real files and real libraries."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from jupyter_ext import registry as kf
from jupyter_ext.errors import Conflict, Invalid, NotFound
from jupyter_ext.registry.loading import Damaged, Untrusted
from jupyter_ext.registry.place import home, local


@pytest.fixture(scope="session")
def flowers() -> tuple[pd.DataFrame, pd.Series]:
    """150 of them."""
    return load_iris(return_X_y=True, as_frame=True)


@pytest.fixture(scope="session")
def model(flowers) -> LogisticRegression:
    """A classifier of flowers."""
    return LogisticRegression(max_iter=500).fit(*flowers)


def test_everything_that_is_known_is_registered(model, flowers):
    made = kf.register(
        model, "iris", metrics={"accuracy": 0.97}, parameters={"C": 1.0, "solver": "lbfgs"}, alias="champion",
        description="first", example=flowers[0].head(9), data={"train": flowers[0]}, properties={"team": "flora"},
    )  # fmt: skip
    found = kf.get("iris@champion")
    assert isinstance(found, kf.Version)
    assert (found.name, found.id, found.aliases, found.description) == (
        "iris:1",
        made.id,
        ["champion"],
        "first",
    )
    assert found.metrics == {"accuracy": 0.97}
    assert found.parameters == {"C": "1.0", "solver": "lbfgs"}
    assert found.properties == {"accuracy": 0.97, "C": 1.0, "solver": "lbfgs", "team": "flora"}
    assert (found.format, found.artifact["modelFormatVersion"]) == (
        "sklearn",
        __import__("sklearn").__version__,
    )
    assert found.signature
    assert [one["name"] for one in found.signature["inputs"]] == list(flowers[0].columns)
    assert found.signature["outputs"] == [{"name": "output-0", "datatype": "INT64", "shape": [-1]}]
    pd.testing.assert_frame_equal(found.example, flowers[0].head(5))
    assert found.data["train"]["digest"].startswith("b3:")
    assert found.packages["numpy"] == np.__version__
    assert found.lineage["python"]
    assert (found.load().predict(flowers[0]) == model.predict(flowers[0])).all()
    assert found.path().is_file()


def test_versions_count_on(model):
    assert [kf.register(model, "m").version for _ in range(3)] == ["1", "2", "3"]
    assert kf.register(model, "m", "rc-1").version == "rc-1"
    assert kf.register(model, "m").version == "4"


def test_what_is_wrong_registers_nothing(model, flowers, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.md").write_text("hello")
    wrong = [
        lambda: kf.register(None, "m"),
        lambda: kf.register(model, ""),
        lambda: kf.register(tmp_path / "none.pkl", "m"),
        lambda: kf.register(tmp_path / "notes.md", "m"),
        lambda: kf.register(tmp_path / "empty", "m", format="poem"),
        lambda: kf.register(model, "m", metrics={"a": float("nan")}),
        lambda: kf.register(model, "m", metrics={"a": "good"}),
        lambda: kf.register(model, "m", example=flowers[0].iloc[:, :2]),
        lambda: kf.register(model, "m", alias="no alias"),
        lambda: kf.register("s3://user:secret@bucket/model", "m"),
        lambda: kf.register("https://host/model?X-Amz-Signature=abc", "m"),
        lambda: kf.register(model, "m", data={"train": tmp_path / "none.csv"}),
    ]
    for attempt in wrong:
        with pytest.raises(Invalid):
            attempt()
    assert kf.models() == []


def test_a_version_is_never_replaced(model):
    kf.register(model, "m", "1", metrics={"a": 1})
    with pytest.raises(Conflict, match="has a version 1 already"):
        kf.register(model, "m", "1", metrics={"a": 2}, alias="x")
    found = kf.get("m:1")
    assert (found.metrics, found.aliases) == ({"a": 1.0}, [])


def test_secrets_are_not_stored(model, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    kf.register(model, "m", parameters={"api_key": "hunter2", "lr": 1}, properties={"db_password": "hunter2"})
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "weights.onnx").write_bytes(b"x")
    for name in (".env", "id_rsa", "server.pem"):
        (tmp_path / "folder" / name).write_text("hunter2")
    kf.register(tmp_path / "folder", "folder")
    assert kf.get("m:1").parameters["api_key"] == "***"
    kept = b"".join(path.read_bytes() for path in home().rglob("*") if path.is_file())
    assert b"hunter2" not in kept


def test_names_are_matched_in_full_and_near_ones_named(model):
    kf.register(model, "iris", alias="champion")
    kf.register(model, "a:b@c", "x:1")
    assert isinstance(kf.get("a:b@c"), kf.Model)
    assert kf.get("a:b@c").version("x:1").version == "x:1"
    with pytest.raises(NotFound, match=r"Did you mean iris\?"):
        kf.get("irsi")
    with pytest.raises(NotFound, match=r"It has champion"):
        kf.get("iris@prod")
    with pytest.raises(NotFound, match="has no version '7'"):
        kf.get("iris:7")
    with pytest.raises(NotFound):
        kf.get("iri")


def test_found_by_any_property(model):
    for number in range(4):
        kf.register(
            model, f"m{number}", metrics={"accuracy": number / 4}, properties={"team": "ab"[number % 2]}
        )
    assert [found.name for found in kf.find("accuracy >= 0.5 AND team = 'a'")] == ["m2:1"]
    assert [found.name for found in kf.find(limit=2)] == ["m3:1", "m2:1"]
    assert [found.name for found in kf.models("name LIKE 'm%' AND name != 'm0'")] == ["m3", "m2", "m1"]
    assert [found.name for found in kf.search("m1")] == ["m1"]
    assert [found.name for found in kf.search("name = 'm1'")] == ["m1"]
    assert kf.search("100%") == []
    with pytest.raises(Invalid):
        kf.find("accuracy >")


def test_archive_and_restore(model):
    version = kf.register(model, "m")
    version.archive()
    assert kf.find() == []
    assert kf.find(archived=True)[0].archived
    version.restore()
    assert [found.name for found in kf.find()] == ["m:1"]
    found = kf.get("m")
    found.archive()
    assert kf.models() == []
    found.restore()
    found.update(description="d", properties={"a": 1})
    found.update(properties={"a": None, "b": True})
    assert (kf.get("m").description, kf.get("m").properties) == ("d", {"b": True})


def test_aliases_and_promotion(model):
    first, second = kf.register(model, "m", alias="champion"), kf.register(model, "m")
    assert kf.promote("m:2").name == "m:1"
    assert (kf.get("m@champion").version, first.model.name) == ("2", "m")
    assert kf.promote(second, "prod", to="m-prod") is None
    copied = kf.get("m-prod@prod")
    assert (copied.uri, copied.digest, copied.lineage["copied-from"]) == (second.uri, second.digest, "m:2")
    assert (copied.load().coef_ == model.coef_).all()
    kf.get("m").alias("champion", None)
    assert kf.get("m").aliases == {}


def test_comparison(model):
    kf.register(
        model, "m", metrics={"a": 1.0, "b": 2}, parameters={"lr": 1, "same": 5}, data={"d": np.arange(3)}
    )
    kf.register(model, "m", metrics={"a": 1.5}, parameters={"lr": 2, "same": 5}, data={"d": np.arange(4)})
    found = kf.compare("m:1", "m:2").to_dict()
    assert found["metrics"] == {"a": [1.0, 1.5], "b": [2.0, None]}
    assert found["parameters"] == {"lr": ["1", "2"]}
    assert len(found["data"]["d"]) == 2
    assert found["packages"] == {}
    assert "lr" in str(kf.compare("m:1", "m:2"))
    with pytest.raises(Invalid):
        kf.compare("m:1")


def test_the_card_tells_what_is_known(model):
    kf.register(model, "m", metrics={"acc|uracy": 0.5}, description="for flowers")
    found = kf.get("m")
    found.readme = "Use with care."
    for words in ["# m", "Use with care.", "for flowers", "| acc\\|uracy | 0.5 |"]:
        assert words in kf.get("m").card


def test_code_is_asked_about_unless_it_is_ones_own(tmp_path):
    """A pickle that somebody else registered over REST runs nothing until it is trusted."""
    mark = tmp_path / "ran"
    evil = tmp_path / "model.pkl"
    evil.write_bytes(b"cposix\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.")
    service = local().transport.service
    model = service.create("RegisteredModel", {"name": "evil"})
    version = service.create_version(model["id"], {"name": "1", "author": "Eve"})
    body = {
        "artifactType": "model-artifact",
        "name": "evil",
        "uri": evil.as_uri(),
        "modelFormatName": "python",
    }
    service.attach("ModelVersion", version["id"], body)
    with pytest.raises(Untrusted, match=r"pickle.*trust Eve"):
        kf.get("evil:1").load()
    for form in ("sklearn", "pytorch", "tensorflow"):
        service.change("ModelArtifact", kf.get("evil:1").artifact["id"], {"modelFormatName": form})
        with pytest.raises(Untrusted):
            kf.get("evil:1").load()
    assert not mark.exists()
    service.change("ModelArtifact", kf.get("evil:1").artifact["id"], {"modelFormatName": "python"})
    kf.get("evil:1").load(trust=True)
    assert mark.exists()


def test_a_digest_that_was_copied_opens_nothing(model, tmp_path):
    mine = kf.register(model, "mine")
    evil = tmp_path / "model.pkl"
    evil.write_bytes(b"cposix\nabort\n(tR.")
    service = local().transport.service
    service.change("ModelArtifact", mine.artifact["id"], {"uri": evil.as_uri()})
    with pytest.raises(Damaged):
        kf.get("mine:1").load()


def test_changed_files_are_noticed(model):
    version = kf.register(model, "m")
    path = version.path()
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(Damaged, match="are not those that were registered"):
        kf.get("m:1").load()


def test_names_of_files_are_made_anew(model):
    version = kf.register(model, "m")
    folder = version.path().parent
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert (kf.get("m:1").load().coef_ == model.coef_).all()


def test_models_at_addresses_and_in_other_file_systems(model, flowers):
    noted = kf.register("s3://bucket/model", "noted", format="onnx", format_version="1.2")
    assert (noted.uri, noted.format, noted.digest) == ("s3://bucket/model", "onnx", None)
    away = kf.register(model, "away", to="memory://models")
    assert away.uri.startswith("memory://models/away/")
    assert (kf.get("away:1").load().predict(flowers[0]) == model.predict(flowers[0])).all()


def test_unused_files_are_collected(model, tmp_path):
    version = kf.register(model, "m")
    (tmp_path / "model.onnx").write_bytes(b"left over")
    local().files.put(tmp_path / "model.onnx")
    assert local().gc(grace_seconds=0)["removed"] == 2
    assert version.load() is not None
    assert local().gc(grace_seconds=0)["removed"] == 0


def test_a_kill_leaves_whole_versions_only(tmp_path):
    code = textwrap.dedent("""
        import sys
        from jupyter_ext import registry
        for number in range(100_000):
            registry.register({"number": number, "weights": list(range(500))}, "m", metrics={"n": number}, alias="last")
            print(number, flush=True)
    """)
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            for _ in range(8):
                writer.stdout.readline()
            os.kill(writer.pid, signal.SIGKILL)
    found = kf.find()
    assert len(found) >= 24
    for version in found:
        assert version.load()["number"] == version.metrics["n"]
    assert kf.get("m@last").version == found[0].version


def test_a_step_of_a_run_says_which(tmp_path, monkeypatch):
    from jupyter_ext.cluster import current
    from jupyter_ext.cluster.resource import Resource

    spec = {"pipeline": {"name": "flights", "path": str(tmp_path / "flights.ipynb")}}
    run = current().store.create(Resource.new("Run", "flights-7", spec))
    monkeypatch.setenv("JUPYTER_KUBEFLOW_WORKLOAD", run.uid)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_UNIT", "train")
    version = kf.register("s3://b/k", "m", format="onnx")
    told = {"run": "flights-7", "step": "train", "notebook": "flights.ipynb", "kind": "Run", "uid": run.uid}
    assert version.lineage.items() >= told.items()
    assert version.artifact["modelSourceName"] == "flights-7"
    assert [found.name for found in kf.find("lineage.run = 'flights-7'")] == ["m:1"]


def test_the_commit_is_read_from_gits_files(tmp_path, monkeypatch):
    from jupyter_ext.registry.lineage import surroundings

    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "topic/x")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert surroundings()["branch"] == "topic/x"
    git("commit", "-q", "--allow-empty", "-m", "m")
    commit = git("rev-parse", "HEAD")
    assert surroundings()["commit"] == commit
    git("pack-refs", "--all")
    assert surroundings()["commit"] == commit
    git("checkout", "-q", "--detach")
    assert surroundings()["commit"] == commit
    git("worktree", "add", "-q", str(tmp_path / "tree"), "topic/x")
    monkeypatch.chdir(tmp_path / "tree")
    assert (surroundings()["commit"], surroundings()["branch"]) == (commit, "topic/x")


def test_importing_loads_nothing_heavy():
    code = "import sys; from jupyter_ext import registry; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"import json; {code}"], capture_output=True, text=True, check=True
    )
    assert not {"numpy", "pandas", "sqlite3", "tornado", "torch"} & set(json.loads(done.stdout))
