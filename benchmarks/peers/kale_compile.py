"""In Kale's environment: a notebook with N tagged cells made into YAML, as its command line does it.

usage: kale_compile.py N
Counted: reading the notebook, the analysis, the Python that Kale writes, kfp's compiler. Not counted: import kale.
"""

import contextlib
import io
import json
import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from kale.common import kfputils  # noqa: E402
from kale.compiler import Compiler  # noqa: E402
from kale.processors import NotebookProcessor  # noqa: E402


def cell(number: int) -> dict:
    tags = [f"step:s{number}"] + ([f"prev:s{number - 1}"] if number else [])
    source = f"x{number} = x{number - 1} + 1" if number else "x0 = 0"
    return {"cell_type": "code", "id": f"c{number}", "metadata": {"tags": tags}, "source": source, "outputs": [],
            "execution_count": None}  # fmt: skip


kale = {"pipeline_name": "chain", "experiment_name": "bench", "base_image": "python:3.11"}
spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
content = {"cells": [cell(n) for n in range(int(sys.argv[1]))], "metadata": {"kernelspec": spec, "kubeflow_notebook": kale},
           "nbformat": 4, "nbformat_minor": 5}  # fmt: skip

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    Path("chain.ipynb").write_text(json.dumps(content))
    with contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        processor = NotebookProcessor("chain.ipynb", {})
        pipeline = processor.run()
        script = Compiler(pipeline, processor.get_imports_and_functions()).compile()
        package = kfputils.compile_pipeline(script, "chain")
        seconds = time.perf_counter() - start
    size = Path(package).stat().st_size
print(json.dumps({"seconds": seconds, "bytes": size}))
