"""A notebook as a pipeline: steps, what they need of each other, and every problem that can be seen before a run."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Any

from jupyter_ext.pipelines import findings, grammar, parameters, preload
from jupyter_ext.pipelines.dataflow import Unit, trace
from jupyter_ext.pipelines.grammar import Draft, Outline
from jupyter_ext.pipelines.model import ANY, Cell, Edge, Effect, Foreach, Order, Pipeline, Problem, Step
from jupyter_ext.pipelines.notebook import Notebook, read
from jupyter_ext.pipelines.sequence import Sequencer
from jupyter_ext.pipelines.settings import from_step, step_fields
from jupyter_ext.pipelines.wiring import StepFlow, Wiring

_SERIAL = frozenset({"rng", "env", "cwd", "settings", "unknown", "shell", "file", "stdin"})


def check(source: str | Path | Mapping[str, Any]) -> Pipeline:
    """Read and analyse a notebook; raises NotFound or Invalid if it cannot be read at all."""
    return analyse(read(source))


def analyse(notebook: Notebook) -> Pipeline:
    """Analyse a notebook; what its user did wrong is in ``problems``, never raised."""
    with _without_collection():
        return assemble(grammar.outline(notebook), notebook.path)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Hold the garbage collector back: it would take half of the time, and what is made here is kept anyway."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def assemble(outline: Outline, path: str) -> Pipeline:
    """Connect the steps of an outline."""
    drafts = outline.drafts
    order: Order = (
        "declared" if any(draft.settings.after is not None for draft in outline.steps) else "notebook"
    )
    problems = list(outline.problems)
    problems += _drop_circles(outline.steps)
    units, owners = _in_running_order(drafts)
    flows = trace(units)
    wiring = Wiring(order, owners)
    wiring.connect(flows)
    cells = {unit.cell.index: unit.cell for unit in units}
    book = findings.Book.of(flows, owners, cells)
    problems += findings.of_notes(flows, book)
    problems += findings.of_missing(wiring, book)
    problems += findings.of_unpassable(wiring, book)
    problems += findings.of_splits(wiring, book)
    problems += findings.of_loops(outline.steps, wiring)
    found, more = parameters.find(outline.parameter_cells)
    problems += more
    names, edges, circles = _edges(outline, wiring, order)
    problems += circles
    by_name = {draft.name: draft for draft in drafts}
    return Pipeline(
        name=outline.name,
        title=outline.title,
        path=path,
        grammar=outline.grammar,
        order=order,
        steps=tuple(_step(by_name[name], wiring.steps.get(name, StepFlow())) for name in names),
        edges=tuple(edges),
        parameters=tuple(found),
        metrics=tuple(_metrics(outline.metric_cells)),
        preload=preload.modules(flows, path),
        problems=tuple(sorted(_once(problems), key=findings.sort_key)),
        metadata=outline.metadata,
    )


_FLOW_CODES = frozenset(
    [
        "undefined-name",
        "deleted-name",
        "defined-later",
        "setup-needs-step",
        "syntax-error",
        "dynamic-code",
        "star-import",
        "last-output",
        "stdin",
        "unknown-magic",
        "unpassable",
        "split-step",
        "cycle",
        "collect-unknown",
        "collect-without-loop",
        "no-parameter",
    ],
)
"""Problems that come from following the code; all others are the outline's."""


def reanalyse(pipeline: Pipeline, cells: Mapping[int, Cell]) -> Pipeline:
    """The pipeline with other cells in the place of those of the same index."""
    drafts = [
        Draft(
            step.name,
            step.title,
            step.kind,
            [cells.get(cell.index, cell) for cell in step.cells],
            from_step(step),
            step.declared,
        )
        for step in pipeline.steps
    ]
    holders = {parameter.cell for parameter in pipeline.parameters}
    outline = Outline(
        pipeline.grammar,
        pipeline.title,
        next((draft for draft in drafts if draft.kind == "setup"), None),
        [draft for draft in drafts if draft.kind != "setup"],
        [cell for draft in drafts for cell in draft.cells if cell.index in holders],
        problems=[problem for problem in pipeline.problems if problem.code not in _FLOW_CODES],
        metadata=dict(pipeline.metadata),
        name=pipeline.name,
    )
    return replace(assemble(outline, pipeline.path), metrics=pipeline.metrics)


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """Each finding once."""
    seen: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        seen.setdefault((problem.code, problem.cell, problem.line, problem.column, problem.message), problem)
    return list(seen.values())


def _metrics(cells: Iterable[Cell]) -> list[str]:
    return list(dict.fromkeys(name for cell in cells for name in findings.metric_names(cell.source)))


# Order


def _drop_circles(drafts: Sequence[Draft]) -> list[Problem]:
    """Name each circle in the declared order, and leave one declaration of it out so that the rest can go on."""
    by_name = {draft.name: draft for draft in drafts}
    problems = []
    while cycle := _circle({draft.name: draft.settings.after or () for draft in drafts}):
        # Found along predecessors; people read it in running order.
        cycle = _from_first(list(reversed(cycle)), list(by_name))
        problems.append(findings.of_cycle(cycle, (), by_name, declared=True))
        draft = by_name[cycle[0]]
        draft.settings.after = [name for name in draft.settings.after or () if name != cycle[-1]]
    return problems


def _from_first(cycle: list[str], names: list[str]) -> list[str]:
    start = cycle.index(min(cycle, key=names.index))
    return cycle[start:] + cycle[:start]


def _circle(following: Mapping[str, Iterable[str]]) -> list[str] | None:
    """A cycle of the graph, None if there is none."""
    state: dict[str, int] = {}
    for start in following:
        if state.get(start):
            continue
        path = [start]
        state[start] = 1
        pending = [iter(following[start])]
        while pending:
            name = next(pending[-1], None)
            if name is None:
                state[path.pop()] = 2
                pending.pop()
            elif state.get(name) == 1:
                return path[path.index(name) :]
            elif not state.get(name):
                state[name] = 1
                path.append(name)
                pending.append(iter(following.get(name, ())))
    return None


def _in_running_order(drafts: Sequence[Draft]) -> tuple[list[Unit], dict[int, Draft]]:
    """All cells as they run: the setup's first, then as in the notebook, unless a step waits for a later one."""
    owners = {cell.index: draft for draft in drafts for cell in draft.cells}
    position = {draft.name: number for number, draft in enumerate(drafts)}
    backward = any(
        position[name] > position[draft.name] for draft in drafts for name in draft.settings.after or ()
    )
    if backward:
        after = {draft.name: list(draft.settings.after or ()) for draft in drafts}
        by_name = {draft.name: draft for draft in drafts}
        ordered = [cell for name in _sorted(list(position), after) for cell in by_name[name].cells]
    else:
        setup = [draft for draft in drafts if draft.kind == "setup"]
        steps = [draft for draft in drafts if draft.kind != "setup"]
        ordered = [cell for draft in setup for cell in draft.cells]
        ordered += sorted((cell for draft in steps for cell in draft.cells), key=lambda cell: cell.index)
    units = []
    for cell in ordered:
        draft = owners[cell.index]
        first = cell is draft.cells[0]
        units.append(
            Unit(cell, draft.settings.when if first else None, draft.settings.foreach if first else None),
        )
    return units, owners


def _sorted(names: Sequence[str], parents: Mapping[str, Iterable[str]]) -> list[str]:
    """Names with every parent before its children, otherwise in the given order; a cycle's rest comes last."""
    position = {name: number for number, name in enumerate(names)}
    waiting = {name: {parent for parent in parents.get(name, ()) if parent in position} for name in names}
    children: dict[str, list[str]] = {}
    for name, found in waiting.items():
        for parent in found:
            children.setdefault(parent, []).append(name)
    ready = [position[name] for name, found in waiting.items() if not found]
    heapify(ready)
    result: list[str] = []
    while ready:
        name = names[heappop(ready)]
        result.append(name)
        for child in children.get(name, ()):
            waiting[child].discard(name)
            if not waiting[child]:
                heappush(ready, position[child])
    done = set(result)
    return [*result, *(name for name in names if name not in done)]


# Edges


def _edges(outline: Outline, wiring: Wiring, order: Order) -> tuple[list[str], list[Edge], list[Problem]]:
    """All edges: of data, declared, and where nothing is declared of effects; and the steps in their order."""
    names = [draft.name for draft in outline.drafts]
    pairs: dict[tuple[str, str], Edge] = {}
    for (source, target), variables in wiring.data.items():
        if source != target:
            pairs[source, target] = Edge(
                source, target, _listed(variables), "data", _reason(source, variables)
            )
    for draft in outline.steps:
        for source in draft.settings.after or ():
            if (source, draft.name) not in pairs:
                pairs[source, draft.name] = Edge(source, draft.name, (), "declared", _declared(draft, source))
    problems = _circles(pairs, outline, wiring)
    parents: dict[str, list[str]] = {name: [] for name in names}
    for source, target in pairs:
        parents[target].append(source)
    names = _sorted(names, parents)
    _add_order(names, pairs, parents, outline, wiring, order)
    position = {name: number for number, name in enumerate(names)}
    edges = sorted(pairs.values(), key=lambda edge: (position[edge.target], position[edge.source]))
    return names, edges, problems


def _circles(pairs: dict[tuple[str, str], Edge], outline: Outline, wiring: Wiring) -> list[Problem]:
    """Data may run in a circle where a step's cells lie apart, or against a declared order."""
    drafts = {draft.name: draft for draft in outline.drafts}
    problems: list[Problem] = []
    names = list(drafts)
    while True:
        following: dict[str, list[str]] = {name: [] for name in names}
        for source, target in pairs:
            following[source].append(target)
        cycle = _circle(following)
        if not cycle:
            return problems
        cycle = _from_first(cycle, names)
        reasons = []
        for source, target in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            edge = pairs[source, target]
            needs = f"needs {', '.join(edge.names[:3])} of" if edge.names else "is declared to run after"
            reasons.append(f"{target!r} {needs} {source!r}")
        problems.append(findings.of_cycle(cycle, reasons, drafts, declared=False))
        del pairs[cycle[-1], cycle[0]]
        del wiring


def _add_order(
    names: Sequence[str],
    pairs: dict[tuple[str, str], Edge],
    parents: Mapping[str, Iterable[str]],
    outline: Outline,
    wiring: Wiring,
    order: Order,
) -> None:
    """Add the edges of effects and from the setup, but none where a path exists already."""
    position = {name: number for number, name in enumerate(names)}
    setup = outline.setup.name if outline.setup else None
    sequencer = Sequencer()
    before: list[int] = []
    for number, name in enumerate(names):
        reached = 0
        for parent in parents[name]:
            reached |= before[position[parent]] | 1 << position[parent]
        reasons: dict[int, str] = {}
        if order == "notebook" and name != setup and name in wiring.steps:
            reasons = sequencer.before(number, wiring.steps[name].all_effects)
        if setup is not None and name != setup:
            reasons[position[setup]] = "runs after what comes before all steps"
        for other in sorted(reasons, reverse=True):
            if not reached >> other & 1:
                pairs[names[other], name] = Edge(names[other], name, (), "order", reasons[other])
                reached |= before[other] | 1 << other
        before.append(reached)


def _listed(variables: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(variables, key=lambda name: (name != ANY, name)))


def _reason(source: str, variables: Mapping[str, bool]) -> str:
    if ANY in variables:
        return f"may use anything that {source} defines"
    sure = sorted(name for name, may in variables.items() if not may)
    perhaps = sorted(name for name, may in variables.items() if may)
    parts = []
    if sure:
        parts.append(f"uses {_some(sure)}")
    if perhaps:
        parts.append(f"uses {_some(perhaps)}, which {source} may have changed")
    return "; ".join(parts)


def _some(names: Sequence[str]) -> str:
    if len(names) <= 5:
        return ", ".join(names)
    return f"{', '.join(names[:4])} and {len(names) - 4} more"


def _declared(draft: Draft, source: str) -> str:
    for cell in draft.cells:
        if f"prev:{source}" in cell.tags:
            return f"declared by the tag prev:{source} at cell {cell.index}"
    return f"declared by --after {source} at cell {draft.cells[0].index}"


# Steps


def _step(draft: Draft, flow: StepFlow) -> Step:
    fields = step_fields(draft.settings)
    fields["foreach"] = _foreach(draft, flow)
    effects = flow.all_effects
    reads = tuple(sorted(flow.reads))
    return Step(
        name=draft.name,
        title=draft.title,
        kind=draft.kind,
        cells=tuple(draft.cells),
        reads=(ANY, *reads) if flow.wild_reads else reads,
        writes=flow.writes,
        mutates=flow.mutates,
        may_write=flow.may_write,
        deletes=tuple(sorted(flow.deletes)),
        effects=effects,
        declared=draft.declared,
        **fields,
    )


def _foreach(draft: Draft, flow: StepFlow) -> Foreach | None:
    """The loop of a step; its iterations may run side by side if none needs what another left."""
    loop = draft.settings.foreach
    if loop is None:
        return None
    own = set(loop.var.split(", "))
    touched = set(flow.binds) | set(flow.changed) | flow.deletes
    carried = (flow.needs & touched) - own
    # What an iteration leaves only sometimes is that of the last one which did.
    wanted = flow.live_after | set(draft.settings.collect)
    left = set(flow.binds) if ANY in wanted else set(flow.binds) & wanted
    unsure = {name for name in left - own if name not in flow.sure}
    serial = any(_serial(effect) for effect in flow.all_effects) or flow.wild_reads or flow.wild_writes
    return replace(loop, parallel=not (carried or unsure or serial))


def _serial(effect: Effect) -> bool:
    return effect.mode == "w" and effect.kind in _SERIAL
