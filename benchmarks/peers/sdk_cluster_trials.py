"""In the SDK's environment: an experiment with its trials, asked for once; requests that were sent, and seconds.

usage: sdk_cluster_trials.py NAMESPACE NAME
The imports are not counted; KUBECONFIG names the cluster.
"""

import json
import os
import sys
import time

from counted import sent
from kubeflow.common.types import KubernetesBackendConfig
from kubeflow.optimizer import OptimizerClient

namespace, name = sys.argv[1:]
client = OptimizerClient(KubernetesBackendConfig(namespace=namespace, config_file=os.environ["KUBECONFIG"]))
sent.clear()
start = time.perf_counter()
found = client.get_job(name)
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "requests": len(sent), "trials": len(found.trials)}))
