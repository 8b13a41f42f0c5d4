"""In kfp's environment: four independent components of one second each with kfp.local, seconds of the pipeline.

usage: kfp_parallel.py cpu|sleep
"""

import contextlib
import io
import json
import sys
import tempfile
import time
import warnings

warnings.simplefilter("ignore")

from kfp import dsl, local  # noqa: E402


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def cpu() -> int:
    import time

    end = time.process_time() + 1
    while time.process_time() < end:
        pass
    return 1


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def sleep() -> int:
    import time

    time.sleep(1)
    return 1


@dsl.pipeline(name="four")
def four() -> None:
    for _ in range(4):
        {"cpu": cpu, "sleep": sleep}[sys.argv[1]]()


with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=folder)
    start = time.perf_counter()
    four()
    seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds}))
