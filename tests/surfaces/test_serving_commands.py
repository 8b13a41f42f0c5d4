"""Endpoints on the command line, from a registered model to a rollback: real servers, a real gateway."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from jupyter_ext import serving
from tests.surfaces.commands import caller
from tests.surfaces.serving import iris, serving_cluster, until  # noqa: F401 - fixtures


@pytest.fixture
def kf(iris, tmp_path, monkeypatch, capfd):  # noqa: F811
    """Run one command in this process: what it prints and its exit status."""
    monkeypatch.chdir(tmp_path)

    return caller(capfd)


def shares(text: str) -> dict[str, float]:
    return {item["name"]: item["percent"] for item in json.loads(text)["variants"]}


@pytest.mark.slow
def test_the_story_of_an_endpoint(kf, iris, tmp_path):  # noqa: F811
    done = kf("serve", "iris@champion", "--log")
    assert done.returncode == 0, done.stderr
    url = serving.get("iris").url
    assert f"endpoint/iris  {url}" in done.stdout
    assert f"V1     {url}/v1/models/iris:predict" in done.stdout
    assert f"V2     {url}/v2/models/iris/infer" in done.stdout
    token = Path(done.stdout.split("token  ")[1].split("\n")[0]).read_text().strip()
    assert token not in done.stdout
    assert token not in kf("describe", "endpoint/iris").stdout
    assert token not in kf("get", "iris", "-o", "yaml").stdout

    # The address as anybody may use it.
    rows = iris.head(3).to_numpy().tolist()
    request = urllib.request.Request(
        f"{url}/v1/models/iris:predict",
        json.dumps({"instances": rows}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        expected = json.load(answer)["predictions"]
    assert expected == [0, 0, 0]

    # Every form of data means the same.
    iris.head(3).to_csv("rows.csv", index=False)
    iris.head(3).to_parquet("rows.parquet")
    np.save("rows.npy", iris.head(3).to_numpy())
    Path("rows.json").write_text(json.dumps(rows))
    Path("v1.json").write_text(json.dumps({"instances": rows}))
    for name in ("rows.csv", "rows.parquet", "rows.npy", "rows.json", "v1.json"):
        done = kf("predict", "iris", "--data", name)
        assert (done.returncode, done.stdout) == (0, "0\n0\n0\n"), (name, done.stderr)
    assert kf("predict", "iris").stdout == "0\n0\n0\n", "the example that was recorded"

    # A second version beside it, another split, and back.
    done = kf("serve", "iris:2", "--percent", "10", "--json")
    assert done.returncode == 0, done.stderr
    assert shares(done.stdout) == {"v1": 90, "v2": 10}
    assert shares(kf("traffic", "iris", "v1=50", "v2=50", "--sticky", "header:x-user", "--json").stdout) == {
        "v1": 50,
        "v2": 50,
    }
    found = json.loads(kf("predict", "iris", "--data", "rows.csv", "--variant", "v2", "--json").stdout)
    assert (found["variant"], len(found["predictions"])) == ("v2", 3)
    assert kf("feedback", "iris", found["requestId"], "right=1").returncode == 0

    def ask_and_compare() -> dict | None:
        kf("predict", "iris", "--variant", "v2")
        compared = json.loads(kf("compare", "iris", "--json").stdout)
        return compared if compared["rows"][1]["requests"] else None

    compared = until(ask_and_compare)
    assert [row["variant"] for row in compared["rows"]] == ["v1", "v2"]
    assert kf("mirror", "iris", "v2", "--percent", "20").returncode == 0
    assert shares(kf("promote", "iris", "v2", "--json").stdout)["v2"] == 100
    assert shares(kf("rollback", "iris", "--json").stdout) == {"v1": 50, "v2": 50}
    listed = json.loads(kf("revisions", "iris", "--json").stdout)["revisions"]
    assert [item["current"] for item in listed].count(True) == 1
    assert "spec" not in listed[0]
    assert "Promote v2" in kf("revisions", "iris").stdout

    # Rules, the log, replay, drift.
    assert "errors > 5 %" in kf("rules", "iris", "roll back if errors > 5 % over 1 minute").stdout
    assert kf("rules", "iris", "--clear").stdout == "It has no rules.\n"
    page = until(lambda: (done := json.loads(kf("requests", "iris", "--json").stdout))["items"] and done)
    one = json.loads(kf("requests", "iris", page["items"][0]["id"], "--json").stdout)
    assert one["status"] == 200
    assert kf("replay", "iris", "v1", "--limit", "5", "--json").returncode in {0, 1}
    assert kf("drift", "iris").returncode == 0

    # Names, stop, start, the end.
    assert "inferenceservice/iris" in kf("get", "endpoints").stdout
    assert kf("logs", "endpoint/iris", "v1", "--tail", "5").returncode == 0
    assert "PAUSED" in kf("stop", "iris").stdout
    assert kf("predict", "iris", "--data", "rows.csv").returncode == 1
    assert kf("start", "iris").returncode == 0
    assert kf("wait", "endpoint/iris", "--timeout", "60").returncode == 0
    assert kf("predict", "iris", "--data", "rows.csv").stdout == "0\n0\n0\n"
    assert kf("delete", "endpoint/iris").returncode == 0
    assert kf("traffic", "iris").returncode == 2


WRONG = [
    (("serve", "irsi"), "Did you mean iris"),
    (("serve", "iris:7"), "no version '7'"),
    (("serve", "iris@nobody"), "It has champion"),
    (("serve", "iris", "--percent", "10"), "no endpoint iris yet"),
    (("serve", "iris", "--redact", "name"), "--redact needs --log"),
    (("serve", "iris", "--rule", "roll back if errros > 2 %"), "errros"),
    (("serve", "iris", "--sticky", "cookie"), "header:x-user"),
    (("serve", "iris", "--gpu", "99"), "gpu"),
    (("traffic", "iris", "v1=50"), "no endpoint 'iris'"),
    (("traffic", "run/iris", "v1=50"), "not an endpoint"),
    (("predict", "iris"), "no endpoint 'iris'"),
    (("promote", "model/iris"), "not an endpoint"),
]


def test_what_is_wrong_is_said_before_anything_starts(kf):
    for words, what in WRONG:
        done = kf(*words)
        assert done.returncode == 2, done
        assert what in done.stderr
    assert kf("get", "endpoints").stdout.startswith("There is nothing yet")


@pytest.mark.slow
def test_a_request_that_does_not_fit_is_the_callers_fault(kf, iris):  # noqa: F811
    assert kf("serve", "iris").returncode == 0
    iris.head(3).rename(columns={"petal width (cm)": "petal breadth"}).to_csv("names.csv", index=False)
    iris.head(3).iloc[:, :3].to_csv("few.csv", index=False)
    Path("text.json").write_text(json.dumps([["a", "b", "c", "d"]]))
    for name, word in (("names.csv", "petal"), ("few.csv", "petal width"), ("text.json", "")):
        done = kf("predict", "iris", "--data", name)
        assert done.returncode == 2, (name, done)
        assert word in done.stderr
    done = kf("predict", "iris", "--data", "names.csv", "--json")
    assert json.loads(done.stdout)["error"]["status"] == 400


@pytest.mark.slow
def test_a_model_that_does_not_load_leaves_what_serves(kf, tmp_path):
    assert kf("serve", "iris").returncode == 0
    broken = tmp_path / "broken.pkl"
    broken.write_bytes(b"\x80\x04\x95 no pickle at all")
    assert kf("register", "broken.pkl", "--name", "iris").returncode == 0
    done = kf("serve", "iris:3")
    assert done.returncode == 1
    assert "v3" in done.stderr
    Path("rows.json").write_text("[[5.1, 3.5, 1.4, 0.2]]")
    assert kf("predict", "iris", "--data", "rows.json").stdout == "0\n"
    assert "v3" in kf("get", "iris").stdout, "and says what is wrong"


YAML = """apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: applied}
spec:
  predictor:
    name: v1
    model: {modelFormat: {name: sklearn}, storageUri: model-registry://iris/1}
  canary:
  - trafficPercent: 20
    predictor:
      name: v2
      model: {modelFormat: {name: sklearn}, storageUri: model-registry://iris/2}
"""
GRAPH = """apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: twice}
spec:
  nodes:
    root:
      routerType: Sequence
      steps: [{serviceName: applied, name: first}]
"""


@pytest.mark.slow
def test_yaml_is_applied_and_applied_again(kf):
    Path("iris.yaml").write_text(YAML)
    Path("graph.yaml").write_text(GRAPH)
    done = kf("apply", "-f", "graph.yaml")
    assert done.returncode == 2, done
    assert "applied" in done.stderr, "there is no such endpoint yet"
    Path("both.yaml").write_text(f"{GRAPH}---\n{YAML}")
    done = kf("apply", "-f", "both.yaml", "--wait")
    assert done.returncode == 0, done
    assert "inferenceservice/applied created" in done.stdout
    assert "inferencegraph/twice created" in done.stdout
    assert "applied unchanged" in kf("apply", "-f", "iris.yaml").stdout
    assert kf("traffic", "applied", "v1=50", "v2=50").returncode == 0
    assert "applied configured" in kf("apply", "-f", "iris.yaml").stdout, "it is again what the file says"
    assert shares(kf("traffic", "applied", "--json").stdout) == {"v1": 80, "v2": 20}
    assert "twice" in kf("get", "graphs").stdout
    Path("iris.yaml").write_text(YAML.replace("trafficPercent: 20", "trafficPercnt: 20"))
    done = kf("apply", "-f", "iris.yaml")
    assert done.returncode == 2
    assert "trafficPercent" in done.stderr
    assert kf("delete", "graph/twice", "endpoint/applied").returncode == 0
