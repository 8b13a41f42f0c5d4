"""Which cells make which step: tags, ``%%step`` lines, headings, or one step a cell.

Whatever the grammar, the result is one ``Outline``: drafts of steps in notebook order, an implicit first step
for what stands before them, the cells that hold parameters, and the problems met on the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_ext.pipelines import headings, stepline, tags
from jupyter_ext.pipelines.model import Cell, Grammar, Problem, StepKind
from jupyter_ext.pipelines.notebook import Notebook
from jupyter_ext.pipelines.prologue import is_prologue, is_prologue_name
from jupyter_ext.pipelines.settings import Settings, nearest
from jupyter_ext.pipelines.tags import Marks

_KALE = "kubeflow_notebook"
_SETUP_ROLES = ("imports", "functions", "parameters")


@dataclass
class Draft:
    """A step before its data flow is known."""

    name: str
    title: str
    kind: StepKind = "step"
    cells: list[Cell] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)
    declared: bool = False


@dataclass
class Outline:
    """The notebook cut into steps; ``setup`` is None if nothing comes before the first step."""

    grammar: Grammar
    title: str
    setup: Draft | None = None
    steps: list[Draft] = field(default_factory=list)
    parameter_cells: list[Cell] = field(default_factory=list)
    metric_cells: list[Cell] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def drafts(self) -> list[Draft]:
        """All steps, the implicit first one included."""
        return [self.setup, *self.steps] if self.setup else list(self.steps)


@dataclass
class _Marked:
    """A cell with what it says about itself."""

    cell: Cell
    marks: Marks
    heading: headings.Heading | None = None
    level: int = 0


def outline(notebook: Notebook) -> Outline:
    """Cut the notebook into steps."""
    marked, magic = _marked(notebook)
    structured = any(item.marks.role in {"step", *_SETUP_ROLES, "metrics"} for item in marked)
    grammar: Grammar = "magic" if magic else "tags" if structured else "cells"
    first = next((found[0] for cell in notebook.cells for found in [_headings(cell)] if found), None)
    title = first.title if first and first.level == 1 else notebook.stem
    if grammar == "cells" and any(item.heading and item.cell.source.strip() for item in marked):
        grammar = "headings"
    result = Outline(grammar, title)
    for item in marked:
        result.problems.extend(item.marks.problems)
    active = [item for item in marked if item.marks.role != "skip"]
    builders = {"headings": _by_headings, "cells": _by_cells}
    builders.get(grammar, _by_marks)(active, result)
    _metadata(notebook, result)
    _apply_defaults(notebook, result)
    _collect_parameters(active, result)
    _check_names(result)
    return result


def _headings(cell: Cell) -> list[headings.Heading]:
    return headings.find(cell.source) if cell.cell_type == "markdown" else []


def _marked(notebook: Notebook) -> tuple[list[_Marked], bool]:
    """Read what every code cell says about itself, and which heading it stands under."""
    result: list[_Marked] = []
    magic = False
    heading: headings.Heading | None = None
    for cell in notebook.cells:
        found = _headings(cell)
        if found:
            heading = found[-1]
        if cell.cell_type != "code":
            continue
        marks = tags.read(cell)
        line = stepline.split(cell.source)
        if line:
            magic = magic or line[0] == "step"
            _take_line(cell, marks, line)
            cell = replace(cell, source=line[2])  # noqa: PLW2901 - what is executed
        result.append(_Marked(cell, marks, heading, heading.level if heading else 0))
    return result, magic


def _take_line(cell: Cell, marks: Marks, line: tuple[str, str, str]) -> None:
    if line[0] == "parameters":
        marks.role = marks.role or "parameters"
        marks.parameters = True
        return
    said = stepline.read(cell, line[1])
    marks.problems += said.problems
    if marks.role == "skip":
        return
    if marks.name and said.name and marks.name != said.name:
        marks.problems.append(
            _problem(
                cell,
                "two-steps",
                f"the cell is tagged as step {marks.name!r} and its %%step line says {said.name!r}",
                "Remove one of them.",
                {"action": "remove-tag", "tag": f"step:{marks.name}"},
            ),
        )
    marks.name = said.name or marks.name or f"cell-{cell.index}"
    marks.role = "step"
    said.settings.merge(marks.settings)
    marks.settings = said.settings


def _problem(
    cell: Cell, code: str, message: str, remedy: str, fix: Mapping[str, str] | None = None
) -> Problem:
    return Problem("error", code, message, cell.index, cell.id, 1, remedy=remedy, fix=fix)


def _by_marks(items: list[_Marked], result: Outline) -> None:
    """Tags and ``%%step`` lines; a cell that says nothing belongs to the step above it, as in Kale."""
    setup: dict[str, list[Cell]] = {role: [] for role in ("before", *_SETUP_ROLES)}
    steps: dict[str, Draft] = {}
    current: Draft | None = None
    target = "before"
    orphans = Settings()
    for item in items:
        role = item.marks.role
        if role == "metrics":
            result.metric_cells.append(item.cell)
            target = "metrics"
        elif role in _SETUP_ROLES:
            target = role
        elif role == "step":
            target = "step"
            title = item.heading.title if item.heading else ""
            current = steps.setdefault(item.marks.name, Draft(item.marks.name, title, declared=True))
        elif target == "metrics":
            result.metric_cells.append(item.cell)
        if target == "step" and current:
            _add(current, item, result)
        elif target != "metrics":
            setup[target].append(item.cell)
            _outside(item, result, orphans)
    result.steps = list(steps.values())
    # The implicit step runs first, each kind of cell in notebook order, as they would in the notebook.
    cells = sorted((cell for group in setup.values() for cell in group), key=lambda cell: cell.index)
    _add_setup(cells, result)
    if result.metric_cells:
        _add_metrics(result)


def _add(draft: Draft, item: _Marked, result: Outline) -> None:
    """Add a cell to a step, with its settings; two cells that contradict each other are a problem."""
    draft.cells.append(item.cell)
    for word in draft.settings.merge(item.marks.settings):
        result.problems.append(
            _problem(
                item.cell,
                "conflicting-setting",
                f"step {draft.name!r} says two things about {word}",
                "Say it once, in the step's first cell.",
            ),
        )


def _outside(item: _Marked, result: Outline, seen: Settings) -> None:
    said = item.marks.settings.words()
    if said:
        seen.merge(item.marks.settings)
        message = f"the cell is no step's, so {', '.join(said)} has nothing to act on"
        result.problems.append(
            replace(
                _problem(item.cell, "setting-outside-step", message, "Move the setting to a step's cell."),
                severity="warning",
            ),
        )


def _add_setup(cells: list[Cell], result: Outline) -> None:
    if any(not blank(cell) for cell in cells):
        taken = {draft.name for draft in result.steps}
        name = "setup" if "setup" not in taken else headings.distinct("prologue", taken)
        result.setup = Draft(name, "Setup", "setup", cells)


def _add_metrics(result: Outline) -> None:
    if not result.steps:
        result.steps.append(Draft("metrics", "Metrics", declared=True))
    result.steps[-1].cells.extend(result.metric_cells)


def blank(cell: Cell) -> bool:
    """Whether the cell holds no code: nothing, or comments alone."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in cell.source.split("\n"))


def _by_headings(items: list[_Marked], result: Outline) -> None:
    """Each heading with code under it is a step; code before the first, and a title's imports, are setup."""
    groups: list[tuple[headings.Heading | None, list[_Marked]]] = []
    for item in items:
        if not groups or groups[-1][0] is not item.heading:
            groups.append((item.heading, []))
        groups[-1][1].append(item)
    groups = [group for group in groups if any(not blank(item.cell) for item in group[1])]
    before: list[_Marked] = []
    while len(groups) > 1 and _is_setup(groups, first=not before):
        before += groups.pop(0)[1]
    taken = {"setup"} if before else set()
    for number, (heading, members) in enumerate(groups, 1):
        title = heading.title if heading else result.title
        name = headings.distinct(headings.slug(title) or f"step-{number}", taken)
        draft = Draft(name, title, declared=bool(heading))
        for item in members:
            _add(draft, item, result)
        result.steps.append(draft)
    for item in before:
        _outside(item, result, Settings())
    _add_setup([item.cell for item in before], result)


def _is_setup(groups: list[tuple[headings.Heading | None, list[_Marked]]], *, first: bool) -> bool:
    """Whether the first group comes before all steps.

    Code above the first heading does. So do imports, definitions and constants under the notebook's title
    (its only heading of that level, with deeper ones below), and leading sections of parameters.
    """
    heading, members = groups[0]
    if heading is None:
        return True
    cells = [item.cell for item in members]
    if any(item.marks.settings for item in members):
        return False
    if is_prologue_name(heading.title) == "parameters":
        return is_prologue(cells)
    deeper = all(other is not None and other.level > heading.level for other, _ in groups[1:])
    return first and heading.level == 1 and deeper and is_prologue(cells)


def _by_cells(items: list[_Marked], result: Outline) -> None:
    items = [item for item in items if not blank(item.cell)]
    before: list[_Marked] = []
    while len(items) > 1 and items[0].marks.parameters:
        before.append(items.pop(0))
    for item in items:
        draft = Draft(f"cell-{item.cell.index}", "")
        _add(draft, item, result)
        result.steps.append(draft)
    _add_setup([item.cell for item in before], result)


def _collect_parameters(items: Iterable[_Marked], result: Outline) -> None:
    """Note the cells that hold parameters: by tag, by ``%%parameters``, or under a heading of that name."""
    by_heading = result.grammar in {"headings", "cells"}
    for item in items:
        named = by_heading and item.heading and is_prologue_name(item.heading.title) == "parameters"
        if item.marks.parameters or item.marks.role == "parameters" or named:
            result.parameter_cells.append(item.cell)


def _metadata(notebook: Notebook, result: Outline) -> None:
    """Take over the notebook's Kale metadata, in its old shapes and in its new ones."""
    kale = notebook.metadata.get(_KALE)
    kale = kale if isinstance(kale, Mapping) else {}
    name = kale.get("pipeline_name")
    title = kale.get("pipeline_description")
    own = notebook.metadata.get("title")
    if isinstance(title, str) and title:
        result.metadata["description"] = title
    if isinstance(own, str) and own:
        result.title = own
    result.name = headings.slug(name if isinstance(name, str) and name else notebook.stem) or "notebook"
    experiment = kale.get("experiment")
    label = kale.get("experiment_name") or (experiment.get("name") if isinstance(experiment, Mapping) else "")
    if label:
        result.metadata["experiment"] = str(label)
    image = kale.get("docker_image") or kale.get("base_image")
    if image:
        result.metadata["image"] = str(image)
    if isinstance(kale.get("enable_caching"), bool):
        result.metadata["cache"] = kale["enable_caching"]
    for key in ("volumes", "katib_metadata"):
        if kale.get(key) and (key == "volumes" or kale.get("katib_run")):
            result.metadata["volumes" if key == "volumes" else "katib"] = kale[key]
    if kale.get("snapshot_volumes") or kale.get("autosnapshot"):
        what = "the notebook asks for snapshots of its volumes, which nothing here takes"
        result.problems.append(
            Problem(
                "warning", "no-snapshots", what, remedy="Switch snapshots off in the notebook's metadata."
            ),
        )


def _apply_defaults(notebook: Notebook, result: Outline) -> None:
    kale = notebook.metadata.get(_KALE)
    if not isinstance(kale, Mapping) or not kale.get("steps_defaults"):
        return
    defaults, problems = tags.read_defaults(kale["steps_defaults"])
    result.problems.extend(problems)
    defaults.after = None
    for draft in result.steps:
        draft.settings.merge(defaults)


def _check_names(result: Outline) -> None:
    """Every step that another names as its predecessor must exist, and must not be the step itself."""
    known = {draft.name for draft in result.steps}
    for draft in result.steps:
        kept = []
        for name in draft.settings.after or ():
            if name in known and name != draft.name:
                kept.append(name)
            elif result.setup is None or name != result.setup.name:
                result.problems.append(_wrong_predecessor(draft, name, known))
        if draft.settings.after is not None:
            draft.settings.after = kept
        if all(blank(cell) for cell in draft.cells):
            what = f"step {draft.name!r} has no code"
            remedy = "Add code, or remove the step."
            cell = draft.cells[0]
            result.problems.append(
                Problem("info", "empty-step", what, cell.index, cell.id, 1, step=draft.name, remedy=remedy),
            )


def _wrong_predecessor(draft: Draft, name: str, known: set[str]) -> Problem:
    cell = next(
        (cell for cell in draft.cells if re.search(rf"\b{re.escape(name)}\b", " ".join(cell.tags))),
        draft.cells[0],
    )
    tag = f"prev:{name}" if f"prev:{name}" in cell.tags else ""
    declared = repr(tag) if tag else "--after"
    if name == draft.name:
        message, remedy = f"step {name!r} waits for itself ({declared})", "Remove it."
        fix = {"action": "remove-tag", "tag": tag} if tag else None
    else:
        near = nearest(name, known - {draft.name})
        message = f"step {draft.name!r} waits for {name!r} ({declared}), and there is no such step"
        names = ", ".join(sorted(known - {draft.name})[:8])
        remedy = f"Did you mean {near[0]!r}?" if near else f"Steps: {names}." if names else "Remove it."
        fix = {"action": "remove-tag", "tag": tag} if tag else None
        if near:
            fix = (
                {"action": "replace-tag", "tag": tag, "with": f"prev:{near[0]}"}
                if tag
                else {"action": "rename", "from": name, "to": near[0]}
            )
    return Problem(
        "error",
        "unknown-step",
        message,
        cell.index,
        cell.id,
        1,
        step=draft.name,
        remedy=remedy,
        fix=fix,
    )
