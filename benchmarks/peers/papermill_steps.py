"""In papermill's environment: one notebook with one trivial cell per step, seconds of executing them in order.

usage: papermill_steps.py STEPS
"""

import json
import sys
import tempfile
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import papermill  # noqa: E402

cell = {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": "x = 0", "outputs": [],
        "execution_count": None}  # fmt: skip
add = {**cell, "id": "b", "metadata": {}, "source": "x + 1"}
spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
content = {"cells": [cell, add], "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}

with tempfile.TemporaryDirectory() as folder:
    source, target = Path(folder, "in.ipynb"), Path(folder, "out.ipynb")
    source.write_text(json.dumps(content))
    start = time.perf_counter()
    for number in range(int(sys.argv[1])):
        papermill.execute_notebook(source, target, {"x": number}, kernel_name="python3", progress_bar=False)
    seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds}))
