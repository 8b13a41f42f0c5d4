"""In the SDK's environment: a job with its LocalProcessBackend, seconds to the first line of user code.

usage: sdk_train.py WHEEL
WHEEL stands in for torch (see train_start.py). The imports are not counted.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from kubeflow.trainer import CustomTrainer, LocalProcessBackendConfig, TrainerClient


def train() -> None:
    import time

    first = time.time()
    import os
    import pathlib

    if os.environ.get("RANK", "0") == "0":
        out = pathlib.Path(os.environ["OUT"])
        out.with_suffix(".new").write_text(str(first))
        out.with_suffix(".new").rename(out)


with tempfile.TemporaryDirectory() as folder:
    out = Path(folder) / "out"
    client = TrainerClient(LocalProcessBackendConfig())
    # Without HOME and PATH pip finds no cache and the script no rm: the backend passes on nothing by itself.
    env = {"OUT": str(out), "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", folder)}
    trainer = CustomTrainer(func=train, packages_to_install=[f"torch @ file://{sys.argv[1]}"], env=env)
    start = time.time()
    name = client.train(trainer=trainer, runtime="torch-distributed")
    deadline = time.monotonic() + 120
    while not out.exists():
        if time.monotonic() > deadline:
            sys.exit("".join(client.get_job_logs(name)))
        time.sleep(0.005)
    seconds = float(out.read_text()) - start
    client.wait_for_job_status(name, timeout=120)
print(json.dumps({"seconds": seconds}))
