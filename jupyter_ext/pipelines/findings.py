"""Problems in sentences: what is wrong, at which cell and line, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jupyter_ext.pipelines.flow.machine import BUILTINS
from jupyter_ext.pipelines.flow.records import CellFlow, Note
from jupyter_ext.pipelines.grammar import Draft
from jupyter_ext.pipelines.model import Cell, Problem, Severity
from jupyter_ext.pipelines.settings import nearest
from jupyter_ext.pipelines.wiring import Missing, Wiring

_SUGGESTIONS = 60


@dataclass(frozen=True)
class Book:
    """What the sentences need to know: who owns a cell, and who defines a name where."""

    cells: Mapping[int, Cell]
    owners: Mapping[int, Draft]
    definers: Mapping[str, Sequence[int]]
    """Cells that bind the name, in the order in which they run."""

    @classmethod
    def of(cls, flows: Iterable[CellFlow], owners: Mapping[int, Draft], cells: Mapping[int, Cell]) -> Book:
        """Note who defines what."""
        definers: dict[str, list[int]] = {}
        for flow in flows:
            for name in flow.binds:
                definers.setdefault(name, []).append(flow.cell)
        return cls(cells, owners, definers)


def of_notes(flows: Iterable[CellFlow], book: Book) -> list[Problem]:
    """The findings made while following the code."""
    seen: dict[tuple[object, ...], Problem] = {}
    for flow in flows:
        for note in flow.notes:
            seen.setdefault((note.code, note.place), _noted(note, book))
    return list(seen.values())


def _noted(note: Note, book: Book) -> Problem:
    place = note.place
    cell = book.cells.get(place.cell)
    owner = book.owners.get(place.cell)
    return Problem(
        note.severity,
        note.code,
        note.message,
        place.cell,
        cell.id if cell else None,
        place.line,
        place.column,
        owner.name if owner else None,
        note.remedy,
    )


def of_missing(wiring: Wiring, book: Book) -> list[Problem]:
    """Names that are not defined where they are read."""
    found = []
    for number, missing in enumerate(wiring.missing):
        found.append(_missing(missing, wiring, book, suggest=number < _SUGGESTIONS))
    return found


def _missing(missing: Missing, wiring: Wiring, book: Book, *, suggest: bool) -> Problem:
    name, read = missing.name, missing.read
    severity: Severity = "error" if read.hard else "warning"
    owner = book.owners[missing.cell]
    definers = book.definers.get(name, ())
    deleted = wiring.deleted.get(name)
    fix: dict[str, str] | None = None
    if name == "__file__":
        code, message = "undefined-name", "a notebook has no __file__"
        remedy = "Use Path.cwd(), or write the path out."
    elif deleted is not None:
        code, message = "deleted-name", f"{name!r} was deleted in cell {deleted}"
        remedy = f"Do not delete it there, or define it again before cell {missing.cell}."
    elif definers and any(cell != missing.cell for cell in definers):
        code, message, remedy, fix = _defined_later(missing, owner, definers, book)
    elif definers:
        code, message = "defined-later", f"{name!r} is used before the line that defines it"
        remedy = "Move the definition up."
    else:
        code, message = "undefined-name", f"{name!r} is not defined"
        near = _similar(name, book) if suggest else None
        remedy = f"Did you mean {near!r}?" if near else "Define it in a cell above, or import it."
        fix = {"action": "rename", "from": name, "to": near} if near else None
    if read.place.cell != missing.cell:
        message += f" when cell {missing.cell} calls the code in cell {read.place.cell}"
    elif not read.hard:
        message += ", which fails if this line is reached"
    cell = book.cells[read.place.cell]
    return Problem(
        severity,
        code,
        message,
        cell.index,
        cell.id,
        read.place.line,
        read.place.column,
        owner.name,
        remedy,
        fix,
    )


def _defined_later(
    missing: Missing,
    owner: Draft,
    definers: Sequence[int],
    book: Book,
) -> tuple[str, str, str, dict[str, str] | None]:
    later = next(cell for cell in definers if cell != missing.cell)
    step = book.owners[later]
    name = missing.name
    if owner.kind == "setup" and later < missing.cell:
        message = (
            f"{name!r} comes from step {step.name!r} (cell {later}), and this cell runs before all steps"
        )
        tag = next((tag for tag in book.cells[missing.cell].tags if tag in {"imports", "functions"}), "")
        remedy = f"Remove the tag {tag!r} from the cell, or do not use {name!r} in it."
        return "setup-needs-step", message, remedy, {"action": "remove-tag", "tag": tag} if tag else None
    message = f"{name!r} is defined only later, in step {step.name!r} (cell {later})"
    remedy = f"Move cell {later} above, or what needs {name!r} below it."
    if _imports_only(book.cells[later]):
        remedy = f"Move cell {later} above, or tag it 'imports' so that it runs first."
        return (
            "defined-later",
            message,
            remedy,
            {
                "action": "add-tag",
                "tag": "imports",
                "cellId": book.cells[later].id,
            },
        )
    return "defined-later", message, remedy, None


def _imports_only(cell: Cell) -> bool:
    lines = [line.strip() for line in cell.source.split("\n")]
    return all(not line or line.startswith(("#", "import ", "from ")) for line in lines)


def _similar(name: str, book: Book) -> str | None:
    candidates = [known for known in book.definers if abs(len(known) - len(name)) <= 3]
    near = nearest(name, candidates)
    if not near:
        near = nearest(name, (known for known in BUILTINS if known.islower() and not known.startswith("_")))
    if near and len(name) < 3 and near[0].lower() != name.lower():
        return None
    return near[0] if near else None


def of_unpassable(wiring: Wiring, book: Book) -> list[Problem]:
    """Values that no file can hold and that another step needs."""
    found = []
    for missing, kind, source in wiring.unpassable:
        cell = book.cells[missing.cell]
        message = f"{missing.name!r} is {kind}, which may not pass from step {source!r} to this one"
        remedy = f"Open it again here, or put both into one step ({source!r})."
        place = missing.read.place
        found.append(
            Problem(
                "warning",
                "unpassable",
                message,
                cell.index,
                cell.id,
                place.line,
                place.column,
                missing.step,
                remedy,
            ),
        )
    return found


def of_splits(wiring: Wiring, book: Book) -> list[Problem]:
    """Steps in two parts of which the second changes what a step between them has read."""
    found = []
    for step, reader, variable, cell, at in wiring.split:
        place = book.cells[cell]
        message = (
            f"step {step!r} changes {variable!r} again after step {reader!r} (cell {at}) has used it, "
            "and a step runs as a whole"
        )
        remedy = "Give this cell a step name of its own."
        found.append(Problem("error", "split-step", message, cell, place.id, 1, 1, step, remedy))
    return found


def of_cycle(
    cycle: Sequence[str], reasons: Sequence[str], drafts: Mapping[str, Draft], *, declared: bool
) -> Problem:
    """Steps that wait for each other."""
    draft = drafts[cycle[0]]
    cell = draft.cells[0]
    path = " → ".join([*cycle, cycle[0]])
    what = "the declared order runs in a circle" if declared else "the steps wait for each other"
    remedy = "Remove one prev: tag or --after of these."
    if not declared:
        remedy = "Give the cells that lie between the others a step name of their own."
    message = f"{what}: {path}"
    if not declared and reasons:
        message += f" ({'; '.join(reasons)})"
    return Problem("error", "cycle", message, cell.index, cell.id, 1, 1, draft.name, remedy)


def of_loops(drafts: Iterable[Draft], wiring: Wiring) -> list[Problem]:
    """Names to collect that a step does not make, and collecting without a loop."""
    found = []
    for draft in drafts:
        flow = wiring.steps.get(draft.name)
        cell = draft.cells[0]
        if draft.settings.collect and draft.settings.foreach is None:
            message = f"step {draft.name!r} collects {', '.join(draft.settings.collect)}, and it has no loop"
            remedy = "Add --for (the tag for:), or remove --collect."
            found.append(
                Problem(
                    "error", "collect-without-loop", message, cell.index, cell.id, 1, 1, draft.name, remedy
                ),
            )
            continue
        if flow is None or flow.wild_writes:
            continue
        for name in draft.settings.collect:
            if name in flow.writes or name in flow.may_write:
                continue
            near = nearest(name, flow.writes)
            message = f"step {draft.name!r} collects {name!r}, which it does not define"
            remedy = (
                f"Did you mean {near[0]!r}?"
                if near
                else f"It defines {', '.join(flow.writes[:6]) or 'nothing'}."
            )
            fix = {"action": "rename", "from": name, "to": near[0]} if near else None
            found.append(
                Problem(
                    "error", "collect-unknown", message, cell.index, cell.id, 1, 1, draft.name, remedy, fix
                ),
            )
    return found


def sort_key(problem: Problem) -> tuple[int, int, int, int, str, str]:
    """Problems in the order of the notebook, errors before warnings at one place."""
    severity = ("error", "warning", "info").index(problem.severity)
    line, column = problem.line or 0, problem.column or 0
    return (problem.cell or 0, line, column, severity, problem.code, problem.message)


def metric_names(source: str) -> list[str]:
    """The names that a Kale metrics cell prints or just names."""
    found = []
    for line in source.split("\n"):
        text = line.split("#", 1)[0].strip()
        match = re.fullmatch(r"(?:print\()?([A-Za-z_]\w*)\)?;?", text)
        if match and match.group(1) not in BUILTINS:
            found.append(match.group(1))
    return list(dict.fromkeys(found))
