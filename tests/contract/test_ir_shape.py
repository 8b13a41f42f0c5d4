"""What is written, without running it: names, types, resources, refusals, size; and kfp parses all of it."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest
import yaml

from jupyter_ext.errors import Unfit
from jupyter_ext.pipelines.ir import export, to_ir
from jupyter_ext.pipelines.ir_step import COMMAND_LIMIT, bundle
from jupyter_ext.pipelines.ir_tasks import task_names
from jupyter_ext.pipelines.model import Cell, Edge, Effect, Foreach, Parameter, Pipeline, Step

pytestmark = pytest.mark.contract


def step(name: str, code: str = "pass", index: int = 1, **more) -> Step:
    return Step(name, cells=(Cell(index, f"c{index}", code),), **more)


def pipeline(*steps: Step, edges=(), **more) -> Pipeline:
    return Pipeline("demo", steps=steps, edges=tuple(Edge(*edge) for edge in edges), **more)


def container(found: dict, task: str) -> dict:
    return found["deploymentSpec"]["executors"][f"exec-{task}"]["container"]


def told(found: dict, task: str) -> dict:
    return json.loads(container(found, task)["command"][3])


FULL = pipeline(
    step("setup", "lr = 0.1\nn = 3\nname = 'a'\nflag = True\nxs = [1, 2.5]\nd = {'a': 1}", kind="setup", writes=("lr", "n")),
    step("Train_Model", "model = lr", 2, reads=("lr",), writes=("model",), retry=2, cache=False, title="Train the model",
         resources={"cpu": "500m", "memory": "4Gi", "nvidia.com/gpu": "2"}, image="python:3.12", env={"A": "b"},
         labels={"team": "x"}, annotations={"note": "y"}, timeout=90.5, secrets={"TOKEN": "vault/key"}),
    step("sweep", "score = rate * 2", 3, reads=("model",), writes=("score", "rate"), collect=("score",),
         foreach=Foreach("rate", "[1, 2]")),
    step("report", "print(score)", 4, reads=("score",), when="len(score) > 1"),
    edges=[("setup", "Train_Model", ("lr",)), ("Train_Model", "sweep", ("model",)), ("sweep", "report", ("score",))],
    parameters=(
        Parameter("lr", "float", 0.1, 1, 1), Parameter("n", "int", 3, 1, 2), Parameter("name", "str", "a", 1, 3),
        Parameter("flag", "bool", True, 1, 4), Parameter("xs", "list", [1, 2.5], 1, 5),
        Parameter("d", "dict", {"a": 1}, 1, 6),
    ),
)  # fmt: skip


def test_kfp_parses_everything_that_can_be_written(parsed):
    volumes = {"volumes": [{"name": "data", "type": "pvc", "mount_point": "/data"}]}
    parsed(export(dataclasses.replace(FULL, metadata=volumes)).to_text())


def test_what_is_read_back_is_what_was_meant():
    exported = export(FULL)
    spec, platform = yaml.safe_load_all(exported.to_text())
    assert spec == exported.spec
    assert platform == exported.platform


def test_parameters_have_types_and_exact_defaults():
    found = to_ir(FULL)["root"]["inputDefinitions"]["parameters"]
    assert {name: (item["parameterType"], item["defaultValue"]) for name, item in found.items()} == {
        "lr": ("NUMBER_DOUBLE", 0.1),
        "n": ("NUMBER_INTEGER", 3),
        "name": ("STRING", "a"),
        "flag": ("BOOLEAN", True),
        "xs": ("LIST", [1, 2.5]),
        "d": ("STRUCT", {"a": 1}),
    }


@pytest.mark.parametrize("default", [float("nan"), float("inf"), 2**53 + 1, [1, float("inf")]])
def test_a_default_that_kfp_cannot_hold_is_refused_by_name(default):
    kind = "list" if isinstance(default, list) else "float" if isinstance(default, float) else "int"
    bad = pipeline(step("a", "big = 1"), parameters=(Parameter("big", kind, default, 1, 1),))
    with pytest.raises(Unfit, match=r"'big' cannot be a parameter of KFP.*cell 1, line 1"):
        to_ir(bad)


def test_resources_are_written_for_old_and_new_servers():
    assert container(to_ir(FULL), "train-model")["resources"] == {
        "cpuRequest": 0.5, "cpuLimit": 0.5, "resourceCpuRequest": "500m", "resourceCpuLimit": "500m",
        "memoryRequest": 4.294967296, "memoryLimit": 4.294967296, "resourceMemoryRequest": "4Gi", "resourceMemoryLimit": "4Gi",
        "accelerator": {"type": "nvidia.com/gpu", "count": "2", "resourceType": "nvidia.com/gpu", "resourceCount": "2"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "resources",
    [{"ephemeral-storage": "1Gi"}, {"nvidia.com/gpu": "1", "amd.com/gpu": "1"}, {"hugepages-2Mi": "4"}],
)
def test_a_resource_that_kfp_cannot_ask_for_is_refused_by_name(resources):
    with pytest.raises(Unfit, match=r"cannot be exported.*step a, cell 1"):
        to_ir(pipeline(step("a", resources=resources)))


def test_settings_of_kubernetes_are_in_the_second_document_and_only_there():
    platform = export(FULL).platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert platform == {
        "exec-train-model": {
            "podMetadata": {"labels": {"team": "x"}, "annotations": {"note": "y"}},
            "activeDeadlineSeconds": "91",
            "secretAsEnv": [
                {
                    "secretName": "vault",
                    "keyToEnv": [{"secretKey": "key", "envVar": "TOKEN"}],
                    "secretNameParameter": {"runtimeValue": {"constant": "vault"}},
                }
            ],
        }
    }
    assert "---" not in export(pipeline(step("a"))).to_text()


NEW_VOLUME = {
    "name": "scratch",
    "type": "new_pvc",
    "mount_point": "/x",
    "size": 2,
    "size_type": "Gi",
    "annotations": [],
}


def test_a_volume_that_a_run_makes_is_made_before_any_step(parsed):
    exported = export(dataclasses.replace(FULL, metadata={"volumes": [NEW_VOLUME]}))
    tasks = exported.spec["root"]["dag"]["tasks"]
    assert all(
        "volume-scratch" in task["dependentTasks"] for name, task in tasks.items() if name != "volume-scratch"
    )
    mounts = exported.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    outside, inside = mounts["exec-setup"]["pvcMount"][0], mounts["exec-sweep-each"]["pvcMount"][0]
    assert outside["pvcNameParameter"]["taskOutputParameter"]["producerTask"] == "volume-scratch"
    assert inside["pvcNameParameter"] == {"componentInputParameter": "pipelinechannel--volume-scratch-name"}
    assert "kfp.local cannot" in exported.to_text()
    parsed(exported.to_text())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "clone"}, "type 'clone' is nothing that KFP makes"),
        ({"snapshot": True}, "snapshots are nothing"),
        ({"size": None}, "no size"),
        ({"name": "Bad name"}, "'Bad name'.*needs a name"),
        ({"volume_access_mode": "rwx"}, "access mode 'rwx'"),
    ],
)
def test_a_volume_that_kfp_has_no_word_for_is_refused_by_name(change, words):
    with pytest.raises(Unfit, match=words):
        to_ir(pipeline(step("a"), metadata={"volumes": [NEW_VOLUME | change]}))


def test_the_notebooks_own_image_caching_and_description():
    found = to_ir(pipeline(step("a"), metadata={"image": "own:1", "cache": False, "description": "d"}))
    assert container(found, "a")["image"] == "own:1"
    assert found["root"]["dag"]["tasks"]["a"]["cachingOptions"] == {}
    assert found["pipelineInfo"]["description"] == "d"


def test_retry_cache_image_and_title():
    found = to_ir(FULL)
    task = found["root"]["dag"]["tasks"]["train-model"]
    assert task["retryPolicy"]["maxRetryCount"] == 2
    assert task["cachingOptions"] == {}
    assert task["taskInfo"]["name"] == "Train the model"
    assert container(found, "train-model")["image"] == "python:3.12"
    assert container(found, "train-model")["env"] == [{"name": "A", "value": "b"}]
    assert found["root"]["dag"]["tasks"]["setup"]["cachingOptions"] == {"enableCache": True}


def test_the_image_of_the_server_is_the_default(monkeypatch):
    monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "hub/notebook:1")
    assert container(to_ir(FULL), "setup")["image"] == "hub/notebook:1"


def test_a_condition_that_nobody_waits_for_starts_no_container():
    found = to_ir(FULL)
    branch = found["root"]["dag"]["tasks"]["report-if"]
    assert branch["triggerPolicy"] == {
        "condition": "inputs.parameter_values['pipelinechannel--report-when-Output'] == true"
    }
    assert set(found["components"]["comp-report-if"]["dag"]["tasks"]) == {"report"}


def test_a_condition_that_others_wait_for_is_looked_at_in_the_step():
    found = to_ir(pipeline(step("a", when="1 < 2"), step("b", index=2), edges=[("a", "b", ())]))
    assert set(found["root"]["dag"]["tasks"]) == {"a", "b"}
    assert told(found, "a")["when"] == "1 < 2"


def test_a_loop_is_an_iterator_over_the_numbers_of_its_items():
    found = to_ir(FULL)
    loop = found["root"]["dag"]["tasks"]["sweep-loop"]
    assert loop["parameterIterator"]["items"] == {"inputParameter": "pipelinechannel--sweep-items-Output"}
    assert found["components"]["comp-sweep-loop"]["outputDefinitions"]["artifacts"]["state"]["isArtifactList"]
    assert found["components"]["comp-sweep"]["inputDefinitions"]["artifacts"]["iterations"]["isArtifactList"]


def test_a_loop_whose_iterations_need_each_other_is_one_task():
    found = to_ir(pipeline(step("a", foreach=Foreach("x", "[1]", parallel=False))))
    assert list(found["root"]["dag"]["tasks"]) == ["a"]


def test_names_are_kubernetes_names_and_never_meet():
    names = ["Train", "train", "train_", "train-driver", "Größe", "-", "x" * 80, "x" * 81, "train-if"]
    found = task_names(pipeline(*(step(name, when="1" if name == "train" else None) for name in names)))
    assert len(set(found.values())) == len(names)
    assert all(name.strip("-") == name and len(name) <= 63 and name.isascii() for name in found.values())
    given = {found["train"], found["train"] + "-if", found["train"] + "-when"}
    assert given.isdisjoint(found[name] for name in names if name != "train")


def test_code_stands_in_the_yaml_as_it_stands_in_the_notebook():
    text = export(pipeline(step("a", "def f(x):\n    return x\n\nprint(f(1))"))).to_text()
    assert "            def f(x):\n                return x\n\n            print(f(1))\n" in text


@pytest.mark.parametrize(
    "code",
    ["'{{workflow.name}}'", "!python3 x.py", '{"Concat": [1]}', "'\ud800'", "'/kfp-workspace'", "'\0'"],
)
def test_code_that_a_reader_on_the_way_would_change_is_encoded(code):
    found = to_ir(pipeline(step("a", code)))
    *_, last = container(found, "a")["command"]
    assert told(found, "a")["cells"][0]["encoded"]
    assert last.isalnum() or "=" in last or "+" in last


def test_no_argument_holds_what_argo_or_kfp_would_replace():
    expression = "'{{x}}' == 'python3'"
    found = to_ir(pipeline(step("a", "'{{x}}'"), step("b", when=expression), edges=[("a", "b", ("x",))]))
    for name in ("a", "b-when", "b"):
        command = container(found, name)["command"]
        assert not any("{{" in part for part in command)
        assert not any("python3" in part for part in command[1:])
    assert told(found, "b-when")["when"] == expression


def test_code_that_no_command_can_hold_is_refused_by_name():
    with pytest.raises(Unfit, match=r"kB, more than a container's command.*step a, cell 1"):
        to_ir(pipeline(step("a", f"x = {'a' * COMMAND_LIMIT!r}")))


def test_only_steps_without_one_before_them_carry_the_code_that_runs_a_step():
    found = to_ir(FULL)
    holding = [
        name
        for name, executor in found["deploymentSpec"]["executors"].items()
        if bundle({}) in executor["container"]["command"]
    ]
    assert holding == ["exec-setup"]


def test_files_beside_the_notebook_go_along_if_they_are_small(tmp_path):
    (tmp_path / "mine.py").write_text("x = 1")
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").write_text("")
    (tmp_path / "small.csv").write_text("a,b\n")
    reads = tuple(Effect("file", "r", name) for name in ("small.csv", "made.csv", "../other"))
    made = step("make", "import os", 1, effects=(Effect("file", "w", "made.csv"),))
    exported = export(
        pipeline(made, step("a", "import mine\nfrom package import y", 2, effects=reads)), folder=tmp_path
    )
    brought = {
        name: (tmp_path / name).read_bytes() for name in ("mine.py", "package/__init__.py", "small.csv")
    }
    assert container(exported.spec, "make")["command"][4] == bundle(brought)
    assert exported.notes == []


def test_a_file_too_big_to_go_along_is_said_at_the_top(tmp_path):
    import random

    (tmp_path / "big.bin").write_bytes(random.Random(0).randbytes(50_000))
    exported = export(pipeline(step("a", effects=(Effect("file", "r", "big.bin"),))), folder=tmp_path)
    assert (
        "# Not in here: big.bin, which step a uses; the image must have it."
        in exported.to_text().splitlines()
    )


def chained(count: int) -> Pipeline:
    names = [f"s{n}" for n in range(count)]
    steps = [
        step(name, f"x{n} = x{n - 1} + 1", n + 1, reads=(f"x{n - 1}",), writes=(f"x{n}",))
        for n, name in enumerate(names)
    ]
    edges = [(a, b, (f"x{n}",)) for n, (a, b) in enumerate(itertools.pairwise(names))]
    return pipeline(*steps, edges=edges)


def test_two_hundred_steps_parse(parsed):
    parsed(export(chained(200)).to_text())


def test_size_grows_with_the_steps_and_nothing_else():
    sizes = [len(export(chained(count)).to_text()) for count in (100, 200, 1100)]
    assert sizes[2] - sizes[1] < 9.5 * (sizes[1] - sizes[0])
    assert sizes[2] < 2_500_000
