"""Serves with KServe's own server behind our controller and gateway; the last line is JSON of what was answered.

    python serve_with_kserve.py HOME

Runs in an environment that has kserve, its sklearnserver and scikit-learn, with this repository on its path.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

PATIENCE = 200.0
CUSTOM = """
import argparse
import kserve

class Doubler(kserve.Model):
    def load(self):
        self.ready = True
        return True

    def predict(self, payload, headers=None, response_headers=None):
        return {"predictions": [2 * number for number in payload["instances"]]}

parser = argparse.ArgumentParser(parents=[kserve.model_server.parser], conflict_handler="resolve")
args, _ = parser.parse_known_args()
if __name__ == "__main__":
    model = Doubler(args.model_name)
    model.load()
    kserve.ModelServer(http_port=args.http_port, enable_grpc=False).start([model])
"""


def main(folder: Path) -> dict[str, object]:
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    from jupyter_ext import serving
    from jupyter_ext.cluster import discover
    from jupyter_ext.cluster.local import workload
    from jupyter_ext.cluster.resource import Resource

    x, y = load_iris(return_X_y=True)
    files = folder / "model"
    files.mkdir()
    joblib.dump(LogisticRegression(max_iter=500).fit(x, y), files / "model.joblib")
    model = {
        "modelFormat": {"name": "sklearn"},
        "storageUri": f"file://{files}",
        "runtime": "kserve-sklearnserver",
    }
    spec = {"predictor": {"name": "v1", "model": model, "minReplicas": 2}}
    iris = serving.submit(Resource.new("InferenceService", "iris", spec), trust=True)
    program = folder / "doubler.py"
    program.write_text(CUSTOM)
    words = [str(program), "--http_port=8080", "--model_name=doubler"]
    container = {"name": "kserve-container", "command": [sys.executable], "args": words}
    doubler = serving.submit(
        Resource.new("InferenceService", "doubler", {"predictor": {"containers": [container]}})
    )
    told: dict[str, object] = {}
    try:
        iris.wait(PATIENCE)
        told["v1"] = iris.predict({"instances": x[[0, 60, 120]].tolist()})
        told["v2"] = [int(value) for value in iris.predict(x[[0, 60, 120]])]
        told["variant"] = iris.predict({"instances": x[:1].tolist()}, raw=True).variant
        deadline = time.monotonic() + PATIENCE
        while iris.variant("v1").replicas < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        told["replicas"] = iris.variant("v1").replicas
        told["listens"] = listeners(iris.variant("v1").pids)
        doubler.wait(PATIENCE)
        told["doubled"] = doubler.predict({"instances": [1, 2, 3]})
    finally:
        print("".join(iris.logs(tail=60)), "".join(doubler.logs(tail=60)), iris.why(), file=sys.stderr)
        pids = iris.variant("v1").pids
        iris.delete()
        doubler.delete()
        cluster = discover.current()
        workload.stop(cluster, cluster.get("Gateway", "serving").uid, grace=2)
    told["left"] = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    return told


def listeners(pids: tuple[int, ...]) -> list[str]:
    """Where processes listen to the network; a Unix socket is none."""
    import psutil

    # kserve keeps psutil below 6, where this has its old name
    every = [each for pid in pids for each in psutil.Process(pid).connections("inet")]
    return [f"{each.laddr.ip}:{each.laddr.port}" for each in every if each.status == psutil.CONN_LISTEN]


if __name__ == "__main__":
    home = Path(sys.argv[1])
    os.environ["JUPYTER_KUBEFLOW_HOME"] = str(home / "home")
    print(json.dumps(main(home)))
