"""A step as KFP sees it: what its container is told, what it asks for, what Kubernetes adds.

A container's command is ``python3 -c PROGRAM`` followed by what the step is (JSON) and the code of its cells, each
as it stands in the notebook. The code that runs them (``container/``, as a zip) goes with the steps that have no
step before them, and on from there in the artifacts. So the YAML holds it once, and a pipeline of several hundred
steps stays below what Argo can store.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jupyter_ext.errors import Unfit, Where
from jupyter_ext.pipelines.container import SHARED
from jupyter_ext.pipelines.ir_volumes import Volume
from jupyter_ext.pipelines.model import Cell, Step

FIRST = """\
import base64, json, sys, tempfile

# Called like kfp.dsl.executor_main. The second argument is kf_step.zip, the code that runs a step.
folder = tempfile.TemporaryDirectory()
bundle = folder.name + "/kf_step.zip"
with open(bundle, "wb") as file:
    file.write(base64.b64decode(sys.argv.pop(2)))
sys.path.insert(0, bundle)
from kf_step.runner import main

main(bundle)
"""
"""The program of a step that has none before it."""
NEXT = """\
import json, sys

# Called like kfp.dsl.executor_main. kf_step.zip came with the first step and goes on in the states.
states = json.loads(sys.argv[sys.argv.index("--executor_input") + 1])["inputs"]["artifacts"]
state = states[min(states)]["artifacts"][0]
scheme, mark, rest = (state.get("customPath") or state["uri"]).partition("://")
bundle = ("/" + scheme.replace("gs", "gcs") + "/" + rest if mark else scheme) + "/kf_step.zip"
sys.path.insert(0, bundle)
from kf_step.runner import main

main(bundle)
"""
"""The program of every other step."""
COMMAND_LIMIT = 120_000
"""Bytes of a container's command: KFP hands it to its driver as one argument, of which Linux takes 128 KiB."""
BROUGHT_LIMIT = 30_000
"""Compressed bytes of files beside the notebook that may go with a pipeline."""
HAZARDS = ("{{", "python3", "/kfp-workspace", "\0")
"""KFP and Argo replace what stands in double braces, kfp.local the names of the interpreter and of its folder."""
MOVED = re.compile(r"^(\s*from )(?:jupyter_ext\.pipelines|cloudpickle)\b", re.MULTILINE)
"""The imports that read differently in the container."""
PLACEHOLDERS = ('{"Concat": ', '{"IfPresent": ')
"""What KFP takes for a placeholder at the beginning of an argument."""


def bundle(brought: Mapping[str, bytes]) -> str:
    """kf_step.zip in base 64; ``brought`` are files beside the notebook, by path."""
    return _encoded(tuple(sorted(brought.items())))


@cache
def _encoded(brought: tuple[tuple[str, bytes], ...]) -> str:
    here = Path(__file__).parent
    shared = [here / f"{name}.py" for name in SHARED]
    found: dict[str, str | bytes] = {}
    for path in [*sorted((here / "container").glob("*.py")), *shared]:
        found[f"kf_step/{path.name}"] = MOVED.sub(r"\1kf_step", path.read_text("utf-8"))
    spec = importlib.util.find_spec("cloudpickle.cloudpickle")
    if spec is None or spec.origin is None:
        raise Unfit("the source of cloudpickle is not here", hint="Install cloudpickle from its wheel.")
    # With its licence, which stands in its first lines.
    found["kf_step/cloudpickle.py"] = Path(spec.origin).read_bytes()
    found |= {f"brought/{name}": content for name, content in brought}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in found.items():
            # Equal content gives an equal archive: KFP's cache goes by the command.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)
    return base64.b64encode(buffer.getvalue()).decode()


def container(
    step: Step, told: Mapping[str, Any], cells: Sequence[Cell], zipped: str | None, image: str
) -> dict[str, Any]:
    """The executor's container. ``told`` is what ``container/runner.py`` needs to know; ``zipped`` the bundle."""
    sources = [_safe(cell.source) for cell in cells]
    listed = [
        {"index": cell.index, "id": cell.id} | ({"encoded": True} if source is not cell.source else {})
        for cell, source in zip(cells, sources, strict=True)
    ]
    message = {**told, "cells": listed}
    text = json.dumps(message, separators=(", ", ": "))
    for hazard in HAZARDS[:-1]:
        text = text.replace(hazard, f"{hazard[0]}\\u{ord(hazard[1]):04x}{hazard[2:]}")
    command = ["python3", "-c", *([FIRST, text, zipped] if zipped else [NEXT, text]), *sources]
    size = sum(len(part.encode()) for part in command)
    if size > COMMAND_LIMIT:
        raise Unfit(
            f"the code of the step takes {size // 1000} kB, more than a container's command can hold",
            where=Where(cell=cells[0].index if cells else None, object=f"step {step.name}"),
            hint="Read big constants from a file, or split the step.",
        )
    described: dict[str, Any] = {
        "image": step.image or image,
        "command": command,
        "args": ["--executor_input", "{{$}}", "--function_to_execute", step.name],
    }
    if step.env:
        described["env"] = [{"name": name, "value": value} for name, value in step.env.items()]
    wanted = resources(step)
    if wanted:
        described["resources"] = wanted
    return described


def _safe(source: str) -> str:
    """The code itself, or base 64 of it where a reader on the way would change it."""
    try:
        plain = source.encode()
    except UnicodeEncodeError:
        plain = source.encode(errors="surrogatepass")
    else:
        if not source.startswith(PLACEHOLDERS) and not any(hazard in source for hazard in HAZARDS):
            return source
    return base64.b64encode(plain).decode()


def resources(step: Step) -> dict[str, Any]:
    """Request and limit alike, in the fields that old servers read and in those that new ones do."""
    from jupyter_ext.cluster.resource import parse_cpu, parse_memory

    found: dict[str, Any] = {}
    for name, amount in step.resources.items():
        if name == "cpu":
            cores = parse_cpu(amount) / 1000
            found |= {
                "cpuRequest": cores,
                "cpuLimit": cores,
                "resourceCpuRequest": amount,
                "resourceCpuLimit": amount,
            }
        elif name == "memory":
            gigabytes = parse_memory(amount) / 1e9
            found |= {"memoryRequest": gigabytes, "memoryLimit": gigabytes}
            found |= {"resourceMemoryRequest": amount, "resourceMemoryLimit": amount}
        elif "/" in name and "accelerator" not in found:
            if int(amount):
                found["accelerator"] = {
                    "type": name,
                    "count": amount,
                    "resourceType": name,
                    "resourceCount": amount,
                }
        else:
            raise refused(step, f"limit:{name}:{amount}", "KFP takes cpu, memory and one kind of accelerator")
    return found


def refused(step: Step, setting: str, reason: str, hint: str | None = None) -> Unfit:
    """The error for a setting that a pipeline on KFP cannot honour."""
    cell = step.cells[0] if step.cells else None
    where = Where(
        cell=cell.index if cell else None, cell_id=cell.id if cell else None, object=f"step {step.name}"
    )
    return Unfit(
        f"{setting} cannot be exported: {reason}", where=where, hint=hint or "Remove it, or run locally."
    )


def kubernetes(step: Step, volumes: Sequence[Volume], *, inside: bool) -> dict[str, Any]:
    """The executor's settings in the platform document (KubernetesExecutorConfig); empty if there are none."""
    found: dict[str, Any] = {}
    metadata = {"labels": dict(step.labels), "annotations": dict(step.annotations)}
    if step.labels or step.annotations:
        found["podMetadata"] = {key: value for key, value in metadata.items() if value}
    if step.timeout:
        found["activeDeadlineSeconds"] = str(math.ceil(step.timeout))
    secrets: dict[str, list[dict[str, str]]] = {}
    for variable, source in step.secrets.items():
        name, _, key = source.partition("/")
        secrets.setdefault(name, []).append({"secretKey": key, "envVar": variable})
    if secrets:
        found["secretAsEnv"] = [
            {
                "secretName": name,
                "keyToEnv": keys,
                "secretNameParameter": {"runtimeValue": {"constant": name}},
            }
            for name, keys in secrets.items()
        ]
    if volumes:
        found["pvcMount"] = [volume.mounted(inside=inside) for volume in volumes]
    return found
