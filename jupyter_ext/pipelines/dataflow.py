"""The data flow between cells: which names each reads, binds, changes and deletes, and its effects."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_ext.pipelines.flow.machine import BUILTINS
from jupyter_ext.pipelines.flow.records import CellFlow, Note, Place, Read, Record
from jupyter_ext.pipelines.flow.scopes import Scope
from jupyter_ext.pipelines.flow.statements import Statements
from jupyter_ext.pipelines.flow.values import DELETED, IMMUTABLE, Val, of, part
from jupyter_ext.pipelines.knowledge.effects import UNPASSABLE_TYPES
from jupyter_ext.pipelines.model import Cell, Foreach
from jupyter_ext.pipelines.syntax import Parsed, parse, parse_anew


@dataclass(frozen=True)
class Unit:
    """A cell as it is run: after a condition, or once for each element of something."""

    cell: Cell
    when: str | None = None
    foreach: Foreach | None = None


class Notebook(Statements):
    """Follows one cell after the other."""

    def follow(self, unit: Unit) -> CellFlow:
        """Follow a cell; never raises for what the code does."""
        cell = unit.cell
        self.scope = Scope(None, "module")
        self.outer = self.scope
        self.frame.cell, self.frame.root = cell.index, self.scope
        self.record = Record()
        self.cond = 0
        self.begin_cell()
        self.maybe_bound = set()
        parsed = parse(cell.source)
        try:
            self._settings(unit)
            self._source(parsed, cell)
        except RecursionError:
            self._too_deep(cell)
        return self._finish(cell, parsed)

    def _settings(self, unit: Unit) -> None:
        """What decides whether and how often the cell runs is evaluated before it."""
        if unit.when:
            self.evaluate(_expression(unit.when))
        if unit.foreach:
            node = _expression(unit.foreach.expr)
            element = self.element(self.evaluate(node), node)
            names = unit.foreach.var.split(", ")
            for name in names:
                self.bind(name, element if len(names) == 1 else part(element))

    def _source(self, parsed: Parsed, cell: Cell) -> None:
        if parsed.automagic and self.global_value(parsed.automagic[0]) is None and not parsed.fault:
            self.line_magic(*parsed.automagic, ast.Pass(lineno=1, col_offset=0))
            return
        if parsed.fault:
            fault = parsed.fault
            place = Place(cell.index, fault.line, fault.column)
            message = f"the code is no Python: {fault.message}"
            self.record.note(Note("error", "syntax-error", message, place, "Correct the line."))
            self.go_wild(reads=False)
            return
        self.run(parsed.tree.body)

    def _too_deep(self, cell: Cell) -> None:
        place = Place(cell.index, 1, 1)
        message = "the code is nested too deeply to be followed, so its step waits for all steps above"
        self.record.note(Note("warning", "dynamic-code", message, place, "Split it into several statements."))
        self.go_wild()
        self.record.effect("unknown", "w", "*", place)

    def run_inline(self, statements: list[ast.stmt]) -> None:
        """Follow statements that a magic or ``exec`` runs here."""
        self.run(statements)

    def _finish(self, cell: Cell, parsed: Parsed) -> CellFlow:
        """Take what the cell bound into the module's names."""
        scope = self.scope
        while scope.parent is not None:
            scope = scope.parent
        binds: dict[str, bool] = {}
        deletes = set()
        changed = dict(self.record.changed)
        for name, value in scope.vars.items():
            if value is DELETED:
                if self.globals.pop(name, None) is not None or name in self.record.reads:
                    deletes.add(name)
                self.globals[name] = DELETED
                continue
            if name in scope.weak and name in self.maybe_bound:
                changed.setdefault(name, False)
            else:
                binds[name] = name not in scope.weak
            before = self.globals.get(name)
            if name in scope.weak and before is not None and before is not DELETED:
                value = Val(  # noqa: PLW2901 - either of the two
                    value.objs | before.objs,
                    value.maybe | before.maybe,
                    value.api or before.api,
                )
            self.globals[name] = value
        record = self.record
        self.epoch += 1
        return CellFlow(
            cell.index,
            record.reads,
            record.missing,
            binds,
            changed,
            frozenset(deletes),
            record.effects,
            frozenset(record.seeded),
            tuple(record.imports) if not parsed.fault else (),
            tuple(record.notes.values()),
            record.wild_reads,
            record.wild_writes,
            self._unpassable(binds),
        )

    def _unpassable(self, names: Iterable[str]) -> dict[str, str]:
        found = {}
        for name in names:
            for obj in self.globals[name].objs:
                if obj.type in UNPASSABLE_TYPES:
                    found[name] = UNPASSABLE_TYPES[obj.type]
        return found


def _expression(text: str) -> ast.expr:
    parsed = parse_anew(text)
    statement = parsed.tree.body[0] if parsed.tree.body else None
    return statement.value if isinstance(statement, ast.Expr) else ast.Constant(None, lineno=1, col_offset=0)


def trace(units: Sequence[Unit]) -> list[CellFlow]:
    """Follow cells in the order in which they run."""
    machine = Notebook()
    return [machine.follow(unit) for unit in units]


__all__ = ["BUILTINS", "IMMUTABLE", "CellFlow", "Read", "Unit", "of", "trace"]
