"""Run components with the KFP SDK's own executor: a list of requests on standard input, each as ``run_component`` takes it."""

import json
import os
import runpy
import sys
import tempfile

os.environ["_KFP_RUNTIME"] = "true"

for request in json.load(sys.stdin):
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(request, file)
    sys.argv = [request["program"], file.name]
    try:
        runpy.run_path(request["program"], run_name="__main__")
    except SystemExit as ended:
        print(json.dumps({"code": ended.code}))
