"""In the SDK's environment: a TrainJob on a cluster, followed to its end; requests that were sent, and seconds.

usage: sdk_cluster_train.py NAMESPACE RUNTIME IMAGE NODES
The imports are not counted; KUBECONFIG names the cluster.
"""

import json
import os
import sys
import time

from counted import sent
from kubeflow.common.types import KubernetesBackendConfig
from kubeflow.trainer import CustomTrainer, TrainerClient

namespace, runtime, image, nodes = sys.argv[1:]


def train() -> None:
    print("trained", flush=True)


client = TrainerClient(KubernetesBackendConfig(namespace=namespace, config_file=os.environ["KUBECONFIG"]))
sent.clear()
start = time.perf_counter()
name = client.train(
    runtime=runtime,
    trainer=CustomTrainer(
        func=train, image=image, num_nodes=int(nodes), env={"PATH": "/opt/notebook/bin:/usr/bin:/bin"}
    ),
)
client.wait_for_job_status(name)
lines = "".join(client.get_job_logs(name))
seconds = time.perf_counter() - start
assert "trained" in lines, lines
requests = len(sent)
client.delete_job(name)
print(json.dumps({"seconds": seconds, "requests": requests}))
