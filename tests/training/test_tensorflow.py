"""TensorFlow jobs: strategies over several processes, all roles."""

from __future__ import annotations

import json

import pytest

from tests.training.attempt import job, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUIET = "import os; os.environ.update(TF_CPP_MIN_LOG_LEVEL='3', TF_ENABLE_ONEDNN_OPTS='0')\n"
MIRRORED = (
    QUIET
    + """
import json
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
tf.random.set_seed(1)
with strategy.scope():
    weight = tf.Variable(0.0)
task = json.loads(os.environ["TF_CONFIG"])["task"]
mine = 1.0 if task["index"] == 0 else 3.0
@tf.function
def step():
    def local():
        with tf.GradientTape() as tape:
            loss = (weight - mine) ** 2 / strategy.num_replicas_in_sync
        gradient = tape.gradient(loss, weight)
        total = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradient)
        weight.assign_sub(0.2 * total)
    strategy.run(local)
for _ in range(30):
    step()
print(json.dumps({"task": task, "replicas": strategy.num_replicas_in_sync, "weight": round(float(weight.numpy()), 3)}), flush=True)
"""
)


def results(logs):
    return [json.loads(line) for line in logs.splitlines() if line.startswith('{"task"')]


def test_workers_train_one_model(tmp_path):
    verdict, logs = run(job(tmp_path / "job", "tensorflow", MIRRORED, procs=2), 300)
    assert verdict.ok, logs
    assert [(one["replicas"], one["weight"]) for one in results(logs)] == [(2, 2.0), (2, 2.0)], (
        "the mean of 1 and 3"
    )


ROLES = (
    QUIET
    + """
import json, pathlib, sys, time
import tensorflow as tf
resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
folder = pathlib.Path(sys.argv[1])
def say(**facts):
    print(json.dumps({"task": [resolver.task_type, resolver.task_id], **facts}), flush=True)
if resolver.task_type in ("worker", "ps"):
    server = tf.distribute.Server(resolver.cluster_spec(), resolver.task_type, resolver.task_id, protocol="grpc")
    say(serving=True)
    if resolver.task_type == "ps":
        server.join()
    while not (folder / "over").exists():
        time.sleep(0.1)
elif resolver.task_type == "evaluator":
    say(cluster=sorted(resolver.cluster_spec().as_dict()))
else:
    strategy = tf.distribute.ParameterServerStrategy(resolver)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    with strategy.scope():
        count = tf.Variable(0.0)
    @tf.function
    def add():
        count.assign_add(1.0)
        return tf.constant(0)
    for _ in range(10):
        coordinator.schedule(add)
    coordinator.join()
    say(count=float(count.read_value().numpy()), on=count.device)
    (folder / "over").touch()
"""
)


def test_chief_worker_parameter_server_and_evaluator(tmp_path):
    roles = {"chief": 1, "worker": 1, "ps": 1, "evaluator": 1}
    verdict, logs = run(job(tmp_path / "job", "tensorflow", ROLES, roles=roles), 400)
    assert verdict.ok, logs
    found = {one["task"][0]: one for one in results(logs)}
    assert found["chief"]["count"] == 10
    assert "/job:ps" in found["chief"]["on"]
    assert found["worker"]["serving"]
    assert found["ps"]["serving"]
