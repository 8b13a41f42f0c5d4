"""Experiments as they are written for a cluster: they run here, or are refused by name."""

# ruff: noqa: ARG005 - what is tried is given to every trial, whether it uses it or not
from __future__ import annotations

import copy
import sys

import pytest
import yaml

from jupyter_ext import tuning
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, Unfit
from tests.tuning.conftest import until

PROGRAM = """
import sys
lr = float(next(word for word in sys.argv if word.startswith("--lr=")).partition("=")[2])
for epoch in range(3):
    print(f"epoch={epoch} loss={lr + 1 / (epoch + 1)} accuracy={1 - lr}", flush=True)
"""

YAML = """
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata:
  name: random
spec:
  objective:
    type: minimize
    goal: 0.001
    objectiveMetricName: loss
    additionalMetricNames: [accuracy]
  algorithm:
    algorithmName: random
  parallelTrialCount: 2
  maxTrialCount: 4
  maxFailedTrialCount: 3
  parameters:
    - name: lr
      parameterType: double
      feasibleSpace: {min: "0.01", max: "0.05"}
    - name: momentum
      parameterType: double
      feasibleSpace: {min: "0.5", max: "0.9"}
  trialTemplate:
    primaryContainerName: training-container
    trialParameters:
      - {name: learningRate, description: Learning rate, reference: lr}
      - {name: momentum, description: Momentum, reference: momentum}
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            containers:
              - name: training-container
                image: somewhere/mnist:latest
                command: [PYTHON, PROGRAM, "--lr=${trialParameters.learningRate}", "--momentum=${trialParameters.momentum}"]
                resources: {limits: {memory: 128Mi, cpu: "0.5"}}
            restartPolicy: Never
"""


@pytest.fixture
def manifest(tmp_path, cluster):
    program = tmp_path / "mnist.py"
    program.write_text(PROGRAM)
    return yaml.safe_load(YAML.replace("PYTHON", sys.executable).replace("PROGRAM", str(program)))


def container(manifest) -> dict:
    return manifest["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]


def submitted(manifest) -> tuning.Experiment:
    return tuning.submit(Resource.from_dict(manifest))


def test_a_job_whose_command_exists_here(manifest):
    found = submitted(manifest).wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    for row in found.trials():
        assert row["value"] == pytest.approx(row["parameters"]["lr"] + 1 / 3)
        assert row["metrics"]["accuracy"] == pytest.approx(1 - row["parameters"]["lr"])
    assert "epoch=2" in "".join(found.trial(0).logs())
    (first, *_) = found.curves()["series"]
    assert len(first["points"]) == 3


def test_nothing_goes_through_a_shell(manifest, tmp_path):
    manifest["spec"]["parameters"][1] = {
        "name": "momentum", "parameterType": "categorical",
        "feasibleSpace": {"list": [f"$(touch {tmp_path}/x)`touch {tmp_path}/y`;touch {tmp_path}/z", "a b'\"c"]},
    }  # fmt: skip
    program = tmp_path / "echo.py"
    program.write_text("import sys\nprint(repr(sys.argv[1]))\nprint('loss=1')\n")
    container(manifest)["command"] = [
        sys.executable, str(program), "${trialParameters.momentum}", "${trialParameters.learningRate}",
    ]  # fmt: skip
    found = submitted(manifest).wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    for row in found.trials():
        assert repr(row["parameters"]["momentum"]) in "".join(found.trial(row["number"]).logs())
    assert not any((tmp_path / name).exists() for name in "xyz")


def test_facts_of_the_trial_and_variables(manifest, tmp_path):
    program = tmp_path / "facts.py"
    program.write_text("import os\nprint(os.environ['WHO'], os.environ['TWICE'])\nprint('loss=1')\n")
    template = manifest["spec"]["trialTemplate"]
    template["trialParameters"] += [
        {"name": "who", "reference": "${trialSpec.Name}"},
        {"name": "label", "reference": "${trialSpec.Labels[custom]}"},
    ]
    template["trialSpec"]["metadata"] = {"labels": {"custom": "mine"}}
    container(manifest).update(
        command=[sys.executable, str(program), "${trialParameters.learningRate}${trialParameters.momentum}"],
        env=[
            {"name": "WHO", "value": "${trialParameters.who}/${trialParameters.label}"},
            {"name": "TWICE", "value": "$(WHO)+$(WHO)$$(X)"},
        ],
    )
    found = submitted(manifest).wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    assert "".join(found.trial(1).logs()).startswith("random-1/mine random-1/mine+random-1/mine$(X)")


def test_metrics_from_a_file_by_a_filter(manifest, tmp_path):
    program = tmp_path / "filed.py"
    program.write_text(
        "import sys\nwith open(sys.argv[1], 'a') as file:\n    file.write('{metricName: loss, metricValue: 0.25}\\n')\n"
    )
    manifest["spec"]["metricsCollectorSpec"] = {
        "collector": {"kind": "File"},
        "source": {
            "filter": {"metricsFormat": ["{metricName: ([\\w|-]+), metricValue: ((-?\\d+)(\\.\\d+)?)}"]},
            "fileSystemPath": {"path": "/katib/mnist.log", "kind": "File"},
        },
    }
    words = ["/katib/mnist.log", "${trialParameters.learningRate}${trialParameters.momentum}"]
    container(manifest)["command"] = [sys.executable, str(program), *words]
    found = submitted(copy.deepcopy(manifest)).wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    assert [row["value"] for row in found.trials()] == [0.25] * 4

    container(manifest)["command"][2] = "elsewhere.log"
    manifest["metadata"]["name"] = "other"
    with pytest.raises(Unfit, match=r"All trials would write /katib/mnist\.log"):
        submitted(manifest)


def test_metrics_from_a_json_file(manifest, tmp_path):
    program = tmp_path / "filed.py"
    line = '{"epoch": "0", "loss": "0.5", "timestamp": "2021-12-02T14:27:51"}'
    program.write_text(f"import sys\nopen(sys.argv[1], 'a').write('{line}\\n')\n")
    manifest["spec"]["metricsCollectorSpec"] = {
        "collector": {"kind": "File"},
        "source": {"fileSystemPath": {"path": "/katib/mnist.json", "kind": "File", "format": "JSON"}},
    }
    words = ["/katib/mnist.json", "${trialParameters.learningRate}${trialParameters.momentum}"]
    container(manifest)["command"] = [sys.executable, str(program), *words]
    found = submitted(manifest).wait(60)
    assert found.best.value == 0.5


def test_a_command_that_fails(manifest, tmp_path):
    program = tmp_path / "bad.py"
    program.write_text("import sys\nprint('before')\nsys.exit('it cannot be done')\n")
    container(manifest)["command"][1] = str(program)
    found = submitted(manifest).wait(60)
    assert found.phase == "FAILED"
    assert "exit code 1: it cannot be done" in found.reason


def test_median_stop_ends_a_command(manifest, tmp_path):
    program = tmp_path / "slow.py"
    program.write_text(
        "import sys, time\nlr = float(sys.argv[1])\n"
        "for step in range(int(60 if lr > 0.04 else 3)):\n    print(f'loss={lr}', flush=True)\n    time.sleep(0.1)\n"
    )
    container(manifest)["command"] = [
        sys.executable, str(program), "${trialParameters.learningRate}", "${trialParameters.momentum}",
    ]  # fmt: skip
    manifest["spec"] |= {
        "parallelTrialCount": 1,
        "maxTrialCount": 5,
        "algorithm": {"algorithmName": "grid"},
        "earlyStopping": {
            "algorithmName": "medianstop",
            "algorithmSettings": [
                {"name": "min_trials_required", "value": "2"},
                {"name": "start_step", "value": "2"},
            ],
        },
        "parameters": [
            {
                "name": "lr",
                "parameterType": "double",
                "feasibleSpace": {"min": "0.01", "max": "0.05", "step": "0.01"},
            },
            {"name": "momentum", "parameterType": "discrete", "feasibleSpace": {"list": ["1"]}},
        ],
    }
    found = submitted(manifest).wait(120)
    assert found.phase == "SUCCEEDED", found.reason
    assert found.trial(4).state == "PRUNED"
    assert found.trial(4).row["seconds"] < 6
    assert found.resource.status["trialsEarlyStopped"] >= 1


def test_a_killed_controller_begins_commands_again(manifest, tmp_path, cluster):
    import os
    import signal

    from jupyter_ext.cluster.local import locks

    program = tmp_path / "slow.py"
    program.write_text("import sys, time\ntime.sleep(0.4)\nprint('loss=' + sys.argv[1])\n")
    container(manifest)["command"] = [
        sys.executable, str(program), "${trialParameters.learningRate}", "${trialParameters.momentum}",
    ]  # fmt: skip
    found = submitted(manifest)
    uid = found.resource.uid
    until(lambda: found.counts["running"] > 0)
    os.kill(locks.holder(cluster.lock_path(uid)), signal.SIGKILL)
    found.wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    assert found.counts["succeeded"] == 4


def change(path: str, value):
    def apply(manifest):
        *way, last = path.split(".")
        target = manifest
        for part in way:
            target = target[int(part)] if part.isdecimal() else target[part]
        if value is None:
            del target[int(last) if last.isdecimal() else last]
        else:
            target[int(last) if isinstance(target, list) else last] = value

    return apply


JOB = "spec.trialTemplate.trialSpec.spec"
POD = f"{JOB}.template.spec"


@pytest.mark.parametrize(
    ("path", "value", "field", "words"),
    [
        ("spec.algorithm.algorithmName", "tpee", "spec.algorithm.algorithmName", "Did you mean tpe?"),
        ("spec.algorithm.algorithmName", "enas", "spec.algorithm.algorithmName", "enas cannot run on this machine"),
        ("spec.algorithm.algorithmName", "darts", "spec.algorithm.algorithmName", "network architectures"),
        ("spec.algorithm", None, "spec.algorithm.algorithmName", "There is no algorithm None"),
        ("spec.algorithm.algorithmSettings", [{"name": "seed", "value": "1"}],
         "spec.algorithm.algorithmSettings[0].name", "It has: random_state"),
        ("spec.algorithm.algorithmSettings", [{"name": "random_state", "value": "x"}],
         "spec.algorithm.algorithmSettings[0].value", "random_state 'x' is not possible"),
        ("spec.algorithm.algorithmName", "grid", "spec.parameters", "A grid over lr is endless"),
        ("spec.algorithm.algorithmName", "hyperband", "spec.algorithm.algorithmSettings", "needs the settings resource_name, r_l"),
        ("spec.parameters.0.feasibleSpace.min", "0.5", "spec.parameters[0].feasibleSpace.min", "min 0.5 is greater than max 0.05"),
        ("spec.parameters.0.feasibleSpace.min", "one", "spec.parameters[0].feasibleSpace.min", "is not a number"),
        ("spec.parameters.0.feasibleSpace.max", None, "spec.parameters[0].feasibleSpace.max", "max is missing"),
        ("spec.parameters.0.feasibleSpace.step", "-1", "spec.parameters[0].feasibleSpace.step", "is not above 0"),
        ("spec.parameters.0.feasibleSpace.list", ["1"], "spec.parameters[0].feasibleSpace.list", "list is not for double"),
        ("spec.parameters.0.feasibleSpace.distribution", "poisson", "spec.parameters[0].feasibleSpace.distribution", "poisson"),
        ("spec.parameters.0.parameterType", "float", "spec.parameters[0].parameterType", "There are: double, int"),
        ("spec.parameters.1.name", "lr", "spec.parameters[1].name", "two parameters 'lr'"),
        ("spec.parameters", [], "spec.parameters", "no parameters"),
        ("spec.objective.type", "minimise", "spec.objective.type", "Write minimize or maximize"),
        ("spec.objective.objectiveMetricName", None, "spec.objective.objectiveMetricName", "no name"),
        ("spec.objective.additionalMetricNames", ["loss"], "spec.objective.additionalMetricNames", "loss is the objective"),
        ("spec.maxTrialCount", 0, "spec.maxTrialCount", "at least 1"),
        ("spec.maxTrialCount", "12", "spec.maxTrialCount", "valid integer"),
        ("spec.parallelTrialCount", 9, "spec.parallelTrialCount", "greater than maxTrialCount 4"),
        ("spec.maxFailedTrialCount", 9, "spec.maxFailedTrialCount", "greater than maxTrialCount"),
        ("spec.resumePolicy", "Sometimes", "spec.resumePolicy", "There are: Never, LongRunning, FromVolume"),
        ("spec.earlyStopping", {"algorithmName": "hope"}, "spec.earlyStopping.algorithmName", "There is medianstop"),
        ("spec.nasConfig", {"graphConfig": {}}, "spec.nasConfig", "network architectures"),
        ("spec.maxTrials", 3, "spec.maxTrials", "Did you mean maxTrialCount?"),
        ("spec.metricsCollectorSpec", {"collector": {"kind": "TensorFlowEvent"}},
         "spec.metricsCollectorSpec.collector.kind", "TensorFlowEvent cannot run on this machine"),
        ("spec.metricsCollectorSpec", {"collector": {"kind": "StdOut"}, "source": {"filter": {"metricsFormat": ["(x)"]}}},
         "spec.metricsCollectorSpec.source.filter.metricsFormat[0]", "It needs two"),
        ("spec.trialTemplate", None, "spec.trialTemplate", "no trial template"),
        ("spec.trialTemplate.trialSpec.kind", "TaskRun", "spec.trialTemplate.trialSpec.kind", "TaskRun cannot run"),
        ("spec.trialTemplate.trialParameters.0.reference", "lrr", "spec.trialTemplate.trialParameters[0]", "'lrr', which is no parameter"),
        ("spec.trialTemplate.trialParameters.0.name", "rate", "spec.trialTemplate.trialSpec", "${trialParameters.learningRate}"),
        ("spec.trialTemplate.primaryContainerName", "main", f"{POD}.containers[0].name", "main"),
        (f"{POD}.containers.0.command.0", "no-such-program", "spec.trialTemplate.trialSpec",
         "no-such-program does not exist on this machine"),
        (f"{POD}.containers.0.command.1", "/opt/pytorch-mnist/mnist.py", "spec.trialTemplate.trialSpec",
         "/opt/pytorch-mnist/mnist.py does not exist on this machine"),
        (f"{POD}.containers.0", {"name": "training-container", "image": "x", "args": [
            "${trialParameters.learningRate}", "${trialParameters.momentum}"]},
         f"{POD}.containers[0].command", "The command is in the image x only"),
        (f"{POD}.containers.0.env", [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
         f"{POD}.containers[0].env[0].valueFrom.secretKeyRef", "TOKEN comes from a secretKeyRef"),
        (f"{POD}.initContainers", [{"name": "a"}], f"{POD}.initContainers", ""),
        (f"{JOB}.parallelism", 3, f"{JOB}.parallelism", "Use a TrainJob"),
        (f"{POD}.containers.0.resources.limits.cpu", "4000", "spec.trialTemplate.trialSpec", "cannot be had"),
    ],
)  # fmt: skip
def test_what_is_refused(manifest, path, value, field, words):
    change(path, value)(manifest)
    with pytest.raises(KubeflowError) as caught:
        tuning.check(Resource.from_dict(manifest))
    assert isinstance(caught.value, Invalid | Unfit)
    assert words in str(caught.value)
    if field:
        assert caught.value.where.field == field


def test_apply_again(manifest, cluster):
    found = submitted(manifest).wait(60)
    more = copy.deepcopy(manifest)
    more["spec"]["maxTrialCount"] = 6
    more["spec"]["resumePolicy"] = "LongRunning"
    with pytest.raises(Conflict, match="resumePolicy"):
        tuning.update(Resource.from_dict(more))
    del more["spec"]["resumePolicy"]
    with pytest.raises(Conflict, match="resumePolicy is Never"):
        tuning.update(Resource.from_dict(more))
    assert found.resource.spec["maxTrialCount"] == 4


def test_a_running_one_takes_up_a_change(manifest, tmp_path):
    program = tmp_path / "slow.py"
    program.write_text("import sys, time\ntime.sleep(0.3)\nprint('loss=' + sys.argv[1])\n")
    container(manifest)["command"] = [
        sys.executable, str(program), "${trialParameters.learningRate}", "${trialParameters.momentum}",
    ]  # fmt: skip
    found = submitted(manifest)
    until(lambda: found.counts["succeeded"] > 0)
    manifest["spec"]["maxTrialCount"] = 7
    tuning.update(Resource.from_dict(manifest))
    found.wait(60)
    assert found.counts["succeeded"] == 7


def test_what_is_made_here_validates_upstream(tune):
    from kubeflow_katib_api.models.v1beta1_experiment import V1beta1Experiment
    from kubeflow_katib_api.models.v1beta1_trial import V1beta1Trial

    space = {"lr": "double(1e-4,1e-1,log)", "n": "int(1,3)", "o": "categorical(a,b)", "d": "discrete(1,2)"}
    found = tune(
        lambda lr, n, o, d: lr, space, "loss:min:1e-9", algorithm="tpe", settings={"n_startup_trials": 2},
        early_stopping="medianstop", trials=2, max_failed=1, additional=["acc"],
    ).wait(60)  # fmt: skip
    plain = found.resource.to_dict()
    made = V1beta1Experiment.from_dict({**plain, "metadata": {"name": found.name}})
    assert made.spec.algorithm.algorithm_name == "tpe"
    assert made.status.trials_succeeded == 2
    trial = found.trial(0).resource.to_dict()
    assert V1beta1Trial.from_dict({**trial, "metadata": {"name": "t"}}).status.observation.metrics
    assert (
        tuning.check(found.resource).space
        == tuning.check(Resource.from_dict(found.resource.manifest())).space
    )
