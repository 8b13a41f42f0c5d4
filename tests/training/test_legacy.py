"""The v1 kinds: YAML as it was written for the training operator, run here or refused by name."""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import replace

import pytest
import yaml

from jupyter_ext import training
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, KubeflowError, Unfit
from jupyter_ext.training import launch, legacy
from jupyter_ext.training.containers import expanded
from jupyter_ext.training.launch import Ports
from tests.training.attempt import job, run

PYTORCH = """
apiVersion: kubeflow.org/v1
kind: PyTorchJob
metadata: {name: pytorch-simple, namespace: kubeflow}
spec:
  runPolicy: {cleanPodPolicy: None, activeDeadlineSeconds: 600, backoffLimit: 4}
  pytorchReplicaSpecs:
    Master:
      replicas: 1
      restartPolicy: OnFailure
      template: &pod
        metadata: {annotations: {sidecar.istio.io/inject: "false"}}
        spec:
          nodeSelector: {kind: fast}
          containers:
            - name: pytorch
              image: docker.io/kubeflowkatib/pytorch-mnist:v1beta1-45c5727
              imagePullPolicy: Always
              command: [python3, /opt/train.py, "--epochs=1", "$(GREETING)", "$$HOME"]
              env:
                - {name: GREETING, value: hello}
                - {name: WHO, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
              resources: {limits: {cpu: 1500m, memory: 1Gi}}
              volumeMounts: [{name: shm, mountPath: /dev/shm}]
          volumes: [{name: shm, emptyDir: {medium: Memory}}]
    Worker:
      replicas: 2
      template: *pod
"""

TENSORFLOW = """
apiVersion: kubeflow.org/v1
kind: TFJob
metadata: {name: dist-mnist}
spec:
  runPolicy: {suspend: true}
  tfReplicaSpecs:
    PS: {replicas: 1, restartPolicy: Never, template: &pod {spec: {containers: [
      {name: tensorflow, image: tf, command: [python, train.py], args: [--batch, "10"]}]}}}
    Worker: {replicas: 2, restartPolicy: ExitCode, template: *pod}
    Chief: {template: *pod}
    Evaluator: {template: *pod}
"""

XGBOOST = """
apiVersion: kubeflow.org/v1
kind: XGBoostJob
metadata: {name: xgb}
spec:
  xgbReplicaSpecs:
    Master: {replicas: 1, template: &pod {spec: {containers: [{name: xgboost, command: [python, main.py]}]}}}
    Worker: {replicas: 2, template: *pod}
"""


def resource(text, change=None):
    data = yaml.safe_load(text)
    if change:
        data = copy.deepcopy(data)  # anchors are one object
        change(data["spec"])
    return Resource.from_dict(data)


def spec_of(tmp_path, one):
    return job(tmp_path, **legacy.to_job(one))


def planned(spec):
    with Ports() as ports:
        return launch.plan(spec, sys.executable, ports)


def test_a_pytorchjob(tmp_path):
    spec = spec_of(tmp_path, resource(PYTORCH))
    assert (spec.framework, spec.nodes_max, spec.restarts, spec.deadline) == ("torch", 3, 4, 600)
    assert (spec.cpu_milli, spec.memory) == (1500, 1 << 30)
    parts = planned(spec)
    assert [(one.part, one.role, one.decides, one.restart) for one in parts] == [
        ("master-0", "master", True, "OnFailure"),
        ("worker-0", "worker", False, "OnFailure"),
        ("worker-1", "worker", False, "OnFailure"),
    ]
    first, *_, last = parts
    assert first.argv == (sys.executable, "/opt/train.py", "--epochs=1", "hello", "$HOME")
    assert (last.env["RANK"], last.env["WORLD_SIZE"], last.env["PET_NODE_RANK"]) == ("2", "3", "2")
    assert (last.env["GREETING"], last.env["WHO"]) == ("hello", "pytorch-simple-worker-1")
    assert len({one.env["MASTER_PORT"] for one in parts}) == 1


def test_a_tfjob(tmp_path):
    spec = spec_of(tmp_path, resource(TENSORFLOW))
    assert spec.suspend
    parts = {one.part: one for one in planned(spec)}
    assert list(parts) == ["chief-0", "worker-0", "worker-1", "ps-0", "evaluator-0"]
    assert [name for name, one in parts.items() if one.decides] == ["chief-0"]
    assert parts["worker-1"].restart == "ExitCode"
    assert parts["worker-1"].argv == (sys.executable, "train.py", "--batch", "10")
    config = json.loads(parts["worker-1"].env["TF_CONFIG"])
    assert config["task"] == {"type": "worker", "index": 1}
    assert {role: len(places) for role, places in config["cluster"].items()} == {
        "chief": 1,
        "worker": 2,
        "ps": 1,
    }


def test_success_is_what_the_policy_says(tmp_path):
    def all_workers(spec):
        del spec["tfReplicaSpecs"]["Chief"]
        spec["successPolicy"] = "AllWorkers"

    def no_chief(spec):
        del spec["tfReplicaSpecs"]["Chief"]

    for change, deciding in ((all_workers, ["worker-0", "worker-1"]), (no_chief, ["worker-0"])):
        parts = planned(spec_of(tmp_path, resource(TENSORFLOW, change)))
        assert [one.part for one in parts if one.decides] == deciding


def test_one_replica_is_no_cluster(tmp_path):
    def alone(spec):
        spec["tfReplicaSpecs"] = {"Worker": {"template": spec["tfReplicaSpecs"]["Worker"]["template"]}}

    (only,) = planned(spec_of(tmp_path, resource(TENSORFLOW, alone)))
    assert "TF_CONFIG" not in only.env


def test_an_xgboostjob(tmp_path):
    parts = planned(spec_of(tmp_path, resource(XGBOOST)))
    assert [one.env["RANK"] for one in parts] == ["0", "1", "2"]
    assert parts[2].env["WORKER_ADDRS"] == "127.0.0.1,127.0.0.1"
    assert parts[1].env["MASTER_PORT"] == parts[0].env["MASTER_PORT"]


def test_an_elastic_pytorchjob(tmp_path):
    def elastic(spec):
        del spec["pytorchReplicaSpecs"]["Master"], spec["runPolicy"]["backoffLimit"]
        spec["elasticPolicy"] = {"minReplicas": 1, "maxReplicas": 2, "maxRestarts": 7, "rdzvBackend": "c10d"}
        spec["nprocPerNode"] = "2"

    spec = spec_of(tmp_path, resource(PYTORCH, elastic))
    assert (spec.nodes_min, spec.nodes_max, spec.procs, spec.restarts) == (1, 2, 2, 7)
    first, second = planned(spec)
    assert first.env["PET_NNODES"] == "1:2"
    assert first.env["PET_NPROC_PER_NODE"] == "2"
    assert first.env["PET_RDZV_ENDPOINT"] == second.env["PET_RDZV_ENDPOINT"]
    assert not first.essential


def master(spec):
    return spec["pytorchReplicaSpecs"]["Master"]


def container(spec):
    return master(spec)["template"]["spec"]["containers"][0]


def pod(spec):
    return master(spec)["template"]["spec"]


MASTER = "spec.pytorchReplicaSpecs.Master"
POD = f"{MASTER}.template.spec"


@pytest.mark.parametrize(
    ("change", "error", "field", "words"),
    [
        (lambda s: s.update(replicas=1), Invalid, "spec.replicas", "no field 'replicas'"),
        (
            lambda s: s["runPolicy"].update(backofLimit=1),
            Invalid,
            "spec.runPolicy.backofLimit",
            "'backoffLimit'",
        ),
        (
            lambda s: s["runPolicy"].update(backoffLimit="many"),
            Invalid,
            "spec.runPolicy.backoffLimit",
            "'many'",
        ),
        (
            lambda s: s["runPolicy"].update(cleanPodPolicy="Some"),
            Invalid,
            "spec.runPolicy.cleanPodPolicy",
            "None, Run",
        ),
        (
            lambda s: s["runPolicy"].update(ttlSecondsAfterFinished=9),
            *(Unfit, "spec.runPolicy.ttlSecondsAfterFinished", "not deleted by itself"),
        ),
        (lambda s: s["runPolicy"].update(managedBy="kueue"), Unfit, "spec.runPolicy.managedBy", "kueue"),
        (
            lambda s: s["pytorchReplicaSpecs"].update(PS={}),
            Invalid,
            "spec.pytorchReplicaSpecs.PS",
            "no field 'PS'",
        ),
        (lambda s: s.update(pytorchReplicaSpecs={}), Invalid, "spec.pytorchReplicaSpecs", "no replica"),
        (lambda s: s.update(nprocPerNode="auto"), Unfit, "spec.nprocPerNode", "Give a number"),
        (lambda s: s.update(elasticPolicy={"metrics": [{}]}), Unfit, "spec.elasticPolicy.metrics", "scales"),
        (
            lambda s: s.update(elasticPolicy={"rdzvBackend": "etcd"}),
            Unfit,
            "spec.elasticPolicy.rdzvBackend",
            "c10d",
        ),
        (lambda s: master(s).update(replicas="1"), Invalid, f"{MASTER}.replicas", "'1' is not a number"),
        (lambda s: master(s).update(restartPolicy="Often"), Invalid, f"{MASTER}.restartPolicy", "'Often'"),
        (lambda s: pod(s).update(initContainers=[{}]), Unfit, f"{POD}.initContainers", "images"),
        (
            lambda s: pod(s)["containers"].append({"name": "side"}),
            Unfit,
            f"{POD}.containers[1].name",
            "'pytorch'",
        ),
        (
            lambda s: pod(s)["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": "d"}}),
            *(Unfit, f"{POD}.volumes[1]", r"data \(persistentVolumeClaim\)"),
        ),
        (
            lambda s: container(s)["volumeMounts"].append({"name": "shm", "mountPath": "/data"}),
            *(Unfit, f"{POD}.containers[0].volumeMounts[1]", "/data"),
        ),
        (
            lambda s: container(s).pop("command"),
            Unfit,
            f"{POD}.containers[0].command",
            "in the image docker.io/",
        ),
        (
            lambda s: container(s).update(command="python"),
            Invalid,
            f"{POD}.containers[0].command",
            "must be a list",
        ),
        (
            lambda s: container(s)["command"].append(3),
            Invalid,
            f"{POD}.containers[0].command[5]",
            "not a text",
        ),
        (
            lambda s: container(s).update(workingDir="/no/such"),
            Unfit,
            f"{POD}.containers[0].workingDir",
            "/no/such",
        ),
        (lambda s: container(s).update(envFrom=[{}]), Unfit, f"{POD}.containers[0].envFrom", "envFrom"),
        (
            lambda s: container(s)["env"].append(
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s"}}}
            ),
            *(Unfit, f"{POD}.containers[0].env[2].valueFrom.secretKeyRef", "KEY comes from a secretKeyRef"),
        ),
        (
            lambda s: container(s)["resources"]["limits"].update({"amd.com/gpu": 1}),
            *(Unfit, f"{POD}.containers[0].resources.limits.amd.com/gpu", "no amd.com/gpu here"),
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(change, error, field, words):
    with pytest.raises(error, match=words) as found:
        legacy.to_job(resource(PYTORCH, change))
    assert found.value.where.field == field


def test_dynamic_workers_are_refused():
    with pytest.raises(Unfit, match="enableDynamicWorker"):
        legacy.to_job(resource(TENSORFLOW, lambda spec: spec.update(enableDynamicWorker=True)))


@pytest.mark.parametrize("kind", legacy.KINDS)
@pytest.mark.parametrize("spec", [{}, {"runPolicy": 3}, {"runPolicy": []}, {"x": 1}])
def test_nonsense_is_an_error_of_ours(kind, spec):
    with pytest.raises(KubeflowError):
        legacy.to_job(Resource("kubeflow.org/v1", kind, "a", spec=spec))


@pytest.mark.parametrize(
    ("text", "result"),
    [("$(A) $(B) $$(A) $A", "1 $(B) $(A) $A"), ("$$$(A)", "$1"), ("$(", "$(")],
)
def test_references_are_expanded_as_kubernetes_does(text, result):
    assert expanded(text, {"A": "1"}) == result


TRAIN = """
import os, torch, torch.distributed as dist
dist.init_process_group("gloo")
one = torch.ones(1)
dist.all_reduce(one)
print(f"sum={one.item():g} of={dist.get_world_size()} said={os.environ['GREETING']}", flush=True)
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_a_pytorchjob_runs_as_it_was_written(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(TRAIN)

    def here(spec):
        spec["pytorchReplicaSpecs"]["Worker"]["replicas"] = 1
        container(spec)["command"] = ["python", str(script)]
        spec["pytorchReplicaSpecs"]["Worker"]["template"] = master(spec)["template"]

    verdict, logs = run(spec_of(tmp_path / "job", resource(PYTORCH, here)))
    assert verdict.ok, logs
    assert "sum=2 of=2 said=hello" in logs


@pytest.mark.slow
def test_a_worker_that_fails_is_started_again_beside_the_others(tmp_path):
    """``restartPolicy: OnFailure``, up to the backoffLimit."""
    script = tmp_path / "flaky.py"
    script.write_text(
        "import os, pathlib, sys, time\n"
        f"tries = pathlib.Path({str(tmp_path)!r}) / os.environ['RANK']\n"
        "with tries.open('a') as file: file.write('x')\n"
        "if os.environ['RANK'] == '1' and len(tries.read_text()) < 3: sys.exit(1)\n"
        f"while not pathlib.Path({str(tmp_path)!r}, '1').exists() or "
        f"len(pathlib.Path({str(tmp_path)!r}, '1').read_text()) < 3: time.sleep(0.05)\n"
    )

    def here(spec):
        spec["pytorchReplicaSpecs"]["Worker"]["replicas"] = 1
        for role in spec["pytorchReplicaSpecs"].values():
            role["template"]["spec"]["containers"][0]["command"] = ["python", str(script)]

    spec = spec_of(tmp_path / "job", resource(PYTORCH, here))
    verdict, logs = run(spec)
    assert verdict.ok, logs
    assert (tmp_path / "1").read_text() == "xxx"
    for path in (tmp_path / "0", tmp_path / "1"):
        path.unlink()
    verdict, _ = run(replace(spec, restarts=1))
    assert verdict.reason == "worker-0 ended with exit code 1."


TASKS = """
import json, os, time
task = json.loads(os.environ["TF_CONFIG"])["task"]
print(f"step=1 loss={task['index']}.5", flush=True)
if task["type"] == "ps":
    time.sleep(1000)
"""


def test_the_controller_runs_it_and_ends_what_never_ends(tmp_path, monkeypatch):
    """A TFJob without tensorflow: its own commands decide what they need. Parameter servers end with the job."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(TASKS)

    def here(spec):
        del spec["runPolicy"]
        for name in ("Chief", "Worker", "PS", "Evaluator"):
            spec["tfReplicaSpecs"][name] = {
                "replicas": 1,
                "template": spec["tfReplicaSpecs"]["PS"]["template"],
            }

    handle = training.submit(resource(TENSORFLOW, here)).wait(60)
    assert (handle.phase, handle.reason) == ("SUCCEEDED", "Done.")
    assert handle.metrics["loss"] == 0.5
    assert [row["part"] for row in handle.ranks] == ["chief-0", "worker-0", "ps-0", "evaluator-0"]
    assert "loss=0.5" in "".join(handle.logs(rank=0))
