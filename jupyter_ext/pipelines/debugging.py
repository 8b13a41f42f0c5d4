"""Open a step in a live kernel: its inputs, its code, and the place where it failed."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Conflict, NotFound
from jupyter_ext.pipelines import graph, notebook, parameters
from jupyter_ext.pipelines.exchange import ValueRef
from jupyter_ext.pipelines.versions import Inputs, select, visible

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.model import Pipeline


def pipeline_of(resource: Resource, source: Mapping[str, Any]) -> Pipeline:
    """The run's pipeline with its parameters bound."""
    book = notebook.read(dict(source), path=resource.spec["pipeline"]["path"])
    return parameters.bind(graph.analyse(book), resource.spec.get("parameters", {}))


def chosen_step(resource: Resource, step: str | None) -> str:
    """The named step, else the failed one; raises NotFound or Conflict."""
    statuses = resource.status.get("steps", ())
    names = [status["name"] for status in statuses if not status.get("parent")]
    if step is not None:
        base = step.partition("[")[0]
        if base not in names:
            raise NotFound(f"Run {resource.name} has no step {step!r}", hint=f"Steps: {', '.join(names)}.")
        return base
    failed = [
        status["name"] for status in statuses if status["state"] == "FAILED" and not status.get("parent")
    ]
    if not failed:
        raise Conflict(
            f"No step of run {resource.name} failed", hint=f"Name the step to open: {', '.join(names)}."
        )
    return str(failed[0])


def step_cells(resource: Resource, source: Mapping[str, Any], step: str) -> list[dict[str, Any]]:
    """The cells of a step as they were run: ``{index, id, source}``."""
    cells = source.get("cells", ())
    steps = resource.spec["pipeline"]["graph"]["steps"]
    found = next((item for item in steps if item["name"] == step), None)
    if found is None:
        raise NotFound(f"Run {resource.name} has no step {step!r}")
    wanted = [(cell["index"], cell["id"]) for cell in found["cells"]]
    return [
        {"index": i, "id": id_, "source": _text(cells[i - 1])} for i, id_ in wanted if 1 <= i <= len(cells)
    ]


def code_of(resource: Resource, source: Mapping[str, Any], step: str) -> dict[str, Any]:
    """The step's cells as run, and the same cells of the notebook as it is now (None if it is gone)."""
    cells = step_cells(resource, source, step)
    path = resource.spec["pipeline"]["path"]
    if not path or not Path(path).exists():
        return {"cells": cells, "now": None}
    current = notebook.read(Path(path)).content.get("cells", [])
    by_id = {cell.get("id"): (index, cell) for index, cell in enumerate(current, 1) if cell.get("id")}
    now = []
    for cell in cells:
        index, found = by_id.get(cell["id"], (cell["index"], None))
        if found is None and cell["index"] <= len(current):
            found = current[cell["index"] - 1]
        if found is not None:
            now.append({"index": index, "id": cell["id"], "source": _text(found)})
    return {"cells": cells, "now": now}


def inputs_of(resource: Resource, source: Mapping[str, Any], step: str) -> Inputs:
    """What the step was given, or would be given now."""
    pipeline = pipeline_of(resource, source)
    place = {item.name: position for position, item in enumerate(pipeline.steps)}
    added = {s["name"]: s.get("edgesAdded", ()) for s in resource.status.get("steps", ())}
    before = _before(pipeline, step, added) if pipeline.order == "declared" else set(place)
    finished = [
        (status, tuple(ValueRef.from_dict(ref) for ref in status.get("outputs", ())))
        for status in resource.status.get("steps", ())
        if status["state"] == "SUCCEEDED" and status["name"] in before
        and place.get(status["name"], len(place)) < place[step]
    ]  # fmt: skip
    return select(pipeline.step(step), visible(finished))


def _before(pipeline: Pipeline, step: str, added: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    stack = [step]
    while stack:
        current = stack.pop()
        for parent in (*pipeline.parents(current), *added.get(current, ())):
            if parent not in found:
                found.add(parent)
                stack.append(parent)
    return found


def live_shell() -> Any:
    """The notebook that is loaded into where no namespace was given. Raises Conflict where there is none."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise Conflict("There is no notebook to load into", hint="Give a dict: run.open(namespace={}).")
    return shell


def load_inputs(
    cluster: LocalCluster, resource: Resource, source: Mapping[str, Any], step: str | None,
    namespace: dict[str, Any] | None,
) -> dict[str, Any]:  # fmt: skip
    """Bind a step's inputs in ``namespace`` (in the live kernel's without one) and set the hidden state.

    Returns ``{name: one line about the value}``. Values that only lived in the step's process are named there.
    """
    from jupyter_ext.pipelines import hidden
    from jupyter_ext.pipelines.kube import leaving
    from jupyter_ext.pipelines.values import load

    name = chosen_step(resource, step)
    given = inputs_of(resource, source, name)
    leaving.bring_values(cluster, resource, given.refs)
    if namespace is None:
        shell = live_shell()
        namespace = shell.user_ns
        leaving.bring(cluster, resource, given.hidden.values())
        hidden.apply(given.hidden, cluster.blobs, shell)
    load(namespace, given.refs, cluster.blobs)
    summaries = {n: ref.summary.get(n, ref.types.get(n, "")) for ref in given.refs for n in ref.names}
    lost = {
        n: f"not stored: it only lived in the process of step {holder}" for n, holder in given.live.items()
    }
    return {**summaries, **lost}


def debug_notebook(resource: Resource, source: Mapping[str, Any], step: str | None) -> dict[str, Any]:
    """``{step, code, path, cellId, cell, notebook}``: a notebook whose first cell loads the step's inputs.

    ``path`` is beside the original. ``cell`` is where to begin: the one that failed, else the step's first.
    """
    name = chosen_step(resource, step)
    status: dict[str, Any] = next((s for s in resource.status.get("steps", ()) if s["name"] == name), {})
    cells = step_cells(resource, source, name)
    error = status.get("error") or {}
    code = f"import jupyter_ext as kf\n\nkf.pipelines.get({resource.name!r}).open({name!r})"
    said = f"## Step `{name}` of run `{resource.name}`\n\n{status.get('reason') or status.get('state', '')}"
    book = deepcopy(dict(source))
    book["cells"] = [
        {"cell_type": "markdown", "id": "kubeflow-about", "metadata": {}, "source": said},
        {**_code_cell("kubeflow-inputs", code)},
        *[_code_cell(cell["id"] or f"cell-{cell['index']}", cell["source"]) for cell in cells],
    ]
    book["nbformat"], book["nbformat_minor"] = 4, 5
    failed = next((cell for cell in cells if cell["index"] == error.get("cell")), cells[0] if cells else None)
    path = Path(resource.spec["pipeline"]["path"] or "notebook.ipynb")
    return {
        "step": name,
        "code": code,
        "path": str(path.with_name(f"{path.stem}.debug-{name}.ipynb")),
        "cellId": (failed["id"] or f"cell-{failed['index']}") if failed else None,
        "cell": {"index": failed["index"], "id": failed["id"]} if failed else None,
        "line": error.get("line"),
        "notebook": book,
    }


def _code_cell(id_: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": id_,
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }


def _text(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)
