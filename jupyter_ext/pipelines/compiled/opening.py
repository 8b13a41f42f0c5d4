"""Open a step of a compiled pipeline in a live kernel: what it was given, its code, and a call of it.

Nothing that the pipeline says reaches a shell: code goes into a cell only where it is Python as it stands, and a command is a
list of words for ``subprocess``.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Conflict, NotFound
from jupyter_ext.pipelines.compiled import bootstrap, environments, parsing, plan, results, steering
from jupyter_ext.pipelines.compiled.environments import Environment
from jupyter_ext.pipelines.compiled.placeholders import Placeholders, facts_of
from jupyter_ext.pipelines.compiled.results import Results
from jupyter_ext.pipelines.compiled.spec import Container
from jupyter_ext.pipelines.debugging import live_shell

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

_UNNAMED: Final = re.compile(r"[^\w.-]+")
_MOST: Final = 1000
"""Folders of one step that was opened again and again."""


@dataclass(frozen=True)
class Opened:
    """A unit of a run, and what it was told: its inputs, and new places for its outputs."""

    name: str
    status: Mapping[str, Any]
    leaf: plan.Leaf
    inputs: Results
    told: dict[str, Any]
    folder: Path
    placeholders: Placeholders

    @property
    def function(self) -> bootstrap.PythonFunction | None:
        """The function of a lightweight component."""
        return bootstrap.read(self.leaf.executor) if isinstance(self.leaf.executor, Container) else None

    @property
    def source(self) -> str:
        """Its source, as it is run."""
        return self.placeholders.text(self.function.source) if self.function else ""


def chosen(resource: Resource, step: str | None) -> Mapping[str, Any]:
    """The status of the named step or iteration, else of what failed; raises NotFound or Conflict."""
    statuses = list(resource.status.get("steps", ()))
    if step is None:
        failed = [s for s in statuses if s["state"] == "FAILED" and s.get("inputDigest")]
        if not failed:
            raise Conflict(
                f"No step of run {resource.name} failed in its code", hint="Name the step to open."
            )
        return dict(failed[0])
    found = next((status for status in statuses if status["name"] == step), None)
    if found is None:
        names = [status["name"] for status in statuses if not status.get("parent")]
        raise NotFound(f"Run {resource.name} has no step {step!r}", hint=f"Steps: {', '.join(names[:20])}.")
    iterations = [status for status in statuses if status.get("parent") == step and status.get("inputDigest")]
    iterations.sort(key=lambda status: status["state"] != "FAILED")
    found = iterations[0] if iterations else found
    if not found.get("inputDigest"):
        ran = found["state"] == "SUCCEEDED"
        why = "It imported an artifact; only what runs code can be opened." if ran else "It has not begun."
        raise Conflict(f"Step {step} was given nothing", hint=found.get("reason") or why)
    return dict(found)


def _leaf(cluster: LocalCluster, resource: Resource, status: Mapping[str, Any]) -> plan.Leaf:
    base = status.get("parent") or status["name"]
    leaves = plan.make(parsing.read(steering.document(cluster, resource).pipeline)).leaves.values()
    return next(leaf for leaf in leaves if leaf.name == base)


def opened(cluster: LocalCluster, resource: Resource, step: str | None, *, make: bool = False) -> Opened:
    """What is known of a step that was begun; with ``make`` its outputs get a folder of their own."""
    status = chosen(resource, step)
    leaf = _leaf(cluster, resource, status)
    inputs = Results.from_dict(json.loads(cluster.blobs.read(status["inputDigest"])))
    root = cluster.work_folder(resource.uid)
    folder = _folder(root / "opened" / _UNNAMED.sub("_", status["name"])[:80], make=make)
    told = results.executor_input(inputs, leaf.component.outputs, folder)
    facts = facts_of(resource, root, leaf.task.name, f"{status['name']}-opened")
    return Opened(status["name"], status, leaf, inputs, told, folder, Placeholders(told, facts))


def _folder(base: Path, *, make: bool) -> Path:
    """The next free number below ``base``; the last one is used again where there are too many."""
    number = next((n for n in range(1, _MOST) if not (base / str(n)).exists()), _MOST)
    if make:
        results.make_folders(base / str(number))
    return base / str(number)


def load(
    cluster: LocalCluster, resource: Resource, step: str | None, namespace: dict[str, Any] | None
) -> dict[str, str]:
    """Bind what a step was given, and the places of its outputs, in ``namespace`` (the live kernel's without one).

    Returns ``{name: one line about the value}``.
    """
    found = opened(cluster, resource, step, make=True)
    if namespace is None:
        namespace = live_shell().user_ns
    if found.function is not None:
        _make_importable(environments.of_function(cluster, found.function), found.folder)
    values = _python_values(found) if found.function else _command_values(found)
    namespace.update(values)
    return {name: _line(value) for name, value in values.items()}


def _make_importable(place: Environment, folder: Path) -> None:
    """The packages that the component asked for, and what components use of the SDK where that is not installed."""
    if place.folder is not None and place.ready:
        for packages in sorted((place.folder / "lib").glob("python*/site-packages")):
            if str(packages) not in sys.path:
                sys.path.insert(0, str(packages))
    if place.sdk and place.sdk not in sys.path:
        sys.path.append(place.sdk)
    from importlib import import_module

    import_module("kfp.dsl.types.artifact_types").__dict__["CONTAINER_TASK_ROOT"] = str(folder)


def _python_values(found: Opened) -> dict[str, Any]:
    """By name, as the function's own parameters are."""
    marks = _annotations(found)
    values: dict[str, Any] = {}
    for name, told in found.told["inputs"]["parameterValues"].items():
        value = found.placeholders.value(told)
        values[name] = _final_status(value) if "PipelineTaskFinalStatus" in marks.get(name, "") else value
    for name, port in found.told["inputs"]["artifacts"].items():
        made = [_artifact(one) for one in port["artifacts"]]
        if found.leaf.component.inputs.artifacts[name].is_list:
            values[name] = made
        elif made:
            values[name] = made[0].path if "InputPath" in marks.get(name, "") else made[0]
    for name, place in found.told["outputs"]["parameters"].items():
        if name in marks:
            values[name] = place["outputFile"]
    for name, port in found.told["outputs"]["artifacts"].items():
        if name in marks:
            made_one = _artifact(port["artifacts"][0])
            values[name] = made_one.path if "OutputPath" in marks[name] else made_one
    environment = _environment(found)
    return {**values, **({"environment": environment} if environment else {})}


def _environment(found: Opened) -> dict[str, str]:
    assert isinstance(found.leaf.executor, Container)
    return {name: found.placeholders.text(value) for name, value in found.leaf.executor.env.items()}


def _command_values(found: Opened) -> dict[str, Any]:
    """The names of inputs may be no Python names: all of them are in ``inputs``."""
    given = {name: found.placeholders.value(value) for name, value in found.inputs.parameters.items()}
    paths = {name: [one["uri"] for one in listed] for name, listed in found.inputs.artifacts.items()}
    outputs = found.told["outputs"]
    made = {name: port["artifacts"][0]["uri"] for name, port in outputs["artifacts"].items()}
    files = {name: port["outputFile"] for name, port in outputs["parameters"].items()}
    found.told["inputs"]["parameterValues"] = given
    executor = found.leaf.executor
    assert isinstance(executor, Container)
    return {
        "inputs": {**given, **{name: v[0] if len(v) == 1 else v for name, v in paths.items()}},
        "outputs": {**files, **made},
        "command": found.placeholders.words([*executor.command, *executor.args]),
        "environment": _environment(found),
        "folder": str(found.folder),
    }


def _artifact(one: Mapping[str, Any]) -> Any:
    from kfp import dsl

    title = str(one.get("type", {}).get("schemaTitle", "")).rpartition(".")[2]
    kind: Any = getattr(dsl, title, None)
    made = kind if isinstance(kind, type) and issubclass(kind, dsl.Artifact) else dsl.Artifact
    return made(name=one["name"], uri=one["uri"], metadata=dict(one.get("metadata") or {}))


def _final_status(value: Mapping[str, Any]) -> Any:
    from kfp import dsl

    error = value.get("error") or {}
    return dsl.PipelineTaskFinalStatus(
        state=value.get("state", ""),
        pipeline_job_resource_name=value.get("pipelineJobResourceName", ""),
        pipeline_task_name=value.get("pipelineTaskName", ""),
        error_code=error.get("code"),
        error_message=error.get("message"),
    )


def _function_node(source: str, name: str) -> ast.FunctionDef | None:
    """The function itself; None where the source is not Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return found[-1] if found else None


def _annotations(found: Opened) -> dict[str, str]:
    """The function's parameters, each with its annotation as text."""
    assert found.function is not None
    node = _function_node(found.source, found.function.function)
    listed = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs] if node else []
    return {each.arg: ast.unparse(each.annotation) if each.annotation else "" for each in listed}


def _line(value: Any) -> str:
    path = getattr(value, "path", None)
    text = f"{type(value).__name__} at {path}" if isinstance(path, str) else repr(value)
    return text if len(text) <= 200 else text[:200] + "…"


# The notebook


def debug_notebook(cluster: LocalCluster, resource: Resource, step: str | None) -> dict[str, Any]:
    """The same as ``debugging.debug_notebook``: the inputs, the function's source, and a call of it; or the command."""
    found = opened(cluster, resource, step)
    code = f"import jupyter_ext as kf\n\nkf.pipelines.get({resource.name!r}).open({found.name!r})"
    cells = _function_cells(found) if found.function else _command_cells(found)
    said = f"## Step `{found.name}` of run `{resource.name}`\n\n{_said(cluster, found)}"
    book = {
        "cells": [_cell("markdown", "kubeflow-about", said), _cell("code", "kubeflow-inputs", code), *cells],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = Path(resource.spec["pipeline"]["path"] or "pipeline.yaml")
    start = cells[0] if cells else None
    return {
        "step": found.name,
        "code": code,
        "path": str(path.with_name(f"{path.stem}.debug-{_UNNAMED.sub('-', found.name).strip('-')}.ipynb")),
        "cellId": start["id"] if start else None,
        "cell": {"index": 3, "id": start["id"]} if start else None,
        "line": (found.status.get("error") or {}).get("line"),
        "notebook": book,
    }


def _said(cluster: LocalCluster, found: Opened) -> str:
    """Why somebody is here, and what is different from the step's own process."""
    lines = [_code_words(str(found.status.get("reason") or found.status.get("state", "")))]
    lines.append(
        "The first cell loads what the step was given; its outputs go to a new folder, never to the run's."
    )
    if found.function:
        place = environments.of_function(cluster, found.function)
        asked = ", ".join(found.function.requirements)
        if place.folder is not None and asked:
            ready = "comes first in this kernel" if place.ready else "is not made yet"
            lines.append(f"It asks for {_code_words(asked)}: the environment that was made for it {ready}.")
        if _function_node(found.source, found.function.function) is None:
            lines.append("Its source is no Python that this interpreter reads, so it is shown only.")
    return "\n\n".join(lines)


def _code_words(text: str) -> str:
    """Text as Markdown shows it and never reads it."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def _function_cells(found: Opened) -> list[dict[str, Any]]:
    assert found.function is not None
    node = _function_node(found.source, found.function.function)
    source = found.source.strip("\n")
    if node is None:
        return [_cell("raw", "kubeflow-component", source)]
    known = _given(found)
    arguments = [name for name in _annotations(found) if name in known]
    lines = ["import os", "", "os.environ.update(environment)"] if _environment(found) else []
    call = "".join(f"    {name}={name},\n" for name in arguments)
    lines.append(f"{node.name}(\n{call})" if call else f"{node.name}()")
    return [
        _cell("code", "kubeflow-component", source),
        _cell("code", "kubeflow-call", "\n".join(lines)),
    ]


def _given(found: Opened) -> set[str]:
    """What ``load`` binds and the function is called with; the function's own defaults stand for null."""
    told = found.told
    names = {name for name, value in told["inputs"]["parameterValues"].items() if value is not None}
    names |= {name for name, port in told["inputs"]["artifacts"].items() if port["artifacts"]}
    return names | {*told["outputs"]["parameters"], *told["outputs"]["artifacts"]}


def _command_cells(found: Opened) -> list[dict[str, Any]]:
    code = (
        "import os\nimport subprocess\n\n"
        "done = subprocess.run(\n"
        "    command,\n"
        "    cwd=os.path.join(folder, 'scratch'),\n"
        "    env={**os.environ, **environment},\n"
        "    stdin=subprocess.DEVNULL,\n"
        "    stdout=subprocess.PIPE,\n"
        "    stderr=subprocess.STDOUT,\n"
        "    text=True,\n"
        "    errors='replace',\n"
        ")\nprint(done.stdout)\ndone.returncode"
    )
    values = _command_values(found)
    words = "".join(f"    {_word(word, values['folder'])},\n" for word in values["command"])
    command = f"# As the step got it; \u201cfolder\u201d is where its outputs go now.\ncommand = [\n{words}]"
    return [_cell("code", "kubeflow-component", command), _cell("code", "kubeflow-call", code)]


def _word(word: str, folder: str) -> str:
    """A word as Python: literals, broken at the word's own lines, and ``folder`` where the word has that."""
    parts: list[str] = []
    for number, text in enumerate(word.split(folder)):
        parts += ["folder"] if number else []
        parts += [repr(line) for line in text.splitlines(keepends=True)]
    if len(parts) <= 1:
        return parts[0] if parts else "''"
    if "folder" in parts or "\n" not in word:
        return " + ".join(parts)
    return "(\n" + "".join(f"        {part}\n" for part in parts) + "    )"


def _cell(kind: str, id_: str, source: str) -> dict[str, Any]:
    found: dict[str, Any] = {"cell_type": kind, "id": id_, "metadata": {}, "source": source}
    return found | ({"execution_count": None, "outputs": []} if kind == "code" else {})
