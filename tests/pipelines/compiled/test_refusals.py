"""What cannot run here is refused by name, before anything starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyter_ext import pipelines
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unfit
from jupyter_ext.pipelines.compiled import parsing, reading
from jupyter_ext.pipelines.handle import run, runs
from tests.pipelines.compiled.conftest import FOLDER, SECONDS, succeeded

Change = Callable[[dict[str, Any]], object]


def _document(name: str = "linear") -> dict[str, Any]:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())


def _refused(folder: Path, document: object, **parameters: Any) -> KubeflowError:
    text = document if isinstance(document, str) else yaml.safe_dump_all([document])
    path = folder / "given.yaml"
    path.write_text(text)
    with pytest.raises(KubeflowError) as caught:
        run(path, parameters=parameters)
    assert not runs()
    return caught.value


def _container(document: dict[str, Any]) -> dict[str, Any]:
    return next(iter(document["deploymentSpec"]["executors"].values()))["container"]


NOT_PIPELINES = {
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {}": "version 1 of the KFP SDK",
    "name: x\nimplementation: {container: {image: x}}": "one component, not a pipeline",
    "apiVersion: v1\nkind: Pod": "a Pod",
    "a: [1": "not YAML",
    "": "no pipeline in it",
    "just text": "no pipeline in it",
    "pipelineInfo: {name: x}\nroot: {dag: {tasks: {}}}": "schema version is missing",
    "pipelineInfo: {name: x}\nschemaVersion: 2.1.0\nroot: {}": "either a DAG or an executor",
    "pipelineInfo: [x]\nschemaVersion: 2.1.0\nroot: {}": "pipelineInfo must be a mapping",
    "x: &a [1,2]\ny: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nz: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nq: &d [*c,*c,*c,*c,*c,*c,*c,*c]\n"
    "r: &e [*d,*d,*d,*d,*d,*d,*d,*d]\ns: &f [*e,*e,*e,*e,*e,*e,*e,*e]\nt: &g [*f,*f,*f,*f,*f,*f,*f,*f]\n"
    "u: &h [*g,*g,*g,*g,*g,*g,*g,*g]": "too many values",
}


@pytest.mark.parametrize("text", NOT_PIPELINES)
def test_what_is_no_compiled_pipeline_is_named(cluster: LocalCluster, tmp_path: Path, text: str) -> None:
    assert NOT_PIPELINES[text] in str(_refused(tmp_path, text))


def _gone(document: dict[str, Any]) -> None:
    document["root"]["dag"]["tasks"]["add-2"]["componentRef"]["name"] = "comp-gone"


def _circle(document: dict[str, Any]) -> None:
    document["root"]["dag"]["tasks"]["add"]["dependentTasks"] = ["describe"]


def _no_output(document: dict[str, Any]) -> None:
    tasks = document["root"]["dag"]["tasks"]
    tasks["add-2"]["inputs"]["parameters"]["a"]["taskOutputParameter"]["outputParameterKey"] = "gone"


def _inside_itself(document: dict[str, Any]) -> None:
    document["components"]["comp-add"] = {"dag": {"tasks": {"x": {"componentRef": {"name": "comp-add"}}}}}


def _unknown_field(document: dict[str, Any]) -> None:
    document["root"]["dag"]["tasks"]["add"]["podAffinity"] = {}


def _no_expression(document: dict[str, Any]) -> None:
    document["root"]["dag"]["tasks"]["add"]["triggerPolicy"] = {
        "condition": "inputs.parameter_values['x'] === 1"
    }


def _gpu(document: dict[str, Any]) -> None:
    _container(document)["resources"] = {
        "accelerator": {"resourceType": "google.com/tpu", "resourceCount": "1"}
    }


def _too_large(document: dict[str, Any]) -> None:
    _container(document)["resources"] = {"resourceCpuRequest": "4000"}


def _own_entry(document: dict[str, Any]) -> None:
    _container(document).update(command=[], args=["x"], image="gcr.io/my/tool:1")


def _no_program(document: dict[str, Any]) -> None:
    _container(document).update(command=["no-such-program"], args=[], image="gcr.io/my/tool:1")


def _built_in(document: dict[str, Any]) -> None:
    _container(document).update(command=["python3", "-m", "kfp.dsl.executor_main"], image="gcr.io/my/built:1")


def _own_library(document: dict[str, Any]) -> None:
    container = _container(document)
    container["image"] = "gcr.io/my/sklearn:1"
    container["command"][-1] += "\nimport library_of_the_image\n"


def _cloud_tool(document: dict[str, Any]) -> None:
    script = 'set -e\necho "$0" | oc apply -f -'
    _container(document).update(command=["sh", "-c", script], args=[], image="origin-cli:4")


def _ray_cluster(document: dict[str, Any]) -> None:
    _container(document)["command"][-1] += "\nfrom codeflare_sdk.ray.cluster import Cluster\n"


def _custom_job(document: dict[str, Any]) -> None:
    next(iter(document["deploymentSpec"]["executors"].values()))["customJob"] = {}
    del next(iter(document["deploymentSpec"]["executors"].values()))["container"]


CANNOT: list[tuple[Change, type[KubeflowError], str]] = [
    (_gone, Invalid, "'comp-gone', which is not there"),
    (_circle, Invalid, "wait for each other"),
    (_no_output, Invalid, "'gone' of add, which does not make it"),
    (_inside_itself, Invalid, "contains itself"),
    (_unknown_field, Invalid, "podAffinity is not known"),
    (_no_expression, Invalid, "cannot be computed"),
    (_gpu, Unfit, "google.com/tpu"),
    (_too_large, Unfit, "4000 CPUs cannot be had"),
    (_own_entry, Unfit, "what the image gcr.io/my/tool:1 starts by itself"),
    (_no_program, Unfit, "'no-such-program' of the image"),
    (_built_in, Unfit, "built into the image gcr.io/my/built:1"),
    (_own_library, Unfit, "imports library_of_the_image"),
    (_cloud_tool, Unfit, "uses oc of the image origin-cli:4"),
    (_ray_cluster, Unfit, "makes a Ray cluster in Kubernetes (codeflare_sdk)"),
    (_custom_job, Invalid, "Vertex AI"),
]


@pytest.mark.parametrize(("change", "kind", "words"), CANNOT, ids=[case[0].__name__ for case in CANNOT])
def test_what_cannot_run_is_refused_by_name(
    cluster: LocalCluster,
    tmp_path: Path,
    change: Change,
    kind: type[KubeflowError],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    document = _document()
    change(document)
    error = _refused(tmp_path, document)
    assert isinstance(error, kind)
    assert words in str(error)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"start": "x"}, "start must be a whole number, not 'x'"),
        ({"start": 1.5}, "start must be a whole number, not 1.5"),
        ({"start": True}, "start must be a whole number, not True"),
        ({"names": "x"}, "names must be a list in JSON"),
        ({"names": {"a": 1}}, "names must be a list"),
        ({"word": 3}, "word must be text, not 3"),
        ({"speed": 3}, "no parameter speed"),
    ],
)
def test_parameters_that_do_not_fit(
    cluster: LocalCluster, tmp_path: Path, parameters: dict[str, Any], words: str
) -> None:
    assert words in str(_refused(tmp_path, _document(), **parameters))


def test_a_missing_parameter_and_a_remote_artifact(cluster: LocalCluster, tmp_path: Path) -> None:
    assert "uri is required" in str(_refused(tmp_path, _document("imported")))
    error = _refused(tmp_path, _document("imported"), uri="gs://bucket/x")
    assert isinstance(error, Unfit)
    assert "gs://bucket/x is not on this machine, and gcsfs is not installed" in str(error)
    assert "cannot be fetched from" in str(_refused(tmp_path, _document("imported"), uri="oci://x/y"))
    assert "no file" in str(_refused(tmp_path, _document("imported"), uri="/no/such/file"))


def test_what_asks_for_too_much_runs_with_less(cluster: LocalCluster, tmp_path: Path) -> None:
    document = _document()
    _container(document)["resources"] = {
        "resourceCpuRequest": "4000",
        "accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": "99"},
    }
    assert "--limit add:" in str(_refused(tmp_path, document))
    with pytest.raises(Invalid, match="no step 'gone'"):
        run(tmp_path / "given.yaml", resources={"gone": {"cpu": "1"}})
    limits = {"add": {"cpu": "100m", "gpu": "0"}, "add-2": {"memory": "10Mi"}}
    done = run(tmp_path / "given.yaml", resources=limits).wait(SECONDS)
    graph = succeeded(done).resource.spec["pipeline"]["graph"]
    assert {step["name"]: step["resources"] for step in graph["steps"]}["add"]["cpu"] == "100m"


def test_check_lists_everything_that_cannot_run(cluster: LocalCluster, tmp_path: Path) -> None:
    document = _document()
    for executor in document["deploymentSpec"]["executors"].values():
        executor["container"]["resources"] = {"resourceCpuRequest": "4000"}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(document))
    found = pipelines.check(tmp_path / "p.yaml")
    assert {problem.step for problem in found.errors} == {"add", "add-2", "shout", "describe"}
    assert not pipelines.check(FOLDER / "linear.yaml").errors


def test_a_file_that_is_not_there(cluster: LocalCluster) -> None:
    with pytest.raises(NotFound, match="no file"):
        run("/no/such/pipeline.yaml")


def test_options_of_notebooks_are_refused(cluster: LocalCluster) -> None:
    with pytest.raises(Invalid, match="--only is of notebooks"):
        run(FOLDER / "linear.yaml", only="add")


def test_a_job_of_vertex_brings_values_of_its_own() -> None:
    job = {"pipelineSpec": _document(), "runtimeConfig": {"parameterValues": {"start": 7}}}
    job["runtimeConfig"]["parameters"] = {"word": {"stringValue": "old"}}
    parameters = parsing.read(reading.parse(json.dumps(job)).pipeline).root.inputs.parameters
    assert (parameters["start"].default, parameters["word"].default) == (7, "old")
    job["runtimeConfig"]["parameterValues"]["speed"] = 1
    with pytest.raises(Invalid, match="no parameter speed"):
        reading.parse(json.dumps(job))


def test_kubernetes_own_form_is_read_too() -> None:
    manifest = {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "PipelineVersion",
        "spec": {"pipelineSpec": _document(), "platformSpec": {"platforms": {"kubernetes": {}}}},
    }
    found = reading.parse(yaml.safe_dump(manifest))
    assert parsing.read(found.pipeline).name == "linear"
    assert found.platforms == {"kubernetes": {}}
