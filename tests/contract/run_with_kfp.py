"""In kfp's environment: parse exported pipelines, and run them with kfp.local.

Reads ``[{"yaml", "arguments", "folder"}]`` as JSON and writes ``[{"log", "error", "metadata"}]`` as its last line.
Without ``folder`` a pipeline is only parsed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

import yaml  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from kfp import components, local  # noqa: E402
from kfp.pipeline_spec import pipeline_spec_pb2  # noqa: E402


def parse(text: str) -> Any:
    """The component that kfp makes of it; both documents must fit their messages exactly."""
    spec, *platform = yaml.load_all(text, Loader=yaml.CSafeLoader)
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    for document in platform:
        json_format.ParseDict(document, pipeline_spec_pb2.PlatformSpec())
    deployment = pipeline_spec_pb2.PipelineDeploymentConfig()
    json_format.ParseDict(spec["deploymentSpec"], deployment)
    return components.load_component_from_text(text)


def job(item: dict[str, Any]) -> dict[str, Any]:
    """Parse and run one."""
    log = io.StringIO()
    answer: dict[str, Any] = {"error": "", "metadata": {}}
    with contextlib.redirect_stdout(log), tempfile.TemporaryDirectory() as root:
        try:
            component = parse(item["yaml"])
            if item.get("folder"):
                os.chdir(item["folder"])
                local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root)
                component(**item["arguments"])
                for path in Path(root).rglob("executor_output.json"):
                    artifacts = json.loads(path.read_text()).get("artifacts", {})
                    shown = {name: each["artifacts"][0].get("metadata") for name, each in artifacts.items()}
                    answer["metadata"][path.parent.name] = shown
        except Exception:
            answer["error"] = traceback.format_exc()
    return {**answer, "log": log.getvalue()}


if __name__ == "__main__":
    print(json.dumps([job(item) for item in json.load(sys.stdin)]))
