"""What an export makes of components that a notebook calls: a step's image has not what theirs have, so it is refused."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jupyter_ext.errors import Unfit, Where
from jupyter_ext.pipelines import syntax
from jupyter_ext.pipelines.model import Pipeline, Step

_MAKER = "component"
_HOME = "jupyter_ext.pipelines"


def refuse(pipeline: Pipeline) -> None:
    """Raise Unfit, naming step, cell and component, for a pipeline whose steps call any."""
    made: dict[str, str] = {}
    for step in pipeline.steps:
        for _, tree in _cells(step):
            made |= dict(_made(tree))
    if not made:
        return
    for step in pipeline.steps:
        for number, tree in _cells(step):
            for name in _called(tree):
                if name in made:
                    raise _refused(step, number, made[name])
    step = next(step for step in pipeline.steps for _, tree in _cells(step) if dict(_made(tree)))
    raise _refused(step, step.cells[0].index, next(iter(made.values())))


def _refused(step: Step, cell: int, label: str) -> Unfit:
    return Unfit(
        f"Step {step.name} calls the component {label}, and an export cannot carry that: in Kubeflow a component"
        " is a task with an image of its own, not a call within a step",
        where=Where(cell=cell, object=f"step {step.name}"),
        hint="Run the notebook here, or call the component in a pipeline of the KFP SDK.",
    )


def _cells(step: Step) -> Iterator[tuple[int, ast.Module]]:
    for cell in step.cells:
        yield cell.index, syntax.parse(cell.source).tree


def _made(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names that are given a component, and what it is made from; no name where it is called at once."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _makes(node):
            yield "", _label(node)
        if (
            isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(node.value, ast.Call)
            and _makes(node.value)
        ):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield target.id, _label(node.value)


def _label(call: ast.Call) -> str:
    return ast.unparse(call.args[0])[:80] if call.args else "without a name"


def _makes(call: ast.Call) -> bool:
    """``kf.pipelines.component(…)``, ``pipelines.component(…)``."""
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == _MAKER
        and ast.unparse(function.value).rpartition(".")[2] == _HOME.rpartition(".")[2]
    )


def _called(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
