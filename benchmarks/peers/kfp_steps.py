"""In kfp's environment: a chain of trivial components with kfp.local, seconds of one pipeline run.

usage: kfp_steps.py STEPS default|lean
``default`` is what dsl.component does by itself; ``lean`` has install_kfp_package=False, its fastest setting.
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

steps, setting = int(sys.argv[1]), sys.argv[2]


def add(x: int) -> int:
    return x + 1


step = dsl.component(add, base_image="python:3.11", install_kfp_package=setting == "default")


@dsl.pipeline(name="chain")
def chain() -> int:
    last = step(x=0)
    for _ in range(steps - 1):
        last = step(x=last.output)
    return last.output


with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=folder)
    start = time.perf_counter()
    result = chain()
    seconds = time.perf_counter() - start
assert result.output == steps, result.output
print(json.dumps({"seconds": seconds}))
