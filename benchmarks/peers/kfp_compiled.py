"""In kfp's environment: compiled pipelines with kfp.local, as they come.

usage: kfp_compiled.py FILE.yaml ARGUMENTS-AS-JSON, or kfp_compiled.py - with a request in each line that is read

A request is ``{"file", "arguments", "venv", "as_installed", "limit"}``. With ``venv`` each step has an environment of its
own, as is the default there; else packages are looked for in this one. With ``as_installed`` the kfp that steps ask for is
the one that is here. Each request has a process of its own, which need not import kfp again; ``limit`` are its seconds.
"""

import contextlib
import io
import json
import os
import re
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import kfp  # noqa: E402
from kfp import components, local  # noqa: E402


def shown(value: object) -> object:
    """A value; of an artifact the text of its file, which is gone when this process is."""
    if isinstance(value, list):
        return [shown(each) for each in value]
    path = getattr(value, "path", None)
    if path and Path(path).is_file():
        return Path(path).read_text("utf-8", errors="replace")
    return value


def run(request: dict) -> dict:
    """Seconds, outputs, and the error if there is one."""
    outputs, error = {}, ""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        text = Path(request["file"]).read_text("utf-8")
        if request.get("as_installed"):
            text = re.sub(r"kfp==\d[\w.-]*", f"kfp=={kfp.__version__}", text)
        local.init(runner=local.SubprocessRunner(use_venv=bool(request.get("venv"))), pipeline_root=folder)
        start = time.perf_counter()
        try:
            pipeline = components.load_component_from_text(text)
            start = time.perf_counter()
            outputs = pipeline(**request["arguments"]).outputs
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
        seconds = time.perf_counter() - start
        outputs = {name: shown(value) for name, value in dict(outputs).items()}
    return {"seconds": seconds, "error": error[:500], "outputs": outputs}


def alone(request: dict) -> dict:
    """The same in a process of its own, which ends with everything in it when its time is over."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            try:
                answer.write_text(json.dumps(run(request), default=str), "utf-8")
            finally:
                os._exit(0)
        end = time.monotonic() + request["limit"]
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return {"seconds": 0.0, "error": f"not done after {request['limit']} s", "outputs": {}}
            time.sleep(0.02)
        return json.loads(answer.read_text("utf-8"))


if sys.argv[1] != "-":
    print(json.dumps(run({"file": sys.argv[1], "arguments": json.loads(sys.argv[2])}), default=str))
else:
    for line in sys.stdin:
        print(json.dumps(alone(json.loads(line))), flush=True)
