"""In kfp's environment: N components written as Python functions, made into a pipeline and written as YAML.

usage: kfp_compile.py N
Counted: dsl.component for each of them, the pipeline function, the compiler, the file. Not counted: import kfp.
"""

import importlib.util
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

from kfp import compiler, dsl  # noqa: E402

number = int(sys.argv[1])
lines = ["def step_0() -> int:", "    return 0", ""]
for index in range(1, number):
    lines += [f"def step_{index}(x: int) -> int:", "    return x + 1", ""]

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "steps.py")
    path.write_text("\n".join(lines))
    spec = importlib.util.spec_from_file_location("steps", path)
    steps = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(steps)
    start = time.perf_counter()
    made = [
        dsl.component(getattr(steps, f"step_{index}"), base_image="python:3.11") for index in range(number)
    ]

    @dsl.pipeline(name="chain")
    def chain() -> None:
        last = made[0]()
        for step in made[1:]:
            last = step(x=last.output)

    compiler.Compiler().compile(chain, str(Path(folder, "chain.yaml")))
    seconds = time.perf_counter() - start
    size = Path(folder, "chain.yaml").stat().st_size
print(json.dumps({"seconds": seconds, "bytes": size}))
